# The three commands that matter: make run, make test, make check. Setting up happens once and shows that it is working.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

.PHONY: run test check clean help

help:
	@echo "make run    set up .venv and open the shell"
	@echo "make test   set up and run the whole test suite"
	@echo "make check  lint, types, layers, docs"
	@echo "make clean  remove .venv and caches"

run: $(READY)
	@$(BIN)/llmasos $(ARGS)

test: $(DEV_READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_docs

$(READY): pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh $(VENV)
	@touch $@

$(DEV_READY): $(READY)
	@PYTHON="$(PYTHON)" scripts/setup.sh $(VENV) dev
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
