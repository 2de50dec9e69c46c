"""The whole book as one PDF, printed by an installed Chromium from the built site: `make pdf`.

All pages become one, in the order of the table of contents. What is folded on the screen is open on paper, except how
figures were made; links between pages lead to places of the same file.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ARTICLE = re.compile(r'<article class="bd-article".*?</article>', re.DOTALL)
LINK = re.compile(r'href="(?:\.\./)*(?:book/|notebooks/)?([\w-]+)\.html(#[^"]*)?"')
PRINTED = """() => {
  for (const source of document.querySelectorAll(".ws-source")) source.remove();
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  return window.MathJax?.startup?.promise.then(() => null);
}"""


def pages(toc: dict | list) -> Iterator[str]:
    """The pages of a table of contents, in its order."""
    if isinstance(toc, list):
        for part in toc:
            yield from pages(part)
    else:
        yield from (str(toc[name]) for name in ("root", "file") if name in toc)
        yield from (page for name in ("parts", "chapters", "sections") for page in pages(toc.get(name, [])))


def one_page(site: Path, names: list[str]) -> str:
    """The first page with the articles of all of them, each on a new sheet and with its name as an anchor."""
    texts = [(site / f"{name}.html").read_text(encoding="utf-8") for name in names]
    known = {Path(name).name for name in names}

    def inside(link: re.Match[str]) -> str:
        return f'href="{link[2] or f"#{link[1]}"}"' if link[1] in known else link[0]

    articles = [
        f'<div id="{Path(name).name}" style="break-before: page">{LINK.sub(inside, ARTICLE.search(text)[0])}</div>'
        for name, text in zip(names, texts)
    ]
    return ARTICLE.sub(lambda _: "".join(articles), texts[0], count=1)


def main(site: Path, target: Path) -> None:
    from playwright.sync_api import sync_playwright

    # One that is installed, else Playwright's own.
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    names = list(pages(yaml.safe_load(Path("_toc.yml").read_text(encoding="utf-8"))))
    whole = site / Path(names[0]).parent / "whole.html"  # beside the first page, so that its addresses hold
    # MathJax, if any page has formulas: the first page may have none.
    script = '<script defer src="../_static/mathjax/tex-svg-full.js"></script></head>'
    whole.write_text(one_page(site, names).replace("</head>", script, 1), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(0)  # a whole book takes its time
            page.goto(whole.resolve().as_uri(), timeout=0)
            page.evaluate(PRINTED)
            page.pdf(
                path=target, format="A4", outline=True, tagged=True, margin=dict.fromkeys(("top", "bottom"), "15mm")
            )
            browser.close()
    finally:
        whole.unlink()
    print(f"The book is at {target.resolve()}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
