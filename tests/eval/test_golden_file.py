"""Files of published answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import ModelFormatError, ModelNotFoundError
from pyinfer.eval.golden_file import OWN_NAME, SHIPPED, find_golden, read_golden
from pyinfer.model.registry import read_hf_config

from ..checkpoints import random_config

R1 = {
    "hidden": 1536, "intermediate": 8960, "layers": 28, "heads": 12, "kv_heads": 2, "vocab": 151936
}  # fmt: skip


def write(path: Path, **content: Any) -> Path:
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_shipped_files_are_sound(tmp_path: Path) -> None:
    goldens = {path.stem: read_golden(path) for path in SHIPPED.glob("*.json")}
    assert goldens.keys() == {"demo", "deepseek-r1-distill-qwen-1.5b"}
    r1 = goldens["deepseek-r1-distill-qwen-1.5b"]
    assert [len(case.answer) for case in r1.cases] == [81, 81, 3]
    assert r1.cases[2].logprobs == (-0.9453125, 0.0, -0.3515625)
    assert len(r1.texts) == 3
    config = read_hf_config(random_config(**R1))
    assert find_golden(tmp_path, config) == r1
    # Another base model of the same sizes has another base of its rotary positions.
    other = read_hf_config(random_config(**R1) | {"rope_theta": 1e6})
    with pytest.raises(ModelNotFoundError, match="--golden"):
        find_golden(tmp_path, other)


def test_the_published_file_is_read(test_data: Path) -> None:
    published = read_golden(test_data / "r1-distill-qwen-1.5b/golden-generation.json")
    shipped = read_golden(SHIPPED / "deepseek-r1-distill-qwen-1.5b.json")
    assert published.cases == shipped.cases
    assert published.texts == shipped.texts
    assert not published.fits(read_hf_config(random_config(**R1)))


def test_a_folder_brings_its_own(tmp_path: Path) -> None:
    case = {"name": "a", "prompt_ids": [1], "generated_ids": [2, 3], "logprobs": [-1, -2.5, 0]}
    write(tmp_path / OWN_NAME, model="mine", cases=[case])
    golden = find_golden(tmp_path, read_hf_config(random_config()))
    assert golden.model == "mine"
    assert golden.cases[0].logprobs == (-1.0, -2.5)


@pytest.mark.parametrize(
    "content",
    [
        {"cases": {}},
        {"cases": [1]},
        {"cases": [{"prompt_ids": [1]}]},
        {"cases": [{"prompt_ids": [1], "generated_ids": ["a"]}]},
        {"cases": [{"prompt_ids": [True], "generated_ids": [1]}]},
        {"cases": [{"prompt_ids": [-1], "generated_ids": [1]}]},
        {"cases": [{"prompt_ids": [1], "generated_ids": [1], "prompt": 3}]},
        {"cases": [{"prompt_ids": [1], "generated_ids": [1], "logprobs": ["x"]}]},
        {"tokenization_only": [{"text": 1, "ids": [1]}]},
        {"match": {"color": 3}},
        {"match": []},
    ],
)
def test_files_of_another_form(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(ModelFormatError, match=r"a\.json"):
        read_golden(write(tmp_path / "a.json", **content))
