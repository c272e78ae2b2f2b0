"""Writes the expected logits under ``tests/golden/logits`` with transformers.

Run from the root of the checkout, with the extra [oracle]: ``python -m tools.make_golden``.
"""

from __future__ import annotations

import numpy as np

from tests.model.golden_cases import CASES, FOLDER, dequantized, tokens_of, weights_of
from tests.oracle.reference import forward, reference_model


def main() -> None:
    """Run every case through the reference and store its logits, float32 (T, V)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        weights = dequantized(weights_of(case.config), case.dtype)
        logits = forward(reference_model(case.config, weights), tokens_of(case))
        np.savez_compressed(case.path, logits=logits)
        print(f"{case.path.name}: {case.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
