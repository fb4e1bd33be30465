# `make demo` runs the whole gateway once; `make test` proves it. Both set up what they need.
SHELL := /bin/bash
# Debian's own build is optimised with a profile; other builds of the same version may be a fifth slower.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) python3.11)
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo dev check test bench faults soak fuzz smoke lint types fmt lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements/bootstrap.txt requirements/dev.txt packages/wire/pyproject.toml packages/agent-core/pyproject.toml packages/agent/pyproject.toml packages/gateway/pyproject.toml
	@echo "setting up .venv (once; about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements/bootstrap.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e packages/wire -e packages/agent-core -e packages/agent -e packages/gateway
	@touch $@

demo: $(READY) ## start the gateway with embedded providers, drive it with both stock SDKs, print what happened
	@$(BIN)/python -m demo

dev: $(READY) ## keep the gateway up in dev mode and print the exports to paste
	@$(BIN)/beyond-ai dev

lint: $(READY) ## format and lint, looked at only
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

types: $(READY) ## types, in pyright's strict mode
	@$(BIN)/basedpyright --level warning

fmt: $(READY) ## format and fix what can be fixed
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

check: lint types ## lint, types and the tests without I/O; a minute or two
	@$(BIN)/pytest -q -m "not e2e"

test: lint types ## everything, with real processes and both SDKs
	@$(BIN)/pytest

bench: $(READY) ## measure against nginx in the same run; BENCH_PEERS=1 adds the rivals of gateway, loop and agent
	@$(BIN)/python bench/run.py

faults: $(READY) ## break everything around the gateway, one row for each fault; about four minutes, alone on the machine
	@$(BIN)/python -m faults

soak: $(READY) ## ten minutes at 2,000 requests a second with a tenth cancelled; memory must not grow
	@$(BIN)/python -m faults.soak

fuzz: $(READY) ## coverage-guided fuzzing of every parser, a minute each; SECONDS=… for longer
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m fuzz --seconds $(or $(SECONDS),60)

smoke: $(READY) ## one tiny real request to every provider whose <NAME>_API_KEY is set; spends tokens
	@$(BIN)/python -m demo.smoke

lock: $(READY) ## renew the hashed pins in requirements/
	@for f in bootstrap dev fuzz; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-header --no-emit-index-url requirements/$$f.in -o requirements/$$f.txt; done

clean: ## remove .venv and the caches
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
