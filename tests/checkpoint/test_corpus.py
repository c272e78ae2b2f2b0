"""Every file that is known to be hostile is refused with a typed error."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import pytest

from pyinfer.checkpoint.checkpoint import GgufTokenizer, open_checkpoint
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.text.tokenizer import Tokenizer

from ..checkpoints import random_config, write_folder

CORPUS = Path(__file__).parents[1] / "corpus"
FILES = sorted(
    path for path in CORPUS.rglob("*") if path.suffix in (".gguf", ".safetensors", ".json")
)


def test_the_corpus_is_there() -> None:
    assert len(FILES) >= 28


def open_whole(path: Path) -> None:
    """Open a model, and the tokenizer inside a GGUF file."""
    with open_checkpoint(path) as model:
        source = model.tokenizer_source()
    if isinstance(source, GgufTokenizer):
        Tokenizer.from_gguf(source.metadata)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_refused(path: Path, tmp_path: Path) -> None:
    write_folder(tmp_path, random_config())
    if path.suffix == ".safetensors":
        shutil.copy(path, tmp_path / "model.safetensors")
    elif path.suffix == ".json":
        shutil.copy(path, tmp_path / "config.json")
    tracemalloc.start()
    with pytest.raises((ModelFormatError, ModelUnsupportedError)) as caught:
        open_whole(path if path.suffix == ".gguf" else tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 4 * path.stat().st_size + (16 << 20)
    tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert "is missing" not in str(caught.value)
