#!/usr/bin/env bash
# Do what the schedule does with one `registry refresh`, and leave in RESULTS what it did. It takes CORES and REMOTE.
set -euo pipefail

# shellcheck source=scripts/ci/inputs.sh
source "$(dirname "$0")/inputs.sh"
# SIGTERM goes to the registry as well, and this waits until that has ended.
trap 'exit 143' TERM
code=0
registry refresh --cores "${CORES:-all}" || code=$?
scripts/ci/save_results.sh "$RESULTS" || echo "what it did is not saved" >&2
exit $code
