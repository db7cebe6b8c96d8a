# Lamplight's commands. `make up` and `make test` need Python 3.11 only; everything else is installed into .venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?=
DATA ?= .lamplight
DEMO ?= 1
ENGINE ?= sim
NAME ?=
VLLM_PYTHON ?=
# tests run in so many processes, each with servers of its own (0: in this process, for a debugger); a file stays in one
# (pytest-xdist 3.8 finds no groups of marks with pytest 9.2, so not `loadgroup`)
WORKERS ?= 2
PARALLEL = -n $(WORKERS) --dist loadfile
# set in many container images; a dozen processes would compile 1,500 modules each time they start, 2 s of a processor
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up down check test test-vllm test-python e2e soak bench lock clean clean-venv console schema format conformance

help:
	@echo "make up          start everything on this machine (PORT= DATA= DEMO=0 STEADY=1 ENGINE=sim|vllm); Ctrl-C stops it"
	@echo "make down        stop a running instance (DATA=)"
	@echo "make test        lint, types, imports, all tests (WORKERS=2)"
	@echo "make conformance what Lamplight relies on, tried on any cluster (KUBECONFIG=)"
	@echo "make check       lint, types, imports, schema only"
	@echo "make e2e         the browser tests only"
	@echo "make soak        what runs long"
	@echo "make test-vllm   the simulator and our command lines against a real vLLM (VLLM_PYTHON=)"
	@echo "make bench NAME= one benchmark of bench/"
	@echo "make schema      types of the API for the console (after a change of any endpoint)"
	@echo "make lock        compile requirements*.txt from pyproject.toml"
	@echo "make clean       remove build products; data in $(DATA) stays"

# --- environment ------------------------------------------------------------------------------------------------
$(BIN)/uv:
	@echo "==> making the virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 13)))' || \
		{ echo "Lamplight needs Python 3.11 or 3.12; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is incomplete. On Debian: apt-get install python3-venv, then run this again."; exit 1; }
	@$(BIN)/pip install -q --disable-pip-version-check "$$(grep -E '^uv==' requirements-dev.txt)" || \
		{ echo "pip could not reach a package index: check the network or the PIP_INDEX_URL setting, then run this again."; exit 1; }

$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/uv
	@echo "==> installing the control plane"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q -r requirements.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "==> installing the development tools"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q -r requirements-dev.txt
	@touch $@

lock: | $(BIN)/uv
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml -o requirements.txt \
		--no-emit-index-url --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt \
		--no-emit-index-url --custom-compile-command "make lock"

# --- running ----------------------------------------------------------------------------------------------------
up: $(VENV)/.runtime
	@exec $(BIN)/python -m controlplane.supervisor up --data "$(DATA)" $(if $(PORT),--port $(PORT)) \
		--engine $(ENGINE) $(if $(filter 0,$(DEMO)),--no-demo) $(if $(filter 1,$(STEADY)),--steady)

down: $(VENV)/.runtime
	@$(BIN)/python -m controlplane.supervisor down --data "$(DATA)"

console: $(VENV)/.runtime
	@$(BIN)/python -m controlplane.supervisor console

schema: $(VENV)/.dev
	$(BIN)/python manage.py spectacular --format openapi-json --file frontend/codegen/openapi.json
	cd frontend/codegen && PATH="$$(cd ../.. && $(BIN)/python -m controlplane.supervisor node-path):$$PATH" && \
		npm ci --silent --no-audit --no-fund && node generate.mjs openapi.json ../src/api/schema.d.ts
	@rm -f frontend/codegen/openapi.json

# --- quality ----------------------------------------------------------------------------------------------------
check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy apps controlplane
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=controlplane.settings.test $(BIN)/python manage.py makemigrations --check --dry-run --skip-checks
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

test: check console
	cd frontend && PATH="$$(cd .. && $(BIN)/python -m controlplane.supervisor node-path):$$PATH" npm test --silent
	$(BIN)/python -m pytest -m "not soak" $(PARALLEL)

test-python: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not soak" $(PARALLEL) $(ARGS)

e2e: $(VENV)/.dev console
	$(BIN)/python -m pytest -m browser tests/e2e

conformance: $(VENV)/.dev
	@test -n "$(KUBECONFIG)" || { echo "Which cluster? make conformance KUBECONFIG=<file>; the embedded one is in make test"; exit 2; }
	LAMPLIGHT_CONFORMANCE_KUBECONFIG="$(KUBECONFIG)" $(BIN)/python -m pytest tests/conformance/test_behaviour.py

test-vllm: $(VENV)/.dev
	@test -n "$(VLLM_PYTHON)" || { echo "Which vLLM? make test-vllm VLLM_PYTHON=/path/to/venv/bin/python (docs/real-engine.md says how to install one)"; exit 2; }
	VLLM_PYTHON="$(VLLM_PYTHON)" $(BIN)/python -m pytest tests/vllm tests/e2e/test_both_engines.py --timeout 1200

soak: $(VENV)/.dev console
	$(BIN)/python -m pytest -m soak --timeout 1800

# a benchmark is a module of bench/ with a main; what they share and what fits parameters is none
BENCHES = $(sort $(filter-out __init__ common fit_step_time,$(patsubst bench/%/__main__.py,%,$(wildcard bench/*/__main__.py)) $(patsubst bench/%.py,%,$(wildcard bench/*.py))))
bench: $(VENV)/.dev
	@test -n "$(filter $(NAME),$(BENCHES))" || \
		{ echo "$(if $(NAME),There is no benchmark $(NAME):,Which one?) make bench NAME=<name>; there are: $(BENCHES)"; exit 2; }
	$(BIN)/python -m bench.$(NAME) $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf frontend/dist frontend/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

clean-venv:
	rm -rf $(VENV)
