"""What ends up in the packed panels is what stands in the files."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from pyinfer._kernels.formats import INFO
from pyinfer._kernels.kernels import Kernels
from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes, panel_format, row_bytes
from pyinfer.checkpoint import pack
from pyinfer.checkpoint.checkpoint import Checkpoint, open_checkpoint
from pyinfer.checkpoint.pack import Packer

from ..checkpoints import (
    from_bf16,
    random_config,
    random_weights,
    to_bf16,
    write_folder,
    write_gguf,
)
from ..kernels.file_blocks import F16_FIELDS

FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0")
# Rows that do not fill a panel, inputs that do not fill a group but do fill blocks.
CONFIG = random_config(
    hidden=96, layers=1, heads=3, kv_heads=1, head_dim=32, intermediate=224, vocab=333
)


def _encoded(values: np.ndarray, fmt: str) -> np.ndarray:
    """File rows of ``values`` by the gguf package."""
    raw = gguf.quants.quantize(values, gguf.GGMLQuantizationType[fmt.upper()])
    return np.ascontiguousarray(raw).view(np.uint8).reshape(len(values), -1)


def _unpacked(tensor: PackedTensor) -> np.ndarray:
    panels = np.asarray(tensor.panels())
    return Kernels("scalar").unpack(tensor.format, panels, tensor.rows, tensor.cols)


@pytest.fixture
def runtime() -> Runtime:
    """Three workers share the panels."""
    return Runtime(threads=3)


@pytest.fixture(params=[1, 64 << 20], ids=["one-panel-calls", "one-call"])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with many calls per tensor and with one for all."""
    monkeypatch.setattr(pack, "BATCH_BYTES", request.param)


def _matrices(checkpoint: Checkpoint) -> list[str]:
    return [name for name, info in checkpoint.tensors.items() if len(info.shape) == 2]


