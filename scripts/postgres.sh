#!/usr/bin/env bash
# Runs a command with a temporary PostgreSQL cluster, and removes the cluster afterwards.
#
#   scripts/postgres.sh [--durable] [--set NAME=VALUE]... -- COMMAND [ARGUMENT...]
#
# The command gets the URL of the cluster in MEMBERBASE_TEST_POSTGRES_URL, and in MEMBERBASE_TEST_POSTGRES_CONTROL a
# script that can crash, start, freeze and thaw it; this script exits with the command's exit code. The cluster is in a
# fresh temporary folder, listens on a free port of 127.0.0.1 only, and is stopped and deleted however the command ends.
# Clusters that already run on this machine are not used or changed, and any number of these scripts can run at once.
#
# The server is the newest of /usr/lib/postgresql/*/bin and PATH. If there is none, it is installed with apt on Debian
# and Ubuntu, as root or with passwordless sudo.
#
#   --durable   keep fsync on, for benchmarks and crash tests. Without it fsync is off: other tests do not measure the
#               disk and lose nothing, because the cluster does not outlive them.
#   --set       a setting of the cluster, as in postgresql.conf
set -euo pipefail

say() { printf 'postgres.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { sed -n '4p' "$0" | cut -c 3- >&2; exit 2; }

fsync=off
settings=''
while [ $# -gt 0 ]; do
    case $1 in
        --durable) fsync=on; shift ;;
        --set)
            [[ ${2:-} == *=* ]] || usage
            settings+="${2%%=*} = '${2#*=}'"$'\n'
            shift 2
            ;;
        --) shift; break ;;
        *) usage ;;
    esac
