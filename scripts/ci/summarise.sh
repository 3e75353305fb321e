#!/usr/bin/env bash
# Append what the last run did to the summary of the job, or print it, and end with its exit code.
set -euo pipefail

exec registry summary --markdown >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
