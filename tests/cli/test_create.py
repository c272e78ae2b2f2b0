"""``pyinfer create`` and what ``show`` says of its models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyinfer.cli.main import main
from pyinfer.store.modelfile import parse_modelfile

MODELFILE = """FROM demo
PARAMETER temperature 0
PARAMETER num_predict 4
SYSTEM "Answer in French."
MESSAGE user "hi"
MESSAGE assistant "salut"
LICENSE "MIT"
"""


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    Path("Modelfile").write_text(MODELFILE)


def test_create_show_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "french"]) == 0
    assert "created french:latest: 6.8 MB" in capsys.readouterr().err
    assert main(["show", "French"]) == 0
    out = capsys.readouterr().out
    for line in ("temperature         0", "Answer in French.", "MIT"):
        assert line in out
    assert main(["show", "french", "--modelfile"]) == 0
    file = parse_modelfile(capsys.readouterr().out)
    assert (file.source, file.settings) == ("french:latest", parse_modelfile(MODELFILE).settings)
    assert main(["show", "french", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["parent"], facts["messages"][1]["content"]) == ("demo", "salut")
    assert main(["show", "french", "--license"]) == 0
    assert capsys.readouterr().out == "MIT\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_modelfiles_of_windows(encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What its editors, and > in PowerShell, write."""
    Path("Modelfile").write_bytes(MODELFILE.replace("\n", "\r\n").encode(encoding))
    assert main(["create", "french"]) == 0
    capsys.readouterr()
    assert main(["show", "french", "--modelfile"]) == 0
    file = parse_modelfile(capsys.readouterr().out)
    assert file.settings == parse_modelfile(MODELFILE).settings
    Path("Modelfile").write_bytes("FROM démo".encode("latin-1"))
    assert main(["create", "french"]) == 2
    assert "neither UTF-8 nor UTF-16" in capsys.readouterr().err


def test_a_path_is_beside_the_modelfile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ..checkpoints import random_config, write_gguf

    (tmp_path / "sub").mkdir()
    write_gguf(tmp_path / "sub" / "m.gguf", random_config())
    (tmp_path / "sub" / "mf").write_text("FROM ./m.gguf\nPARAMETER mirostat 1\n")
    assert main(["create", "x", "-f", "sub/mf"]) == 0
    assert "mirostat has no effect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("FROM nowhere", 5, "nowhere"),
        ("FROM ./no.gguf", 5, "no.gguf"),
        ("SYSTEM x", 2, "no FROM"),
        ("FROM demo\nADAPTER x", 4, "LoRA"),
    ],
)
def test_errors(text: str, status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("Modelfile").write_text(text)
    assert main(["create", "x"]) == status
    assert message in capsys.readouterr().err
    assert main(["create", "x", "-f", "gone"]) == 2
