# Needs Python 3.11 or newer with pip, and make; everything else is installed into .venv from hashed locks.
#   make help            what there is
#   make demo PYTHON=…   with a given interpreter

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# Filled only where the system has no OpenMP runtime (scripts/openmp.py).
OPENMP := $(VENV)/lib/openmp
WITH_OPENMP = if test -d $(OPENMP); then export LD_LIBRARY_PATH="$(CURDIR)/$(OPENMP)$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}"; fi;
# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
# Tests run in as many processes as there are cores, one thread each.
WORKERS ?= auto
# pip's own settings for where packages come from hold for uv too.
PIP_TO_UV = eval "$$($(BIN)/python scripts/pip_settings.py)"
UV_SYNC = $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/uv.txt
# sync(lock): from the usual index; where that lacks something, with pip's additional ones.
sync = $(PIP_TO_UV); $(UV_SYNC) $(1) || { eval "$$($(BIN)/python scripts/pip_settings.py --more)"; $(UV_SYNC) $(1); }
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable . \
	&& $(BIN)/python scripts/openmp.py $(OPENMP) >&2
LOCK = $(PIP_TO_UV); $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	--constraint requirements/constraints.txt pyproject.toml
# What `make demo` needs; drift reports and Dagster bring half of all packages, so they are for development alone.
RUN_EXTRAS := $(foreach extra,places boosters holidays socrata s3 sql watch serve,--extra $(extra))

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMPS)/run ## set up, then run the main job on the bundled collisions: models, audit, predictions, report
	@$(WITH_OPENMP) $(BIN)/asof demo

.PHONY: test
test: $(STAMPS)/dev ## set up, then run the tests with a coverage report
	@$(WITH_OPENMP) $(BIN)/python -m pytest -n $(WORKERS) -p tests.covering

.PHONY: lint
lint: $(STAMPS)/dev ## style, types and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(STAMPS)/dev ## put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: bench
bench: $(STAMPS)/dev ## measure what is claimed, side by side with peers (needs ../shared/data)
	@$(WITH_OPENMP) $(BIN)/python bench/run.py

.PHONY: setup
setup: $(STAMPS)/dev ## set up for development only

.PHONY: lock
lock: $(STAMPS)/uv ## write requirements/run.txt and requirements/dev.txt anew
	$(LOCK) $(RUN_EXTRAS) --group build --output-file requirements/run.txt
	$(LOCK) --extra all --group dev --constraint requirements/run.txt --output-file requirements/dev.txt

.PHONY: clean
clean: ## remove the environment and everything that was made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis examples/*/.asof asof-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { \
		echo "asof needs Python 3.11 or newer with pip and venv (Debian: python3-venv);" \
		"found: $$(python3 --version 2>&1 || echo none). Install one, or name it: make demo PYTHON=/path/to/python3.11" >&2; \
		exit 3; }
	@echo "making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# A pinned uv, by hash: pip is needed for nothing else.
$(STAMPS)/uv: requirements/uv.txt $(STAMPS)/venv
	@echo "installing uv" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

# What dev.txt holds is more than what run.txt holds, at the same versions: an environment that was synced to the
# former also serves those who only run, so that `make demo` after `make test` takes nothing away.
$(STAMPS)/run: requirements/run.txt pyproject.toml src/asof/__init__.py | $(STAMPS)/uv
	@if test -e $(STAMPS)/dev; then $(MAKE) --silent --no-print-directory $(STAMPS)/dev; else \
		echo "installing what is needed to run" >&2; { $(call sync,requirements/run.txt); } && $(INSTALL); fi
	@touch $@

$(STAMPS)/dev: requirements/dev.txt pyproject.toml src/asof/__init__.py | $(STAMPS)/uv
	@echo "installing what is needed to develop" >&2
	@$(call sync,requirements/dev.txt)
	@$(INSTALL)
	@touch $@
