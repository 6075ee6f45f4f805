#!/usr/bin/env bash
# Measures the release server against the same SQL through a bare client; docs/performance.md explains it.
#
#   scripts/bench.sh [OPTION OF memberbase-bench...]     builds both, starts a cluster, measures
#   scripts/bench.sh --check                             clippy and the tests of memberbase-bench
#   scripts/bench.sh --cluster                           starts the cluster alone, and keeps it until it is interrupted
#
# With MEMBERBASE_BENCH_POSTGRES_URL set (the second form prints it) no cluster is started, and members that an earlier
# run loaded into it are used again. With --server PATH among the options the server is not built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'bench.sh: %s\n' "$*" >&2; }

# What a cluster of a machine of this size has in production; a quarter of the memory, and 4 GiB at most. Vacuum is up
# to the bench, so that it does not run in the middle of a phase.
cluster() {
    local kib quarter
    kib=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
    quarter=$((kib / 1024 / 4))
    scripts/postgres.sh --durable \
        --set shared_buffers="$((quarter > 4096 ? 4096 : quarter))MB" --set effective_cache_size="$((quarter * 3))MB" \
        --set max_wal_size=16GB --set min_wal_size=2GB --set checkpoint_timeout=30min --set random_page_cost=1.1 \
        --set maintenance_work_mem=512MB --set autovacuum=off -- "$@"
}

[ -r /proc/self/stat ] || { say 'it reads /proc, and so runs on Linux alone'; exit 1; }

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
