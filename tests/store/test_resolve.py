"""One function finds every model, whatever it is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pyinfer
from pyinfer.errors import InvalidNameError, ModelNotFoundError
from pyinfer.store.local import Store
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import known_names, resolve_model

from ..checkpoints import random_config, write_gguf
from ..vocabulary import N_TOKENS
from .stores import add_cached, add_model, add_ollama


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable, folder in (
        ("PYINFER_MODELS", "store"),
        ("HF_HUB_CACHE", "cache"),
        ("OLLAMA_MODELS", "ollama"),
    ):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    write_gguf(path, random_config(hidden=64, intermediate=128, vocab=N_TOKENS))
    return path.read_bytes()


def source(text: str) -> tuple[str, str]:
    found = resolve_model(text)
    return found.source, found.name


def test_every_place(places: Path) -> None:
    add_model(Store(), "mine", {"m.gguf": b"1"})
    add_model(Store(), "hf:org/pulled:Q8_0", {"m.gguf": b"1"})
    add_cached(places / "cache", "org/cached", {"config.json": b"{}", "model.safetensors": b"w"})
    add_ollama(places / "ollama", b"gguf", texts={"system": "Hi"}, params={"top_p": 0.9})
    assert source("mine") == ("store", "mine:latest")
    assert source("hf:org/pulled") == ("store", "hf.co/org/pulled:Q8_0")
    assert source("org/pulled:q8_0") == ("store", "hf.co/org/pulled:Q8_0")
    assert source("hf:org/cached") == ("hub cache", "hf:org/cached")
    assert source("org/cached") == ("hub cache", "hf:org/cached")
    assert source("deepseek-r1:1.5b") == ("ollama", "deepseek-r1:1.5b")
    found = resolve_model("deepseek-r1:1.5b")
    assert (found.settings.system, found.settings.parameters) == ("Hi", {"top_p": 0.9})
    assert resolve_model(found) is found
    assert known_names() == [
        "hf.co/org/pulled:Q8_0",
        "mine:latest",
        "hf:org/cached",
        "deepseek-r1:1.5b",
    ]
    for name in known_names():
        assert resolve_model(name).path.exists()


def test_paths_win_over_names(places: Path) -> None:
    add_model(Store(), "mine", {"m.gguf": b"1"})
    Path("mine").mkdir()
    assert source("mine") == ("store", "mine:latest")  # an empty folder is no model
    Path("mine/config.json").write_text("{}")
    assert source("mine") == ("path", "mine")
    Path("x.gguf").write_bytes(b"")
    assert source("x.gguf") == ("path", "x.gguf")
    assert resolve_model(Path("mine")).source == "path"


def test_the_own_store_comes_first(places: Path) -> None:
    add_ollama(places / "ollama", b"gguf", "registry.ollama.ai/library/mine/latest")
    assert source("mine") == ("ollama", "mine:latest")
    add_model(Store(), "mine", {"m.gguf": b"1"})
    assert source("mine") == ("store", "mine:latest")


def test_not_found(places: Path) -> None:
    add_model(Store(), "deepseek-r1:1.5b", {"m.gguf": b"1"})
    with pytest.raises(ModelNotFoundError, match=r"did you mean deepseek-r1:1\.5b"):
        resolve_model("deepsek-r1:1.5b")
    with pytest.raises(ModelNotFoundError, match="pyinfer pull hf:a/b"):
        resolve_model("a/b")
    with pytest.raises(ModelNotFoundError, match="pyinfer pull hf:a/b:Q8_0"):
        resolve_model("hf:a/b:Q8_0")
    with pytest.raises(ModelNotFoundError, match="pyinfer list"):
        resolve_model("nothing like it !")
    with pytest.raises(InvalidNameError):
        resolve_model("hf:a/../b")


def test_models_of_all_places_run(places: Path, gguf_bytes: bytes) -> None:
    demo = {path.name: path.read_bytes() for path in DEMO_FOLDER.iterdir() if path.is_file()}
    del demo["README.md"], demo["accuracy.json"]
    add_model(Store(), "demo", demo, "folder")
    add_model(Store(), "small", {"small-Q4_0.gguf": gguf_bytes})
    add_ollama(places / "ollama", gguf_bytes, params={"temperature": 0.25, "top_k": "x"})
    params = pyinfer.SamplingParams(temperature=0, max_tokens=4)
    answers = {}
    for name in ("demo", "small", "deepseek-r1:1.5b"):
        with pyinfer.load(name, threads=1, ctx_size=256) as llm:
            answers[name] = llm.generate("hello", params=params).token_ids
            assert llm.info.name.startswith(name)
            assert name != "deepseek-r1:1.5b" or llm.defaults.temperature == 0.25
    assert answers["small"] == answers["deepseek-r1:1.5b"]
    with pyinfer.load(threads=1, ctx_size=256) as llm:
        assert answers["demo"] == llm.generate("hello", params=params).token_ids


def test_loading_keeps_the_files(places: Path, gguf_bytes: bytes) -> None:
    add_model(Store(), "small", {"small-Q4_0.gguf": gguf_bytes})
    found = resolve_model("small")
    with found.reading():
        shutil.rmtree(places / "store" / "manifests")
        assert Store().collect() == 0
        assert found.path.exists()
    with resolve_model(Path("anything")).reading():
        pass
