#!/usr/bin/env bash
# Print how a job stands, in one word of these: running, success, failed: status.sh NUMBER
set -euo pipefail
job=$1

# Slurm: while its controller does not answer, nothing is known to have ended.
state=$(squeue --noheader --states=all --format=%T --jobs="$job" 2>&1) || true
case $state in
COMPLETED) echo success ;;
BOOT_FAIL | CANCELLED | DEADLINE | FAILED | NODE_FAIL | OUT_OF_MEMORY | TIMEOUT | *"Invalid job id"*) echo failed ;;
*) echo running ;;
esac

# PBS: `qstat -x` knows jobs that have ended.
# case $(qstat -x -f "$job" | sed -n 's/ *\(job_state\|Exit_status\) = //p' | xargs) in
# "F 0") echo success ;;
# F*) echo failed ;;
# *) echo running ;;
# esac

# SGE: what `qstat` no longer knows has ended, and `qacct` tells how.
# if qstat -j "$job" >/dev/null 2>&1; then
#     echo running
# elif qacct -j "$job" 2>/dev/null | grep -q '^exit_status *0 *$'; then
#     echo success
# else
#     echo failed
# fi

# LSF
# case $(bjobs -noheader -o stat "$job") in
# DONE) echo success ;;
# EXIT) echo failed ;;
# *) echo running ;;
# esac
