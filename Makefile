# Banjie. `make run` is all one needs on a machine with Python 3.11; the other targets are for those who work on it.
# CONFIG=file names other settings, e.g. make run CONFIG=/etc/banjie/config.yaml

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CONFIG ?= config.yaml
VENV := .venv
PYTHON := $(VENV)/bin/python
BANJIE := $(PYTHON) -m web.cli --config $(CONFIG)
# Functions and errors whose first argument is a sentence for people.
SENTENCES := T EngineError JobFailed NotFound Conflict InvalidState NotPermitted ValidationFailed AccessRefused CannotServe FeelError LimitExceeded null nothing fail:2 finding:2
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet

.PHONY: help setup setup-dev assets run serve test test-deep bench lint messages screenshots clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make the Python environment from requirements.lock
	@:

setup-dev: $(VENV)/.installed-dev ## the same with the tools of development
	@:

$(PYTHON):
	@python="$$(scripts/python.sh)" && echo "setup: $$("$$python" --version) in $(VENV)" && "$$python" -m venv $(VENV)

# The stamps make a second run instant; a changed lock file makes them old.
$(VENV)/.installed: requirements.lock | $(PYTHON)
	@echo "setup: installing packages"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.lock
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock requirements.lock | $(PYTHON)
	@echo "setup: installing packages and the tools of development"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.lock
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.installed $@

assets: setup ## bundle what the browser needs
	@scripts/assets.sh

run: setup assets ## prepare the database, deploy processes/ and forms/, and serve
	@exec $(BANJIE) serve --prepare

serve: ## serve what is already prepared
	@exec $(BANJIE) serve

test: setup-dev assets ## run every test this machine can run, and say what was left out
	@$(PYTHON) -m pytest $(if $(TESTS),$(TESTS),--numprocesses auto --maxprocesses 4 --dist loadfile)

test-deep: setup-dev ## draw many more random processes and killed workers than `make test` does (half an hour)
	@BANJIE_HYPOTHESIS=deep $(PYTHON) -m pytest tests/runtime/test_random_processes.py tests/runtime/test_killed_workers.py tests/deadlines/test_year.py

bench: setup-dev assets ## measure; figures are printed, nothing is asserted about this machine's speed
	@$(PYTHON) -m tests.bench

lint: setup-dev ## check the Python sources and the delivered procedures
	@$(VENV)/bin/ruff check .
	@$(BANJIE) lint processes forms

messages: setup-dev ## collect the sentences for translators into web/locale
	@mkdir -p var
	@$(VENV)/bin/pybabel extract --mapping pyproject.toml --keywords '$(SENTENCES)' --no-location --sort-output --project Banjie --output-file var/messages.pot engine web
	@for file in web/locale/zh/LC_MESSAGES/messages.po; do \
	  if [ -e $$file ]; then $(VENV)/bin/pybabel update --no-wrap --ignore-obsolete --no-fuzzy-matching --input-file var/messages.pot --output-file $$file --locale zh; \
	  else mkdir -p $$(dirname $$file) && $(VENV)/bin/pybabel init --no-wrap --input-file var/messages.pot --output-file $$file --locale zh; fi; \
	done

screenshots: setup-dev assets ## take the pictures of the README and the handbooks from the running desk
	@$(PYTHON) scripts/screenshots.py
	@$(PYTHON) scripts/designer_screenshots.py

clean: ## remove what can be made again (not var/, where the data is)
	rm -rf $(VENV) web/assets/node_modules web/static/build .pytest_cache .ruff_cache .hypothesis
	find engine web tests -name __pycache__ -type d -prune -exec rm -rf {} +
