#!/usr/bin/env bash
# Checks that strace, by which tests record a server's writes, is installed. On Debian and Ubuntu it is installed with
# apt, as root or with passwordless sudo. On systems other than Linux nothing needs it.
set -euo pipefail

say() { printf 'strace.sh: %s\n' "$*" >&2; }

[ "$(uname)" = Linux ] || exit 0
command -v strace >/dev/null && exit 0

"$(dirname "$0")/apt.sh" strace && exit 0
say 'strace is missing: install it (Debian, Ubuntu, Fedora, Alpine: strace) and try again'
exit 1
