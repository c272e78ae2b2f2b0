"""Shell completion: what is offered, and the script in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyinfer
from pyinfer.cli.commands import COMMANDS
from pyinfer.cli.completion import candidates
from pyinfer.cli.main import main
from pyinfer.store.local import Store

from ..store.stores import add_model


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "models"))
    add_model(Store(), "deepseek-r1:1.5b", {"m.gguf": b"1"})
    add_model(Store(), "demo", {"m.gguf": b"2"})


def test_candidates() -> None:
    assert candidates("pyinfer ") == (False, [*COMMANDS, "--help", "--version"])
    assert candidates("pyinfer ru") == (False, ["run"])
    assert candidates("pyinfer run de") == (True, ["deepseek-r1:1.5b", "demo"])
    assert candidates("pyinfer rm demo d") == (False, ["deepseek-r1:1.5b", "demo"])
    assert candidates("pyinfer run demo ") == (True, [])
    assert candidates("pyinfer generate -m dem") == (True, ["demo"])
    assert "--temperature" in candidates("pyinfer generate --t")[1]
    assert candidates("pyinfer completion z") == (False, ["zsh"])
    assert candidates("pyinfer foo --x") == (False, [])
    assert candidates("") == (False, [*COMMANDS, "--help", "--version"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "pyinfer completion words" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pyinfer ru", ["run"]),
        ("pyinfer rm deepseek-r1:1", ["1.5b"]),
        ("pyinfer rm de", ["deepseek-r1:1.5b", "demo"]),
    ],
)
def test_bash(line: str, expected: list[str]) -> None:
    script = (
        f'pyinfer() {{ "{sys.executable}" -m pyinfer "$@"; }}\n'
        'eval "$(pyinfer completion bash)"\n'
        f"COMP_LINE='{line}' COMP_POINT={len(line)}\n"
        '_pyinfer\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    home = str(Path(pyinfer.__file__).parents[1])
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
        check=True,
    )
    assert done.stdout.split() == expected
