#!/usr/bin/env bash
# Set up .venv in the checkout of a runner, put it on the PATH of later steps, and check that a run can release from here.
# With AWS_ROLE_ARN every S3 client gets, and renews, credentials of that role for the identity of the job.
set -euo pipefail

make .venv/base
echo "$PWD/.venv/bin" >>"$GITHUB_PATH"
if [[ -n ${AWS_ROLE_ARN:-} ]]; then
    printf '[default]\ncredential_process = "%s" "%s"\n' "$PWD/.venv/bin/python" "$PWD/scripts/ci/aws_credentials.py" \
        >"$RUNNER_TEMP/aws-config"
    echo "AWS_CONFIG_FILE=$RUNNER_TEMP/aws-config" >>"$GITHUB_ENV"
fi
exec .venv/bin/python scripts/ci/check_checkout.py
