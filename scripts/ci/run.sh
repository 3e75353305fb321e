#!/usr/bin/env bash
# Build datasets with one `registry run`, as the environment says: DATASETS (names with blanks between; empty: all), SOURCE,
# FORCE, BUMP, DRY_RUN, REMOTE, ENGINE, CORES, PUBLISH. What is empty stays as the configuration says.
set -euo pipefail

# Where this ends before Snakemake begins, nothing may be told of the run before.
[[ ${DRY_RUN:-false} = true ]] || rm -f logs/run.json
# shellcheck source=scripts/ci/inputs.sh
source "$(dirname "$0")/inputs.sh"

read -ra datasets <<<"${DATASETS:-}"
options=(--keep-going --cores "${CORES:-all}")
[[ ${FORCE:-false} != true ]] || options+=(--forceall)
[[ ${DRY_RUN:-false} != true ]] || options+=(--dry-run)
config=()
[[ -z ${SOURCE:-} ]] || config+=("source=$SOURCE")
[[ -z ${BUMP:-} ]] || config+=("bump=$BUMP")
[[ -z ${ENGINE:-} ]] || config+=("engine=$ENGINE")
[[ -z ${PUBLISH:-} ]] || config+=("publish=$PUBLISH")
[[ ${#config[@]} = 0 ]] || options+=(--config "${config[@]}")
exec registry run "${datasets[@]}" -- "${options[@]}"
