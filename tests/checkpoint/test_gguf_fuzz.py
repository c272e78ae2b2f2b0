"""Damaged GGUF files: a typed error, or a model whose every byte lies inside the file."""

from __future__ import annotations

import os
import random
import struct
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.errors import ModelFormatError, ModelUnsupportedError, PyinferError

from .gguf_bytes import CODES, U32, Built, small_model

MODEL = small_model()

VERDICTS = {"ok", "ModelFormatError", "ModelUnsupportedError"}

# What one integer field may wrongly hold; the limits of the format and one past them included.
BOUNDARIES = sorted(
    {
        *(0, 1, 2, 3, 4, 5, 7, 8, 13, 31, 63, 64, 65, 127, 128, 255, 256),
        *(4096, 4097, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 4 << 20, (4 << 20) + 1),
        *(16 << 20, (16 << 20) + 1, 128 << 20, (128 << 20) + 1),
        *(2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1),
        *(2**62, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1),
    }
)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "model.gguf"
    file.write_bytes(MODEL.data)
    before = open_files()
    yield file
    assert open_files() == before


def read_everything(path: Path) -> None:
    """Open as a model and read every row; the size check is in the reads themselves."""
    size = path.stat().st_size
    with open_checkpoint(path) as model:
        for name, info in model.tensors.items():
            out = bytearray(info.n_bytes)
            model.read_rows(name, 0, info.rows, memoryview(out))
        for file, offset in model._offsets.values():
            assert file.size == size
            assert offset <= size


def verdict(path: Path) -> str:
    try:
        read_everything(path)
    except (ModelFormatError, ModelUnsupportedError) as error:
        text = str(error)
        return type(error).__name__ if text.isprintable() and len(text) < 1000 else text
    return "ok"


def test_undamaged(path: Path) -> None:
    assert verdict(path) == "ok"
    assert MODEL.header_end < 4096
    assert len(MODEL.data) < 65536


def test_cut_at_every_byte(path: Path) -> None:
    for size in range(len(MODEL.data) - 1, -1, -1):
        os.truncate(path, size)
        with pytest.raises(ModelFormatError):
            GgufFile(path)


def test_cut_checkpoint_names_the_place(path: Path) -> None:
    os.truncate(path, MODEL.header_end - 3)
    with pytest.raises(ModelFormatError, match=r"model\.gguf: byte \d+: the file ends at byte"):
        open_checkpoint(path)
    path.write_bytes(MODEL.data[:-1])
    with pytest.raises(ModelFormatError, match=r"tensor 'output\.weight' needs bytes"):
        open_checkpoint(path)


@pytest.mark.parametrize("change", ["zero", "ones", "flip"])
def test_every_header_byte(path: Path, change: str) -> None:
    counts: Counter[str] = Counter()
    with path.open("r+b", buffering=0) as file:
        for at in range(MODEL.header_end):
            old = MODEL.data[at]
            new = {"zero": 0, "ones": 0xFF, "flip": old ^ 0x80}[change]
            if new == old:
                continue
            os.pwrite(file.fileno(), bytes([new]), at)
            counts[verdict(path)] += 1
            assert counts.keys() <= VERDICTS
            os.pwrite(file.fileno(), bytes([old]), at)
    # Most damage is found; what passes sits in names and values that nothing depends on.
    assert counts["ModelFormatError"] > 400
    assert sum(counts.values()) > MODEL.header_end // 3


def structural(built: Built) -> list[tuple[str, int, int]]:
    """Return (label, offset, width) of the integers that shape the file; values left out."""
    words = ("count", "length of", "type of", "n_dims", "dim ", "offset of", "version")
    # Arrays of the other number types are like this one.
    repeated = tuple(f"'x.a{kind}'" for kind in CODES if kind != U32)
    return [
        (f.label, f.offset, f.width)
        for f in built.fields
        if f.label.startswith(words) and not f.label.endswith(repeated)
    ]


