#!/usr/bin/env bash
# Runs every test: unit and integration tests on SQLite and PostgreSQL, then what holds the running server to its descriptions.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/toolchain.sh
scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast
scripts/audit.sh
scripts/schemathesis.sh
