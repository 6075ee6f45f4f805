#!/usr/bin/env bash
# Runs a command beside a server of its own, and takes the server away afterwards.
#
#   scripts/server.sh [OPTION OF memberbase serve...] -- COMMAND [ARGUMENT...]
#
# The server is the debug build, which is brought up to date first. It listens on a free port of 127.0.0.1 alone and
# keeps its data in a fresh SQLite file. The command finds it in MEMBERBASE_TEST_URL (http://127.0.0.1:PORT) and an ADMIN
# token in MEMBERBASE_TEST_TOKEN; its exit code is that of this script. Any number of these scripts may run at once.
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

# Ends a process, or with a minus before its id a group of processes: told to stop first, and made to after ten seconds.
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
    fail 'the tables were not made'
fi
token=$("$memberbase" token create --access admin --description server.sh --database-url "$database")

# Port 0 is any that is free; the server's first words say which.
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

# In a process group of its own, so that all that it starts can be ended together, and in the background, because a trap
# waits for a command in the foreground.
set -m
"$@" <&0 &
child=$!
set +m
code=0
wait "$child" || code=$?
if [ "$code" -ne 0 ]; then
    say 'the last words of the server:'
    tail -n 20 "$folder/log" >&2
fi
exit "$code"
