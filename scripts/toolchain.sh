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

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    say 'no C compiler found: installing build-essential with apt'
    apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
    "${apt[@]}" update >&2
    "${apt[@]}" install --no-install-recommends build-essential >&2
    exit 0
fi
say 'a C compiler is missing: install one (Debian and Ubuntu: build-essential; Fedora: gcc; macOS: xcode-select --install)'
exit 1
