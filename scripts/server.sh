#!/usr/bin/env bash
# Runs a command with a temporary server, and removes the server afterwards.
#
#   scripts/server.sh [OPTION OF memberbase serve...] -- COMMAND [ARGUMENT...]
#
# The server is a debug build, which is rebuilt first if necessary. It listens on a free port of 127.0.0.1 only and uses
# a fresh SQLite file. The command gets its URL in MEMBERBASE_TEST_URL (http://127.0.0.1:PORT) and an ADMIN token in
# MEMBERBASE_TEST_TOKEN; this script exits with the command's exit code. Any number of these scripts can run at once.
set -euo pipefail

say() { printf 'server.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { sed -n '4p' "$0" | cut -c 3- >&2; exit 2; }

options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
[ $# -gt 1 ] || usage
shift

sources=$(cd "$(dirname "$0")/.." && pwd)
cargo build --locked --manifest-path "$sources/Cargo.toml"
memberbase=${CARGO_TARGET_DIR:-$sources/target}/debug/memberbase

folder=''
server=''
child=''

# Ends a process, or a process group if the id has a minus in front: with SIGTERM, and with SIGKILL after ten seconds.
end() {
    kill -0 -- "$1" 2>/dev/null || return 0
    kill -TERM -- "$1" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 -- "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "$1" 2>/dev/null || true
}
clean_up() {
    local code=$?
    trap '' INT TERM HUP
    [ -z "$child" ] || end "-$child"
    if [ -n "$server" ]; then
        end "$server"
        wait "$server" 2>/dev/null || true
    fi
    [ -z "$folder" ] || rm -rf -- "$folder"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

folder=$(mktemp -d "${TMPDIR:-/tmp}/memberbase-server.XXXXXXXX")
database=sqlite://$folder/memberbase.db
if ! "$memberbase" migrate up --database-url "$database" >"$folder/log" 2>&1; then
    cat "$folder/log" >&2
    fail 'the migrations failed'
fi
token=$("$memberbase" token create --access admin --description server.sh --database-url "$database")

# Port 0 selects a free port; the first line of the server's output has it.
"$memberbase" serve --listen 127.0.0.1:0 --database-url "$database" ${options[@]+"${options[@]}"} \
    </dev/null >"$folder/log" 2>&1 &
server=$!
url=''
for _ in $(seq 300); do
    url=$(sed -n 's/^listening on \(http:[^ ]*\)$/\1/p' "$folder/log")
    [ -z "$url" ] && kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$url" ]; then
    tail -n 20 "$folder/log" >&2
    fail 'the server did not start'
fi

export MEMBERBASE_TEST_URL=$url MEMBERBASE_TEST_TOKEN=$token

# In a process group of its own, so that all processes that it starts can be ended together, and in the background,
# because a trap waits for a command in the foreground.
set -m
"$@" <&0 &
child=$!
set +m
code=0
wait "$child" || code=$?
if [ "$code" -ne 0 ]; then
    say 'the last lines of the server log:'
    tail -n 20 "$folder/log" >&2
fi
exit "$code"
