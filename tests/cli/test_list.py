"""``pyinfer list``, ``show``, ``cp`` and ``rm`` on stores laid out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyinfer.cli.main import main
from pyinfer.store.local import Store
from pyinfer.store.places import DEMO_FOLDER

from ..checkpoints import random_config, write_gguf
from ..store.stores import add_model, add_ollama
from ..vocabulary import N_TOKENS


@pytest.fixture(autouse=True)
def _stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    names = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")
    files = {name: (DEMO_FOLDER / name).read_bytes() for name in names}
    add_model(Store(), "demo", {**files, "LICENSE": b"MIT License\n\nWho"}, "folder")
    path = tmp_path / "m.gguf"
    write_gguf(path, random_config(vocab=N_TOKENS))
    params = {"temperature": 0.6, "stop": ["<\x1b[31m>"]}
    add_ollama(tmp_path / "ollama", path.read_bytes(), params=params, texts={"system": "Be brief."})


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "ID", "SIZE", "MODIFIED", "SOURCE"]
    assert sorted(row.split()[0] for row in rows) == ["deepseek-r1:1.5b", "demo:latest"]
    for row in rows:
        assert len(row.split()[1]) == 12
        assert row[head.index("SOURCE") :] in ("store", "ollama")
    assert main(["list", "deep", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert model["source"] == "ollama"
    assert Path(model["path"]).is_file()


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "demo", "--verify"]) == 0
    out = capsys.readouterr().out
    for line in (
        "architecture        qwen2",
        "parameters          3.4M",
        "MIT License",
        "its hash",
    ):
        assert line in out
    assert main(["show", "deepseek-r1:1.5b", "--verify"]) == 0
    out = capsys.readouterr().out
    for line in ("q8_0", "temperature         0.6", "Be brief.", r"\u001b[31m"):
        assert line in out
    assert main(["show", "deepseek-r1:1.5b", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["defaults"]["stop"] == ["<\x1b[31m>"]
    assert main(["show", "deepseek-r1:1.5b", "--template"]) == 0
    assert "<｜User｜>" in capsys.readouterr().out
    assert main(["show", "demo", "--license"]) == 0
    assert capsys.readouterr().out == "MIT License\n\nWho\n"


def test_verify_finds_a_flipped_bit(capsys: pytest.CaptureFixture[str]) -> None:
    model = Store().models()[0]
    blob = Store().blob(model.manifest.files[-1].digest)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    assert main(["show", "demo"]) == 0
    assert main(["show", "demo", "--verify"]) == 7
    assert "LICENSE has the hash" in capsys.readouterr().err
    assert main(["show", str(DEMO_FOLDER), "--verify"]) == 5


def test_cp_and_rm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cp", "demo", "again:1"]) == 0
    assert main(["show", "again:1"]) == 0
    assert main(["rm", "demo", "again:1"]) == 0
    assert "MB freed" in capsys.readouterr().err
    assert Store().models() == []
    assert main(["rm", "deepseek-r1:1.5b"]) == 5
    assert main(["rm", "../x"]) == 5
    assert main(["cp", "none", "x"]) == 5
    capsys.readouterr()
    assert main(["list"]) == 0
    assert "deepseek-r1:1.5b" in capsys.readouterr().out
