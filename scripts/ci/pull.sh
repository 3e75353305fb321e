#!/usr/bin/env bash
# Restore what is released, so that only what changed is built. REMOTE is the DVC remote that this machine reaches.
set -euo pipefail

if ! registry pull ${REMOTE:+"--remote=$REMOTE"}; then
    echo "Nothing has run: what is released cannot be restored. The log of this step says why." \
        >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    exit 1
fi
