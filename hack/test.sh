#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Run go with these arguments, and tell what has failed once more at the end, which is
# often all that is kept of a long output.
set -euo pipefail

# An API server spends a fifth of its time collecting garbage, where there is memory to
# spare. The operator's pods do not get this variable.
export GOGC=${GOGC:-400}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${GO:-go}" "$@" 2>&1 | tee "$log" && exit
echo "Why it has failed:"
# Ginkgo colours what it prints.
sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -A 14 -E '^ *\[(FAILED|PANICKED|TIMEDOUT)\] ' | cut -c -400 | tail -n 90 || true
echo "What has failed:"
grep -E '^ *--- FAIL: |^FAIL|^panic: |\[(FAIL|PANICKED|TIMEDOUT|INTERRUPTED)\]' "$log" | tail -n 40
exit 1
