#!/usr/bin/env bash
# Guess: dequantize_4bit on a CPU undoes quantize_4bit on a CPU whatever the shape: blocks of 64 run through
#   the flattened matrix, as the saved absmax (rows * cols / 64 values) says.
# What happens: for rows that are no whole number of blocks (160 inputs) the CPU dequantization of
#   bitsandbytes 0.50.2 takes wrong scales from the second row on: the error triples. The saved bytes are right:
#   decoding them by the flat rule gives the error that 4 bits should have. Rows of 128 or 192 are right either way.
# Versions: bitsandbytes 0.50.2, torch 2.13.0 (CPU). Date: 2026-12-01.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 bitsandbytes==0.50.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit

print("bitsandbytes", version("bitsandbytes"), "torch", torch.__version__)


def flat(packed, state):
    """Value i of the flattened matrix: high half of a byte first, scale of block i // blocksize."""
    raw = packed.reshape(-1)
    codes = torch.stack((raw >> 4, raw & 15), dim=-1).reshape(-1).long()
    blocks = torch.arange(len(codes)) // state.blocksize
    return (state.code[codes] * state.absmax[blocks]).reshape(state.shape)


ratios = {}
for cols in (128, 192, 160):
    torch.manual_seed(0)
    weights = torch.randn(64, cols) * 0.1
    packed, state = quantize_4bit(weights, blocksize=64, quant_type="nf4")
    library = (dequantize_4bit(packed, state) - weights).square().mean().sqrt().item()
    by_rule = (flat(packed, state) - weights).square().mean().sqrt().item()
    ratios[cols] = library / by_rule
    print(f"{cols} inputs: error of the library {library:.4f}, of the flat rule {by_rule:.4f}")
assert ratios[128] < 1.01 and ratios[192] < 1.01, ratios
assert ratios[160] > 1.5, ratios
PYTHON
