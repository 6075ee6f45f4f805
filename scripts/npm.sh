#!/usr/bin/env bash
# Installs what the lock of an npm package names, unless it is there already.
#
#   scripts/npm.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../$1"

# npm writes this file last: newer than the lock, it says that what is installed is what the lock names.
installed=node_modules/.package-lock.json
[ ! "$installed" -nt package-lock.json ] || exit 0
npm ci --no-audit --no-fund --loglevel=error >&2
touch "$installed"
