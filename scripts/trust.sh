#!/usr/bin/env bash
# Runs the tests that search for faults at full length, and prints one page: what was claimed, how it was tested, what was
# counted, on which commit, and the seed that repeats the run. The page is also in target/trust/page.md, beside the log of each
# part. It takes three to four hours on two cores; parts can run apart from each other, because each row says what it tested.
#
#   scripts/trust.sh [PART...]     all parts, or those that are named, in the order of PARTS below
#
# A part can be shortened: TRUST_OPERATIONS, TRUST_CUTS, TRUST_KILLS, TRUST_SECONDS and TRUST_RUNS. A seed in the page is an
# environment variable, with which the part makes the same choices again.
set -euo pipefail
cd "$(dirname "$0")/.."

OPERATIONS=${TRUST_OPERATIONS:-1000000}
CUTS=${TRUST_CUTS:-1000}
KILLS=${TRUST_KILLS:-100}
TIME=${TRUST_SECONDS:-60}
RUNS=${TRUST_RUNS:-20}

PARTS=' model power-loss kills load cuts documents suite '

folder=${CARGO_TARGET_DIR:-target}/trust
page=$folder/page.md
failed=0
parts=" $* "

say() { printf 'trust.sh: %s\n' "$*" >&2; }

# Runs these integration tests at full length, one after the other.
tests() { scripts/postgres.sh --durable -- cargo test --locked --test it -- --include-ignored --test-threads=1 --show-output "$@"; }

# Prints the figures of a log: what its tests print about a database, and the totals of all test binaries.
figures() {
    grep -hE '^(Sqlite|Postgres|figures|seed [0-9]+): ' "$1" | sed -E 's/^(figures|seed [0-9]+): //; s/^Sqlite/SQLite/; s/^Postgres:/PostgreSQL:/' || true
    awk '/^test result: / { passed += $4; failed += $6; runs++ } END { if (runs > 1) print passed " tests passed, " failed " failed" }' "$1"
}

# Joins lines for a cell of a table.
cell() { awk 'NR > 1 { printf "<br>" } { gsub(/\|/, "\\|"); printf "%s", $0 }'; }

# part NAME CLAIM METHOD COMMAND...: runs a command, and adds a row to the page.
part() {
    local name=$1 claim=$2 method=$3 log=$folder/$1.log start=$SECONDS verdict=passed tested
    tested="$(git rev-parse --short HEAD), $(date -u +%Y-%m-%d)"
    shift 3
    case "$parts" in "  " | *" $name "*) ;; *) return 0 ;; esac
    say "$name: the log is $log"
    if ! "$@" > "$log" 2>&1; then
        verdict=FAILED
        failed=1
    fi
    printf '| %s | %s | %s | %s in %s min | %s | %s |\n' "$claim" "$method" "$(figures "$log" | cell)" "$verdict" \
        $(((SECONDS - start + 59) / 60)) "$tested" "$(grep -ohE '\b(MEMBERBASE_TEST|ORACLE)_[A-Z_]*SEED=[0-9]+' "$log" | sort -u | cell)" >> "$page"
}

suite() {
    for run in $(seq "$RUNS"); do
        echo "run $run of $RUNS"
        scripts/postgres.sh -- cargo test --workspace --locked --no-fail-fast || return 1
    done
}

for name in "$@"; do
    case "$PARTS" in *" $name "*) ;; *) say "there is no part $name, only:$PARTS"; exit 2 ;; esac
done
scripts/toolchain.sh
scripts/strace.sh
mkdir -p "$folder"
{
    printf 'On %s cores, %s.\n\n' "$(nproc)" "$(uname -sr)"
    printf '| claim | method | counted | verdict | commit | to repeat |\n| --- | --- | --- | --- | --- | --- |\n'
} > "$page"
MEMBERBASE_TEST_MODEL_OPERATIONS="$OPERATIONS" part model 'every answer is what the API promises, and the same on both databases' \
    "$OPERATIONS generated operations on SQLite, PostgreSQL and a model" \
    tests model::
MEMBERBASE_TEST_CUTS="$CUTS" part power-loss 'what SQLite has acknowledged survives a power loss, and nothing is stored in part' \
    "$CUTS cuts of the recorded writes, each with other unsynced writes lost or torn" \
    tests power_loss::
MEMBERBASE_TEST_KILLS="$KILLS" part kills 'what was acknowledged survives a kill, and nothing is stored in part' \
    "kill -9 of the server during bulk calls, $KILLS times on each database" \
    tests faults::crash
MEMBERBASE_TEST_LOAD_SECONDS="$TIME" part load 'concurrent calls of overlapping rows succeed, with one id for each ref' \
    "writers, deleters and clients that hang up, $TIME s" \
    tests faults::load
MEMBERBASE_TEST_LOAD_SECONDS="$TIME" part cuts 'while PostgreSQL fails, clients get only retryable errors, and nothing that was acknowledged is lost' \
    "its connections are cut for $TIME s; it is killed, frozen and restarted" \
    tests faults::connections
ORACLE_SECONDS=$((10 * TIME)) part documents 'documents are valid exactly where graphql-js says so' \
    "generated documents are compared, $((10 * TIME)) s" scripts/oracle.sh
part suite 'no test fails by chance' "all tests, $RUNS times" suite
cat "$page"
exit $failed
