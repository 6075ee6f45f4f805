#!/usr/bin/env bash
# Fuzzes one target after another, with what cargo-fuzz brings, for so many seconds each.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]
#
# 60 seconds and all targets unless given. What a run finds out stays in fuzz/corpus and makes the next one go further; an
# input that breaks something is kept in fuzz/artifacts, and the script ends with 1.
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

# Our code has no unsafe, and so nothing that a sanitizer finds; without one the stable toolchain does.
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
    say "broken:$failed"
    exit 1
fi
