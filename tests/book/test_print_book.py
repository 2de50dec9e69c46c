"""The PDF of the whole book has every page once, in the order of the table of contents; its links stay inside."""

from __future__ import annotations

import print_book
import yaml


def test_the_order_is_that_of_the_table_of_contents(root):
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    found = list(print_book.pages(toc))
    assert found[:2] == ["book/intro", "book/findings"] and len(found) == len(set(found))
    listed = [line.split("file: ")[1] for line in (root / "_toc.yml").read_text().splitlines() if "file: " in line]
    assert found[1:] == listed


def test_all_articles_become_one_page_whose_links_stay_inside(tmp_path):
    for name, link in (("book/first", "../notebooks/second.html#B1a"), ("notebooks/second", "../book/first.html")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        article = f'<article class="bd-article"><a href="{link}">on</a> <a href="third.html">away</a></article>'
        (tmp_path / f"{name}.html").write_text(f"<html><head></head><body><nav></nav>{article}</body></html>")
    whole = print_book.one_page(tmp_path, ["book/first", "notebooks/second"])
    assert whole.count("<article") == 2 and whole.count("<nav>") == 1
    assert 'href="#B1a"' in whole and 'href="#first"' in whole and whole.count('href="third.html"') == 2
    assert whole.index('id="first"') < whole.index('id="second"')
