# Hunter. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= .local
PYTEST ?= $(BIN)/pytest
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help run test test-interpreted test-fast check lint types imports cover fmt docs bench bench-dns bench-pipeline bench-rejudge bench-api load chaos fuzz conformance demo lock chart fault-scrapes image-recipe smoke clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hunter needs Python 3.11 or newer; this is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "[1/3] making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.lock setup.cfg $(VENV)/.made
	@echo "[2/3] installing locked dependencies (requirements.lock)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "[3/3] installing hunter"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "installing locked test dependencies (requirements-dev.lock)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.fuzz: requirements-fuzz.lock $(VENV)/.dev
	@echo "installing the locked fuzzer (requirements-fuzz.lock)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-fuzz.lock
	@touch $@

$(VENV)/.bench: requirements-bench.lock $(VENV)/.dev
	@echo "installing what the API is measured beside (requirements-bench.lock)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

$(VENV)/.compiled: $(VENV)/.run $(wildcard hunter/resolver/*.py) hunter/config.py hunter/core/answers.py
	@$(BIN)/python -m hunter.local.compile
	@touch $@

run: $(VENV)/.compiled ## Start everything: PostgreSQL, Valkey, API and worker; Ctrl-C stops, data stays
	@exec $(BIN)/hunter up

demo: $(VENV)/.compiled ## See the product work without internet: local name server, sample list, five leads to call
	@exec $(BIN)/hunter demo

test: $(VENV)/.compiled $(VENV)/.dev ## Every test, on the real PostgreSQL, Valkey and a real name server
	@$(PYTEST) --numprocesses 2 --dist loadfile $(ARGS)

test-interpreted: $(VENV)/.dev ## The engine's tests once more, without its compiled modules
	@HUNTER_PURE_PYTHON=1 $(PYTEST) --numprocesses 2 --dist loadfile tests/resolver $(ARGS)

test-fast: $(VENV)/.dev ## The core's tests only: pure functions, no server
	@$(PYTEST) tests/core $(ARGS)

lint: $(VENV)/.dev ## ruff and codespell
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/codespell

fmt: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: $(VENV)/.dev ## mypy, strict
	@$(BIN)/mypy

imports: $(VENV)/.dev ## Import contracts of docs/ARCHITECTURE.md
	@$(BIN)/lint-imports

cover: $(VENV)/.dev ## Branch coverage of the core, which must be complete
	@$(BIN)/coverage erase && $(BIN)/coverage run -m pytest tests/core tests/knowledge -q -p no:randomly --hypothesis-seed=0 && $(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include='hunter/core/*' --fail-under=100

docs: $(VENV)/.run ## Write the generated pages anew: the tree in ARCHITECTURE.md, the settings table, the calibration in scoring.md
	@$(BIN)/python tests/docs/test_architecture.py
	@$(BIN)/hunter config --markdown > docs/configuration.md
	@$(BIN)/python tests/docs/test_scoring.py

check: lint types imports cover test test-interpreted ## Everything CI checks

bench: bench-dns bench-pipeline bench-rejudge bench-api ## All benchmarks; results in bench/results/

bench-dns: $(VENV)/.compiled $(VENV)/.dev ## DNS engine beside its peers, under 8 minutes (ARGS=--quick: under one)
	@$(BIN)/python bench/dns.py $(ARGS)

bench-pipeline: $(VENV)/.compiled $(VENV)/.dev ## Bulk accepted to results committed, cost per stage
	@$(BIN)/python bench/pipeline.py

bench-rejudge: $(VENV)/.run $(VENV)/.dev ## Stored observations judged anew, domains a second per core and cost per stage
	@$(BIN)/python bench/rejudge.py $(ARGS)

bench-api: $(VENV)/.compiled $(VENV)/.bench ## API with 1,000,000 leads under load, beside FastAPI and SQLAlchemy (ARGS=--quick: under 3 minutes)
	@$(BIN)/python bench/api.py $(ARGS)

load: $(VENV)/.run ## Reads and single scans against a running API, p95 and errors held to limits: make load URL=http://… (key in HUNTER_ADMIN_KEY)
	@$(BIN)/python bench/load.py $(or $(URL),http://127.0.0.1:8000) $(ARGS)

chaos: $(VENV)/.compiled $(VENV)/.dev ## Kill, freeze, flush and cut off while lists are scanned, then count; ARGS=--full for all of it
	@$(BIN)/python bench/chaos.py $(ARGS)

conformance: $(VENV)/.dev ## Every conformance suite in one table: cases, passed, argued, floor; fails on a missed floor
	@$(BIN)/python -m tests.conformance.report $(ARGS)

fuzz: $(VENV)/.compiled $(VENV)/.fuzz ## Fuzz the decoder and every record parser, FUZZ_SECONDS=60 for all; findings in .local/fuzz
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(ARGS)

chart: $(VENV)/.dev ## Write the golden manifests of the chart anew; look at the difference before you commit it
	@$(BIN)/python -m tests.helm.rendering && git --no-pager diff --stat -- tests/helm/golden

image-recipe: $(VENV)/.dev ## Walk the Dockerfile's steps in a clean folder as a plain user, without Docker (1 to 4 min)
	@$(BIN)/python -m tests.helm.image

fault-scrapes: $(VENV)/.compiled $(VENV)/.dev ## Record anew what a running Hunter shows while Redis, PostgreSQL, DNS or a worker is away (2 min)
	@$(BIN)/python -m tests.helm.faults

lock: $(VENV)/.made ## Write the lock files anew from setup.cfg
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile setup.cfg --extra local requirements-build.in --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements.lock
	@$(BIN)/uv pip compile requirements-dev.in -c requirements.lock --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements-dev.lock
	@$(BIN)/uv pip compile requirements-fuzz.in --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements-fuzz.lock
	@$(BIN)/uv pip compile requirements-bench.in -c requirements-dev.lock --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements-bench.lock

smoke: $(VENV)/.run ## Check a running API: make smoke URL=http://… (key in HUNTER_ADMIN_KEY)
	@exec $(BIN)/hunter smoke $(if $(URL),--url $(URL)) $(ARGS)

clean: ## Remove what was built; the data in .local stays
	@rm -rf $(VENV) hunter/resolver/compiled build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
	@find . -name __pycache__ -not -path './.local/*' -prune -exec rm -rf {} +
