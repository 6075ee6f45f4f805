#!/usr/bin/env bash
# Compares the server with graphql-js on generated requests, against a debug server of its own.
#
#   scripts/oracle.sh
#
# ORACLE_SECONDS is the duration of the search, 60 by default, and ORACLE_REQUESTS limits its requests. ORACLE_SEED
# repeats a run, and ORACLE_SEED=SEED/NUMBER one request of it. Without Node.js 20 and npm it is skipped with a message;
# in CI (CI=true) it then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'oracle.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to run the comparison with graphql-js"
        exit 1
    fi
    say "$*: the comparison with graphql-js is SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "node $(node --version) is older than 20"

scripts/npm.sh tests/oracle

# Small pages, so that nested lists stay small; and limits that no generated document reaches.
options=(
    --log warn
    --default-page-size 3 --max-rows 100000000 --max-complexity 1000000000 --max-tokens 100000 --max-aliases 10000
    --max-root-fields 10000 --max-directives 10000 --max-fragments 10000 --max-selections 1000000 --max-operations 1000
    --max-selection-depth 256 --max-bracket-depth 256 --max-errors 100000
)
scripts/server.sh "${options[@]}" -- node --test --test-reporter=spec tests/oracle/compare.test.js tests/oracle/oracle.test.js
