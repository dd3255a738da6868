# Neutrino's commands. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Every target here says which rooms it builds; what the caller's shell has does not matter.
unexport NEUTRINO_ROOMS

# Finds the toolchain even where another program is called swift.
SWIFT := scripts/swift
SOURCES := Package.swift Sources Tests
FIRST_TIME = $(shell [ -d .build/$(1) ] || echo "; the first time takes minutes")

# Tests of one run begin all at once: those that need the machine have their own runs. (libnftables also takes no descriptor beyond 1024.)
KERNEL_TESTS := ConvertersTests|DriversTests|ElectionServiceTests|KernelLinuxTests|ServiceProcessesTests
LAB_TESTS := LabTests|AgentRuntimeTests

.PHONY: help setup build release install test test-pure conformance fuzz demo lint format bench openstack clean distclean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Install the Debian packages and the OpenStack client that are missing (quick when none is)
	@scripts/setup

build: setup ## Build the executable: .build/debug/neutrino
	@echo "Building neutrino (debug$(call FIRST_TIME,debug))…"
	@$(SWIFT) build --product neutrino

release: setup ## Build the executable for hosts: .build/release/neutrino, which needs nothing of Swift there
	@echo "Building neutrino (release$(call FIRST_TIME,release))…"
	@$(SWIFT) build --configuration release --product neutrino --static-swift-stdlib

PREFIX ?= /usr/local
UNITS ?= /etc/systemd/system
install: ## Install what 'make release' built, and systemd's units, on this host (PREFIX, DESTDIR)
	@if [ ! -x .build/release/neutrino ]; then echo "There is nothing to install yet: run 'make release' first." >&2; exit 1; fi
	@install -D .build/release/neutrino "$(DESTDIR)$(PREFIX)/bin/neutrino"
	@for unit in packaging/*.service; do \
	    install -d "$(DESTDIR)$(UNITS)"; sed 's|@PREFIX@|$(PREFIX)|' "$$unit" > "$(DESTDIR)$(UNITS)/$${unit##*/}"; done
	@echo "Installed $(DESTDIR)$(PREFIX)/bin/neutrino, and neutrino-server and neutrino-agent in $(DESTDIR)$(UNITS)."

test: setup ## Build and run every test, as root: real namespaces, real keepalived, real PostgreSQL
	@if [ "$$(id -u)" != 0 ]; then \
	    echo "make test needs root, since its tests make network namespaces; 'make test-pure' runs those that do not." >&2; exit 1; fi
	@echo "Building everything with its tests (debug$(call FIRST_TIME,debug))…"
	@$(SWIFT) build --build-tests
	@echo "Testing values, stores and servers…"
	@$(SWIFT) test --skip-build --disable-xctest --skip "$(KERNEL_TESTS)|$(LAB_TESTS)"
	@echo "Testing what speaks with kernels and daemons…"
	@$(SWIFT) test --skip-build --disable-xctest --filter "$(KERNEL_TESTS)"
	@echo "Testing agents and labs, with nothing beside them…"
	@$(SWIFT) test --skip-build --disable-xctest --filter "$(LAB_TESTS)"

test-pure: ## Build and test only the rooms that use no package (seconds)
	@echo "Building and testing the rooms that use no package…"
	@NEUTRINO_ROOMS=pure $(SWIFT) test --scratch-path .build-pure --disable-xctest

fuzz: build ## Make random requests of the API's own description, and hold every answer against it; EXAMPLES=N of each kind, PASS=member for half of it
	@scripts/fuzz .build/debug/neutrino $(or $(EXAMPLES),100) $(PASS)

conformance: build ## Run OpenStack's own tests of the API (tempest; SUITE=neutron_tempest_plugin.api), as root; TESTS=regex chooses some
	@scripts/conformance $(if $(TESTS),'$(TESTS)')

demo: build ## Show the whole of it on this machine, as root; KEEP=1 leaves it running
	@.build/debug/neutrino demo $(if $(KEEP),--keep) $(ARGS)

bench: release ## Measure (release build, as root); prints a table and writes bench.json
	@.build/release/neutrino bench --json bench.json $(ARGS)

lint: ## Check the formatting and the project's rules
	@$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	@scripts/lint-rules
	@echo "lint: no violations"

format: ## Format all Swift code in place
	@$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

openstack: ## Run the OpenStack client: make openstack ARGS="network list"
	@if [ ! -x .venv/bin/openstack ]; then scripts/setup; fi
	@OS_AUTH_TYPE="$${OS_AUTH_TYPE:-none}" OS_ENDPOINT="$${OS_ENDPOINT:-http://127.0.0.1:9696}" .venv/bin/openstack $(ARGS)

clean: ## Remove what was built
	@rm -rf .build .build-pure .build-store bench.json

distclean: clean ## Remove the OpenStack client as well
	@rm -rf .venv .venv-fuzz .guest
