# gentoo-updater: what can be done with this checkout. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-brokers test-docker lint bench build release dist man book install uninstall audit clean

# embedded: one process, no broker. rabbitmq: a private broker and five workers.
BUS ?= embedded

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## Bring a lab of three guests up, update it, take it down (as root; BUS=rabbitmq for a broker)
	@tests/demo.sh $(BUS)

test: ## Install what is missing, check the format, lint, and run every test (as root)
	@tests/all.sh

test-long: ## As test, then the tests that take long and the self-test of the lab (as root)
	@tests/all.sh long

test-brokers: ## Run what needs a broker on RabbitMQ 3.10, 4.0, the newest and a cluster (as root)
	@tests/brokers.sh

test-docker: ## Bring docker-compose.yml up on a Docker Engine of its own, with a lab to update (as root)
	@tests/docker.sh

lint: ## rustfmt, clippy with warnings denied, and shellcheck where it is installed
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then \
	    echo shellcheck; shellcheck -x -P SCRIPTDIR .ci/run packaging/*.sh tests/*.sh tests/benches/*/*.sh tests/lab/*.sh tests/lab/repo/mkrepo.sh; \
	else echo 'shellcheck is not installed: the shell scripts were not checked'; fi

bench: ## Measure readers, bus, planner, questions to a long history, a large fleet, its dashboard, unchanged guests, a large store and its verification, manifests, installations, clean rooms, the scan of a fleet and a whole run against their limits (as root)
	cargo bench --locked -p gentoo-updater-portage --bench speed
	cargo bench --locked -p gentoo-updater-fleet --bench batch
	cargo build --locked --release --workspace --bins
	cargo bench --locked -p gentoo-updater-bus --bench speed
	cargo bench --locked -p gentoo-updater-bus --bench history
	cargo bench --locked --workspace --bench why
	cargo bench --locked --workspace --bench next_job
	cargo bench --locked --workspace --bench scale
	cargo bench --locked -p gentoo-updater-runtime --bench unchanged
	cargo bench --locked -p gentoo-updater-runtime --bench manifest
	cargo bench --locked --workspace --bench dashboard
	cargo bench --locked --workspace --bench store
	cargo bench --locked -p gentoo-updater-janitor --bench verify
	cargo bench --locked --workspace --bench install
	cargo bench --locked --workspace --bench room
	cargo bench --locked --workspace --bench fleet
	cargo bench --locked --workspace --bench whole

build: ## Compile all programs for use, into target/release
	cargo build --locked --release --workspace --bins

# Programs that need no library and no loader of the machine they run on.
RELEASE_TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
RELEASE = target/$(RELEASE_TARGET)/release

release: ## Compile all programs without any library that they would need, into target/TARGET/release
	CARGO_TARGET_$(subst -,_,$(shell echo $(RELEASE_TARGET) | tr a-z A-Z))_RUSTFLAGS='-C target-feature=+crt-static' \
	    cargo build --locked --release --target $(RELEASE_TARGET) --workspace --bins
	@packaging/sizes.sh $(RELEASE)

dist: release ## Make the archives of a release, for packaging/gentoo, in target/dist
	packaging/dist.sh $(RELEASE) target/dist
	@ls -l target/dist

# DESTDIR goes before everything, for who makes a package.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc

install: ## Install what `make build` has made (PREFIX=/usr/local SYSCONFDIR=/etc DESTDIR=)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' packaging/install.sh install

uninstall: ## Take that out again; what was edited in SYSCONFDIR stays
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' packaging/install.sh uninstall

man: ## Write the manual pages of all programs into target/man
	@mkdir -p target/man
	cargo run --locked --quiet -p gentoo-updater-cli --bin gentoo-updater -- man target/man

# From crates.io, for this alone.
MDBOOK ?= 0.5.4

book: ## Build the book (docs/) into target/book
	cargo install --locked --quiet --root target/mdbook --version $(MDBOOK) --no-default-features mdbook
	target/mdbook/bin/mdbook build docs

# The known vulnerabilities come from github.com; without it: make audit AUDIT="bans licenses sources"
AUDIT ?=

audit: ## Check licences, sources and known vulnerabilities of all dependencies (needs cargo-deny)
	@command -v cargo-deny >/dev/null || { \
	    echo 'cargo-deny is missing; install it with: cargo install --locked cargo-deny' >&2; exit 1; }
	cargo deny --locked check $(AUDIT)

clean: ## Delete what was compiled (the layers of the lab stay: tests/lab/lab.sh purge)
	cargo clean
