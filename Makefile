# `make run` and `make test` work on a fresh clone: each installs what it needs first, once; stamps in .venv make
# the second run instant. Where packages come from is the machine's own business (pip.conf, PIP_*).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SYSTEM := .venv/.system
STOCK := tests/browser/stock/node_modules/.package-lock.json

# What only the tests need from the system: a browser, other voices than the engine's, and recorded human speech.
SOUNDS := /usr/share/asterisk/sounds/en_US_f_Allison

PYTEST := $(BIN)/python -m pytest -q
COVER := --cov --cov-report=
# The core's coverage is always measured. That of all rooms costs a minute: `make test COVERAGE=1`.
COVER_ALL := $(if $(COVERAGE),$(COVER))
# Files with a test in real time: packets and sockets, or a browser. What is only computed makes way for them.
WIRE = $(sort $(shell grep -rlE '^(pytestmark =|@).*mark\.wire\b' tests --include='test_*.py'))
BROWSER = $(sort $(shell grep -rlE '^(pytestmark =|@).*mark\.browser\b' tests --include='test_*.py'))
STORIES := tests/replay/test_stories.py
YIELD := nice -n 5
GNU_MAKE_4 := $(filter output-sync,$(.FEATURES))
IN_ONE_PIECE := $(if $(GNU_MAKE_4),--output-sync=target)
# What a part of the tests prints is kept until it has passed, so that what failed can be said again at the very end.
PRINTED := .printed
KEEP = $(if $(GNU_MAKE_4),2>&1 | tee -a $(PRINTED)/$@.log)
PASSED = @rm -f $(PRINTED)/$@.log
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# Tests start many processes. Where the environment forbids bytecode, each would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test lint check-web test-core test-rest test-stories test-wire test-browser bench accept lock env-sample clean
.DELETE_ON_ERROR:

run: $(INSTALLED)
	@exec $(BIN)/rtbridge serve $(ARGS)

# Three lanes side by side: what happens in real time mostly waits, and what is computed fills the cores with the rest.
# The lanes finish whatever fails, each prints its output in one piece (GNU make 4), and one failure fails all.
test:
	@$(MAKE) --no-print-directory --jobs=2 $(IN_ONE_PIECE) $(INSTALLED) $(SYSTEM) $(STOCK)
	@rm -rf .coverage .coverage.* $(PRINTED)
	@$(MAKE) --no-print-directory --jobs=3 $(IN_ONE_PIECE) --keep-going \
	  test-wire test-browser check-web test-stories test-rest test-core lint \
	  || { echo; echo "==== What failed, once more:"; tail -n 120 $(PRINTED)/*.log; exit 1; }
ifdef COVERAGE
	COVERAGE_FILE=.coverage $(BIN)/coverage combine --keep --quiet .coverage.core .coverage.rest .coverage.wire
	$(BIN)/coverage report --skip-covered --fail-under=90
endif

$(PRINTED):
	@mkdir -p $@

lint: $(INSTALLED) | $(PRINTED)
	$(YIELD) $(BIN)/ruff check . $(KEEP)
	$(YIELD) $(BIN)/ruff format --check . $(KEEP)
	$(YIELD) $(BIN)/mypy $(KEEP)
	$(PASSED)

check-web: $(SYSTEM) | $(PRINTED)
	node --test --test-reporter=dot web/*.test.js rtbridge/replay/page/*.test.js $(KEEP)
	$(PASSED)

# The core is covered by its own tests alone, every branch of it.
test-core: $(INSTALLED) | $(PRINTED)
	COVERAGE_FILE=.coverage.core $(YIELD) $(PYTEST) $(COVER) tests/core $(KEEP)
	COVERAGE_FILE=.coverage.core $(BIN)/coverage report --include='rtbridge/core/*' --show-missing --skip-covered \
	  --fail-under=100 $(KEEP)
	$(PASSED)

# Computed, on both cores.
test-rest: $(INSTALLED) $(SYSTEM) | $(PRINTED)
	COVERAGE_FILE=.coverage.rest $(YIELD) $(PYTEST) $(COVER_ALL) tests --ignore=tests/core --ignore=$(STORIES) \
	  $(WIRE:%=--ignore=%) $(BROWSER:%=--ignore=%) --numprocesses=2 --dist=worksteal --max-worker-restart=0 $(KEEP)
	$(PASSED)

# Computed in two processes of their own, which load the engine once each.
test-stories: $(INSTALLED) | $(PRINTED)
	$(YIELD) $(PYTEST) $(STORIES) $(KEEP)
	$(PASSED)

# In real time, one after the other.
test-wire: $(INSTALLED) $(SYSTEM) | $(PRINTED)
	COVERAGE_FILE=.coverage.wire $(PYTEST) $(COVER_ALL) $(WIRE) $(KEEP)
	$(PASSED)

# A process of its own: Playwright's synchronous API keeps a loop running in it.
test-browser: $(INSTALLED) $(SYSTEM) $(STOCK) | $(PRINTED)
	$(PYTEST) $(BROWSER) $(KEEP)
	$(PASSED)

bench: $(INSTALLED)
	$(BIN)/rtbridge bench media $(ARGS)

# Every bar at its full count, in parts: one that passed at this commit is not run again. Figures lie in accept/.
accept: $(INSTALLED) $(SYSTEM) $(STOCK)
	$(BIN)/python tests/accept.py $(ARGS)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rtbridge needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Beside $(INSTALLED) when make may do two things at once: it needs nothing of it.
$(SYSTEM):
	@mkdir -p $(@D)
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
	rm -rf .venv tests/browser/stock/node_modules .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .printed out accept build dist htmlcov
