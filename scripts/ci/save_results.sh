#!/usr/bin/env bash
# Copy what the last run in this checkout did into a folder: its record, its logs, and the report, with figures and
# pictures, on the datasets that are complete.
set -euo pipefail

mkdir -p "$1"
[[ ! -d logs ]] || tar --create --gzip --file "$1/logs.tar.gz" logs
[[ -f logs/run.json ]] || exit 0
cp logs/run.json "$1/"
read -ra rules <<<"$(python -c '
import json, sys
from registry.config.names import rule_of
print(*(rule_of(one["dataset"]) for one in json.load(sys.stdin)["datasets"] if one["state"] in ("built", "up to date")))
' <logs/run.json)"
[[ ${#rules[@]} != 0 ]] || exit 0
snakemake --report "$1/report.html" -- "${rules[@]}" >"$1/report.log" 2>&1 ||
    echo "no report: $(tail -n 1 "$1/report.log")" >&2
