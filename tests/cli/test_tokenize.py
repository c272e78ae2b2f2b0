"""``pyinfer tokenize``: forms of output, control tokens, sources of text."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.cli.main import main
from pyinfer.cli.tokenize import piece_text
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.tokenizer import Tokenizer

from ..checkpoints import random_config, write_folder

TEXT = "é <think> 12"


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = main(["tokenize", *map(str, words)])
    return status, *capsys.readouterr()


def test_forms(capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = Tokenizer.from_folder(DEMO_FOLDER)
    ids = tokenizer.encode(TEXT, add_special=True)
    assert call(capsys, TEXT, "--ids") == (0, " ".join(map(str, ids)) + "\n", "")
    assert call(capsys, TEXT, "--count") == (0, f"{len(ids)}\n", "")
    facts = json.loads(call(capsys, TEXT, "--json")[1])
    assert facts["ids"] == ids
    assert facts["count"] == len(ids) == len(facts["pieces"])
    assert facts["pieces"][0] == "<｜begin▁of▁sentence｜>"
    lines = call(capsys, TEXT)[1].splitlines()
    assert lines[-1] == f"{len(ids)} tokens"
    assert [int(line.split()[0]) for line in lines[:-1]] == ids
    assert f"{tokenizer.added_tokens['<think>']:>7}  <think>" in lines


def test_control_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = Tokenizer.from_folder(DEMO_FOLDER)
    plain = tokenizer.encode(TEXT, parse_special=False)
    found = call(capsys, TEXT, "--ids", "--no-bos", "--no-special")[1]
    assert found.split() == [str(i) for i in plain]
    assert str(tokenizer.added_tokens["<think>"]) not in found.split()


def test_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = call(capsys, TEXT, "--ids")
    (tmp_path / "text").write_text(TEXT + "\n", "utf-8")
    assert call(capsys, "-f", tmp_path / "text", "--ids") == expected
    stdin = SimpleNamespace(buffer=io.BytesIO(TEXT.encode()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert call(capsys, "--ids") == expected
    assert call(capsys, "", "--count", "--no-bos") == (0, "0\n", "")
    status, _, err = call(capsys, "a", "-f", tmp_path / "text")
    assert status == 2
    assert "excludes" in err
    status, _, err = call(capsys, "a", "-m", tmp_path / "none")
    assert status == 5


def test_a_model_without_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "model", random_config())
    status, _, err = call(capsys, "a", "-m", tmp_path / "model")
    assert status == 3
    assert "has no tokenizer" in err


@given(st.binary(max_size=8))
def test_pieces_are_printable(data: bytes) -> None:
    text = piece_text(data)
    assert text.isprintable()
    if data.isascii():
        assert text.encode("ascii").decode("unicode_escape").encode() == data


def test_bytes_that_are_no_text() -> None:
    assert piece_text(b"\xe6\x88") == "\\xe6\\x88"
    assert piece_text("\u202eé\\".encode()) == "\\u202eé\\\\"