def _packed(
    checkpoint: Checkpoint, formats: dict[str, str], runtime: Runtime
) -> dict[str, PackedTensor]:
    packer = Packer(checkpoint, formats, runtime, lambda _: None)
    # Asked for in another order than that of the files.
    tensors = {name: packer.matrix(name) for name in reversed(formats)}
    packer.run()
    return tensors


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("fmt", FORMATS)
def test_gguf_rows_survive(fmt: str, tmp_path: Path, runtime: Runtime) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, CONFIG, 3, fmt, pure=True, vocabulary=False)
    source = random_weights(CONFIG, 3)
    with open_checkpoint(path) as checkpoint:
        formats = dict.fromkeys(_matrices(checkpoint), fmt)
        tensors = _packed(checkpoint, formats, runtime)
    for name, tensor in tensors.items():
        assert np.array_equal(_unpacked(tensor), _encoded(source[name], fmt)), name


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("stored", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_folder_rows_are_converted(stored: str, fmt: str, tmp_path: Path, runtime: Runtime) -> None:
    source = write_folder(tmp_path, CONFIG, 4, stored, shards=2)
    with open_checkpoint(tmp_path) as checkpoint:
        formats = dict.fromkeys(_matrices(checkpoint), fmt)
        tensors = _packed(checkpoint, formats, runtime)
    for name, tensor in tensors.items():
        assert np.array_equal(_unpacked(tensor), _encoded(source[name], fmt)), name


@pytest.mark.parametrize("stored", ["f32", "f16", "bf16"])
def test_vectors(stored: str, tmp_path: Path, runtime: Runtime) -> None:
    source = write_folder(tmp_path, CONFIG, 5, stored)
    with open_checkpoint(tmp_path) as checkpoint:
        packer = Packer(checkpoint, dict.fromkeys(_matrices(checkpoint), "f32"), runtime, int)
        for name, values in source.items():
            if values.ndim == 1:
                vector = packer.vector(name)
                assert vector.dtype == np.float32
                assert vector.tobytes() == values.tobytes(), name


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("rows", "cols"), [(1, 32), (15, 96), (16, 128), (17, 160), (50, 2080)])
def test_padding_is_zero_weights(fmt: str, rows: int, cols: int, runtime: Runtime) -> None:
    values = np.random.default_rng(rows).standard_normal((rows, cols), dtype=np.float32)
    tensor = PackedTensor(Arena(packed_bytes(fmt, rows, cols)), fmt, rows, cols)
    tensor.pack(runtime, 0, _encoded(values, fmt).ravel(), fmt)
    kernels = Kernels("scalar")
    panels = np.asarray(tensor.panels())
    padded_rows = -(-rows // 16) * 16
    everything = np.stack([kernels.embed(fmt, panels, row) for row in range(padded_rows)])
    inside = gguf.quants.dequantize(
        gguf.quants.quantize(values, gguf.GGMLQuantizationType[fmt.upper()]),
        gguf.GGMLQuantizationType[fmt.upper()],
    )
    np.testing.assert_array_equal(everything[:rows, :cols], inside)
    assert not everything[rows:].any()
    assert not everything[:, cols:].any()


@pytest.mark.parametrize("fmt", [f for f in INFO if INFO[f].panel != f])
def test_formats_of_files_only_keep_their_values(fmt: str, runtime: Runtime) -> None:
    """Blocks of any bytes, scales that are numbers: the panels hold what the gguf package reads."""
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[fmt.upper()]]
    blocks = np.random.default_rng(7).integers(0, 256, (37, 512 // block, size), dtype=np.uint8)
    for at in F16_FIELDS[fmt]:
        blocks[..., at + 1] &= 0xBF
    expected = gguf.quants.dequantize(
        blocks.reshape(37, -1), gguf.GGMLQuantizationType[fmt.upper()]
    )
    target = panel_format(fmt)
    tensor = PackedTensor(Arena(packed_bytes(target, 37, 512)), target, 37, 512)
    tensor.pack(runtime, 0, blocks.ravel(), fmt)
    panels = np.asarray(tensor.panels())
    found = np.stack([Kernels("scalar").embed(target, panels, row) for row in range(37)])
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="no panels"):
        packed_bytes(fmt, 37, 512)


def test_wrong_slices_are_refused(runtime: Runtime) -> None:
    tensor = PackedTensor(Arena(packed_bytes("f32", 40, 32)), "f32", 40, 32)
    row = row_bytes("f32", 32)

    def put(first: int, nbytes: int, fmt: str = "f32") -> None:
        tensor.pack(runtime, first, np.zeros(nbytes, np.uint8), fmt)

    put(0, 32 * row)
    put(32, 8 * row)
    for first, nbytes, what in [
        (0, 0, "whole rows"),
        (0, row + 1, "whole rows"),
        (32, 16 * row, "of 40"),
        (48, 16 * row, "of 40"),
        (8, 16 * row, "inside a panel"),
        (0, 8 * row, "inside a panel"),
    ]:
        with pytest.raises(ValueError, match=what):
            put(first, nbytes)
    with pytest.raises(ValueError, match="unknown"):
        put(0, row, "q5_x")


def test_blocks_must_fit_the_inputs(runtime: Runtime) -> None:
    tensor = PackedTensor(Arena(packed_bytes("q8_0", 16, 64)), "q8_0", 16, 48)
    with pytest.raises(ValueError, match="no multiple"):
        tensor.pack(runtime, 0, np.zeros(16 * 48 * 4, np.uint8), "f32")
    with pytest.raises(ValueError, match="no multiple"):
        row_bytes("q4_0", 33)


def test_arena_is_a_limit() -> None:
    arena = Arena(packed_bytes("f16", 16, 128))
    PackedTensor(arena, "f16", 16, 128)
    with pytest.raises(ValueError, match="do not fit"):
        PackedTensor(arena, "f16", 1, 1)
    with pytest.raises(ValueError, match="empty"):
        PackedTensor(arena, "f16", 0, 128)


def test_rounding_of_bf16_is_the_file_format_s(runtime: Runtime) -> None:
    """The writer of these tests and ours round alike, so equal bytes mean something."""
    values = np.random.default_rng(1).standard_normal((16, 128), dtype=np.float32)
    tensor = PackedTensor(Arena(packed_bytes("bf16", 16, 128)), "bf16", 16, 128)
    tensor.pack(runtime, 0, values.view(np.uint8).ravel(), "f32")
    np.testing.assert_array_equal(_unpacked(tensor).view(np.uint16), to_bf16(values))
    assert from_bf16(to_bf16(values)).dtype == np.float32
