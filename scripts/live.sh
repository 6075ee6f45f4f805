#!/usr/bin/env bash
# Tests subscriptions with graphql-ws and graphql-sse against a debug server of its own.
# Without Node.js 20 and npm it is skipped with a message; in CI (CI=true) it then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'live.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to run the subscription tests"
        exit 1
    fi
    say "$*: the subscription tests with other clients are SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "node $(node --version) is older than 20"

scripts/npm.sh tests/live

scripts/server.sh -- node --test --test-reporter=spec tests/live/live.test.js
