#!/usr/bin/env bash
# Runs the audit suite of graphql-http against a debug server of its own.
# Without Node.js 18 and npm it is skipped with a message; in CI (CI=true) it then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'audit.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to run the audit"
        exit 1
    fi
    say "$*: the GraphQL-over-HTTP audit is SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip "node $(node --version) is older than 18"

scripts/npm.sh tests/audit

scripts/server.sh -- node tests/audit/audit.js
