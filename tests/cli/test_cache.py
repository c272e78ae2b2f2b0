"""``pyinfer cache`` and ``--packed-cache``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyinfer.cli.main import main


def test_packed_weights_are_kept_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answers = []
    for _ in range(2):
        options = ["--packed-cache", "--temperature", "0", "-n", "5", "--threads", "1"]
        assert main(["generate", *options, "What is 12 + 30?"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != ""
    (file,) = (tmp_path / "pyinfer/packed").iterdir()
    assert main(["cache", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == ["FILE", "SIZE", "USED"]
    assert listed[1].split()[0] == file.name
    assert str(file.parent) in listed[-1]
    assert main(["cache", "clean", "--keep", "1"]) == 0
    assert "0 B freed" in capsys.readouterr().err
    assert file.exists()
    assert main(["cache", "clean", "--folder", str(file.parent)]) == 0
    assert "MB freed" in capsys.readouterr().err
    assert not file.exists()
    assert main(["cache"]) == 2
