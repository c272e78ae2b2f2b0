"""Which files of a repository are chosen."""

from __future__ import annotations

import pytest

from pyinfer.errors import ModelNotFoundError, ModelUnsupportedError
from pyinfer.store.selection import select_files

GGUFS = [
    "README.md",
    "DeepSeek-R1-Distill-Qwen-1.5B-Q2_K.gguf",
    "DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf",
    "DeepSeek-R1-Distill-Qwen-1.5B-Q8_0.gguf",
    "DeepSeek-R1-Distill-Qwen-1.5B.BF16.gguf",
    "F16/big-00002-of-00002.gguf",
    "F16/big-00001-of-00002.gguf",
    "mmproj-F32.gguf",
]
FOLDER = [
    ".gitattributes",
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "figures/benchmark.jpg",
    "pytorch_model.bin",
]


def test_quantizations() -> None:
    chosen = select_files(GGUFS, "q8_0", "a/b")
    assert chosen.files == ("DeepSeek-R1-Distill-Qwen-1.5B-Q8_0.gguf",)
    assert (chosen.kind, chosen.label) == ("gguf", "Q8_0")
    assert select_files(GGUFS, "BF16", "a/b").files == (GGUFS[4],)
    assert select_files(GGUFS, "", "a/b").label == "Q4_K_M"
    assert select_files(GGUFS, "latest", "a/b").label == "Q4_K_M"


def test_parts_stay_together_and_in_order() -> None:
    assert select_files(GGUFS, "F16", "a/b").files == (GGUFS[6], GGUFS[5])


def test_a_file_by_its_name() -> None:
    assert select_files(GGUFS, GGUFS[1], "a/b").label == "Q2_K"
    assert select_files(GGUFS, "big-00002-of-00002.gguf", "a/b").files == (GGUFS[6], GGUFS[5])
    assert select_files(GGUFS, GGUFS[1][:-5], "a/b").files == (GGUFS[1],)


def test_folder_comes_first_and_takes_what_the_loader_reads() -> None:
    chosen = select_files([*FOLDER, "x-Q4_0.gguf"], "", "a/b")
    assert (chosen.kind, chosen.label) == ("folder", "latest")
    assert chosen.files == (
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    )
    assert select_files([*FOLDER, "x-Q4_0.gguf"], "Q4_0", "a/b").files == ("x-Q4_0.gguf",)


def test_what_is_not_there_is_answered_with_what_is() -> None:
    with pytest.raises(ModelNotFoundError, match=r"BF16, F16, Q2_K, Q4_K_M, Q8_0"):
        select_files(GGUFS, "Q5_0", "a/b")
    with pytest.raises(ModelNotFoundError, match=r"x\.gguf"):
        select_files(GGUFS, "x.gguf", "a/b")
    with pytest.raises(ModelNotFoundError, match=r"name the file: a-Q8_0\.gguf, b-Q8_0\.gguf"):
        select_files(["a-Q8_0.gguf", "b-Q8_0.gguf"], "Q8_0", "a/b")
    with pytest.raises(ModelNotFoundError, match="neither"):
        select_files(["README.md"], "", "a/b")
    with pytest.raises(ModelUnsupportedError, match="pickle"):
        select_files(["config.json", "pytorch_model.bin"], "", "a/b")
