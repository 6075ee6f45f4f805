#!/usr/bin/env bash
# Fuzzes the targets one after another with cargo-fuzz, for SECONDS each.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]
#
# The default is 60 seconds and all targets. A run keeps its corpus in fuzz/corpus, where the next run continues; an
# input that fails is saved in fuzz/artifacts, and the script exits with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'fuzz.sh: %s\n' "$*" >&2; }

seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
[ $# -gt 0 ] || targets=(id cursor filter request)

if ! command -v cargo-fuzz >/dev/null; then
    say 'cargo-fuzz is missing: cargo install cargo-fuzz'
    exit 1
fi
if ! command -v c++ >/dev/null; then
    say 'a C++ compiler is missing, which libFuzzer needs (Debian and Ubuntu: g++)'
    exit 1
fi

# This code has no unsafe, so there is nothing for a sanitizer to find; without one the stable toolchain suffices.
fuzz() { cargo fuzz "$1" --dev --sanitizer none "${@:2}"; }
failed=''
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    say "$target, $seconds s"
    fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 ||
        failed="$failed $target"
done
if [ -n "$failed" ]; then
    say "failed:$failed"
    exit 1
fi
