"""What the search shows of a page is its running text."""

from __future__ import annotations

import pytest

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
