# The commands for every day: make demo, make test, make check, make format, make bench
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo-out
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# Stamps: a second make does not install again. They lie in the environment, so deleting it starts afresh.
TORCH   := $(VENV)/.torch
RUNTIME := $(VENV)/.runtime
DEV     := $(VENV)/.dev

.PHONY: demo test check types pages style words coverage format bench docs readme pictures install constraints clean

demo: $(RUNTIME)  ## forecast of bundled real data, from a fresh clone
	$(BIN)/gatecast demo --out $(DEMO)

test: $(DEV)  ## all tests
	$(PYTEST)

check: $(DEV)  ## what CI runs; pytest last, so that its own lines close the output
	$(MAKE) --no-print-directory --output-sync --jobs 2 types pages style words
	$(PYTEST)

types: $(DEV)
	$(BIN)/mypy

pages: $(DEV)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(VENV)/site

style: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

words: $(DEV)  ## expressions that are not plain technical English
	$(BIN)/python docs/check_words.py

coverage: $(DEV)  ## all tests with the lines and branches that they reach; half as long again
	$(PYTEST) --cov --cov-report=term

format: $(DEV)  ## write the format and the safe fixes of the linter
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)  ## the quick benchmarks; benchmarks/README.md lists all
	for name in layers step first_forecast latency same_network scale; do $(BIN)/python benchmarks/$$name.py || exit 1; done

docs: $(DEV)  ## documentation on http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

readme: $(DEV)  ## what the commands print in README.md and README.ko.md
	$(BIN)/python docs/make_readme.py

pictures: $(DEV)  ## docs/img: the demo's report (needs Chromium), losses, results of benchmarks
	for name in pictures losses epidemic_pictures; do $(BIN)/python docs/make_$$name.py || exit 1; done

install: $(DEV)

$(TORCH):
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install "$$(grep '^torch==' constraints.txt)"
	@touch $@

# The build tool goes in first: without build isolation no second PyTorch is pulled.
$(RUNTIME): $(TORCH) pyproject.toml setup.py src/gatecast/ops/compile.py $(wildcard csrc/*) constraints.txt
	$(PIP) install -c constraints.txt setuptools
	$(PIP) install -c constraints.txt --no-build-isolation --editable ".[stats,plot,tune]"
	@touch $@

$(DEV): $(RUNTIME)
	$(PIP) install -c constraints.txt --no-build-isolation --editable ".[stats,plot,tune,parquet,polars,dev]"
	@touch $@

constraints:  ## pin what the newest releases give, in an environment of its own
	rm -rf .venv-pin && $(PYTHON) -m venv .venv-pin
	.venv-pin/bin/python -m pip install -q "$$(grep '^torch==' constraints.txt)" "setuptools>=77"
	.venv-pin/bin/python -m pip install -q --no-build-isolation --editable ".[stats,plot,tune,parquet,polars,dev]"
	(echo "# Exactly what was tested, for a fresh machine. Written by: make constraints"; \
	 .venv-pin/bin/python -m pip freeze --all --exclude-editable --exclude pip | sed -E 's/\+cpu//') > constraints.new
	mv constraints.new constraints.txt && rm -rf .venv-pin

clean:
	rm -rf .venv .venv-pin site $(DEMO) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
