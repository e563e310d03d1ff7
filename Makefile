# Every step that CI takes is a target here. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Two targets that fill the same .venv must not run at once.
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
FAULTS ?=
# uv fills an environment in a second where pip needs twelve; both check the same hashes.
INSTALL := $(if $(shell command -v uv),uv pip install --quiet --python $(BIN)/python,\
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile)

# A stamp says that the environment matches the locked lists; a change of either list renews it.
RUN := $(VENV)/.stamp-run
DEV := $(VENV)/.stamp-dev

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

# --- first steps

.PHONY: setup run demo live
setup: $(DEV) ## make .venv with everything a developer needs
run: $(RUN) ## the whole country on this machine, in one process
	$(BIN)/tongban run
demo: $(RUN) ## a tour: one case of each kind, with the proof at the end
	$(BIN)/tongban demo
live: $(DEV) ## as run, on a real Apache Kafka and a real PostgreSQL
	$(BIN)/tongban live

# --- proof

.PHONY: test quick stories model simulate faults bench
test: $(DEV) ## every test; PYTEST_ARGS="-k name -x" narrows it
	$(BIN)/pytest $(PYTEST_ARGS)
quick: $(DEV) ## every test that needs no Kafka and no PostgreSQL
	$(BIN)/pytest -m "not live" $(PYTEST_ARGS)
stories: $(DEV) ## one file for each kind of case, read like a story
	$(BIN)/pytest tests/stories $(PYTEST_ARGS)
model: $(RUN) ## every order of messages and faults, searched through the product's own steps
	$(BIN)/tongban model
simulate: $(RUN) ## real services, virtual time, all that can fail; N cases, SEED=n plays the same again
	$(BIN)/tongban simulate $(if $(SEED),--seed $(SEED)) $(if $(N),--cases $(N))
faults: $(DEV) ## real processes killed, frozen, cut and filled under load; FAULTS="--only NAME" narrows it
	$(BIN)/tongban faults $(FAULTS)
bench: $(DEV) ## cases per second and latencies, measured on this machine
	$(BIN)/tongban bench

# --- house rules

.PHONY: check lint types contracts docs docs-check format
check: lint types contracts docs-check ## all house rules; changes nothing
lint: $(DEV) ## style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check
types: $(DEV) ## types, strict, tests included
	$(BIN)/mypy
contracts: $(DEV) ## who may import whom
	$(BIN)/lint-imports --no-cache
docs: $(RUN) ## print the generated pages again
	$(BIN)/tongban docs
docs-check: $(RUN) ## fail if a generated page is stale
	$(BIN)/tongban docs --check
format: $(DEV) ## rewrite the code in house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# --- containers

.PHONY: up down
up: ## the same country in containers, one for each program
	docker compose up --build --detach --wait
down: ## stop the containers; their data stays
	docker compose down

# --- housekeeping

.PHONY: clean lock
clean: ## remove .venv and caches; var/ with its data stays
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find shared services gateway tests -name __pycache__ -prune -exec rm -rf {} +
lock: ## renew requirements/*.txt; UPGRADE=1 takes the newest versions
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; "$$tools/bin/pip" install --quiet uv; \
	lock() { "$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) "$$@"; }; \
	lock --extra build --extra live --extra dev pyproject.toml -o requirements/dev.txt; \
	lock --extra build -c requirements/dev.txt pyproject.toml -o requirements/run.txt

# --- the environment

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --no-deps --require-hashes -r requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

# dev.txt holds all of run.txt, so this stamp stands for the other one too.
$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --no-deps --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $(RUN) $@
