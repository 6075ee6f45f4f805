#!/usr/bin/env bash
# Runs every test: unit and integration tests on SQLite and PostgreSQL, then what holds a running server to its
# descriptions and its page to what it promises.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/toolchain.sh
scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast
scripts/audit.sh
scripts/schemathesis.sh
scripts/browser.sh
