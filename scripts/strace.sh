#!/usr/bin/env bash
# Checks that strace, by which tests record a server's writes, is installed. On Debian and Ubuntu it is installed with
# apt, as root or with passwordless sudo. On systems other than Linux nothing needs it.
set -euo pipefail

say() { printf 'strace.sh: %s\n' "$*" >&2; }

[ "$(uname)" = Linux ] || exit 0
command -v strace >/dev/null && exit 0

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    say 'no strace found: installing it with apt'
    apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
    "${apt[@]}" update >&2
    "${apt[@]}" install --no-install-recommends strace >&2
    exit 0
fi
say 'strace is missing: install it (Debian, Ubuntu, Fedora, Alpine: strace) and try again'
exit 1
