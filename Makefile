# Everything needs only Python 3.11 or newer and make. The environment is .venv, filled from requirements.lock.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready

.PHONY: book pdf test reproduce data bench serve lint clean lock
.DEFAULT_GOAL := book

# The stamp is written last: an interrupted installation is taken up again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@# What pip compiles in one process, all cores do. Some packages hold files for other versions of Python.
	@$(PY) -m compileall -qq -j 0 .venv/lib >/dev/null 2>&1 || true
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# Execute what is stale among the notebooks and build the site.
book: $(READY)
	@.venv/bin/jupyter-book build . --quiet
	@echo "The book is at $(CURDIR)/_build/html/index.html"

# All pages as one PDF, printed by an installed Chromium.
pdf: book
	@$(PY) book/_ext/print_book.py _build/html _build/weightspace.pdf

# A test file stays in one process, because what its tests share is set up once; tests/conftest.py puts long files first.
test: $(READY)
	$(PY) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Every experiment at the scale of the papers; what is on record is not computed again.
reproduce: $(READY)
	$(PY) -m weightspace run all --scale paper

data: $(READY)
	$(PY) -m weightspace data --fetch

bench: $(READY)
	$(PY) benchmarks/run.py

serve: book
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html 8000

lint: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache
	.venv/bin/mypy

clean:
	rm -rf .venv _build src/*.egg-info .pytest_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Resolve the versions anew (needs uv). torch and torchvision are pinned to a pair that imports together. The extra
# peers is left out: neither the book nor its tests need it.
lock:
	uv pip compile pyproject.toml --extra plots --extra experiments --extra hub --extra cluster --extra book \
	  --extra pretrained --extra test --universal --python-version 3.11 --fork-strategy fewest \
	  --generate-hashes --no-annotate --no-header --constraint constraints.txt --output-file requirements.lock
