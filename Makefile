# The targets that developers and CI run. `make` without a target lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check fmt schema web audit live oracle browser examples soak trust fuzz bench

TARGET := $(or $(CARGO_TARGET_DIR),target)

# Duration of the hostile clients of `make soak` on each database.
HOSTILE_SECONDS ?= 1800

help: ## Print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: ## Build the release binary and start the server on http://127.0.0.1:8080
	scripts/toolchain.sh
	scripts/web.sh
	cargo build --release --locked
	exec $(TARGET)/release/memberbase serve

test: ## Run every test: on SQLite and PostgreSQL, then those that need a running server
	scripts/test.sh

check: ## Formatting, clippy, documentation and dependencies, warnings as errors
	scripts/toolchain.sh
	cargo fmt --all --check
	cargo fmt --manifest-path bench/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --all-targets --features otlp --locked -- -D warnings
	CARGO_TARGET_DIR=$(TARGET) cargo check --manifest-path fuzz/Cargo.toml --bins --locked
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --locked
	scripts/dependencies.sh

fmt: ## Format the sources
	cargo fmt --all
	cargo fmt --manifest-path bench/Cargo.toml

schema: ## Regenerate schema.graphql and openapi.json from the code
	cargo build --locked
	$(TARGET)/debug/memberbase schema > $(TARGET)/schema.graphql
	mv $(TARGET)/schema.graphql schema.graphql
	$(TARGET)/debug/memberbase openapi > $(TARGET)/openapi.json
	mv $(TARGET)/openapi.json openapi.json

web: ## Build the pages, which the next build of the server embeds
	scripts/web.sh

audit: ## Run the GraphQL-over-HTTP audit only
	scripts/audit.sh

live: ## Run the subscription tests with other clients, and the samples of docs/live.md, only
	scripts/live.sh

oracle: ## Compare the server with graphql-js on generated requests only (ORACLE_SECONDS=60, ORACLE_SEED)
	scripts/oracle.sh

browser: ## Run the browser tests only; screenshots are saved in target/screenshots
	scripts/browser.sh

examples: ## Generate, check and run every typed client of examples/
	scripts/examples.sh

# Sequentially, because some tests stop the database while the server runs. The hour of hostile clients uses the release
# binary, because the latency of their ordinary neighbour has a limit.
soak: ## Kill, starve, overload and attack the server for about an hour and a half, on both databases
	cargo build --release --locked
	MEMBERBASE_TEST_KILLS=50 MEMBERBASE_TEST_LOAD_SECONDS=60 MEMBERBASE_TEST_BUDGET_SECONDS=300 MEMBERBASE_TEST_MEMORY=1 \
		scripts/postgres.sh --durable -- \
		cargo test --locked --test it -- faults:: bad_input:: budgets:: --include-ignored --test-threads=1 --show-output
	MEMBERBASE_TEST_HOSTILE_SECONDS=$(HOSTILE_SECONDS) MEMBERBASE_TEST_MEMORY=1 \
		MEMBERBASE_TEST_BINARY=$(abspath $(TARGET))/release/memberbase \
		scripts/without-autogroup.sh scripts/postgres.sh --durable -- \
		cargo test --locked --test it -- hostile_clients:: --test-threads=1 --nocapture

trust: ## Search for faults for about three hours, and print what was claimed, tested and counted (TRUST_RUNS=1 and so on: shorter)
	scripts/trust.sh

fuzz: ## Fuzz ids, cursors, filters and requests for SECONDS=60 each (needs cargo-fuzz)
	scripts/fuzz.sh $(or $(SECONDS),60)

bench: ## Measure the release server against bare SQL (QUICK=1: short, imprecise; OPTIONS='--only W3')
	scripts/bench.sh $(if $(QUICK),--quick) $(OPTIONS)
