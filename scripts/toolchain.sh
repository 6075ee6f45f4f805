#!/usr/bin/env bash
# Checks the tools that a build needs: cargo, and a C compiler for the bundled SQLite, ring and jemalloc. On Debian and
# Ubuntu a missing compiler is installed with apt, as root or with passwordless sudo.
set -euo pipefail

say() { printf 'toolchain.sh: %s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
    say 'cargo is missing: install Rust (https://rustup.rs) and try again'
    exit 1
fi

command -v "${CC:-cc}" >/dev/null && exit 0

"$(dirname "$0")/apt.sh" build-essential && exit 0
say 'a C compiler is missing: install one (Debian and Ubuntu: build-essential; Fedora: gcc; macOS: xcode-select --install)'
exit 1
