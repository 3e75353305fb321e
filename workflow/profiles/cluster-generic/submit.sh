#!/usr/bin/env bash
# Hand a job to the scheduler, and print its number alone: submit.sh CORES MEGABYTES MINUTES SCRIPT
set -euo pipefail
cores=$1 megabytes=$2 minutes=$3 script=$4
mkdir -p logs/cluster

# Slurm
sbatch --parsable --cpus-per-task="$cores" --mem="$megabytes" --time="$minutes" --output=logs/cluster/%j.log "$script"

# PBS
# qsub -l select="1:ncpus=$cores:mem=${megabytes}mb" -l walltime="$minutes:00" -j oe -o logs/cluster/ "$script"

# SGE
# qsub -terse -cwd -pe smp "$cores" -l h_vmem="$((megabytes / cores))M" -l h_rt="$((minutes * 60))" -j y -o logs/cluster/ "$script"

# LSF
# bsub -n "$cores" -M "${megabytes}MB" -W "$minutes" -o logs/cluster/%J.log "$script" | sed -n 's/^Job <\([0-9]*\)>.*/\1/p'
