#!/usr/bin/env bash
# Starts the debug build on a free port with a fresh SQLite file, and runs the audit suite of graphql-http against it.
# Without Node.js 18 and npm it is skipped with a word, but in CI (CI=true) that is a failure.
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

# npm writes this file last: newer than the lock, it says that what is installed is what the lock names.
installed=tests/audit/node_modules/.package-lock.json
if [ ! "$installed" -nt tests/audit/package-lock.json ]; then
    npm ci --prefix tests/audit --no-audit --no-fund --loglevel=error >&2
    touch "$installed"
fi

cargo build --locked
memberbase=${CARGO_TARGET_DIR:-target}/debug/memberbase

folder=''
server=''
clean_up() {
    local code=$?
    trap '' INT TERM HUP
    stop_server
    [ -z "$folder" ] || rm -rf -- "$folder"
    exit "$code"
}
stop_server() {
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=''
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

folder=$(mktemp -d "${TMPDIR:-/tmp}/memberbase-audit.XXXXXXXX")
database=sqlite://$folder/audit.db

"$memberbase" migrate up --database-url "$database"
token=$("$memberbase" token create --access admin --description audit --database-url "$database")

answers() {
    node -e 'fetch(process.argv[1]).then(a => process.exit(a.ok ? 0 : 1), () => process.exit(1))' "$1"
}

# A port is free when it can be bound, so the server itself tries; one that finds it taken ends, and another is tried.
start() {
    local origin=$1
    "$memberbase" serve --listen "${origin#http://}" --database-url "$database" </dev/null >"$folder/log" 2>&1 &
    server=$!
    for _ in $(seq 150); do
        if answers "$origin/livez"; then
            sleep 0.2
            kill -0 "$server" 2>/dev/null
            return
        fi
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}
started=''
for _ in 1 2 3 4 5; do
    origin=http://127.0.0.1:$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if start "$origin"; then
        started=yes
        break
    fi
    stop_server
done
if [ -z "$started" ]; then
    say 'the server did not start; its last words:'
    tail -n 20 "$folder/log" >&2
    exit 1
fi

if ! MEMBERBASE_AUDIT_TOKEN=$token node tests/audit/audit.js "$origin/graphql"; then
    say 'the last words of the server:'
    tail -n 20 "$folder/log" >&2
    exit 1
fi
