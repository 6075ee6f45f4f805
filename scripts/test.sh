#!/usr/bin/env bash
# Runs every test: unit and integration tests on SQLite and PostgreSQL, then what holds the schema, the descriptions, the
# page and the clients to each other and to a running server.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/toolchain.sh
# Most tests wait, for a disk or a clock, while others could run.
# The cluster has connections for so many.
threads=$((2 * $(nproc) + 1))
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$((threads < 17 ? threads : 17))}"
scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast
scripts/schema.sh
scripts/audit.sh
scripts/live.sh
scripts/web-test.sh
scripts/schemathesis.sh
scripts/browser.sh
scripts/examples.sh
