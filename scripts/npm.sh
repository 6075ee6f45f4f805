#!/usr/bin/env bash
# Installs the locked dependencies of an npm package, unless they are already installed.
#
#   scripts/npm.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../$1"

# npm writes this file last: if it is newer than the lock, the installation matches the lock.
installed=node_modules/.package-lock.json
[ ! "$installed" -nt package-lock.json ] || exit 0
npm ci --no-audit --no-fund --loglevel=error >&2
touch "$installed"
