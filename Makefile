# `make run` and `make test` work on a fresh clone: each installs what it needs first, once; stamps in .venv make
# the second run instant. Where packages come from is the machine's own business (pip.conf, PIP_*).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SYSTEM := .venv/.system
STOCK := tests/browser/stock/node_modules/.package-lock.json

# What only the tests need from the system: a browser, other voices than the engine's, and recorded human speech.
SOUNDS := /usr/share/asterisk/sounds/en_US_f_Allison

.PHONY: run test lint check-web test-core test-rest bench accept lock env-sample clean
.DELETE_ON_ERROR:

run: $(INSTALLED)
	@exec $(BIN)/rtbridge serve $(ARGS)

test: lint check-web test-core test-rest
	COVERAGE_FILE=.coverage $(BIN)/coverage combine --keep --quiet .coverage.core .coverage.rest
	$(BIN)/coverage report --skip-covered --fail-under=90

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-web: $(SYSTEM)
	node --test web/*.test.js rtbridge/replay/page/*.test.js

# The core is covered by its own tests alone, every branch of it.
test-core: $(INSTALLED)
	COVERAGE_FILE=.coverage.core $(BIN)/coverage run -m pytest -q tests/core
	COVERAGE_FILE=.coverage.core $(BIN)/coverage report --include='rtbridge/core/*' --show-missing --skip-covered --fail-under=100

test-rest: $(INSTALLED) $(SYSTEM) $(STOCK)
	COVERAGE_FILE=.coverage.rest $(BIN)/coverage run -m pytest tests --ignore=tests/core

bench: $(INSTALLED)
	$(BIN)/rtbridge bench media $(ARGS)

# Every bar at its full count, in parts: one that passed at this commit is not run again. Figures lie in accept/.
accept: $(INSTALLED) $(SYSTEM) $(STOCK)
	$(BIN)/python tests/accept.py $(ARGS)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rtbridge needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SYSTEM): | $(INSTALLED)
	@missing=; \
	for program in chromium flite espeak-ng npm; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	test -d $(SOUNDS) || missing="$$missing asterisk-core-sounds-en-wav"; \
	test -d /usr/share/fonts/truetype/dejavu || missing="$$missing fonts-dejavu-core"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "The tests need these programs, here by their Debian names:$$missing"; \
	    echo "Install them and run make again, as root for instance: apt-get install $$missing"; \
	    exit 1; \
	  fi; \
	fi
	@touch $@

# Browser clients written by others, called unchanged by a test.
$(STOCK): tests/browser/stock/package-lock.json | $(SYSTEM)
	npm ci --prefix tests/browser/stock --no-audit --no-fund
	@touch $@

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --extra engine --extra fast --extra dev --output-file requirements.lock pyproject.toml

env-sample: $(INSTALLED)
	$(BIN)/rtbridge doctor --env-sample > .env.sample

clean:
	rm -rf .venv tests/browser/stock/node_modules .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache out accept build dist htmlcov
