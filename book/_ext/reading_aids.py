"""Sphinx extension: what helps readers to find a page and to find their way: its description and preview for links to
it, and the texts of all pages for the excerpts of the search."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path

import execution
from docutils import nodes

#: The name under which a notebook hands over the picture that a link to the book shows.
PREVIEW = "preview"
DESCRIPTION = 200  # characters, as many as search engines and messengers show

#: What an excerpt leaves out, and what stands for a formula.
_NOT_TEXT = re.compile(
    r"<(svg|script|style|pre|button)\b.*?</\1>|<a class=\"headerlink\".*?</a>|<p class=\"ws-key\".*?</p>", re.S
)
_FORMULA = re.compile(r"<(span|div) class=\"[^\"]*\bmath\b[^\"]*\">.*?</\1>", re.S)
_SECTION = re.compile(r"<section[^>]* id=\"([^\"]+)\"[^>]*>")


def preview(app) -> bytes | None:
    """The picture for links, if a notebook of the book has one."""
    for source in app.weightspace_notebooks.values():
        text = app.weightspace_book.output(source).read_text(encoding="utf-8")
        if f'"name": "{PREVIEW}"' not in text:
            continue
        for cell in json.loads(text)["cells"]:
            for output in cell.get("outputs", []):
                if output.get("metadata", {}).get("scrapbook", {}).get("name") == PREVIEW:
                    return base64.b64decode(output["data"]["application/papermill.record/image/png"])
    return None


def find_preview(app) -> None:
    app.weightspace_preview = preview(app) if app.builder.format == "html" else None


def about(doctree) -> str:
    """What a page is about: the answer in the box under its title, or its first paragraph."""
    texts = [" ".join(node.astext().split()) for node in doctree.findall(nodes.paragraph)]
    answers = (text.removeprefix("Answer. ") for text in texts if text.startswith("Answer. "))
    return next(answers, next(filter(None, texts), ""))


def describe(app, page, template, context, doctree) -> None:
    """Every page says in its head what it is about; a link to it shows a title, a sentence and a picture."""
    if doctree is None:
        return
    text = about(doctree)
    if len(text) > DESCRIPTION:
        text = text[:DESCRIPTION].rpartition(" ")[0] + " …"
    title = re.sub(r"<[^>]*>", "", context["title"])
    tags = {"description": text, "og:type": "article", "og:title": title, "og:description": text}
    tags["og:site_name"] = app.config.project
    if app.weightspace_preview:
        # Sites that show links ask for a whole address; as long as it is not known, this one is relative to the page.
        base = app.config.html_baseurl.rstrip("/")
        address = f"{base}/_static/preview.png" if base else context["pathto"]("_static/preview.png", 1)
        tags |= {"og:image": address, "og:image:width": "1200", "og:image:height": "630"}
        tags |= {"og:image:alt": "The two figures of the landing page", "twitter:card": "summary_large_image"}
    context["metatags"] += "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{html.escape(content)}" />\n'
        for name, content in tags.items()
    )


def page_text(page: str) -> dict[str, object]:
    """The running text of a page's HTML, and where in it each section begins."""
    article = page.partition("<article")[2].partition("</article>")[0].partition(">")[2]
    article = _FORMULA.sub("…", _NOT_TEXT.sub(" ", article))
    starts, text = {}, ""
    for place, part in enumerate(_SECTION.split(article)):
        if place % 2:
            starts[part] = len(text)
        else:
            text += " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split()) + " "
    return {"text": text, "sections": starts}


def write_texts(app, error) -> None:
    """The pages' texts as a script: a site that is opened as a file may load that, and nothing else."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static"
    pages = {page: Path(app.builder.get_outfilename(page)) for page in sorted(app.env.found_docs)}
    texts = {page: page_text(path.read_text(encoding="utf-8")) for page, path in pages.items()}
    execution.write_atomically(folder / "texts.js", f"const pageTexts = {json.dumps(texts, ensure_ascii=False)};\n")
    if app.weightspace_preview:
        (folder / "preview.png").write_bytes(app.weightspace_preview)


def load_texts(app, page, template, context, doctree) -> None:
    if page == "search":
        app.add_js_file("texts.js")


def setup(app):
    app.connect("builder-inited", find_preview, priority=600)  # after the notebooks ran
    app.connect("html-page-context", describe)
    app.connect("html-page-context", load_texts)
    app.connect("build-finished", write_texts, priority=800)
