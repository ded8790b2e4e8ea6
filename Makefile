# The two commands are `make run` and `make test`; each does its own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash

.PHONY: install run test soak fuzz check bench docs screens lock clean

install: $(VENV)/installed

$(VENV)/installed: requirements/dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

run: install
	$(BIN)/epilock demo run

# What only tests need and is large comes when they are run: Spark's archive has 450 MB.
$(VENV)/tested: requirements/spark.lock $(VENV)/installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/spark.lock
	touch $@

# The program is started again and again: what was compiled is kept, also where the machine says otherwise.
test: export PYTHONDONTWRITEBYTECODE =
test: install $(VENV)/tested
	$(BIN)/python -m pytest

# Faults again and again for SOAK seconds on each database, and a thousand kills; reports in build/soak-*.json.
SOAK ?= 900
soak: install
	SOAK=$(SOAK) KILLS=1000 $(BIN)/python -m pytest -n 0 -s tests/life/test_survived.py tests/life/test_killed.py

# Every parser of what strangers send for FUZZ seconds; what it finds is written to build/fuzz.
FUZZ ?= 300
fuzz: install
	mkdir -p build/fuzz/corpus
	cd build/fuzz && ../../$(BIN)/python ../../tests/fuzz/parsers.py all -max_total_time=$(FUZZ) -max_len=20000 corpus

check: install
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive src --severity-level high

bench: install
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bench.lock
	$(BIN)/python -m bench

docs: install
	$(BIN)/python -m epilock.cli.reference > docs/reference/cli.md
	$(BIN)/python -m epilock.web.reference > docs/reference/http-api.md
	$(BIN)/python -m epilock.ledger.reference > docs/reference/ledger-entries.md
	PYTHONPATH=tests $(BIN)/python tests/web/screens.py --docs docs/images

# A picture of every page to look at, or of each of PAGES, in SCREENS.
SCREENS ?= build/screens
screens: install
	PYTHONPATH=tests $(BIN)/python tests/web/screens.py $(SCREENS) $(PAGES)

# `dev` is what is worked and tested with, `run` the part of it that an installation needs.
COMPILE := build/lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra chain,hsm,privacy,s3,traces
lock:
	test -x build/lock/bin/pip-compile || ($(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet pip-tools)
	for set in dev bench spark; do \
	  $(COMPILE) --extra test$$( [ $$set = dev ] || echo ,$$set ) -o requirements/$$set.lock pyproject.toml; done
	$(COMPILE) --build-deps-for wheel -c requirements/dev.lock -o requirements/run.lock pyproject.toml

clean:
	rm -rf $(VENV) build run
