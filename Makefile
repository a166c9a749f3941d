# Chatty, from a fresh clone: `make run` starts it, `make test` and `make check` check it.
# Needs Python 3.11 or newer and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# The name of the stamp has the checksum of the list: the same list is not installed twice.
sum = $(shell cksum < $(1) | tr -d ' ')
INSTALLED := $(STAMPS)/run-$(call sum,requirements.txt)
EQUIPPED := $(STAMPS)/dev-$(call sum,requirements.txt)-$(call sum,requirements-dev.txt)
PYTEST := $(BIN)/python -m pytest
# The tools that check JavaScript, CSS and the API's description. requirements-dev.txt installs Node itself.
NODE_TOOLS := node_modules/.installed-$(call sum,package-lock.json)
# The generators of clients, and what they need: hundreds of packages, for long tests only.
CLIENT_TOOLS := tests/clients/node_modules/.installed-$(call sum,tests/clients/package-lock.json)
DESCRIPTION := node_modules/.openapi.json
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
# Tests also wait for servers and timers, so there are more workers than processors.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
workers = $(shell expr $(PROCESSORS) \* $(1))
# Wrapped as .mdformat.toml says.
DOCUMENTS := *.md benchmarks/*.md docs
# Without byte code, every worker, server and command compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run install dev test test-sqlite test-postgres test-browser test-long bench screenshots golden check format clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

run: $(INSTALLED) ## install and set up what is missing, then serve on HOST:PORT
	@$(BIN)/python manage.py setup && exec $(BIN)/python manage.py serve

install: $(INSTALLED) ## create the virtualenv and install what Chatty needs

dev: $(EQUIPPED) ## also install what its tests and checks need

test: test-sqlite test-postgres test-browser ## run all tests

test-sqlite: $(EQUIPPED) ## run the tests without a browser on SQLite
	$(PYTEST) -n $(call workers,3 / 2) --dist worksteal -m "not browser and not servers and not long" --ignore tests/browser
	$(PYTEST) -n $(call workers,3) --dist loadgroup -m "servers and not browser and not long" tests --ignore tests/browser

test-postgres: $(EQUIPPED) ## run the tests of the database and Redis on PostgreSQL and Redis
	$(BIN)/python -m tests.services $(PYTEST) -n $(call workers,2) -m "not browser and not servers and not long and not once" \
		accounts chatty conversations

test-browser: $(EQUIPPED) ## run the tests in Chromium, and some in Firefox and WebKit
	$(PYTEST) -n $(call workers,3 / 2) --dist loadscope --no-loadscope-reorder -m "browser and not long" tests/browser

test-long: $(EQUIPPED) $(CLIENT_TOOLS) ## run the long tests; takes many minutes
	$(PYTEST) -m "long and not browser" --ignore tests/browser
	$(BIN)/python -m tests.services $(PYTEST) -n $(call workers,2) -m "entrances and not once and not browser" \
		accounts chatty conversations
	$(PYTEST) -m "long and browser" tests/browser

bench: $(EQUIPPED) ## run the benchmarks; ARGS="--quick", see benchmarks/README.md
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(EQUIPPED) ## save screenshots of every page and state in screenshots/
	@$(BIN)/python -m docs.screenshots

golden: $(EQUIPPED) ## write the results of golden cases, see tests/golden/, and the API's examples
	@$(BIN)/python -m tests.golden
	@$(BIN)/python -m tests.api_examples

check: $(NODE_TOOLS) ## check formatting, lint, types, migrations and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(NODE) node_modules/.bin/biome ci --error-on-warnings
	$(NODE) node_modules/.bin/tsc --project .
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/mdformat --check $(DOCUMENTS)
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py spectacular --fail-on-warn --validate \
		--format openapi-json --file $(DESCRIPTION)
	$(NODE) REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_modules/.bin/redocly lint $(DESCRIPTION)
	$(NODE) node_modules/.bin/spectral lint --fail-severity hint --ruleset spectral.yaml $(DESCRIPTION)
	$(BIN)/lint-imports --no-cache
	$(PYTEST) -q tests/test_layers.py tests/test_names.py tests/test_writing_direction.py tests/test_catalogue.py tests/test_golden.py

format: $(NODE_TOOLS) ## format everything
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NODE) node_modules/.bin/biome check --write
	$(BIN)/mdformat $(DOCUMENTS)

clean: ## remove the virtualenv, collected files and caches, but not the data in var/
	rm -rf $(VENV) node_modules tests/clients/node_modules staticfiles .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chatty needs Python 3.11 or newer. Set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): | $(BIN)/python
	@echo "Installing what Chatty needs. This takes a minute or two, the first time only."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@mkdir -p $(STAMPS) && rm -f $(STAMPS)/run-* && touch $@

.PHONY: node_modules
node_modules: $(NODE_TOOLS)

$(NODE_TOOLS): $(EQUIPPED)
	@$(NODE) npm ci --silent --no-audit --no-fund && touch $@

$(CLIENT_TOOLS): $(EQUIPPED)
	@$(NODE) npm ci --prefix tests/clients --silent --no-audit --no-fund && touch $@

$(EQUIPPED): | $(BIN)/python
	@echo "Installing what tests and checks need. This takes a minute or two, the first time only."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@mkdir -p $(STAMPS) && rm -f $(STAMPS)/dev-* && touch $@
