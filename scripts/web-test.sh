#!/usr/bin/env bash
# Runs the unit tests of the pages in web/. Without Node.js and npm they are skipped with a message; in CI (CI=true) the
# script then fails.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/web.sh
if [ ! -f web/node_modules/.package-lock.json ]; then
    printf 'web-test.sh: %s\n' 'the packages of web/ are not installed: the unit tests of the pages are SKIPPED' >&2
    exit 0
fi
npm test --silent --prefix web
