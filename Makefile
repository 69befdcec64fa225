# `make run` and `make test` set up all they need; `make help` lists the rest.

VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile

# The first interpreter that is new enough and can make a virtual environment.
CHECK := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(CHECK)' >/dev/null 2>&1 && echo $$p && break; done)

# The stamps carry the checkout's path: a copied .venv still points at the old place.
HERE := $(shell printf %s '$(CURDIR)' | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-$(HERE)
READY_DEV := $(VENV)/.ready-dev-$(HERE)
READY_ORACLES := $(VENV)/.ready-oracles-$(HERE)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help setup run test test-slow test-slurm test-chaos lint format types bench clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv with the pinned versions (nothing to do when up to date)

run: setup ## run the quick study and write runs/quickstart/report.html
	$(BIN)/jaxagent study run quickstart

test: setup ## run the fast tests (WORKERS=0 for one process)
	$(PYTEST) -m "not slow"

test-slow: $(READY_ORACLES) ## run all but the next two beside all originals, before a release
	$(PYTEST) -m "not slurm and not chaos"

test-slurm: setup ## run sweeps under a real SLURM on this machine, before a release
	$(BIN)/python -m pytest -m slurm -s

test-chaos: setup ## kill the workers of a sweep for five minutes, before a release
	$(BIN)/python -m pytest -m chaos -s

lint: $(READY_DEV) ## check style and formatting
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(READY_DEV) ## put style and formatting right
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(READY_DEV) ## check the types of jaxagent/
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

bench: setup ## measure the environments, the rollout and training
	$(BIN)/jaxagent bench

clean: ## remove .venv and the caches (runs/ stays)
	rm -rf $(VENV) .cache .hypothesis .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory new-venv
	@echo "Installing jaxagent and its packages into $(VENV) (minutes the first time)"
	@$(INSTALL) -e '.[report,test]'
	@touch $@

$(READY_ORACLES): $(READY)
	@$(INSTALL) -e '.[alfworld-oracle,optuna,schemas]'
	@touch $@

$(READY_DEV): $(READY)
	@$(INSTALL) -e '.[dev]'
	@touch $@

.PHONY: new-venv
new-venv:
	@$(or $(PYTHON),false) -c '$(CHECK)' >/dev/null 2>&1 || { \
	echo "jaxagent needs Python 3.11 or later with its venv module; found none$(if $(PYTHON), in $(PYTHON))." >&2; \
	echo "Install one, then: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
