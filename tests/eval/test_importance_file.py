"""Files of importance: ours read by the gguf package, llama.cpp's old form, damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from pyinfer.errors import ModelFormatError, UsageError
from pyinfer.eval.importance import Importance
from pyinfer.eval.importance_file import check_inputs, read_importance, write_importance

SUMS = {
    "blk.0.attn_q.weight": np.arange(1, 9, dtype=np.float64),
    "blk.0.ffn_down.weight": np.full(3, 7.5),
}


def write(path: Path) -> None:
    found = Importance(SUMS, tokens=5)
    write_importance(path, found, dataset="text", n_windows=2, n_ctx=512)


def old_form(entries: list[tuple[str, int, list[float]]]) -> bytes:
    data = struct.pack("<i", len(entries))
    for name, calls, values in entries:
        data += struct.pack("<i", len(name)) + name.encode()
        data += struct.pack(f"<ii{len(values)}f", calls, len(values), *values)
    return data


def test_round_trip_and_the_gguf_package(tmp_path: Path) -> None:
    write(tmp_path / "im.gguf")
    means = read_importance(tmp_path / "im.gguf")
    assert means.keys() == SUMS.keys()
    for name, sums in SUMS.items():
        assert means[name] == pytest.approx(sums / 5)
    reader = gguf.GGUFReader(tmp_path / "im.gguf")
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.datasets"].contents() == ["text"]
    assert reader.fields["imatrix.chunk_count"].contents() == 2
    assert reader.fields["imatrix.chunk_size"].contents() == 512
    tensors = {t.name: t.data.tolist() for t in reader.tensors}
    assert tensors["blk.0.attn_q.weight.in_sum2"] == SUMS["blk.0.attn_q.weight"].tolist()
    assert tensors["blk.0.attn_q.weight.counts"] == [5.0]
    with pytest.raises(UsageError, match="exists"):
        write(tmp_path / "im.gguf")


def test_the_old_form(tmp_path: Path) -> None:
    path = tmp_path / "imatrix.dat"
    entries = [("blk.0.attn_q.weight", 4, [2.0, 6.0]), ("unseen", 0, [0.0])]
    path.write_bytes(old_form(entries) + struct.pack("<i", 3))  # calls of the last run follow
    means = read_importance(path)
    assert {name: v.tolist() for name, v in means.items()} == {"blk.0.attn_q.weight": [0.5, 1.5]}


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_values_that_are_no_squares(tmp_path: Path, value: float) -> None:
    path = tmp_path / "imatrix.dat"
    path.write_bytes(old_form([("blk.0.attn_q.weight", 1, [1.0, value])]))
    with pytest.raises(ModelFormatError, match=r"attn_q.*non-finite"):
        read_importance(path)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "im"
    for data in (old_form([("blk.0.attn_q.weight", 4, [2.0, 6.0])]), b""):
        for cut in range(len(data)):
            path.write_bytes(data[:cut])
            with pytest.raises(ModelFormatError, match="im: byte"):
                read_importance(path)
    write(tmp_path / "im.gguf")
    data = (tmp_path / "im.gguf").read_bytes()
    end = len(data) - 28  # what follows the last value is padding
    for cut in range(0, end, 13):
        path.write_bytes(data[:cut])
        with pytest.raises(ModelFormatError):
            read_importance(path)


def test_a_model_is_no_importance(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "qwen2")
    writer.add_tensor("blk.0.attn_q.weight", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelFormatError, match="no importance"):
        read_importance(tmp_path / "a.gguf")


def test_importance_of_another_model() -> None:
    means = {"blk.0.attn_q.weight": np.ones(8, np.float32)}
    path = Path("im.gguf")
    check_inputs(path, means, {"blk.0.attn_q.weight": 8, "blk.1.attn_q.weight": 8})
    with pytest.raises(ModelFormatError, match="8 inputs, the model 16"):
        check_inputs(path, means, {"blk.0.attn_q.weight": 16})
    with pytest.raises(ModelFormatError, match="none of"):
        check_inputs(path, means, {"other": 8})
