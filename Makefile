# Every target installs what it needs into .venv first; nothing else on the machine is touched.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := libs/common libs/venue-sim libs/operator-cli services/signal-ingest \
    services/executor services/position-monitor services/api-gateway deploy/local
SOURCES := $(DISTRIBUTIONS:%=%/src)
STAMP := $(VENV)/.installed

SCENARIO ?= oct-10-2025-sol
ONCE ?=
VENUES ?=

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# The stamp goes first and comes back last: what an interrupted installation left is not trusted.
$(STAMP): requirements.lock $(DISTRIBUTIONS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tandem needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	@echo "==> installing into $(VENV) (once; about a minute)"
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		$(DISTRIBUTIONS:%=-e ./%)
	@touch $@

install: $(STAMP)  ## install into .venv

demo: $(STAMP)  ## trade a recorded market on this machine; SCENARIO=name, VENUES=okx,binance, ONCE=1 to exit at the end
	@$(BIN)/python -m local_stack demo --scenario '$(SCENARIO)' --venues '$(VENUES)' $(if $(filter-out 0 no,$(ONCE)),--once)

# First what is quick, much of it waiting for sockets; then what plays whole markets in real time, with more room.
test: $(STAMP)  ## every test
	@$(BIN)/python -m pytest -n 4 --dist loadfile --ignore tests/settings --ignore tests/system --ignore tests/page
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/settings tests/system tests/page

test-unit: $(STAMP)  ## the tests that start no process
	@$(BIN)/python -m pytest tests/unit tests/architecture

lint: $(STAMP)  ## style, types and the layer rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=tests $(BIN)/mypy --strict $(SOURCES) $(wildcard scripts) tests
	@$(BIN)/lint-imports

simulate: $(STAMP)  ## seeded runs of all services but the gateway on one virtual clock; SEEDS=n FIRST=n, SEED=n, PLANTED=name|all
	@cd tests && ../$(BIN)/python -m simulation $(foreach name,SEEDS FIRST SEED PLANTED,$(if $($(name)),$(name)=$($(name))))

bench: $(STAMP)  ## p50 and p99 of the hot paths
	@cd tests && ../$(BIN)/python -m benchmarks

chaos: $(STAMP)  ## end each process at each point of tests/chaos, and check the books; ONLY='executor closing' for some, VENUES=gate,okx
	@cd tests && VENUES='$(VENUES)' ../$(BIN)/python -m chaos '$(ONLY)'

# Needs uv (https://docs.astral.sh/uv); the lock has hashes of every platform's files and no index address.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock:  ## renew requirements.lock and requirements-services.lock from requirements*.in
	@$(COMPILE) --output-file requirements.lock requirements.in
	@$(COMPILE) --constraint requirements.lock --output-file requirements-services.lock requirements-services.in

clean:  ## remove .venv, runs and caches
	@rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install demo simulate test test-unit lint bench chaos lock clean
