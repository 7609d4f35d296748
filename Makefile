# Two commands do all the set-up on a bare machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test torture lint types check perf clean

# The constraints file pins torch: any other request for it can pull gigabytes of CUDA packages.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/nearid demo $(DEMO)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile

# Long attacks by generated input, which `make test` leaves out.
torture: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -m torture

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

check: lint types test

perf: $(VENV)/.installed-test
	$(BIN)/python -m perf

clean:
	rm -rf $(VENV) $(DEMO)
