#!/usr/bin/env bash
# Runs every test: unit and integration tests on SQLite and PostgreSQL, then the checks of the schema, the API
# descriptions, the pages and the example clients against each other and against a running server.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/toolchain.sh
scripts/strace.sh
scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast
scripts/schema.sh
scripts/audit.sh
scripts/live.sh
# Always the same search here, so that a run does not fail by chance; `make oracle` makes another one each time.
ORACLE_SEED="${ORACLE_SEED:-1}" ORACLE_REQUESTS="${ORACLE_REQUESTS:-10000}" scripts/oracle.sh
scripts/web-test.sh
scripts/schemathesis.sh
scripts/browser.sh
scripts/examples.sh
