"""``pyinfer verify``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyinfer.cli.main import main
from pyinfer.eval.golden_file import SHIPPED
from pyinfer.store.places import DEMO_FOLDER

from ..checkpoints import random_config, write_folder


def test_the_embedded_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "-t", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "  What is 12 + 30?: same, 50 of 50 tokens repeated, perplexity of the answer 1.0" in out
    assert main(["verify", str(DEMO_FOLDER), "--json", "--dtype", "q8_0"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["passed"] is True
    assert [case["passed"] for case in facts["cases"]] == [True] * 4


def test_a_model_that_answers_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, random_config(vocab=512), with_tokenizer=True)
    words = ["verify", str(tmp_path), "--golden", str(SHIPPED / "demo.json")]
    assert main(words) == 4
    out, err = capsys.readouterr()
    assert "DIFFERENT, 0 of 50 tokens repeated" in out
    assert "    token 0: " in out
    assert "more tokens" in out
    assert "prompt has other tokens" in out
    assert err.startswith("pyinfer: error: ")
    assert "does not answer as the embedded model did" in err
    assert main([*words, "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["passed"] is False
    assert main(["verify", str(tmp_path)]) == 5
    assert "no published answers" in capsys.readouterr().err
