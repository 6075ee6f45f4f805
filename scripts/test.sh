#!/usr/bin/env bash
# Runs every test: unit and integration tests on SQLite and PostgreSQL, then the lint of the schema, the
# GraphQL-over-HTTP audit and the typed clients of examples/.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/toolchain.sh
scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast
scripts/schema.sh
scripts/audit.sh
scripts/examples.sh
