# Everything a fresh machine needs is Python 3.11+ and make: uv is fetched privately into .bootstrap/ where it is missing,
# dependencies come locked from uv.lock. The second run needs no network.
#   make demo ARGS="--seed 7"     make test ARGS="-k telemetry"     make PYTHON=/path/to/python3.12 test

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SILENT:
.DELETE_ON_ERROR:
.PHONY: help setup demo install test lint types imports unit bench campaign dashboard clean

ARGS ?=
DIR ?=
CODE := keeper strategies tests benchmarks deploy
KEEPER := .venv/.locked
WORKER := .venv-jupiter/.locked

# sync VENV FLAGS: build the environment from the lock; an existing one keeps its interpreter. The second attempt trusts the
# machine's own certificates, for networks whose proxy opens TLS.
define sync
	tools=$$(.ci/uv) || exit 1; \
	uv=$$(printf '%s\n' "$$tools" | sed -n 1p); python=$$(printf '%s\n' "$$tools" | sed -n 2p); \
	unset VIRTUAL_ENV; \
	[ -x $(1)/bin/python ] && python=$(CURDIR)/$(1)/bin/python; \
	printf 'Preparing %s ...\n' $(1); \
	export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$(1); \
	set -- sync --quiet --frozen --python "$$python" $(2); \
	"$$uv" "$$@" 2>$(1).log || "$$uv" "$$@" --system-certs || { cat $(1).log >&2; rm -f $(1).log; exit 1; }; \
	rm -f $(1).log
endef

help: ## Show this list
	printf 'make TARGET [ARGS="..."]\n\n'
	sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: $(KEEPER) $(WORKER) ## Build .venv and .venv-jupiter from uv.lock

$(KEEPER): uv.lock pyproject.toml
	$(call sync,.venv,--extra postgres)
	touch $@

$(WORKER): uv.lock pyproject.toml
	$(call sync,.venv-jupiter,--only-group jupiter-sdk)
	touch $@

demo: setup ## Run the keeper against a market in a box for about two minutes
	.venv/bin/keeper demo $(ARGS)

install: $(KEEPER) ## Install a strategy package beside the keeper: make install DIR=my-strategy
	[ -f "$(DIR)/pyproject.toml" ] || { echo 'say which folder with a pyproject.toml: make install DIR=my-strategy' >&2; exit 2; }
	uv=$$(.ci/uv | sed -n 1p); [ -n "$$uv" ] || exit 1; \
	"$$uv" pip install --quiet --no-deps --python .venv/bin/python $(abspath $(DIR)) 2>/dev/null \
	|| "$$uv" pip install --no-deps --system-certs --python .venv/bin/python $(abspath $(DIR))

test: lint types imports unit ## Everything that must pass: format, lint, types, import rules, tests

lint: $(KEEPER) ## ruff: format and lint
	printf '== format and lint\n'
	.venv/bin/ruff format --quiet --check $(CODE) || { .venv/bin/ruff format --check $(CODE); exit 1; }
	.venv/bin/ruff check --quiet $(CODE)

types: $(KEEPER) ## mypy, strict
	printf '== types\n'
	.venv/bin/mypy --no-error-summary
	.venv/bin/mypy --no-error-summary --package deploy.grafana

imports: $(KEEPER) ## import-linter: the arrows of the design
	printf '== imports\n'
	.venv/bin/lint-imports --no-logo

# A third of a run without bytecode is compiling: each worker, and each process that a test starts, would do it all over again.
unit: setup ## The test suite: three workers fill two cores, as some tests wait; ARGS go to pytest
	printf '== tests\n'
	unset PYTHONDONTWRITEBYTECODE; PYTHONPYCACHEPREFIX=$(CURDIR)/.venv/.bytecode .venv/bin/python -m pytest -n 3 --dist worksteal $(ARGS)

bench: setup ## Print the benchmarks
	.venv/bin/python -m benchmarks $(ARGS)

campaign: $(KEEPER) ## A strategy through 1,000 hostile markets of 30 days on paper (minutes); ARGS="--paths 100"
	.venv/bin/keeper campaign $(ARGS)

dashboard: $(KEEPER) ## Write the Grafana dashboard and the table of metrics again from the code
	.venv/bin/python -m deploy.grafana.dashboard > .dashboard.json
	mv .dashboard.json deploy/grafana/glow-keeper.json
	.venv/bin/python -m keeper.telemetry.catalogue docs/operations.md

clean: ## Remove environments, tools and caches
	rm -rf .venv .venv-jupiter .bootstrap .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
