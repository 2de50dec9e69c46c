"""Sphinx extension: executes the book's notebooks, and shows how they ran.

Notebooks are the jupytext sources `notebooks/NAME.py` named in the table of contents.  Before Sphinx reads
any page, the stale ones run (see `execution.py`); where Sphinx then reads `NAME.py`, myst-nb is given the
executed notebook with the prose of that source.  A plain `jupyter-book build .` is therefore all there is to know.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote

import dependencies
import execution
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ConfigError, SphinxError
from sphinx.util.docutils import SphinxDirective

#: One file holds all of TeX input and SVG output, and no fonts.
MATHJAX, D3 = "mathjax/tex-svg-full.js", "d3.v5.min.js"
#: Scripts of others, which installed packages bring: the package and its folder.
SCRIPTS = {MATHJAX: ("sphinx-mathjax-offline", "static"), D3: ("mpld3", "js")}

#: A page with one of these shows values of other pages' runs.
SHOWS_OTHER_RUNS = re.compile(r"\{glue:[^}]*\}`[^`]*::|\{notebook-runs\}|^(# )?:doc: ", re.MULTILINE)

#: What shapes all pages, beside the installed packages; Sphinx sees changes of _config.yml and _toc.yml by itself.
SHAPES = ("book/_ext/*.py", "book/_ext/templates/*", "book/_static/*", "book/references.bib", "book/glossary.md")

#: Executed notebook by digest of its source: a reader for myst-nb is given the source's text, not its name.
_executed: dict[str, Path] = {}


def notebooks(app) -> dict[str, Path]:
    """Sources of the notebooks in the table of contents, by page name."""
    sources = {}
    for page in getattr(app.config, "external_site_map", ()):  # none where a single page is built
        source = Path(app.srcdir) / f"{page}.py"
        if source.is_file():
            sources[str(page)] = source
    names = [source.stem for source in sources.values()]
    if len(set(names)) < len(names):
        raise ConfigError("two notebooks of the table of contents have the same file name")
    return sources


def build_parameters(app) -> dict[str, object]:
    """Parameters from _config.yml, overridden one by one by the environment."""
    parameters = dict(app.config.weightspace_parameters)
    try:
        parameters.update(json.loads(os.environ.get("WEIGHTSPACE_PARAMETERS") or "{}"))
    except (TypeError, ValueError):
        raise ConfigError('WEIGHTSPACE_PARAMETERS has to be a JSON object, such as {"scale": "quick"}') from None
    return parameters


def run_notebooks(app) -> None:
    app.weightspace_book = book = execution.Book(
        root=Path(app.srcdir), parameters=build_parameters(app), timeout=app.config.weightspace_timeout
    )
    app.weightspace_notebooks = sources = notebooks(app)
    try:
        # Printed, not logged: with --quiet this is the only sign of life for a minute.
        execution.run_stale(book, sources.values(), report=lambda line: print(f"notebook {line}", flush=True))
    except execution.NotebookError as error:
        # Not an exception of Sphinx: jupyter-book would bury the message under two tracebacks of its own.
        sys.exit(f"\nNotebooks that did not run to their end:\n\n{error}\n")
    _executed.clear()
    _executed.update({dependencies.source_digest(source): book.output(source) for source in sources.values()})


def read(text: str):
    """Reader for myst-nb: the executed notebook of a source."""
    import nbformat

    try:
        path = _executed[execution.text_digest(text)]
    except KeyError:
        raise SphinxError("a notebook's source changed while the book was built: build again") from None
    return execution.with_prose(nbformat.read(path, as_version=4), text)


def made_of(app, env) -> dict[str, str]:
    """For each page, a digest of what it is made of."""
    book, sources = app.weightspace_book, app.weightspace_notebooks
    shapes = {path for pattern in SHAPES for path in book.root.glob(pattern) if path.is_file()}
    common = [dependencies.files_digest(book.root, shapes), sorted(dependencies.versions().items())]
    runs = [dependencies.path_digest(book.stamp(source)) for source in sources.values()]  # with digests of the outputs
    found = {}
    for page in env.found_docs:
        text = Path(env.doc2path(page)).read_text(encoding="utf-8")
        parts = [common, text]
        if page in sources:
            parts.append(execution.load_stamp(book, sources[page])["output"])
        if SHOWS_OTHER_RUNS.search(text):
            parts.append(runs)
        found[page] = dependencies.text_digest(json.dumps(parts))
    return found


def site_files(app) -> dict[str, str | None]:
    """Digests of the files that a build leaves: the site, and what Sphinx keeps of each page to make it."""
    folders = [Path(app.outdir), Path(app.doctreedir)]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(app.srcdir).as_posix(): dependencies.path_digest(path) for path in sorted(paths)}


def page_files(app, page: str) -> set[str]:
    paths = (Path(app.builder.get_outfilename(page)), Path(app.doctreedir) / f"{page}.doctree")
    return {path.relative_to(app.srcdir).as_posix() for path in paths}


def finished_site(app) -> Path:
    """The file in which a completed build says what each page was made of, and what it left."""
    return Path(app.doctreedir).parent / "site.json"


def outdated_pages(app, env, added, changed, removed) -> set[str]:
    """Pages to make again: what they are made of changed, or their files are not as the last build left them."""
    if app.builder.format != "html":
        return set(env.found_docs)
    try:
        last = json.loads(finished_site(app).read_text(encoding="utf-8"))
        pages, files = last["pages"], last["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set(env.found_docs)
    now, left = made_of(app, env), site_files(app)
    altered = {name for name in files if left.get(name) != files[name]}
    of_page = {page: page_files(app, page) for page in now}
    if altered.difference(*of_page.values()):
        return set(now)  # what all pages share, such as the search index, is made from all of them
    return {page for page in now if pages.get(page) != now[page] or of_page[page] & altered}


def note_site(app, error) -> None:
    """What the site is now.  A build that fails leaves the old note, so that its pages are made again."""
    if error is None and app.builder.format == "html":
        note = {"pages": made_of(app, app.env), "files": site_files(app)}
        execution.write_atomically(finished_site(app), json.dumps(note, indent=1) + "\n")


class NotebookRuns(SphinxDirective):
    """`notebook-runs`: a table of when, how long and with what every notebook ran."""

    HEAD = ("Notebook", "Seconds", "Finished (UTC)", "Python", "torch", "weightspace", "Parameters")

    def run(self):
        head = nodes.thead("", self.row(nodes.Text(text) for text in self.HEAD))
        body = nodes.tbody()
        for page, source in self.env.app.weightspace_notebooks.items():
            stamp = execution.load_stamp(self.env.app.weightspace_book, source)
            run, parameters = stamp["run"], stamp["inputs"]["parameters"]
            texts = (
                f"{run['seconds']:.1f}",
                run["finished"],
                run["python"],
                run["torch"] or "–",
                run["weightspace"] or "–",
                ", ".join(f"{name}={value}" for name, value in parameters.items()) or "–",
            )
            body += self.row([self.link(page), *map(nodes.Text, texts)])
        columns = [nodes.colspec(colwidth=1) for _ in self.HEAD]
        group = nodes.tgroup("", *columns, head, body, cols=len(self.HEAD))
        return [nodes.table("", group, classes=["ws-runs"])]

    def row(self, contents):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", node)) for node in contents))

    def link(self, page: str):
        target = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page}"}
        # refexplicit false: the link shows the chapter's title
        return addnodes.pending_xref(
            "", nodes.inline("", page), refdoc=self.env.docname, refexplicit=False, refwarn=True, **target
        )


def use_local_mathjax(app, config) -> None:
    config.mathjax_path = MATHJAX


def know_own_address(app, config) -> None:
    """Where the site will be: whoever publishes it says so, and no configuration has to be edited for that."""
    if address := os.environ.get("WEIGHTSPACE_SITE_URL"):
        config.html_baseurl = address.rstrip("/") + "/"


def copy_scripts(app) -> None:
    """Put MathJax and D3 into the site, so that it needs no network when it is read."""
    if app.builder.format != "html":
        return
    for name, (package, folder) in SCRIPTS.items():
        # A name may have hyphens: the package can be found, not imported by a statement.
        found = importlib.util.find_spec(package)
        if found is None:
            raise ConfigError(f"{name} is taken from the package {package}, which is not installed")
        source, target = Path(found.submodule_search_locations[0]) / folder / name, Path(app.outdir) / "_static" / name
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


#: Scripts that every page would load, and what a page has on it that uses them.
USED_BY = {
    MATHJAX: re.compile(r'class="math'),
    "clipboard.min.js": re.compile(r'<div class="highlight'),
    "copybutton.js": re.compile(r'<div class="highlight'),
    "design-tabs.js": re.compile(r'class="sd-tab'),
    "togglebutton.js": re.compile(r'class="([^"]* )?(dropdown|toggle)[ "]'),
}


def load_scripts(app, pagename, templatename, context, doctree) -> None:
    """A page loads what it uses, such as MathJax where there are formulas, and D3 where a figure can be touched."""
    body = context.get("body", "")
    unused = [name for name, sign in USED_BY.items() if not sign.search(body)]
    # In place: Sphinx adds to this list, and takes its own one up again for the next page.
    context["script_files"][:] = [
        file for file in context["script_files"] if not any(name in str(file.filename) for name in unused)
    ]
    if 'class="ws-touch' in body:
        app.add_js_file(D3, loading_method="defer")
        app.add_js_file("touch.js", loading_method="defer")


#: Links of a page to a record, and to values that the notebook put into the link itself.
RECORD = re.compile(r'href="\.\./records/(\w+/\w+\.parquet)"')
VALUES = re.compile(r'(?<=download=")([\w-]+\.csv)" href="data:text/csv;charset=utf-8,([^"]*)"')


def give_away(app, pagename, templatename, context, doctree) -> None:
    """What a page offers to take away becomes files of the site: records, and the values of figures."""
    results = Path(os.environ.get("WEIGHTSPACE_RESULTS") or Path(app.srcdir) / "results")
    out, body = Path(app.outdir), context.get("body", "")
    for name in set(RECORD.findall(body)):
        if (results / name).is_file() and not (out / "records" / name).is_file():
            (out / "records" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results / name, out / "records" / name)

    def written(link: re.Match) -> str:
        file = out / "values" / Path(pagename).name / link[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(unquote(link[2]), encoding="utf-8")
        return f'{link[1]}" href="../{file.relative_to(out).as_posix()}"'

    context["body"] = VALUES.sub(written, body)


def offer_notebook(app, pagename, templatename, context, doctree) -> None:
    """A chapter can be downloaded as a notebook, beside its source: the theme makes a button of ``ipynb_source``."""
    if source := app.weightspace_notebooks.get(pagename):
        import jupytext

        notebook = jupytext.read(source)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"  # else random, and the file another one after every build
        target = Path(app.outdir) / "_sources" / f"{pagename}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook, target)
        context["ipynb_source"] = f"{pagename}.ipynb"


#: What reStructuredText would take for markup in a docstring: code, which stays, and signs of formulas, which do not.
MARKUP = re.compile(r"(`+).+?\1|(?P<sign>[|*]|_(?!\w))", re.DOTALL)


def plain_docstring(app, what, name, obj, options, lines) -> None:
    """Docstrings are plain text with code in backquotes: bars, stars and underscores of formulas mean themselves."""
    text = MARKUP.sub(lambda found: "\\" + found[0] if found["sign"] else found[0], "\n".join(lines))
    lines[:] = text.split("\n")


def setup(app):
    for extension in ("sphinx.ext.autodoc", "text_links", "reading_aids"):
        app.setup_extension(extension)
    # Neither value forces pages to be read again: what depends on them is in the stamps.
    app.add_config_value("weightspace_parameters", {}, "", (dict,))
    app.add_config_value("weightspace_timeout", 1800.0, "", (int, float))
    app.add_directive("notebook-runs", NotebookRuns)
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("config-inited", use_local_mathjax)
    app.connect("config-inited", know_own_address)
    app.connect("builder-inited", copy_scripts)
    app.connect("builder-inited", run_notebooks)
    app.connect("env-get-outdated", outdated_pages)
    app.connect("html-page-context", offer_notebook, priority=400)  # before the theme lists what can be downloaded
    app.connect("html-page-context", load_scripts, priority=800)  # after Sphinx, which puts MathJax everywhere
    app.connect("html-page-context", give_away)
    app.connect("build-finished", note_site, priority=900)  # after the theme, which rewrites a style
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
