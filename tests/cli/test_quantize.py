"""``pyinfer quantize``."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from pyinfer.cli.main import main
from pyinfer.store.places import DEMO_FOLDER


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "demo.gguf"
    assert main(["convert", str(DEMO_FOLDER), str(path)]) == 0
    capsys.readouterr()
    return path


def test_formats_and_overrides(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.with_name("q4.gguf")
    words = ["quantize", str(model), str(out), "Q4_0", "--tensor-type", "ffn_down=Q8_0", "--fit"]
    assert main([*words, "--tensor-type", r"blk\.0\.attn_q\.=f16"]) == 0
    shown, err = capsys.readouterr()
    assert err == ""
    assert shown.startswith(f"{out}: {out.stat().st_size:,} bytes, 5.")
    assert "6 x q8_0" in shown
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(out).tensors}
    assert kinds["blk.3.ffn_down.weight"] == "Q8_0"
    assert kinds["blk.0.attn_q.weight"] == "F16"
    assert kinds["blk.1.attn_q.weight"] == "Q4_0"
    assert main(["generate", "-m", str(out), "--temperature", "0", "What is 12 + 30?"]) == 0
    assert "12 + 30 = 42." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["{demo}", "{out}", "q8_0"], 2, "pyinfer convert"),
        (["{model}", "{model}", "q8_0"], 2, "exists already"),
        (["{model}", "{out}", "q9"], 2, "'q9' cannot be written"),
        (["{model}", "{out}", "q8_0", "--tensor-type", "x"], 2, "REGEX=FORMAT"),
        (["{model}", "{out}", "q8_0", "--imatrix", "{model}"], 4, "no importance"),
        (["{model}", "{out}", "q8_0", "--imatrix", "{out}"], 5, "no such file"),
    ],
)
def test_refusals(
    model: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    message: str,
) -> None:
    places = {"demo": DEMO_FOLDER, "model": model, "out": model.with_name("out.gguf")}
    assert main(["quantize", *(word.format(**places) for word in words)]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert list(model.parent.iterdir()) == [model]
