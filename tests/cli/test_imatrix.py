"""``pyinfer imatrix``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyinfer.cli.main import main
from pyinfer.eval.importance_file import read_importance


def test_a_file_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, out = tmp_path / "text", tmp_path / "im.gguf"
    text.write_text("Which is larger, 9.11 or 9.9? " * 40, "utf-8")
    words = ["imatrix", "-t", "1", "-c", "64", "-f", str(text), "-o", str(out), "--chunks", "2"]
    assert main(words) == 0
    assert capsys.readouterr() == (f"{out}: 28 matrices, 128 tokens\n", "")
    means = read_importance(out)
    assert means["blk.3.ffn_down.weight"].shape == (768,)
    assert "output.weight" not in means
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words, "--force", "--process-output"]) == 0
    assert "output.weight" in read_importance(out)
    assert main(["imatrix", "-c", "2", "-o", "x", "-f", str(text)]) == 2
