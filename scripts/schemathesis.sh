#!/usr/bin/env bash
# Checks with schemathesis that a debug server behaves as openapi.json describes, with generated requests.
#
#   scripts/schemathesis.sh [EXAMPLES]
#
# EXAMPLES is the number of requests of each kind per endpoint, 30 by default. The requests are the same in every run.
# Without Python 3.10 with venv it is skipped with a message; in CI (CI=true) it then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'schemathesis.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to run schemathesis"
        exit 1
    fi
    say "$*: the check of openapi.json against a server is SKIPPED"
    exit 0
}

place=${CARGO_TARGET_DIR:-$PWD/target}/schemathesis
if [ -n "${MEMBERBASE_TEST_URL:-}" ]; then
    # schemathesis creates files in its working directory.
    cd "$place"
    # positive_data_acceptance is excluded: a cursor or a regex is a valid string, but can still be rejected.
    run() {
        timeout 300 "$place/bin/schemathesis" run "$MEMBERBASE_TEST_URL/publisher.v1/openapi.json" --no-color \
            -H "Authorization: Bearer $MEMBERBASE_TEST_TOKEN" --checks all --exclude-checks positive_data_acceptance \
            --generation-deterministic --max-examples "$1" --warnings off "${@:2}"
    }
    # Revocation is tested last, because schemathesis would find its own token in the list and revoke it.
    run "$1" --exclude-path /publisher.v1/api-token/revoke
    run "$1" --include-path /publisher.v1/api-token/revoke
    exit
fi

python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    skip 'Python 3.10 with venv is missing'

wanted=tests/openapi/requirements.txt
if ! cmp -s "$wanted" "$place/requirements.txt"; then
    python3 -m venv --clear "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" >&2
    cp "$wanted" "$place/requirements.txt"
fi
scripts/server.sh -- "$PWD/scripts/schemathesis.sh" "${1:-30}"