done
[ $# -gt 0 ] || usage

# ------------------------------------------------------------------------------------------------ server binaries

# Prints the folder of the newest server binaries, or nothing if there are none.
find_binaries() {
    local folder version newest=0 found=''
    for folder in /usr/lib/postgresql/*/bin "$(dirname "$(command -v postgres || echo /nowhere/postgres)")"; do
        [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] || continue
        version=$(major_version "$folder")
        if [ "$version" -gt "$newest" ]; then
            newest=$version
            found=$folder
        fi
    done
    printf '%s' "$found"
}

# Prints the digits after the product's name: "postgres (PostgreSQL) 15.9 (Debian 15.9-0)", "... 18beta1".
major_version() {
    "$1/postgres" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p'
}

install_with_apt() {
    # Its configuration has to exist before the server package is installed, which otherwise creates and starts a
    # cluster.
    "$(dirname "$0")/apt.sh" postgresql-common || return 1
    local settings=/etc/postgresql-common/createcluster.conf root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    if ! grep -Eq '^[[:space:]]*create_main_cluster[[:space:]]*=[[:space:]]*false' "$settings" 2>/dev/null; then
        echo 'create_main_cluster = false' | ${root[@]+"${root[@]}"} tee -a "$settings" >/dev/null
        say "set create_main_cluster = false in $settings"
    fi
    "$(dirname "$0")/apt.sh" postgresql
}

binaries=$(find_binaries)
if [ -z "$binaries" ]; then
    install_with_apt || fail 'no PostgreSQL server found. Install one (Debian and Ubuntu: postgresql; Fedora:' \
        'postgresql-server; Alpine: postgresql; Homebrew: postgresql@18), with initdb in PATH, and try again'
    binaries=$(find_binaries)
    [ -n "$binaries" ] || fail 'the installation succeeded, but /usr/lib/postgresql/*/bin still has no server'
fi
version=$(major_version "$binaries")

# ------------------------------------------------------------------------------------------------ user

# PostgreSQL does not run as root. The package creates the user `postgres`; a server built from source may not have it.
owner=''
if [ "$(id -u)" -eq 0 ]; then
    for owner in postgres nobody; do
        id -u "$owner" >/dev/null 2>&1 && break
        owner=''
    done
    [ -n "$owner" ] || fail 'PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody'
fi

# Runs a command as the owner of the cluster, from a folder that every user can enter.
as_owner() (
    cd /
    if [ -z "$owner" ]; then
        "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$owner" -- "$@"
    else
        su -s "$BASH" -c "$(printf '%q ' "$@")" "$owner"
    fi
)

# ------------------------------------------------------------------------------------------------ folder and clean-up

folder=''
child=''

# Stops the command's whole process group, waits for it, stops the cluster and deletes its folder.
clean_up() {
    local code=$?
    trap '' INT TERM HUP
    if [ -n "$child" ] && kill -0 -- "-$child" 2>/dev/null; then
        kill -TERM -- "-$child" 2>/dev/null || true
        for _ in $(seq 100); do
            kill -0 -- "-$child" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$child" 2>/dev/null || true
    fi
    if [ -n "$folder" ]; then
        if [ -f "$folder/data/postmaster.pid" ]; then
            as_owner "$binaries/pg_ctl" stop -D "$folder/data" -m immediate -w >/dev/null 2>&1 ||
                say "the cluster in $folder/data did not stop"
        fi
        rm -rf -- "$folder"
    fi
    exit "$code"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

folder=$(mktemp -d "${TMPDIR:-/tmp}/memberbase-postgres.XXXXXXXX")
if [ -n "$owner" ]; then
    chown "$owner" "$folder"
    if ! as_owner test -w "$folder"; then
        # TMPDIR may be a folder that only root can write to.
        rmdir "$folder"
        folder=$(mktemp -d /tmp/memberbase-postgres.XXXXXXXX)
        chown "$owner" "$folder"
    fi
fi

# ------------------------------------------------------------------------------------------------ cluster

# A default collation other than byte order reveals every comparison that lacks COLLATE "C". ICU's is the same on every
# machine; without ICU the closest is a UTF-8 locale of the system.
init() {
    as_owner "$binaries/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-sync "$@" >"$folder/initdb.log" 2>&1
}
init_newest() {
    local locale
    if [ "$version" -ge 15 ]; then
        init --locale-provider=icu --icu-locale=en-US --locale=C.UTF-8 && return
        rm -rf -- "$folder/data"
    fi
    for locale in en_US.UTF-8 C.UTF-8 C; do
        init --locale="$locale" && return
        rm -rf -- "$folder/data"
    done
    cat "$folder/initdb.log" >&2
    return 1
}
init_newest || fail 'initdb failed'

# No Unix socket: its path is limited to 107 bytes, and it is not needed. synchronous_commit stays on even without
# fsync, so that the server waits at the same points as in production.
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = $fsync
synchronous_commit = on
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
logging_collector = off
$settings
CONF

# Only binding a port shows that it is free, so the server itself tries: it exits at once if the port is in use. Ports
# below 32768 are not used for outgoing connections.
start() {
    local attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        as_owner "$binaries/pg_ctl" start -D "$folder/data" -w -t 60 -s -l "$folder/data/server.log" -o "-p $port" \
            >/dev/null 2>&1 && return
        grep -q 'could not bind\|could not create any TCP/IP sockets' "$folder/data/server.log" || break
    done
    say "the server did not start (attempt $attempt):"
    tail -n 20 "$folder/data/server.log" >&2
    return 1
}
port=0
start || fail 'could not start a cluster'

# The control script for crash tests: control stop|start|freeze|thaw. Each process has to be signalled separately.
{
    echo '#!/usr/bin/env bash'
    echo 'set -euo pipefail'
    printf '%s=%q\n' owner "$owner" binaries "$binaries" data "$folder/data" port "$port"
    declare -f as_owner
    cat <<'CONTROL'
signal() {
    local postmaster
    postmaster=$(head -n 1 "$data/postmaster.pid")
    kill "-$1" "$postmaster"
    # A worker may have ended in the meantime.
    kill "-$1" $(pgrep -P "$postmaster") || true
}
case $1 in
    stop) as_owner "$binaries/pg_ctl" stop -D "$data" -m immediate -w -s ;;
    start) as_owner "$binaries/pg_ctl" start -D "$data" -w -t 60 -s -l "$data/server.log" -o "-p $port" ;;
    freeze) signal STOP ;;
    thaw) signal CONT ;;
esac
CONTROL
} >"$folder/control"
chmod 755 "$folder/control"

say "PostgreSQL $version on 127.0.0.1:$port, fsync $fsync"
export MEMBERBASE_TEST_POSTGRES_CONTROL="$folder/control"
export MEMBERBASE_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
# More threads than cores, because most tests wait for a disk or a clock; the maximum is limited by the connections of the
# cluster.
threads=$((2 * $(nproc) + 1))
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$((threads < 17 ? threads : 17))}"

# In a process group of its own, so that all processes that it starts can be ended together, and in the background,
# because a trap waits for a command in the foreground.
set -m
"$@" <&0 &
child=$!
set +m
code=0
wait "$child" || code=$?
exit "$code"
