#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Run go with these arguments, and name what has failed once more at the end, which is
# often all that is kept of a long output.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${GO:-go}" "$@" 2>&1 | tee "$log" && exit
echo "What has failed:"
grep -E '^ *--- FAIL: |^FAIL|^panic: |\[(FAIL|PANICKED|TIMEDOUT|INTERRUPTED)\]' "$log" | tail -n 40
exit 1
