"""What the search shows of a page is its running text."""

from __future__ import annotations

import re
import types

import pytest

docutils = pytest.importorskip("docutils.core")
reading_aids = pytest.importorskip("reading_aids")

PAGE = """<body><p>menu</p><article class="bd-article"><section id="a">
<h1>Title<a class="headerlink" href="#a">#</a></h1>
<p>One &amp; two, <span class="math notranslate nohighlight">\\(x^2\\)</span> of <a href="b.html">them</a>.</p>
<svg role="img"><text>0.1</text></svg><style>p { color: red }</style></section>
<section class="x" id="b"><h2>Next</h2><p>More.</p><pre>code()</pre></section></article><p>foot</p></body>"""


def test_excerpts_are_of_running_text_and_know_where_sections_begin():
    found = reading_aids.page_text(PAGE)
    assert found["text"].split() == "Title One & two, … of them . Next More.".split()
    assert found["text"][found["sections"]["b"] :].startswith("Next")
    assert found["sections"]["a"] <= 1


@pytest.mark.parametrize(
    ("base", "picture"),
    [
        ("https://book.example/site/", "https://book.example/site/_static/preview.png"),
        ("", "../_static/preview.png"),
    ],
)
def test_a_link_to_a_page_shows_its_title_a_sentence_and_a_picture(base, picture):
    page = docutils.publish_doctree("Title\n=====\n\nWhat the page says.\n\nMore.")
    app = types.SimpleNamespace(
        config=types.SimpleNamespace(project="book", html_baseurl=base), weightspace_preview=b"picture"
    )
    context = {"title": "A <em>title</em>", "metatags": "", "pathto": lambda name, _: f"../{name}"}
    reading_aids.describe(app, "notebooks/page", "page.html", context, page)
    said = dict(re.findall(r'(?:name|property)="([^"]+)" content="([^"]*)"', context["metatags"]))
    assert said["og:title"] == "A title" and said["description"] == said["og:description"] == "What the page says."
    assert said["og:image"] == picture


def test_a_chapter_is_about_its_answer():
    box = ".. admonition:: In short\n\n   **Question.** Is it so?\n\n   **Answer.** It is\n   not.\n"
    assert reading_aids.about(docutils.publish_doctree(f"Title\n=====\n\n{box}\nMore.")) == "It is not."
