#!/usr/bin/env bash
# Guess: the scales of MLX's affine quantization are positive and the bias is the smallest value of a group,
#   as in other formats with a minimum; and nvfp4 comes with a per-tensor scale, as NVIDIA's layout has it.
# What happens: about half of the scales are negative (the group is anchored at whichever end is larger in
#   magnitude, so the bias is then the largest value); a reader that takes the scale for unsigned, or sorts
#   by it, is wrong on half of all groups. mx.quantize(mode="nvfp4") returns two arrays only: packed values and
#   U8 scales (E4M3 bits, one per 16), and no tensor scale.
# Versions: mlx 0.32.4 (CPU). Date: 2026-12-01.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'mlx[cpu]==0.32.4' numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import mlx.core as mx
import numpy as np

print("mlx", version("mlx"))
mx.random.seed(0)
weights = mx.random.normal((64, 512))
packed, scales, biases = (np.array(x) for x in mx.quantize(weights, group_size=64, bits=4))
groups = np.array(weights).reshape(64, 8, 64)
negative = scales < 0
print(f"affine: {negative.mean():.0%} of the scales are negative")
print("bias is the largest value where the scale is negative:",
      np.abs(biases - groups.max(-1))[negative].max() < np.abs(scales).max())
assert 0.3 < negative.mean() < 0.7
assert np.abs(biases - groups.max(-1))[negative].max() < np.abs(scales).max()

result = mx.quantize(weights, mode="nvfp4")
print("nvfp4:", [(str(x.dtype), x.shape) for x in result])
assert [(x.dtype, x.shape) for x in result] == [(mx.uint32, (64, 64)), (mx.uint8, (64, 32))]
PYTHON
