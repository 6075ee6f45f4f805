#!/usr/bin/env bash
# Installs packages with apt, as root or with passwordless sudo. Fails where neither is possible.
#
#   scripts/apt.sh PACKAGE...
set -euo pipefail

root=()
command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || exit 1
    root=(sudo -n)
fi
printf 'apt.sh: installing %s\n' "$*" >&2
apt=(${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
"${apt[@]}" update >&2
"${apt[@]}" install --no-install-recommends "$@" >&2
