#!/usr/bin/env bash
# Tests the pages in Chromium, each test file against a debug server of its own. Screenshots are saved in
# target/screenshots.
#
# Uses the installed Chromium; on Debian it is installed with apt if it is missing, as root or with passwordless sudo.
# Without it, or without Node.js 20.19 and npm, the tests are skipped with a message; in CI (CI=true) they then fail.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'browser.sh: %s\n' "$*" >&2; }
skip() {
    if [ "${CI:-}" = true ]; then
        say "$*, and CI has to run the browser test"
        exit 1
    fi
    say "$*: the browser test is SKIPPED"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is missing'

# Ubuntu's package of that name only installs a snap, which does not run in containers.
find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }
install_chromium() {
    grep -qs '^ID=debian$' /etc/os-release || return 0
    scripts/apt.sh chromium || say 'apt could not install it'
}
chromium=$(find_chromium)
[ -n "$chromium" ] || install_chromium
chromium=$(find_chromium)
[ -n "$chromium" ] || skip 'Chromium is missing'

scripts/web.sh
[ -f web/dist/pages/console.html ] || skip 'the pages are not built'

scripts/npm.sh tests/browser

export MEMBERBASE_TEST_CHROMIUM=$chromium
export MEMBERBASE_TEST_SCREENSHOTS=${CARGO_TARGET_DIR:-$PWD/target}/screenshots
for tests in tests/browser/*.test.js; do
    scripts/server.sh -- node --test --test-reporter=spec --test-timeout=600000 "$tests"
done
