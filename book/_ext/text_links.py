"""Sphinx extension: links that running text gets by itself, from terms to the glossary and from claims to their cards.

The first use of a term on a page is a link with the definition as its title; `book.js` shows it when the link is
pointed at or reached by keyboard. The code of a claim, such as B1a, is a link to its card.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

GLOSSARY = "book/glossary"
CLAIMS = "notebooks/21_claims"

#: Terms that are everyday words as well: only `{term}` links them.
EVERYDAY = frozenset(
    "alpha baseline bulk calibration deletion described distance edge effect family fold insertion interval loss mixed "
    "power range run scale setting shift similarity spectrum step supported swap tie turn undecided update win".split()
) | {"not supported"}

#: What is no running text, or a link already.
CLOSED = (nodes.title, nodes.reference, nodes.literal, nodes.raw, nodes.math, nodes.caption, addnodes.pending_xref)

Make = Callable[[re.Match[str]], nodes.Node | None]


@lru_cache
def definitions(text: str) -> dict[str, str]:
    """The terms of the glossary's source, in its order, with their definitions as plain text."""
    found: dict[str, str] = {}
    for block in re.findall(r"^```\{glossary\}\n(.*?)^```", text, re.M | re.S):
        for entry in block.strip().split("\n\n"):
            lines = entry.split("\n")
            meaning = " ".join(line.strip() for line in lines if line.startswith(" "))
            found |= {line: meaning.replace("`", "") for line in lines if not line.startswith(" ")}
    return found


@lru_cache
def terms_pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the terms as a word, longest first; a plural, and a capital where a sentence begins, are the same word."""
    longest = sorted(terms, key=len, reverse=True)
    words = [f"[{t[0]}{t[0].upper()}]{re.escape(t[1:])}" if t[0].islower() else re.escape(t) for t in longest]
    return re.compile(rf"(?<![\w-])({'|'.join(words)})s?(?![\w-])")


def replace_in_text(doctree, pattern: re.Pattern[str], make: Make) -> None:
    """In the running text of a page, what matches becomes what ``make`` makes of it; None leaves it."""
    for node in list(doctree.findall(nodes.Text)):
        around, parent = [], node.parent
        while parent is not None:
            around.append(parent)
            parent = parent.parent
        if not any(isinstance(p, nodes.paragraph) for p in around) or any(isinstance(p, CLOSED) for p in around):
            continue
        new, at, text = [], 0, node.astext()
        for match in pattern.finditer(text):
            if (made := make(match)) is not None:
                new += [nodes.Text(text[at : match.start()]), made]
                at = match.end()
        if new:
            node.parent.replace(node, [*new, nodes.Text(text[at:])])


def link(text: str, address: str, title: str, kind: str) -> nodes.reference:
    return nodes.reference(text, text, internal=True, refuri=address, reftitle=title, classes=[kind])


def link_terms(app, doctree, page) -> None:
    if page == GLOSSARY or GLOSSARY not in app.env.found_docs:
        return
    known = definitions(Path(app.env.doc2path(GLOSSARY)).read_text(encoding="utf-8"))
    places = {name: at for (kind, name), at in app.env.get_domain("std").objects.items() if kind == "term"}
    root, met = app.builder.get_relative_uri(page, GLOSSARY), set()

    def make(match: re.Match[str]) -> nodes.Node | None:
        term = match[1] if match[1] in known else match[1][0].lower() + match[1][1:]
        if known[term] in met:  # the term or an alias of it has its link
            return None
        met.add(known[term])
        return link(match[0], f"{root}#{places[term][1]}", known[term], "ws-term")

    titles = {f"{root}#{label}": known[name] for name, (_, label) in places.items() if name in known}
    for reference in doctree.findall(nodes.reference):  # by hand
        if (address := reference.get("refuri")) in titles:
            reference["reftitle"] = titles[address]
            reference["classes"].append("ws-term")
            met.add(titles[address])
    replace_in_text(doctree, terms_pattern(tuple(term for term in known if term not in EVERYDAY)), make)


def claims(app) -> None:
    """The codes of all claims that have a card, from the executed notebook."""
    source = app.weightspace_notebooks.get(CLAIMS)
    text = app.weightspace_book.output(source).read_text(encoding="utf-8") if source else ""
    app.weightspace_claims = frozenset(re.findall(r'class=\\"ws-claim\\" id=\\"(\w+)\\"', text))


def link_claims(app, doctree, page) -> None:
    if page == CLAIMS or not app.weightspace_claims:
        return
    root = app.builder.get_relative_uri(page, CLAIMS)

    def make(match: re.Match[str]) -> nodes.Node | None:
        code = match[0]
        return link(code, f"{root}#{code}", "", "ws-code") if code in app.weightspace_claims else None

    replace_in_text(doctree, re.compile(r"(?<![\w-])[ABC]\d\w*(?![\w-])"), make)


def setup(app):
    app.connect("builder-inited", claims, priority=600)  # after the notebooks ran
    app.connect("doctree-resolved", link_terms)
    app.connect("doctree-resolved", link_claims)
