#!/usr/bin/env bash
# Tests subscriptions with common clients against a debug server of its own: graphql-ws, subscriptions-transport-ws,
# graphql-sse and Apollo Client on Node.js, and gql on Python. Then runs the samples of docs/live.md.
# Without Node.js 20.14 and npm, or Python 3.10 with venv, it is skipped with a message; in CI (CI=true) it then fails.
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

place=${CARGO_TARGET_DIR:-$PWD/target}/live
if [ -n "${MEMBERBASE_TEST_URL:-}" ]; then
    # A client that a failed test has left open would keep the process alive.
    timeout 120 node --test --test-force-exit --test-reporter=spec tests/live/live.test.js
    timeout 120 "$place/bin/python" tests/live/gql_client.py
    MEMBERBASE_BINARY=${CARGO_TARGET_DIR:-$PWD/target}/debug/memberbase \
        timeout 180 node --test --test-force-exit --test-reporter=spec tests/live/samples.test.js
    exit
fi

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
node --test-force-exit --version >/dev/null 2>&1 || skip "node $(node --version) is older than 20.14"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    skip 'Python 3.10 with venv is missing'

scripts/npm.sh tests/live
wanted=tests/live/requirements.txt
if ! cmp -s "$wanted" "$place/requirements.txt"; then
    python3 -m venv --clear "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" >&2
    cp "$wanted" "$place/requirements.txt"
fi
scripts/server.sh -- scripts/live.sh
