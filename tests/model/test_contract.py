"""The versions of the contract and of the panels, held to stored hashes.

A failure here means that logits or packed bytes changed. If that is intended, raise the version in
``pyinfer/model/contract.py`` and store the new hashes; packed files of older builds then go unused.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest

from pyinfer._kernels.formats import FORMATS
from pyinfer._kernels.runtime import Runtime, available_isas
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.model.contract import CONTRACT_VERSION, PANELS_VERSION
from pyinfer.store.places import DEMO_FOLDER

# Version -> format -> hash of the embedded model's logits for 40 tokens.
LOGITS = {
    1: {
        "f32": "4c8480bfc8e1be7919c6acd8fedce2f9",
        "f16": "e5cca4eecbf7d7127d975db2bf3ab539",
        "bf16": "8338875332bc57c800b6ecfffdd7d751",
        "q8_0": "5a1811fe3ccf341ecfd1148951e34ae8",
        "q4_0": "cd852f214dde21783d3514cfb9952160",
    },
}
# Version -> format -> hash of packed weights, 40 x 160, or 40 x 256 where blocks are that long.
PANELS = {
    1: {
        "f32": "473e9134b43a2465826664470e795a8e",
        "f16": "68b6f49a22e228412269b3f0f80563df",
        "bf16": "c7f06aa212d2b8462adafe3b9bce0faa",
        "q8_0": "1b690f219989ffdc26c63949638c1ade",
        "q4_0": "732c6c69db8d7c3d707d34e5e37067d4",
        "q5_1": "b0d6ed2ff01b038e733966e1bae89d91",
        "q2_k": "e8f35c28379cacecb70b033c5f5a0000",
        "q4_k": "e751d724c74f85da49a7e68767bc1e16",
        "q5_k": "806c34a3e5a857511a5accd953f9f7de",
        "q6_k": "80b91845b1d43727dcddea8471bd5f39",
    },
}


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def logits_hash(fmt: str, isa: str) -> str:
    """Hash of logits on one level; 40 tokens in steps of 32 and 8."""
    model = load_model(DEMO_FOLDER, LoadOptions(dtype=fmt, isa=isa, threads=2, ctx_size=64)).model
    tokens = np.arange(40, dtype=np.int32) * 37 % 500
    return _hash(model.logits(tokens, np.zeros(1, np.int32)).tobytes())


def panels_hash(fmt: str, isa: str) -> str:
    """Hash of packed bytes; the values are integers in f32, so that no rounding is involved."""
    cols = 256 if fmt.endswith("_k") else 160
    values = (np.arange(40 * cols) * 7919 % 255 - 127).astype(np.float32).reshape(40, cols)
    tensor = PackedTensor(Arena(packed_bytes(fmt, 40, cols)), fmt, 40, cols)
    tensor.pack(Runtime(isa, 1), 0, values.view(np.uint8).ravel(), "f32")
    return _hash(bytes(np.asarray(tensor.panels()).tobytes()))


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("fmt", LOGITS[CONTRACT_VERSION])
def test_logits_are_those_of_the_version(fmt: str, isa: str) -> None:
    assert logits_hash(fmt, isa) == LOGITS[CONTRACT_VERSION][fmt]


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("fmt", FORMATS)
def test_panels_are_those_of_the_version(fmt: str, isa: str) -> None:
    assert panels_hash(fmt, isa) == PANELS[PANELS_VERSION].get(fmt)


def test_every_hash_has_its_format() -> None:
    assert PANELS[PANELS_VERSION].keys() <= set(FORMATS)
