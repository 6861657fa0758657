# `make demo` shows what the tool does, `make test` runs everything. Each sets up what it needs and is quick when repeated.
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench bench-live docs captures clean setup
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := .make

# what the tests talk to: real stacks, recorders and readers
PACKAGES := tshark tcpdump openssl gnutls-bin libnss3-tools nginx haproxy curl golang-go gcc iproute2 iptables nftables ethtool \
	tcpreplay procps tmux zstd lz4 xz-utils chromium postgresql

help:
	@echo "make demo     analyze a real capture and show its failures"
	@echo "make test     run every test"
	@echo "make check    lint, types, import contracts, generated files"
	@echo "make bench    compare with tshark, ssldump and nfstream"
	@echo "make docs     write what is generated, build the documentation and its pictures"

$(STAMP)/venv: pyproject.toml
	@mkdir -p $(STAMP)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "needed: apt install python3-venv"; exit 1; }
	@echo "installing what it needs into $(VENV) (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[all]' 2> >(grep -v '^WARNING' >&2)
	@touch $@

$(STAMP)/dev: $(STAMP)/venv
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[all,dev,docs]' 2> >(grep -v '^WARNING' >&2)
	@touch $@

$(STAMP)/system: Makefile
	@mkdir -p $(STAMP)
	@tools/install_packages $(PACKAGES)
	@touch $@

setup: $(STAMP)/dev $(STAMP)/system

demo: $(STAMP)/venv
	@$(BIN)/python tools/demo.py

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(STAMP)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check analyzer tests tools captures benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_generated.py

format: $(STAMP)/dev
	@$(BIN)/ruff check --fix -q . || true
	@$(BIN)/ruff format -q analyzer tests tools captures benchmarks

$(STAMP)/bench: $(STAMP)/dev
	@tools/install_packages tshark ssldump tcpreplay
	@$(BIN)/pip install -q --disable-pip-version-check nfstream || echo "nfstream could not be installed: it is left out"
	@touch $@

bench: $(STAMP)/bench
	@$(BIN)/python -m benchmarks.compare

bench-live: $(STAMP)/bench
	@$(BIN)/python -m benchmarks.live

docs: setup
	@$(BIN)/python tools/make_docs.py

clean:
	rm -rf $(VENV) $(STAMP) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/work
