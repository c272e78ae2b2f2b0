"""Manifests: exact round trip, and one error for everything damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyinfer.errors import ModelFormatError
from pyinfer.store.manifest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    Manifest,
    StoredFile,
    parse_manifest,
)

DIGEST = "sha256:" + "0" * 64
MANIFEST = Manifest(
    "folder",
    (StoredFile("config.json", DIGEST, 3), StoredFile("model.safetensors", DIGEST, 5)),
    "hf:a/b",
    "c0ffee",
)


def test_round_trip() -> None:
    assert parse_manifest(MANIFEST.to_bytes(), "m") == MANIFEST
    assert MANIFEST.size == 8
    assert MANIFEST.main_file == ""


def test_identity_is_that_of_the_files() -> None:
    other = Manifest("folder", MANIFEST.files[::-1], "elsewhere")
    assert other.identity == MANIFEST.identity
    smaller = Manifest("folder", MANIFEST.files[:1], "hf:a/b", "c0ffee")
    assert smaller.identity != MANIFEST.identity


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"kind": "zip"},
        {"files": []},
        {"files": {}},
        {"files": [1]},
        {"files": [{"name": "../x", "digest": DIGEST, "size": 1}]},
        {"files": [{"name": "x", "digest": "sha256:" + "0" * 63, "size": 1}]},
        {"files": [{"name": "x", "digest": "sha256:../../x", "size": 1}]},
        {"files": [{"name": "x", "digest": "md5:" + "0" * 64, "size": 1}]},
        {"files": [{"name": "x", "digest": DIGEST, "size": -1}]},
        {"files": [{"name": "x", "digest": DIGEST, "size": 1.5}]},
        {"files": [{"name": "x", "digest": DIGEST, "size": True}]},
        {"files": [{"name": "x", "digest": DIGEST, "size": MAX_FILE_BYTES + 1}]},
        {"files": [{"name": "x", "digest": DIGEST, "size": 1}] * 2},
        {"files": [{"digest": DIGEST, "size": 1}]},
        {"files": [{"name": f"x{i}", "digest": DIGEST, "size": 1} for i in range(MAX_FILES + 1)]},
        {"source": 1},
    ],
)
def test_damaged(change: dict[str, Any]) -> None:
    value = json.loads(MANIFEST.to_bytes()) | change
    with pytest.raises(ModelFormatError):
        parse_manifest(json.dumps(value).encode(), "m")


def test_limits() -> None:
    value = json.loads(MANIFEST.to_bytes())
    value["files"] = [
        {"name": f"x{i}", "digest": DIGEST, "size": MAX_FILE_BYTES} for i in range(MAX_FILES)
    ]
    assert len(parse_manifest(json.dumps(value).encode(), "m").files) == MAX_FILES
    padded = MANIFEST.to_bytes().ljust(MAX_MANIFEST_BYTES)
    assert parse_manifest(padded, "m") == MANIFEST
    with pytest.raises(ModelFormatError, match="more than"):
        parse_manifest(padded + b" ", "m")
    for data in (b"", b"[]", b"{", b"\xff"):
        with pytest.raises(ModelFormatError):
            parse_manifest(data, "m")
