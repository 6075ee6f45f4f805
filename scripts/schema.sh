#!/usr/bin/env bash
# Checks schema.graphql with graphql-eslint and against the last release, and validates every operation in the documents
# and examples. Without Node.js 20.19 and npm it is skipped with a message; in CI (CI=true) it then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'schema.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to lint the schema"
        exit 1
    fi
    say "$*: the lint of the schema is SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    skip "node $(node --version) is older than 20.19"

scripts/npm.sh tests/schema

eslint=tests/schema/node_modules/eslint/bin/eslint.js
node "$eslint" --config tests/schema/eslint.config.js --max-warnings 0 schema.graphql
node --test --test-reporter=spec tests/schema/*.test.js
node tests/schema/breaking.js
say 'schema.graphql passes'
