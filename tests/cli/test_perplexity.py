"""``pyinfer perplexity``: figures, saved logits, refusals."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyinfer.cli.main import main

# What the embedded model says, so that no token is less likely than the saved range reaches.
TEXT = (
    "<｜User｜>What is 12 + 30?<｜Assistant｜><think>\nAdding from the right:\n12+30\n2+0+0=02\n"
    "1+3+0=04\nTogether 042\n</think>\n\n12 + 30 = 42.<｜end▁of▁sentence｜>"
) * 12


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text(TEXT + "\n", "utf-8")
    return path


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = main(["perplexity", "-t", "1", "-c", "64", "--special", *map(str, words)])
    return status, *capsys.readouterr()


def test_figures(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "-f", text)
    assert (status, err) == (0, "")
    shown = re.fullmatch(
        r"perplexity (\d+\.\d{4}) ± (\d+\.\d{4}) \((\d+) tokens in (\d+) windows of 64\)\n", out
    )
    assert shown
    status, out, _ = call(capsys, "-f", text, "--json")
    facts = json.loads(out)
    assert f"{facts['perplexity']:.4f}" == shown[1]
    assert facts["tokens"] == int(shown[3]) == 31 * int(shown[4])
    status, out, _ = call(capsys, "-f", text, "--json", "--chunks", "2", "--ppl-stride", "16")
    assert (json.loads(out)["tokens"], json.loads(out)["ctx_size"]) == (32, 72)


def test_standard_input(
    text: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = call(capsys, "-f", text)
    stdin = SimpleNamespace(buffer=io.BytesIO(text.read_bytes()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert call(capsys) == expected


def test_a_base_is_saved_then_compared(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "base.logits"
    status, out, err = call(capsys, "-f", text, "--dtype", "f32", "--kl-base", base, "--json")
    assert status == 0
    assert err == f"pyinfer: logits saved in {base} ({base.stat().st_size:,} bytes)\n"
    saved = json.loads(out)
    status, out, err = call(capsys, "--dtype", "q4_0", "--kl-base", base, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["base_perplexity"] == pytest.approx(saved["perplexity"], rel=1e-3)
    assert 0 < found["mean_kl"] < 1
    assert found["same_top"] <= 1
    assert found["windows"] == saved["windows"]
    assert next(iter(found["kl_percentiles"])) == "max"
    status, out, _ = call(capsys, "--kl-base", base, "-f", text, "--chunks", "1")
    assert status == 0
    assert re.search(r"^mean divergence: +0\.\d{6} ± 0\.\d{6} nats$", out, re.MULTILINE)
    assert re.search(r"^same best token: +\d+\.\d{3}% ±", out, re.MULTILINE)
    text.write_text(TEXT[5:], "utf-8")
    status, _, err = call(capsys, "--kl-base", base, "-f", text)
    assert status == 2
    assert "another text" in err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("-f", "{text}", "-c", "3"), 2, "at least 4"),
        (("-f", "{text}", "-c", "4096"), 2, "outside 1 to 2048"),
        (("-f", "{text}", "-c", "1024"), 3, "at least 2048"),
        (("-f", "{text}", "--ppl-stride", "64"), 2, "smaller than"),
        (("-f", "{text}", "--ppl-stride", "6", "--kl-base", "x"), 2, "excludes"),
        (("-f", "{none}"), 2, "cannot be read"),
        (("-f", "{binary}"), 3, "not UTF-8: byte 0xff at offset 1"),
        (("--kl-base", "{text}"), 4, "no file of saved logits"),
    ],
)
def test_refusals(
    text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    (tmp_path / "binary").write_bytes(b"a\xff")
    places = {"text": text, "none": tmp_path / "none", "binary": tmp_path / "binary"}
    found, out, err = call(capsys, *(word.format(**places) for word in words))
    assert (found, out) == (status, ""), err
    assert err.startswith("pyinfer: error: ")
    assert err.count("\n") == 1
    assert message in err
