# The commands of this repository. `make demo` and `make test` are all a newcomer needs; each makes .venv first.
PYTHON ?= python3
VENV := .venv

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZER := $(VENV)/.fuzzer
SECONDS := 60
MINUTES := 10
WORKERS := 2
STORE := sqlite
PIP := env -u PYTHONPATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
	$(BIN)/python -m pip -qq --no-input install
# Bytecode is kept whatever the shell says: a hub, and each command of the tests, starts a third faster with it.
RUN := env -u PYTHONPATH -u PYTHONDONTWRITEBYTECODE $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-postgres lint bench bench-stacks fuzz costs chaos chaos-ha overload soak \
	docs-performance docs-security test-pythons lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install the locked dependencies

# Rebuilt from nothing whenever what it was made from is newer: an old package cannot linger.
$(STAMP): requirements.lock setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || { \
		echo "The gateway needs Python 3.11, 3.12 or 3.13; $(PYTHON) is:" \
			"$$($(PYTHON) --version 2>&1 | head -n 1). Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "installing into $(VENV) (once) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## one whole Schuldregeling conversation between two parties through a hub, on this machine
	@env -u PYTHONPATH -u PYTHONDONTWRITEBYTECODE $(BIN)/gateway demo

# A worker per core, whole files at a time (a file shares its hubs), in the order of their names: the slowest come first.
test: setup ## every test that needs no other server
	@$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-postgres: setup ## the store, crashes, whole conversations on PostgreSQL: DATABASE_URL, or a server it makes itself
	@$(RUN) -m tests.postgres

lint: setup ## ruff, mypy --strict and the architecture rules
	@$(BIN)/ruff check .
	@env -u PYTHONPATH $(BIN)/mypy --strict gateway
	@$(RUN) -m pytest tests/test_architecture.py

bench: setup ## measure everything in ten minutes: ONLY=way-in,growth QUICK=1; writes build/bench.json
	@mkdir -p build
	@$(RUN) -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

bench-stacks: setup ## the gateway beside other stacks that verify and sign the same: docs/performance.md
	@$(RUN) -m benchmarks --only stacks

# The fuzzer itself is installed only here; a replay does without.
$(FUZZER): $(STAMP) requirements-fuzz.lock
	@$(PIP) --require-hashes --only-binary :all: -r requirements-fuzz.lock || { \
		echo "atheris has no wheel for this Python or machine: it needs CPython 3.11 to 3.13 on Linux, x86-64." \
			"Try: make fuzz PYTHON=python3.11, after make clean" >&2; exit 1; }
	@touch $@

fuzz: $(if $(REPLAY),setup,$(FUZZER)) ## look for inputs that do harm: SECONDS=60 SEED=n, or one again: REPLAY=file
	@$(RUN) -m tests.fuzz $(if $(REPLAY),--replay $(REPLAY),--seconds $(SECONDS) $(if $(SEED),--seed $(SEED)))

costs: setup ## look for the refused message that costs most CPU beside a good one of its size: SECONDS=60 SEED=n
	@$(RUN) -m tests.costs --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

chaos: setup ## break a hub again and again, then check its promise: MINUTES=10 SEED=n STORE=sqlite|postgres
	@$(RUN) -m tests.chaos --minutes $(MINUTES) --store $(STORE) $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS))

chaos-ha: setup ## three nodes on three PostgreSQL members under Patroni: lose each kind of machine, then check the promise
	@$(RUN) -m tests.chaos.ha $(if $(SEED),--seed $(SEED))

overload: setup ## five times what a hub can do, and after it: WORKERS=2; writes build/overload.json, a minute
	@$(RUN) -m tests.load.overload --workers $(WORKERS)

soak: setup ## steady load; does memory, time or anything else grow? MINUTES=10 STORE=sqlite|postgres SEED=n; build/soak.json
	@$(RUN) -m tests.load.soak --minutes $(MINUTES) --store $(STORE) $(if $(SEED),--seed $(SEED))

docs-performance: setup ## write the figures of build/bench.json into docs/performance.md
	@$(RUN) -m benchmarks.page

docs-security: setup ## write the table of docs/security.md from the marks of the tests
	@$(RUN) -m tests.clauses

test-pythons: ## the tests under each supported Python on this machine
	@.ci/test-pythons

# For maintainers: needs uv. Users install what requirements.lock says and never run this.
lock: ## resolve the dependencies again
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev setup.cfg -o requirements.lock

clean: ## remove what these commands made
	rm -rf .venv .venv-3.* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
