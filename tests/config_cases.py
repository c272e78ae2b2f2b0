"""Wrong values for hyper-parameters, shared by the tests of both kinds of config."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pyinfer.config import ModelConfig
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.model.registry import read_hf_config

from .checkpoints import random_config

REFUSED = (ModelFormatError, ModelUnsupportedError)
DELETE = object()  # leaves the key out

WRONG_TYPES: list[Any] = [True, "12", [12], {"a": 1}, 10**400, float("nan"), float("inf"), -1, b"1"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["qwen2", "silu", "yarn", "default", "", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def read(**changes: Any) -> ModelConfig:
    """Read the small config with changes; the value DELETE leaves a key out."""
    data = random_config(**changes)
    return read_hf_config({k: v for k, v in data.items() if v is not DELETE})
