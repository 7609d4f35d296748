# Two commands do all the set-up on a bare machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
DEMO ?= demo

# pip says nothing but errors. The constraints file pins torch: any other can pull gigabytes of CUDA packages.
INSTALL := -m pip install -qq --disable-pip-version-check
RECENT := import sys; sys.exit(sys.version_info < (3, 11))

# Many tests start nearid as a process. Where containers forbid bytecode, each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test torture test-oldest lint types docs check perf clean

# An environment of an older Python, or a half-made one, is made anew.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c '$(RECENT)' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>&1) || found="not there"; \
		echo "nearid needs Python 3.11 or newer; $(PYTHON) is $$found. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'import pip; $(RECENT)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing nearid into $(VENV), with torch: a few minutes, once"
	@$(BIN)/python $(INSTALL) -c constraints.txt torch
	@$(BIN)/python $(INSTALL) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)"
	@$(BIN)/python $(INSTALL) -c constraints.txt -e ".[test]"
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/nearid demo $(DEMO)
	@echo "For the command nearid in this shell: . $(BIN)/activate"

test: $(VENV)/.installed-test
	@$(BIN)/python scripts/browser.py
	$(BIN)/python -m pytest -n auto --dist loadfile

# Long attacks by generated input, which `make test` leaves out.
torture: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -m torture

# All tests with the oldest version of each package that pyproject.toml allows. Its torch brings gigabytes of CUDA packages.
test-oldest: PYTHON := python3.11
test-oldest:
	@echo "Installing the oldest packages that are allowed into $(OLDEST)"
	@$(PYTHON) -m venv --clear $(OLDEST)
	@$(OLDEST)/bin/python $(INSTALL) uv
	$(OLDEST)/bin/uv pip compile -q --no-header --no-annotate --resolution lowest-direct --extra test \
		--python $(OLDEST)/bin/python pyproject.toml -o $(OLDEST)/oldest.txt
	$(OLDEST)/bin/uv pip install -q --python $(OLDEST)/bin/python -r $(OLDEST)/oldest.txt -e .
	@$(OLDEST)/bin/python scripts/browser.py
	$(OLDEST)/bin/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

# The site, in build/site. A broken link or anchor, or a page that the navigation lacks, ends it.
docs: $(VENV)/.installed-test
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site is in build/site; to read and search it: $(BIN)/python -m http.server -d build/site"

# Side by side: mypy has one core. The site is built by the tests, as `make docs` builds it.
check:
	@$(MAKE) --no-print-directory -j3 lint types test

perf: $(VENV)/.installed-test
	$(BIN)/python -m perf

clean:
	rm -rf $(VENV) $(OLDEST) $(DEMO)
