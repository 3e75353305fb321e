#!/usr/bin/env bash
# Sourced by the scripts beside it: check the variables that they take, and tell the registry what it takes from them.

refuse() {
    # Quoted, so that it stays within one line of the log.
    echo "$1: ${!1@Q} is none: give $2" >&2
    if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then echo "Nothing has run: $1 is none: give $2." >>"$GITHUB_STEP_SUMMARY"; fi
    exit 1
}
check() { # VARIABLE PATTERN WHAT
    [[ -z ${!1:-} || ${!1} =~ ^($2)$ ]] || refuse "$1" "$3"
}
check DATASETS '[a-z0-9][a-z0-9-]*( +[a-z0-9][a-z0-9-]*)*' "names of datasets such as tabular, with blanks between"
check SOURCE 'samples|mirror|upstream' "samples, mirror or upstream"
check FORCE 'true|false' "true or false"
check BUMP 'patch|minor|major' "patch, minor or major"
check DRY_RUN 'true|false' "true or false"
check REMOTE '[A-Za-z0-9_][A-Za-z0-9_.-]*' "the name of a DVC remote"
check ENGINE 'local|ray' "local or ray"
check CORES 'all|[1-9][0-9]*' "a number, or all"
check PUBLISH 'true|false' "true or false"

[[ -z ${REMOTE:-} ]] || export DVC_REMOTE=$REMOTE
# The checkout that the scripts are in.
REGISTRY_RUN_COMMIT=${REGISTRY_RUN_COMMIT:-$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse HEAD)}
export REGISTRY_RUN_COMMIT
