"""Quantized folders with other types, shapes and missing tensors: a typed error, or a load."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.errors import ModelFormatError, ModelUnsupportedError

from .test_methods import FOLDER, NAMES

SAME_SIZE = (("I32", "U32", "F32"), ("U8", "I8", "F8_E4M3", "BOOL"), ("F16", "BF16", "I16"))


def split(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = (path / "model.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def changed(header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Headers with one tensor of another type or shape, or under another name."""
    for name, entry in header.items():
        if name == "__metadata__" or ".layers." not in name:
            continue
        for kinds in SAME_SIZE:
            if entry["dtype"] in kinds:
                for kind in kinds:
                    yield {**header, name: {**entry, "dtype": kind}}
        shape = entry["shape"]
        size = int(np.prod(shape))
        for other in ([size], [1, size], [size, 1], [*shape[::-1]], [*shape, 1], [2, size // 2]):
            if int(np.prod(other)) == size:
                yield {**header, name: {**entry, "shape": other}}
        rest = {key: value for key, value in header.items() if key != name}
        yield {**rest, name.replace("proj", "prof"): entry}


def read_all(path: Path) -> None:
    with open_checkpoint(path) as checkpoint:
        for name, info in checkpoint.tensors.items():
            checkpoint.read_rows(name, 0, info.rows, memoryview(bytearray(info.n_bytes)))


@pytest.mark.parametrize("name", NAMES)
def test_changed_headers(tmp_path: Path, name: str) -> None:
    header, data = split(FOLDER / name)
    (tmp_path / "config.json").write_bytes((FOLDER / name / "config.json").read_bytes())
    refused = 0
    for other in changed(header):
        text = json.dumps(other).encode()
        text += b" " * (-len(text) % 8)
        file = tmp_path / "model.safetensors"
        file.write_bytes(len(text).to_bytes(8, "little") + text + data)
        try:
            read_all(tmp_path)
        except (ModelFormatError, ModelUnsupportedError):
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quant_method", "hqq"),
        ("quant_method", 5),
        ("transform_config", {"config_groups": {"u": {}}}),
        ("sparsity_config", {"format": "sparse-bitmask"}),
    ],
)
def test_what_is_not_known_is_named(tmp_path: Path, key: str, value: object) -> None:
    source = FOLDER / "ct-int4-g32-asym"
    data = json.loads((source / "config.json").read_text())
    data["quantization_config"][key] = value
    (tmp_path / "config.json").write_text(json.dumps(data))
    (tmp_path / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
    with pytest.raises(ModelUnsupportedError, match=key):
        open_checkpoint(tmp_path)


NUMBERS = (0, -1, 1, 7, 1 << 31, 10**12, 1 << 63, 10**30, 0.5, "x", None, [], [128, 10**12])


def numbers_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a number within some JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from numbers_in(item)
        elif isinstance(item, int | float) or item is None:
            yield value, key


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_any_size(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.safetensors").write_bytes((FOLDER / name / "model.safetensors").read_bytes())
    data = json.loads((FOLDER / name / "config.json").read_text())
    for section in ("quantization_config", "quantization"):
        for container, key in list(numbers_in(data.get(section) or {})):
            kept = container[key]
            for number in NUMBERS:
                container[key] = number
                (tmp_path / "config.json").write_text(json.dumps(data))
                with contextlib.suppress(ModelFormatError, ModelUnsupportedError):
                    read_all(tmp_path)
            container[key] = kept


@pytest.mark.parametrize("value", [None, [], "awq", 3, {"config_groups": [1], "bits": "x"}])
def test_settings_of_any_type(tmp_path: Path, value: object) -> None:
    for name in NAMES:
        data = json.loads((FOLDER / name / "config.json").read_text())
        for key in ("quantization_config", "quantization"):
            if key in data:
                data[key] = value
        (tmp_path / "config.json").write_text(json.dumps(data))
        (tmp_path / "model.safetensors").write_bytes(
            (FOLDER / name / "model.safetensors").read_bytes()
        )
        with contextlib.suppress(ModelFormatError, ModelUnsupportedError):
            read_all(tmp_path)
