# Every target carries its line of help after `##`; `make help` prints them.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Where `make up` keeps servers, data and home; with root's account, a folder that PostgreSQL's may enter.
STACK ?= .stack
STAMP := $(VENV)/.installed
# `make WHEEL=1 ...` installs the built wheel, so that tests see what users get; otherwise the checkout itself.
WHEEL ?=

.DEFAULT_GOAL := help
.PHONY: help install demo check format test test-quick test-nightly bench bench-peers bench-nightly serve up down clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(STAMP) ## make .venv with everything in it; the command is .venv/bin/hms-dta

$(STAMP): pyproject.toml tests/stranger/pyproject.toml
	@python=$$(scripts/find-python) && test -x $(BIN)/python || "$$python" -m venv $(VENV)
	@scripts/install-packages $(BIN)/python $(if $(WHEEL),,-e) '.[chart,dev,hive,mongo,oidc,otel,postgres,redis,s3,trino,webhooks]'
	@scripts/install-packages $(BIN)/python --no-deps tests/stranger
	@touch $@

demo: install ## the main job, end to end, on real public data: no server, no Docker
	$(BIN)/python examples/demo.py

check: install ## lint, format, types, import direction, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	@test ! -e graphql/__init__.py || { echo "graphql/ must not be a package: it would shadow graphql-core"; exit 1; }

format: install ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install ## every test, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-quick: install ## the tests that take under two seconds each
	$(BIN)/python -m pytest -m 'not slow'

test-nightly: install ## what takes too long for every day: 100,000 tables, a million partitions, a million datasets
	HMS_DTA_TABLES=100000 HMS_DTA_PARTITIONS=1000000 $(BIN)/python -m pytest \
	  tests/integration/test_many_tables.py tests/integration/test_hive_cost.py
	HMS_DTA_DATASETS=1000000 HMS_DTA_EDGES=1000000 HMS_DTA_WORLDS=20 $(BIN)/python -m pytest \
	  tests/integration/test_portal_queries.py tests/e2e/test_ten_people.py
	HMS_DTA_CHECKS=100000 $(BIN)/python -m pytest tests/integration/test_kept_answers_hammered.py
	HMS_DTA_SELECTS=500 $(BIN)/python -m pytest tests/integration/test_trino_same_answers.py

bench: install ## each figure as a ratio to a limit measured in the same run
	$(BIN)/python -m bench

bench-peers: install ## other people's crawlers beside ours, on the same stores, and what each lost
	$(BIN)/python -m bench.peers

bench-nightly: install ## the figures that take too long for every day
	$(BIN)/python -m bench hive-nightly lineage-nightly mongo-nightly postgres-nightly seeded-nightly

serve: install ## serve the registry in this folder on loopback
	$(BIN)/hms-dta serve

up: install ## every kind of store on this machine, in the background, with the demo's data; `make down` stops it
	@$(BIN)/python -m stack up '$(STACK)'

down: ## stop what `make up` started; its data stay
	@test ! -d '$(STACK)' || $(BIN)/python -m stack down '$(STACK)'

clean: down ## remove what `make` made
	rm -rf $(VENV) '$(STACK)' dist build .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
