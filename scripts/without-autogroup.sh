#!/usr/bin/env bash
# Runs a command while Linux schedules threads without autogroups, for tests that measure latency.
#
#   scripts/without-autogroup.sh COMMAND...
#
# With autogroups each session has the same share of the CPU (sched(7)): each backend of PostgreSQL, which is a session of
# its own, as much as the server and all clients of the test together, whose priorities then count only among themselves.
# The threads of a service are not grouped so. Changing the setting needs root; without it the command runs all the same.
set -euo pipefail

setting=/proc/sys/kernel/sched_autogroup_enabled

if [[ -r $setting && $(< "$setting") == 1 ]]; then
    if [[ -w $setting ]]; then
        trap 'echo 1 > "$setting"' EXIT
        echo 0 > "$setting"
    else
        echo "without-autogroup.sh: autogroups are on, and only root can turn them off: latencies will be higher" >&2
    fi
fi
"$@"
