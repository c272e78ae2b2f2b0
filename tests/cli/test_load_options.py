"""What the value of ``--model`` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyinfer.cli.load_options import model_name, model_path
from pyinfer.errors import ModelNotFoundError
from pyinfer.store.places import DEMO_FOLDER


def test_embedded_path_and_name(tmp_path: Path) -> None:
    assert model_path(None) == DEMO_FOLDER
    assert model_path(str(tmp_path / "m.gguf")) == tmp_path / "m.gguf"
    assert (model_name(None), model_name("/a/b.gguf")) == ("the embedded model", "b.gguf")
    with pytest.raises(ModelNotFoundError):
        model_path("no-such-model")
