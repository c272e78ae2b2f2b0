"""Versions of what a model computes and of how its weights lie in memory.

``tests/model/test_contract.py`` compares hashes of logits and of packed bytes with stored ones: a
change of either fails there and asks for a new version here. Packed files carry both.
"""

from __future__ import annotations

#: Of the arithmetic contract: the bits of logits, and of weights quantized while loading.
CONTRACT_VERSION = 1

#: Of the layout of packed weights: panels, their order, padding.
PANELS_VERSION = 1
