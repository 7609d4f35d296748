# Two commands do all the set-up on a bare machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
LOCKED := .venv-locked
BIN := $(VENV)/bin
DEMO ?= demo

# pip says nothing but errors. The constraints file pins torch: any other can pull gigabytes of CUDA packages.
INSTALL := -m pip install -qq --disable-pip-version-check
RECENT := import sys; sys.exit(sys.version_info < (3, 11))

# Many tests start nearid as a process. Where containers forbid bytecode, each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test torture test-oldest test-locked lint types docs check perf lock licences audit sbom release clean

# An environment of an older Python, or a half-made one, is made anew.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c '$(RECENT)' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>&1) || found="not there"; \
		echo "nearid needs Python 3.11 or newer; $(PYTHON) is $$found. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'import pip; $(RECENT)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing nearid into $(VENV), with torch: a few minutes, once"
	@$(BIN)/python $(INSTALL) --no-compile -c constraints.txt torch
	@$(BIN)/python $(INSTALL) --no-compile -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)"
	@$(BIN)/python $(INSTALL) --no-compile -c constraints.txt -e ".[test]"
	@# pip would on one core. Packages hold files for other versions of Python, which do not compile.
	@$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true
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

# All tests with exactly the packages of the lock, each known by its hash, and none built from source.
test-locked: PYTHON := python3.11
test-locked:
	@echo "Installing the packages of requirements-ci.txt into $(LOCKED)"
	@$(PYTHON) -m venv --clear $(LOCKED)
	@$(LOCKED)/bin/python $(INSTALL) --require-hashes --only-binary :all: -r requirements-ci.txt
	@$(LOCKED)/bin/python $(INSTALL) --no-index --no-deps --no-build-isolation .
	@$(LOCKED)/bin/python scripts/browser.py
	$(LOCKED)/bin/python -m pytest -n auto --dist loadfile

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

$(VENV)/.installed-release: $(VENV)/.installed-test
	@echo "Installing what a release needs into $(VENV)"
	@$(BIN)/python $(INSTALL) -c constraints.txt -e ".[release]"
	@touch $@

# For Python 3.11 on Linux with torch for CPUs, which lies in PIP_FIND_LINKS, or is found with UV_TORCH_BACKEND=cpu.
lock: export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
lock: $(VENV)/.installed-release
	$(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --extra test --upgrade \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 -c constraints.txt pyproject.toml -o requirements-ci.txt

licences: $(VENV)/.installed-test
	$(BIN)/python scripts/licences.py

# Asks pypi.org for known vulnerabilities. Strict: a package that it cannot ask about is an error, not a pass.
audit: $(VENV)/.installed-release
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements-ci.txt

# The bill of materials of what nearid runs on, without what only tests and releases need.
sbom:
	@mkdir -p dist
	@$(PYTHON) -m venv --clear build/sbom
	@build/sbom/bin/python $(INSTALL) -c constraints.txt torch
	@build/sbom/bin/python $(INSTALL) -c constraints.txt .
	@$(MAKE) --no-print-directory $(VENV)/.installed-release
	$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml -o dist/nearid.cdx.json build/sbom/bin/python

# What is published: wheel, sdist and bill of materials in dist/, after all checks.
release: check licences audit sbom
	$(BIN)/python -m hatchling build -d dist

clean:
	rm -rf $(VENV) $(OLDEST) $(LOCKED) $(DEMO)
