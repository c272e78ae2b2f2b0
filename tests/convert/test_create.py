"""Making models of the store from other models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import pyinfer
from pyinfer.convert.create import CreateEvent, create_model
from pyinfer.errors import InvalidNameError, ModelFormatError, ModelNotFoundError, UsageError
from pyinfer.store.details import read_details
from pyinfer.store.local import Store
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import parse_name
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import resolve_model

from ..checkpoints import random_config, write_folder, write_gguf
from ..store.stores import put_blob
from ..vocabulary import N_TOKENS

SETTINGS = ModelSettings(system="Be brief.", parameters={"temperature": 0.1, "stop": ["x"]})


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "store"))


def test_from_a_folder_and_from_that_model() -> None:
    events: list[CreateEvent] = []
    base = resolve_model("demo")
    first = create_model(parse_name("a"), base, SETTINGS, progress=events.append)
    assert [e.status for e in events if not e.total] == ["converting model", "writing manifest"]
    assert events[-2].done == events[-2].total > 6_000_000
    assert first.manifest.settings == replace(SETTINGS, parent="demo")
    blobs = sorted(Store().blobs.iterdir())
    more = ModelSettings(parameters={"temperature": 0.5}, licenses=("MIT",), template="{{ 1 }}")
    second = create_model(parse_name("B:x"), resolve_model("A"), more)
    assert second.manifest.settings == ModelSettings(
        parent="a:latest",
        template="{{ 1 }}",
        system="Be brief.",
        parameters={"temperature": 0.5, "stop": ["x"]},
        licenses=("MIT",),
    )
    assert sorted(Store().blobs.iterdir()) == blobs
    assert second.manifest.identity == first.manifest.identity
    assert second.manifest.digest != first.manifest.digest
    assert resolve_model("b:X").settings.template == "{{ 1 }}"


def test_quantized(tmp_path: Path) -> None:
    events: list[CreateEvent] = []
    model = create_model(
        parse_name("q"), resolve_model("demo"), SETTINGS, quantize="Q8_0", progress=events.append
    )
    assert "quantizing BF16 model to Q8_0" in {event.status for event in events}
    path = Store().path_of(model)
    assert read_details(path).main_format == "q8_0"
    assert not list(Store().partial.iterdir())
    with pyinfer.load("q", threads=1, ctx_size=256) as llm:
        assert llm.preset.system == "Be brief."
    with pytest.raises(UsageError, match="is q8_0 already"):
        create_model(parse_name("r"), resolve_model("q"), SETTINGS, quantize="q4_0")
    with pytest.raises(UsageError, match="'q17' is no format"):
        create_model(parse_name("r"), resolve_model("demo"), SETTINGS, quantize="q17")


def test_from_uploaded_files(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_config(vocab=N_TOKENS))
    digest = put_blob(Store(), (tmp_path / "m.gguf").read_bytes())
    model = create_model(parse_name("up"), {"m.gguf": digest}, SETTINGS)
    assert (model.manifest.kind, model.manifest.settings.parent) == ("gguf", "")
    folder = tmp_path / "folder"
    write_folder(folder, random_config(vocab=N_TOKENS + 3), with_tokenizer=True)
    files = {p.name: put_blob(Store(), p.read_bytes()) for p in folder.iterdir()}
    assert create_model(parse_name("up:f"), files, SETTINGS).manifest.kind == "folder"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, ModelNotFoundError),
        ({"m.gguf": "sha256:" + "0" * 64}, ModelNotFoundError),
        ({"m.gguf": "sha256:../../x"}, ModelFormatError),
        ({"../m.gguf": "sha256:" + "0" * 64}, InvalidNameError),
    ],
)
def test_files_that_are_not_there(files: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        create_model(parse_name("no"), files, SETTINGS)
    assert Store().models() == []


def test_damaged_files_make_no_model() -> None:
    digest = put_blob(Store(), b"GGUF\3\0\0\0")
    with pytest.raises(ModelFormatError):
        create_model(parse_name("no"), {"m.gguf": digest}, SETTINGS)
    assert Store().models() == []


def test_the_embedded_model_has_a_name() -> None:
    assert resolve_model("demo").path == DEMO_FOLDER
    assert resolve_model("PyInfer-Demo").path == DEMO_FOLDER
