#!/usr/bin/env bash
# Build what a pull request changes, and release nothing. BASE_BRANCH is the branch that it is to be merged into.
set -euo pipefail

# A pull request is checked out as a commit on no branch; what would be released is what that branch would hold.
git switch --quiet --force-create "$BASE_BRANCH"
registry pull || echo "::warning::Not all released data can be read here, so it is built anew."
PUBLISH=false scripts/ci/run.sh
