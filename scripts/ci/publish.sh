#!/usr/bin/env bash
# Release what was built in the checkouts that CHECKOUTS names, one after the other, and leave in RESULTS what each run did.
# BUMP raises the numbers. It ends with 1 where something failed, else with 3 where something was built and not released.
set -euo pipefail

# shellcheck source=scripts/ci/inputs.sh
source "$(dirname "$0")/inputs.sh"
# SIGTERM goes to the registry as well, and this waits until that has ended.
trap 'exit 143' TERM
root=$PWD
failed=false unreleased=false
judge() {
    case $1 in 0) ;; 3) unreleased=true ;; *) failed=true ;; esac
}
for checkout in $CHECKOUTS; do
    echo "== $checkout"
    saved=$RESULTS/$checkout
    mkdir -p "$saved"
    cd "$root/$checkout"
    export PYTHONPATH=$PWD/scripts
    code=0
    registry publish ${BUMP:+--bump "$BUMP"} --save "$saved/publish.json" || code=$?
    judge $code
    code=0
    registry summary || code=$?
    judge $code
    "$root/main/scripts/ci/save_results.sh" "$saved" || echo "$checkout: what it did is not saved" >&2
done
[[ $failed = false ]] || exit 1
[[ $unreleased = false ]] || exit 3
