"""The versions of the contract and of the panels, held to stored hashes.

A failure here means that logits or packed bytes changed. If that is intended, raise the version in
``pyinfer/model/contract.py`` and store the new hashes; packed files of older builds then go unused.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest

from pyinfer._kernels.runtime import Runtime, available_isas
from pyinfer._kernels.tensor import FORMATS, Arena, PackedTensor, packed_bytes
from pyinfer.load.loader import load_model
from pyinfer.loading import DEMO_FOLDER
from pyinfer.model.contract import CONTRACT_VERSION, PANELS_VERSION

# Version -> format -> hash of the embedded model's logits for 40 tokens.
LOGITS = {
    1: {
LOGITS_HERE
    },
}
# Version -> format -> hash of 40 x 160 packed weights.
PANELS = {
    1: {
PANELS_HERE
    },
}


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def logits_hash(fmt: str, isa: str) -> str:
    """Hash of logits on one level; 40 tokens in steps of 32 and 8."""
    model = load_model(DEMO_FOLDER, dtype=fmt, isa=isa, threads=2, ctx_size=64).model
    tokens = np.arange(40, dtype=np.int32) * 37 % 500
    return _hash(model.logits(tokens, np.zeros(1, np.int32)).tobytes())


def panels_hash(fmt: str, isa: str) -> str:
    """Hash of packed bytes; the values are integers in f32, so that no rounding is involved."""
    values = (np.arange(40 * 160) * 7919 % 255 - 127).astype(np.float32).reshape(40, 160)
    tensor = PackedTensor(Arena(packed_bytes(fmt, 40, 160)), fmt, 40, 160)
    tensor.pack(Runtime(isa, 1), 0, values.view(np.uint8).ravel(), "f32")
    return _hash(bytes(np.asarray(tensor.panels()).tobytes()))


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("fmt", LOGITS[CONTRACT_VERSION])
def test_logits_are_those_of_the_version(fmt: str, isa: str) -> None:
    assert logits_hash(fmt, isa) == LOGITS[CONTRACT_VERSION][fmt]


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("fmt", PANELS[PANELS_VERSION])
def test_panels_are_those_of_the_version(fmt: str, isa: str) -> None:
    assert panels_hash(fmt, isa) == PANELS[PANELS_VERSION][fmt]


def test_every_format_has_a_hash() -> None:
    assert PANELS[PANELS_VERSION].keys() == set(FORMATS)
