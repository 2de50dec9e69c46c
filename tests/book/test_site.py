"""The book as its readers get it: built once, its pages checked as files and in a browser."""

from __future__ import annotations

import ast
import functools
import http.server
import re
import threading
from collections import Counter
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

pytestmark = pytest.mark.site

FOLLOWED = """async mode => {
    for (let k = 0; k < 500 && document.documentElement.dataset.theme !== mode; k++)
        await new Promise(done => setTimeout(done, 20))
}"""
"""Returns when the page shows the mode of the system, of which it is told with the next frame, or in the end."""
NARROW = {"width": 390, "height": 844}  # a telephone held upright
WIDE = {"width": 1280, "height": 900}
PATIENCE = 120_000  # milliseconds for a page, on a machine with much else to do


@pytest.fixture(scope="session")
def site(root, build_book) -> Path:
    """The built site.

    `--all` reads every page again, because an unchanged page repeats no warnings; notebooks that are up to date
    do not run again.
    """
    pytest.importorskip("jupyter_book")
    built = build_book(root, "-W", "-n", "--keep-going", "--all")
    assert built.returncode == 0, built.stdout
    return root / "_build" / "html"


@pytest.fixture(scope="session")
def pages(site) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts)


# --- What the build vouches for -------------------------------------------------------------------------


