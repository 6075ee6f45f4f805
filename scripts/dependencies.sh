#!/usr/bin/env bash
# Checks the dependencies against deny.toml without the network. Checks whose tool or database is not installed are
# skipped with a message.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'dependencies.sh: %s\n' "$*" >&2; }
cargo_home=${CARGO_HOME:-$HOME/.cargo}

if command -v cargo-deny >/dev/null; then
    cargo deny --offline --locked check bans licenses sources
    if [ -d "$cargo_home/advisory-dbs" ]; then
        cargo deny --offline --locked check --disable-fetch advisories
    else
        say 'advisories SKIPPED: no advisory database on this machine (cargo deny fetch db)'
    fi
elif command -v cargo-audit >/dev/null; then
    if [ -d "$cargo_home/advisory-db" ]; then
        cargo audit --no-fetch --deny warnings
    else
        say 'advisories SKIPPED: no advisory database on this machine (cargo audit fetches it)'
    fi
    say 'licences, bans and sources SKIPPED: cargo-deny is not installed'
else
    say 'SKIPPED: neither cargo-deny nor cargo-audit is installed (cargo install cargo-deny)'
fi