def limit_of(label: str) -> int | None:
    """Return the largest value that may ever be right in a field."""
    if label in ("tensor count", "key count"):
        return 65536
    if label.startswith("length of key"):
        return 65535
    if label.startswith("length of tensor"):
        return 64
    if label.startswith("length of 'tokenizer.ggml.tokens'["):
        return 4096
    if label.startswith("length of"):
        return 16 << 20
    if label.startswith("count of"):
        return 4 << 20
    if label.startswith("n_dims"):
        return 4
    if label == "version":
        return 3
    if label.startswith(("type of 'blk", "type of 'output")):
        return 41
    return None


def test_boundary_integers_everywhere(path: Path) -> None:
    budget = 4 * MODEL.header_end + (16 << 20)
    cases = 0
    tracemalloc.start()
    with path.open("r+b", buffering=0) as file:
        for label, offset, width in structural(MODEL):
            original = MODEL.data[offset : offset + width]
            for value in BOUNDARIES:
                if value >= 1 << (8 * width):
                    continue
                cases += 1
                os.pwrite(file.fileno(), value.to_bytes(width, "little"), offset)
                tracemalloc.reset_peak()
                outcome = verdict(path)
                assert outcome in VERDICTS, (label, value)
                assert tracemalloc.get_traced_memory()[1] < budget, (label, value)
                limit = limit_of(label)
                if limit is not None and value > limit:
                    assert outcome != "ok", (label, value)
                os.pwrite(file.fileno(), original, offset)
    tracemalloc.stop()
    assert cases > 4000
    assert verdict(path) == "ok"


def test_random_damage(path: Path) -> None:
    """Several changes at once: bytes, words, moved and repeated pieces."""
    rng = random.Random(20)
    for _ in range(1500):
        data = bytearray(MODEL.data)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(MODEL.header_end)
            action = rng.randrange(4)
            if action == 0:
                data[at] = rng.randrange(256)
            elif action == 1:
                data[at : at + 8] = struct.pack("<Q", rng.choice(BOUNDARIES))
            elif action == 2:
                other = rng.randrange(MODEL.header_end)
                data[at : at + 16] = data[other : other + rng.randint(0, 32)]
            else:
                del data[at : at + rng.randint(1, 9)]
        path.write_bytes(data)
        assert verdict(path) in VERDICTS


def test_third_party_corpus(test_data: Path, tmp_path: Path) -> None:
    """The fuzzing corpus of another GGUF parser, with its allocation bombs."""
    n_files = 0
    with tarfile.open(test_data / "model-files" / "bitnet-rs-gguf-fuzz.tar.gz") as archive:
        for member in archive:
            source = archive.extractfile(member) if member.isfile() else None
            if source is None:
                continue
            data = source.read()
            file = tmp_path / "case.gguf"
            file.write_bytes(data)
            tracemalloc.start()
            with pytest.raises((ModelFormatError, ModelUnsupportedError)):
                open_checkpoint(file)
            assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + (16 << 20)
            tracemalloc.stop()
            n_files += 1
    assert n_files >= 245


def test_third_party_files(test_data: Path) -> None:
    folder = test_data / "model-files"
    for name in ("ggml-vocab-bert-bge.gguf", "ggml-vocab-gpt-2.gguf"):
        with pytest.raises(ModelUnsupportedError, match="only a vocabulary, without weights"):
            open_checkpoint(folder / name)
    with pytest.raises(ModelFormatError, match=r"tensor 'test\.weight\.0' needs bytes 128 to"):
        open_checkpoint(folder / "weight-inspect-tiny.gguf")
    with pytest.raises(PyinferError):
        open_checkpoint(folder / "weight-inspect-empty.gguf")


def test_real_vocabulary_cut_at_random_points(test_data: Path, tmp_path: Path) -> None:
    data = (test_data / "model-files" / "ggml-vocab-gpt-2.gguf").read_bytes()
    file = tmp_path / "cut.gguf"
    file.write_bytes(data)
    GgufFile(file).close()
    rng = random.Random(1)
    for size in sorted(rng.sample(range(len(data)), 150), reverse=True):
        os.truncate(file, size)
        with pytest.raises(ModelFormatError):
            GgufFile(file)
