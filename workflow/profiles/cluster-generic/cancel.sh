#!/usr/bin/env bash
# Cancel jobs: cancel.sh NUMBER...
set -euo pipefail

# Slurm
scancel "$@"

# PBS and SGE
# qdel "$@"

# LSF
# bkill "$@"
