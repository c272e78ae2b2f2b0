"""``pyinfer convert``: both directions, refusals, what is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyinfer.cli.main import main
from pyinfer.store.places import DEMO_FOLDER

Outcome = tuple[int, str, str]


def convert(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Outcome:
    status = main(["convert", *map(str, words)])
    return status, *capsys.readouterr()


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo.gguf"
    status, out, err = convert(capsys, DEMO_FOLDER, file, "--dtype", "Q8_0", "--name", "A demo")
    assert (status, err) == (0, "")
    size = f"{file.stat().st_size:,}"
    assert out == f"{file}: {size} bytes, 8.53 bits per weight (30 x q8_0, 21 x f32)\n"
    status, out, err = convert(capsys, file, tmp_path / "back")
    assert (status, err) == (0, "")
    assert "(51 x f32)" in out
    assert {path.name for path in (tmp_path / "back").iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    status, out, _ = convert(capsys, tmp_path / "back", tmp_path / "again.gguf", "--dtype", "bf16")
    assert status == 0
    assert "30 x bf16" in out


def test_existing_results_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo.gguf"
    file.write_bytes(b"mine")
    status, out, err = convert(capsys, DEMO_FOLDER, file)
    assert (status, out) == (2, "")
    assert re.search(r"^pyinfer: error: .*exists already\. --force replaces it\n$", err)
    assert file.read_bytes() == b"mine"
    assert convert(capsys, DEMO_FOLDER, file, "--force")[0] == 0
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/text").write_text("mine")
    status, _, err = convert(capsys, file, tmp_path / "notes", "--force")
    assert status == 2
    assert "no checkpoint folder" in err
    assert (tmp_path / "notes/text").read_text() == "mine"
    assert convert(capsys, file, tmp_path / "back")[0] == 0
    assert convert(capsys, file, tmp_path / "back")[0] == 2
    assert convert(capsys, file, tmp_path / "back", "--force")[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("{none}", "{tmp}/a.gguf"), 5, "does not exist"),
        (("{demo}", "{tmp}/none/a.gguf"), 2, "the folder"),
        (("{demo}", "{tmp}/a.gguf", "--dtype", "q3"), 2, "'q3' cannot be written"),
        (("{gguf}", "{tmp}/b.gguf"), 2, "pyinfer quantize"),
        (("{gguf}", "{tmp}/b", "--dtype", "q8_0"), 2, "a folder cannot hold 'q8_0'"),
        (("{gguf}", "{tmp}/none/b"), 2, "does not exist"),
        (("{demo}",), 2, "OUT"),
    ],
)
def test_refusals(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    gguf = tmp_path / "demo.gguf"
    assert convert(capsys, DEMO_FOLDER, gguf)[0] == 0
    places = {"demo": DEMO_FOLDER, "none": tmp_path / "none", "tmp": tmp_path, "gguf": gguf}
    found, out, err = convert(capsys, *(word.format(**places) for word in words))
    assert (found, out) == (status, "")
    assert err.startswith("pyinfer: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == [gguf]