def imported(source: Path) -> set[str]:
    """Names of the package's modules that a chapter imports."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "weightspace":
            found |= {"/".join([*node.module.split(".")[1:], alias.name]) for alias in node.names}
    return found


def test_every_chapter_depends_on_the_modules_and_records_that_it_names(root, site, execution):
    book, users = execution.Book(root), {}
    for source in sorted((root / "notebooks").glob("*.py")):
        used = execution.load_stamp(book, source)["used"]
        for name in imported(source):
            if (root / "src" / "weightspace" / f"{name}.py").is_file():
                assert f"src/weightspace/{name}.py" in used["files"], source.stem
        for name in re.findall(r'experiments\.ensure\(\s*"(\w+)"', source.read_text(encoding="utf-8")):
            assert any(Path(path).stem == name for path in used["files"]), (source.stem, name)
            assert "WEIGHTSPACE_RESULTS" in used["settings"]
        for name in used["files"]:
            users.setdefault(name, set()).add(source.stem)
    # Not all of the source: a module that draws for one chapter is that chapter's affair.
    assert users["src/weightspace/display/figures/synthetic.py"] == {"17_synthetic_data"}
    assert "src/weightspace/reported/dual_weight.csv" in users


# --- As files -------------------------------------------------------------------------------------------


def is_remote(address: str | None) -> bool:
    return bool(re.match(r"\s*(https?:)?//", address or ""))


def remote_in_css(css: str) -> list[str]:
    addresses = re.findall(r"""url\(\s*['"]?([^'")]+)""", css) + re.findall(r"""@import\s+['"]([^'"]+)""", css)
    return [address for address in addresses if is_remote(address)]


class Page(HTMLParser):
    """Collects what a page loads, and pictures that a screen reader cannot name."""

    def __init__(self, html: str):
        super().__init__()
        self.remote: list[str] = []
        self.unnamed: list[str] = []
        self._article = 0
        self._style = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        loaded = [attrs.get(name) for name in ("src", "poster", "data")]
        loaded += [part.split()[0] for part in (attrs.get("srcset") or "").split(",") if part.strip()]
        if tag == "link" and not {"canonical", "next", "prev", "author", "license"} & set(attrs.get("rel", "").split()):
            loaded.append(attrs.get("href"))
        if tag in ("image", "use"):
            loaded += [attrs.get("href"), attrs.get("xlink:href")]
        self.remote += [f"<{tag}> {address}" for address in loaded if is_remote(address)]
        self.remote += remote_in_css(attrs.get("style") or "")
        if tag == "img" and not (attrs.get("alt") or "").strip():
            self.unnamed.append(f"<img src={attrs.get('src')}> has no alternative text")
        if tag == "svg" and self._article and attrs.get("aria-hidden") != "true":
            if attrs.get("role") != "img" or not (attrs.get("aria-label") or "").strip():
                self.unnamed.append(f"<svg> at line {self.getpos()[0]} lacks role or aria-label")
        self._article += tag == "article"
        self._style = tag == "style"

    def handle_endtag(self, tag):
        self._article -= tag == "article"
        self._style = False

    def handle_data(self, data):
        if self._style:
            self.remote += remote_in_css(data)


def test_pages_and_styles_load_nothing_remote(site, pages):
    found = {path.name: remote for path in pages if (remote := Page(path.read_text(encoding="utf-8")).remote)}
    for path in site.rglob("*.css"):
        if remote := remote_in_css(path.read_text(encoding="utf-8")):
            found[path.name] = remote
    assert found == {}


def test_every_picture_has_a_name(pages):
    found = {path.name: unnamed for path in pages if (unnamed := Page(path.read_text(encoding="utf-8")).unnamed)}
    assert found == {}


def test_scripts_are_loaded_where_they_are_used(pages):
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert ("touch.js" in text) == ('class="ws-touch' in text), path.name
        assert ("tex-svg-full.js" in text) == ('class="math' in text), path.name
        assert ("copybutton.js" in text) == ('<div class="highlight' in text), path.name


def test_a_page_loads_little_script(pages):
    """MathJax, one file of 2 MB, comes on top where there are formulas; so does the index where one searches."""
    for path in pages:
        scripts = re.findall(r'<script[^>]* src="([^"?]+)', path.read_text(encoding="utf-8"))
        files = [path.parent / name for name in scripts if not re.search("tex-svg-full|searchindex|texts", name)]
        assert sum(file.stat().st_size for file in files) < 400_000, (path.name, scripts)


def test_every_icon_is_drawn(pages, root):
    drawn = re.findall(r"^\.fa-([\w-]+) \{ --icon: url", (root / "book/_static/book.css").read_text("utf-8"), re.M)
    for path in pages:
        if path.name == "index.html":  # sends the reader on
            continue
        classes = re.findall(r'<(?:i|span) class="([^"]*\bfa[s-][^"]*)"', path.read_text(encoding="utf-8"))
        assert len(classes) >= 5
        for names in classes:
            assert {f"fa-{name}" for name in drawn} & set(names.split()), (path.name, names)


def test_what_a_page_offers_to_take_away_is_there(site, pages):
    offered = re.compile(
        r'href="([^"]+)"[^>]*(?:download-(?:notebook|source)-button)|href="([^"]*/(?:records|values)/[^"]+)"'
    )
    kinds = Counter()
    for path in pages:
        for link in offered.finditer(path.read_text(encoding="utf-8")):
            file = (path.parent / unquote(link[1] or link[2])).resolve()
            assert file.is_file(), (path.name, file)
            kinds[file.suffix] += 1
    chapters = len(list((site / "notebooks").glob("*.html")))
    assert kinds[".ipynb"] == kinds[".py"] == chapters
    assert kinds[".csv"] > chapters and kinds[".parquet"] > chapters
    for path in (site / "_sources").rglob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


# --- In a browser ---------------------------------------------------------------------------------------


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site):
    """The site, served on this machine only."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def visit(browser, address):
    """Open pages one after the other, and collect what is wrong with them."""
    contexts = []

    def start(viewport: dict[str, int] = NARROW):
        context = browser.new_context(viewport=viewport)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        # The browser gives up what it still fetches, an icon say, when the next page is opened.
        page.on(
            "requestfailed",
            lambda request: (
                None if "ERR_ABORTED" in (request.failure or "") else problems.append(f"not loaded: {request.url}")
            ),
        )
        page.on(
            "request",
            lambda r: None if r.url.startswith((address, "data:", "blob:")) else problems.append(f"remote: {r.url}"),
        )
        return page, problems

    yield start
    for context in contexts:
        context.close()


UNREADABLE = """() => {
  const found = [];
  const seen = part => part.checkVisibility({visibilityProperty: true});
  for (const text of document.querySelectorAll("article svg text")) {
    if (!text.textContent.trim() || !seen(text)) continue;
    const {a, b} = text.getScreenCTM();
    const height = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    if (innerWidth > 1000 && height < 8.95) found.push(`${height.toFixed(1)} pixels: ${text.textContent.trim()}`);
  }
  for (const part of document.querySelectorAll("article :is(table, svg, img)")) {
    if (!seen(part)) continue;
    const scrolls = ({ display, overflowX }) => display !== "contents" && /auto|scroll/.test(overflowX);
    let box = part.parentElement;
    while (box.tagName !== "ARTICLE" && !scrolls(getComputedStyle(box))) box = box.parentElement;
    const own = part.getBoundingClientRect();
    const cut = box.tagName === "ARTICLE" ? own.right > innerWidth + 1 : own.width > box.clientWidth + 1;
    const shadow = getComputedStyle(box).backgroundImage.includes("gradient");
    if (cut && !shadow) found.push(`${part.tagName} of ${own.width} pixels in ${box.className}`);
  }
  return found;
}"""
"""Letters of figures that are too small at 1280 pixels, and what goes on beyond the edge without a sign of it."""

TYPESET = "async () => { if (window.MathJax?.startup) await MathJax.startup.promise }"
"""Returns when the formulas of the page are drawn."""


def test_pages_in_a_browser(visit, address, site, pages):
    """On a telephone every page opens in one mode and follows the reader's system into the other, and can be read.

    Every second one is dark first.
    """
    page, problems = visit()
    found, modes = {}, ["light", "dark"]
    for path in pages:
        name = path.relative_to(site).as_posix()
        if name == "index.html":  # sends the reader on to the first page, which is visited by itself
            continue
        problems.clear()
        page.emulate_media(color_scheme=modes[0])
        page.goto(f"{address}/{name}", wait_until="load")
        page.evaluate(TYPESET)
        wrong = page.evaluate(UNREADABLE)
        for mode in modes:
            page.emulate_media(color_scheme=mode)
            page.evaluate(FOLLOWED, mode)
            shown = page.evaluate("document.documentElement.dataset.theme")
            width = page.evaluate("document.scrollingElement.scrollWidth")
            wrong += [f"shown {shown} instead of {mode}"] if shown != mode else []
            wrong += [f"{width} pixels wide, {mode}"] if width > NARROW["width"] else []
        formulas = page.locator("mjx-merror, [data-mjx-error]").count()
        wrong += [f"{formulas} formulas not understood"] if formulas else []
        if wrong or problems:
            found[name] = [*problems, *wrong]
        modes.reverse()
    assert found == {}


def test_search_finds_a_word(visit, address):
    page, problems = visit()
    page.goto(f"{address}/search.html?q=stabilizer")
    page.wait_for_selector("#search-results ul.search li", timeout=20_000)
    assert page.locator("#search-results ul.search li").count() >= 1
    assert problems == []


def test_every_live_figure_answers(visit, address, site, pages):
    page, problems = visit()
    answered = 0
    for path in pages:
        if 'class="ws-touch' not in path.read_text(encoding="utf-8"):
            continue
        page.goto(f"{address}/{path.relative_to(site).as_posix()}")
        for figure in page.locator(".ws-touch.ws-ready").all():
            said = figure.locator("output").inner_text()
            if figure.locator("button").count():
                figure.locator("button").first.press("Enter")
            else:
                figure.get_by_role("slider").press("End" if figure.get_attribute("data-kind") == "spike" else "Home")
            assert figure.locator("output").inner_text() != said, path.name
            answered += 1
    assert answered >= 4 and problems == []


# --- As readers use it ------------------------------------------------------------------------------------

LANDING = "book/intro.html"
ANSWERS = {
    "Does it help with few data?": (["Claims"], "help with few data? In regression it does"),
    "Does it beat tuned weight decay?": (["Claims"], "beat a tuned weight decay? The stabilized method does"),
    "Is diversity like dropout?": (
        ["Diverse data change weight spectra", "Is diversity like dropout?"],
        "changes the weights of a network that overfits in the direction of dropout",
    ),
    "Which layer shows it?": (["What was found"], "because of one layer, the new head"),
    "How do I install it?": (["Quick start"], "pip install"),
    "What does inference cost?": (["Inference costs the same"], "time relative to ordinary weights"),
    "What is the entropy of a spectrum?": (["Glossary"], "1 if all are equal, 0 if there is only one"),
    "How large were the experiments?": (["Glossary"], "An honest reduction of an experiment"),
    "What could not be reproduced?": (["Claims", "What could not be reproduced"], "This is the one list"),
    "How do I cite it?": ([], "@software{weightspace"),
}
"""For each question the links to follow from the landing page, at most two, and words of the answer."""

WORDS = ("install", "cite", "bibtex", "API", "overhead", "entropy", "ECE", "stabilizer", "Vendi", "num_spikes")


def test_answers_are_two_clicks_away(visit, address):
    page, problems = visit(WIDE)
    for question, (links, answer) in ANSWERS.items():
        page.goto(f"{address}/{LANDING}")
        assert len(links) <= 2
        for name in links:
            page.get_by_role("link", name=name).locator("visible=true").first.click()
            page.wait_for_load_state()
        assert answer in " ".join(page.locator("article").inner_text().split()), question
    assert problems == []


def test_search_finds_words_where_the_site_is_opened_as_a_file(browser, site):
    page = browser.new_page()
    for word in WORDS:
        page.goto(f"{(site / 'search.html').as_uri()}?q={word}")
        page.get_by_text("Search finished").wait_for()
        excerpts = page.locator("#search-results li").all_inner_texts()
        assert any(word.lower().rstrip("e") in excerpt.lower() for excerpt in excerpts), word
        assert not any(re.search(r"</|\\\(|&\w+;|--ws", excerpt) for excerpt in excerpts), word
    page.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_landing_page_is_one_screen(visit, address, mode):
    page, _ = visit(WIDE)
    page.emulate_media(color_scheme=mode)
    page.goto(f"{address}/{LANDING}")
    parts = {".ws-questions figure, .ws-questions .ws-figure svg": 2, ".ws-doors a": 3, "table.ws-short tbody tr": 8}
    for name, number in parts.items():
        found = page.locator(name)
        assert found.count() == number, name
        for part in found.all():
            box = part.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= WIDE["height"], name


def test_readers_choose_between_light_and_dark(visit, address):
    page, problems = visit(WIDE)
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}/{LANDING}")
    button = page.locator(".bd-header-article .theme-switch-button")
    shown = set()
    for _ in range(3):
        button.click()
        icon = button.locator(".theme-switch:visible")
        assert icon.count() == 1 and icon.bounding_box()["width"] > 10
        shown.add((icon.get_attribute("data-mode"), page.evaluate("document.documentElement.dataset.theme")))
    assert shown == {("light", "light"), ("dark", "dark"), ("auto", "light")}
    assert problems == []


def test_title_search_and_chapter_stay_in_view(visit, address):
    page, _ = visit(WIDE)
    page.goto(f"{address}/notebooks/21_claims.html")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    for kept in (".navbar-brand", ".search-button-field", ".ws-quick", "nav.bd-links li.current > a"):
        box = page.locator(f".bd-sidebar-primary {kept}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= WIDE["height"], kept


def test_the_book_can_be_read_by_keyboard(visit, address):
    page, _ = visit(WIDE)
    page.goto(f"{address}/{LANDING}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert "Dual weights" in reached
    page.goto(f"{address}/book/findings.html")
    term, tip = page.locator("a.ws-term").first, page.locator("#ws-tip")
    assert tip.is_hidden()
    term.focus()
    assert tip.is_visible() and len(tip.inner_text()) > 20
    assert term.get_attribute("aria-describedby") == "ws-tip"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    term.press("Enter")
    assert "/book/glossary.html#term-" in page.url


def test_findings_can_be_sorted_and_filtered(visit, address):
    page, _ = visit(WIDE)
    page.goto(f"{address}/notebooks/21_claims.html")
    rows = page.locator("table.ws-register tbody tr:visible")
    every = rows.count()
    page.get_by_label("Find").fill("imbalance stabilized")
    assert 0 < rows.count() < 5 and all("imbalance" in text for text in rows.all_inner_texts())
    assert page.locator(".ws-filters output").inner_text() == f"{rows.count()} of {every} findings"
    page.get_by_label("Find").fill("")
    page.get_by_label("Verdict").select_option("supported")
    assert set(page.locator("table.ws-register tbody tr:visible td:nth-child(4)").all_inner_texts()) == {"supported"}
    page.get_by_label("Verdict").select_option("")
    heading = page.get_by_role("button", name="Effect")
    for order in ("ascending", "descending"):
        heading.click()
        assert page.locator("table.ws-register th[aria-sort]").get_attribute("aria-sort") == order
        cells = page.locator("table.ws-register td:nth-child(5)")
        shown = [float(value) for value in cells.evaluate_all("e => e.map(c => c.dataset.value)") if value]
        assert shown == sorted(shown, reverse=order == "descending") and len(shown) > 50


def test_a_link_to_a_claim_opens_its_card_and_paper_shows_all(visit, address):
    page, problems = visit(WIDE)
    page.goto(f"{address}/notebooks/21_claims.html#A1o")
    cards, opened = page.locator("details.ws-claim"), page.locator("details.ws-claim[open]")
    assert cards.count() > 50 and opened.evaluate_all("cards => cards.map(card => card.id)") == ["A1o"]
    assert 0 <= opened.bounding_box()["y"] < WIDE["height"] / 2
    opened.locator("summary").click()  # a closed card opens again for the link that the address has already
    assert opened.count() == 0
    for code in ("A1o", "B1a"):
        page.locator(f'table.ws-map a[href="#{code}"]').first.click()
        page.locator(f"#{code}[open]").wait_for()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.count() == cards.count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.count() == 2
    page.goto(f"{address}/notebooks/21_claims.html")
    page.reload()
    assert opened.count() == 0 and page.evaluate("document.body.scrollHeight") < 14_000
    assert problems == []


def test_pages_say_what_they_are_about(site, pages):
    for path in pages:
        head = path.read_text(encoding="utf-8").partition("</head>")[0]
        if path.name in ("index.html", "search.html", "genindex.html"):
            continue
        [about] = re.findall(r'<meta name="description" content="([^"]*)"', head)
        assert len(about) > 30, path
        [picture] = re.findall(r'<meta property="og:image" content="([^"]*)"', head)
        assert (path.parent / picture).read_bytes().startswith(b"\x89PNG"), path


# --- On a wide screen -------------------------------------------------------------------------------------

NOT_OURS = ("index.html", "book/api.html", "book/references.html")
"""What only sends readers on, and lists that Sphinx marks up: of signatures, and of references."""

COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
"""The rules of axe that look at colours."""

SHOWN = """() => [...document.body.querySelectorAll("*")].map(part => {
    const {x, y, width, height} = part.getBoundingClientRect();
    const seen = part.checkVisibility({visibilityProperty: true});
    return [part.cloneNode(false).outerHTML, seen, x, y, width, height].join();
}).join("\\n")"""
"""All that a page holds but its colours: every element with its attributes, whether it is seen, and where."""

STILL = """async () => {
    const moving = document.getAnimations().filter(motion => motion instanceof CSSAnimation);
    await Promise.all(moving.map(motion => { motion.pause(); return motion.ready; }));
}"""
"""Figures that move stop, else two looks at them would differ."""

SETTLED = """() => {
    for (const motion of document.getAnimations()) if (motion instanceof CSSTransition) motion.finish();
}"""
"""What passes from the colours of one mode to those of the other has arrived."""


def violations(axe, page, *left_out: str, **options: dict) -> list[tuple[str, list[str]]]:
    found = axe.run(page, context={"exclude": ["mjx-container", *left_out]}, **options).response["violations"]
    return [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]]


@pytest.fixture(scope="module")
def wrong(browser, address, site, pages) -> dict[str, dict[str, object]]:
    """What is wrong with each page, by what was looked at. A page is loaded once for all: that takes long."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        Axe = None
    found: dict[str, dict[str, object]] = {"to read": {}, "light": {}, "dark": {}, "moved": {}}
    with browser.new_context(viewport=WIDE, color_scheme="light") as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        for name in (path.relative_to(site).as_posix() for path in pages if path.name != "index.html"):
            page.goto(f"{address}/{name}", wait_until="load")
            page.evaluate(TYPESET)
            found["to read"][name] = page.evaluate(UNREADABLE)
            if Axe is None or name in NOT_OURS:
                continue
            found["light"][name] = violations(Axe(), page)
            page.evaluate(STILL)
            before = page.evaluate(SHOWN).splitlines()
            page.emulate_media(color_scheme="dark")
            page.evaluate(FOLLOWED, "dark")
            page.evaluate(SETTLED)
            after = page.evaluate(SHOWN).splitlines()
            found["moved"][name] = [new for old, new in zip_longest(before, after) if old != new][:3]
            # Axe never decides on letters within a figure: what is behind them may be drawn.
            found["dark"][name] = violations(Axe(), page, "svg", options=COLOURS)
            page.emulate_media(color_scheme="light")
    return {kind: {name: what for name, what in each.items() if what} for kind, each in found.items()}


def test_figures_and_tables_can_be_read(wrong):
    """On a wide screen; test_pages_in_a_browser looks at a narrow one."""
    assert wrong["to read"] == {}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing(wrong, mode):
    pytest.importorskip("axe_playwright_python")
    assert wrong[mode] == {}


def test_light_and_dark_differ_in_colours_only(wrong):
    """So that what axe finds in the one, colours aside, holds for the other."""
    pytest.importorskip("axe_playwright_python")
    assert wrong["moved"] == {}
