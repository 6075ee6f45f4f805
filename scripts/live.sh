#!/usr/bin/env bash
# Subscribes with graphql-ws and graphql-sse, as others do, to a debug server of its own.
# Without Node.js 20 and npm it is skipped with a word, but in CI (CI=true) that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'live.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to subscribe"
        exit 1
    fi
    say "$*: the test of subscriptions by other clients is SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "node $(node --version) is older than 20"

# npm writes this file last: newer than the lock, it says that what is installed is what the lock names.
installed=tests/live/node_modules/.package-lock.json
if [ ! "$installed" -nt tests/live/package-lock.json ]; then
    npm ci --prefix tests/live --no-audit --no-fund --loglevel=error >&2
    touch "$installed"
fi

scripts/server.sh -- node --test --test-reporter=spec tests/live/live.test.js
