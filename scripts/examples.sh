#!/usr/bin/env bash
# Installs, generates, checks and builds every program of examples/, and runs them against a server of its own.
# Without npm or Python the programs that need it are skipped with a message; in CI (CI=true) the script then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'examples.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$1, and CI has to run the $2 examples"
        exit 1
    fi
    say "$1: the $2 examples are SKIPPED"
}
target=${CARGO_TARGET_DIR:-target}

# `examples.sh --run KIND...` runs the programs against the server that scripts/server.sh has started.
if [ "${1:-}" = --run ]; then
    shift
    export MEMBERBASE_URL=$MEMBERBASE_TEST_URL MEMBERBASE_TOKEN=$MEMBERBASE_TEST_TOKEN
    # Stops a program that hangs.
    limit=()
    if command -v timeout >/dev/null; then limit=(timeout 300); fi
    for kind in "$@"; do
        say "running $kind"
        case $kind in
            npm) ${limit[@]+"${limit[@]}"} npm start --prefix examples --loglevel=error ;;
            python) ${limit[@]+"${limit[@]}"} examples/python/.venv/bin/python examples/python/main.py ;;
            rust) ${limit[@]+"${limit[@]}"} "$target/debug/memberbase-example" ;;
        esac
    done
    exit 0
fi

kinds=(rust)
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    skip 'node or npm is missing' npm
elif ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
then
    skip "node $(node --version) is older than 20.19" npm
else
    kinds+=(npm)
fi
if ! command -v python3 >/dev/null; then
    skip 'python3 is missing' Python
elif ! python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    skip "$(python3 --version) is older than 3.11, or without venv" Python
else
    kinds+=(python)
fi

prepare_rust() {
    cargo build --quiet --locked --manifest-path examples/rust/Cargo.toml --target-dir "$target"
}

prepare_npm() {
    scripts/npm.sh examples
    npm run generate --prefix examples --loglevel=error
    npm run check --prefix examples --loglevel=error
}

prepare_python() (
    cd examples/python
    if [ ! .venv/installed -nt requirements.txt ]; then
        rm -rf .venv
        python3 -m venv .venv
        .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
        touch .venv/installed
    fi
    .venv/bin/ariadne-codegen
    .venv/bin/mypy main.py
)

# In parallel: npm and pip wait for the network, cargo for the compiler.
logs=$(mktemp -d "${TMPDIR:-/tmp}/memberbase-examples.XXXXXXXX")
jobs=()
clean_up() {
    local job
    for job in $(jobs -pr); do kill "$job" 2>/dev/null || true; done
    rm -rf -- "$logs"
}
trap clean_up EXIT
for kind in "${kinds[@]}"; do
    "prepare_$kind" >"$logs/$kind" 2>&1 &
    jobs+=($!)
done
failed=''
for at in "${!kinds[@]}"; do
    kind=${kinds[$at]}
    if wait "${jobs[$at]}"; then
        say "$kind: generated, checked and built after $SECONDS s"
    else
        cat "$logs/$kind" >&2
        failed="$failed $kind"
    fi
done
if [ -n "$failed" ]; then
    say "failed to generate, check or build:$failed"
    exit 1
fi

scripts/server.sh -- scripts/examples.sh --run "${kinds[@]}"
say "all of ${kinds[*]} ran: $SECONDS s"
