#!/usr/bin/env bash
# Measures the release server against the same SQL through a bare client (docs/performance.md).
#
#   scripts/bench.sh [OPTION OF memberbase-bench...]     builds both, starts a cluster, measures
#   scripts/bench.sh --check                             runs clippy and the tests of memberbase-bench
#   scripts/bench.sh --cluster                           only starts a cluster, and keeps it until it is interrupted
#
# If MEMBERBASE_BENCH_POSTGRES_URL is set (--cluster prints it), no cluster is started, and the members that an earlier
# run loaded are reused. With --server PATH among the options the server is not built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'bench.sh: %s\n' "$*" >&2; }

# Settings of a production cluster on a machine of this size; shared buffers are a quarter of the memory, at most 4 GiB.
# Autovacuum is off because the bench vacuums itself, so that no vacuum runs in the middle of a phase.
cluster() {
    local kib quarter
    kib=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
    quarter=$((kib / 1024 / 4))
    scripts/postgres.sh --durable \
        --set shared_buffers="$((quarter > 4096 ? 4096 : quarter))MB" --set effective_cache_size="$((quarter * 3))MB" \
        --set max_wal_size=16GB --set min_wal_size=2GB --set checkpoint_timeout=30min --set random_page_cost=1.1 \
        --set maintenance_work_mem=512MB --set autovacuum=off -- "$@"
}

[ -r /proc/self/stat ] || { say 'this script reads /proc and runs on Linux only'; exit 1; }

if [ "${1:-}" = --cluster ]; then
    # shellcheck disable=SC2016
    cluster sh -c 'echo "export MEMBERBASE_BENCH_POSTGRES_URL=$MEMBERBASE_TEST_POSTGRES_URL"; exec sleep 30d'
    exit
fi

scripts/toolchain.sh
target=${CARGO_TARGET_DIR:-target}
manifest=(--locked --manifest-path bench/Cargo.toml --target-dir "$target/bench-build")
if [ "${1:-}" = --check ]; then
    cargo clippy "${manifest[@]}" --all-targets -- -D warnings
    cargo test "${manifest[@]}"
    exit
fi
case " $*" in
    *' --server'*) options=() ;;
    *)
        cargo build --release --locked
        options=(--server "$target/release/memberbase")
        ;;
esac
cargo build --release "${manifest[@]}"
bench=("$target/bench-build/release/memberbase-bench" --folder "$target/bench" ${options[@]+"${options[@]}"} "$@")
if [ -n "${MEMBERBASE_BENCH_POSTGRES_URL:-}" ]; then
    MEMBERBASE_TEST_POSTGRES_URL=$MEMBERBASE_BENCH_POSTGRES_URL "${bench[@]}"
else
    cluster "${bench[@]}"
fi
