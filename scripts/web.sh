#!/usr/bin/env bash
# Builds the pages that are embedded in the server, from web/ into web/dist/pages, if their sources are newer. Without
# Node.js 20.19 and npm, or without access to the npm registry, the server is built without them: the script prints a
# message, and fails only in CI (CI=true).
set -euo pipefail
cd "$(dirname "$0")/../web"

say() { printf 'web.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to build the pages"
        exit 1
    fi
    say "$*: the pages are NOT BUILT (install Node.js 20.19 or newer, which includes npm, and run this again)"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'
fits='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
node -e "$fits" || skip "node $(node --version) is not 20.19 or newer, or 22.12 or newer"

built=dist/.built
# The console's client is generated from the schema.
if [ -f "$built" ] && [ -z "$(find . ../schema.graphql \( -path ./node_modules -o -path ./dist \) -prune -o -newer "$built" -print -quit)" ]; then
    exit 0
fi

../scripts/npm.sh web || skip 'npm could not install the build dependencies'
say 'building the pages'
rm -f "$built"
npm run --silent build >&2
touch "$built"
