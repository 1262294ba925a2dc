# `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
LOCK := --quiet --strip-extras --generate-hashes --no-emit-find-links --no-emit-index-url --no-emit-trusted-host
# Two terminals may make the virtual environment at the same time: each step waits for the other's.
ALONE := $(if $(shell command -v flock),flock .)
INSTALL := $(ALONE) $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help run demo stop test lint coverage bench torture drill mutants lock
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp ## start the shop, with a month of real orders in it; Ctrl-C stops it and keeps the data
	@$(BIN)/python -m config.shop run $(if $(PORT),--port=$(PORT))

demo: .venv/run.stamp ## import the whole year and compare every read model with the known answers
	@$(BIN)/python -m config.shop demo

stop: .venv/run.stamp ## stop what an interrupted run left behind
	@$(BIN)/python -m config.shop stop

test: .venv/dev.stamp ## lint, types, import contracts, migrations, tests: what CI runs
	@$(BIN)/python -m tests.run

lint: .venv/dev.stamp ## only what needs no server: ruff, mypy, import contracts
	@$(BIN)/python -m tests.run --lint

coverage: .venv/dev.stamp ## the tests, with what they cover
	@$(BIN)/pytest -q -n 2 --cov --cov-report=term

bench: .venv/dev.stamp ## measure the figures of the README
	@$(BIN)/python -m benchmarks

torture: .venv/dev.stamp ## kill what can be killed under load, then prove that nothing is wrong (SEED=1 MINUTES=10 WORKLOAD=mixed NEMESIS=all)
	@$(BIN)/python manage.py torture --seed=$(or $(SEED),1) --minutes=$(or $(MINUTES),10) --workload=$(or $(WORKLOAD),mixed) --nemesis=$(or $(NEMESIS),all)

drill: .venv/dev.stamp ## break one thing under load and prove that a promise holds (NAME=rebuild|rollback|drift|tokens|stores MINUTES=3)
	@$(BIN)/python -m tests.drills $(or $(NAME),tokens) $(if $(MINUTES),--minutes=$(MINUTES))

mutants: .venv/dev.stamp ## seed every bug of the table, and show what it dies of
	@$(BIN)/python -m tests.mutants

lock: .venv/dev.stamp ## resolve requirements*.in into requirements*.txt, with hashes
	@$(BIN)/pip-compile $(LOCK) --output-file=requirements.txt requirements.in
	@$(BIN)/pip-compile $(LOCK) --allow-unsafe --output-file=requirements-dev.txt requirements-dev.in
	@touch requirements.txt requirements-dev.txt

.venv/bin/pip: # the last that a new virtual environment gets
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with PYTHON=...")'
	@$(ALONE) sh -c 'test -x $@ || $(PYTHON) -m venv .venv'

.venv/run.stamp: requirements.txt | .venv/bin/pip
	@echo "Installing requirements.txt (once) ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	@echo "Installing requirements-dev.txt (once) ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
