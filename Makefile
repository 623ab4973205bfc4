# make install   .venv with the program
# make demo      install, then plan the built-in sample campaign
# make studio    install with the studio, then open this folder's policies and plans in the browser
# make test      install with the checking tools, then run every check
# make docs      the pages as a site in site/, with a reference of the library; no broken link passes
# make wheel     a wheel in dist/, installed into a new environment, where the demo runs and verifies
# make chromium  Debian's Chromium and Chinese fonts, for the tests of the pages in a browser
# make postgres  Debian's PostgreSQL server, for the tests of the export to a table
# make spark     Debian's Java runtime, for --engine spark and its tests
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: install demo studio test check docs wheel chromium postgres spark format clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"{sys.executable} is Python {v.major}.{v.minor}; 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q incentive_engine
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/incentive allocate --budget 200000
	@echo "change, approve and export it in the browser: make studio"

studio: install
	$(PIP) install --quiet --constraint constraints.txt --editable '.[studio]'
	@$(BIN)/incentive studio

test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory check

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadgroup

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/build_site.py

wheel: $(VENV)/.installed
	rm -rf dist build/clean build/demo
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv build/clean
	build/clean/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt dist/*.whl
	cd build && clean/bin/incentive allocate --budget 200000 --out demo && clean/bin/incentive verify demo

chromium:
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium fonts-noto-cjk

postgres:
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql

spark:
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends openjdk-17-jre-headless

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
