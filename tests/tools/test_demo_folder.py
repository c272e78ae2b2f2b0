"""The shipped model folder: its files agree with each other, the recipe and the card."""

from __future__ import annotations

import json
import sys
from math import prod
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "pyinfer" / "demo"

sys.path.insert(0, str(ROOT / "tools"))
from train_demo import card, generate, tokenizer  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (DEMO / "model.safetensors").exists(), reason="the model folder is not in this checkout"
)


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DEMO / name).read_text(encoding="utf-8"))
    return content


def test_weights_are_small_and_bf16() -> None:
    assert (DEMO / "model.safetensors").stat().st_size <= 8_000_000
    with safe_open(DEMO / "model.safetensors", framework="np") as file:
        slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118
    assert {part.get_dtype() for part in slices} == {"BF16"}
    assert 3_000_000 <= sum(prod(part.get_shape()) for part in slices) <= 4_000_000


def test_tokenizer_is_the_one_the_recipe_makes() -> None:
    shipped = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    assert json.loads(shipped.to_str()) == json.loads(tokenizer.train_tokenizer().to_str())


def test_control_tokens_agree_in_all_files() -> None:
    shipped = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    config, generation, tokens = (
        read(f"{name}.json") for name in ("config", "generation_config", "tokenizer_config")
    )
    assert generation["bos_token_id"] == shipped.token_to_id(tokens["bos_token"])
    assert generation["eos_token_id"] == shipped.token_to_id(tokens["eos_token"])
    assert config["eos_token_id"] == generation["eos_token_id"]
    assert shipped.get_vocab_size() <= config["vocab_size"]
    listed = {
        int(index): (token["content"], token["special"])
        for index, token in tokens["added_tokens_decoder"].items()
    }
    added = shipped.get_added_tokens_decoder()
    assert listed == {index: (token.content, token.special) for index, token in added.items()}
    assert tuple(listed[index] for index in sorted(listed)) == tokenizer.ADDED


def test_template_renders_the_training_prompt() -> None:
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(read("tokenizer_config.json")["chat_template"])
    problem = next(p for p in generate.held_out(100) if p.history and p.think)
    rendered = template.render(
        messages=problem.messages(), add_generation_prompt=True, bos_token=tokenizer.BOS
    )
    assert rendered == tokenizer.prompt_text(problem)


def test_card_is_written_from_the_measured_figures() -> None:
    assert (DEMO / "README.md").read_text(encoding="utf-8") == card.card(DEMO)


def test_measured_accuracy_meets_the_goals() -> None:
    accuracy = read("accuracy.json")
    assert accuracy["questions"] >= 500
    share = {
        form: table["all"]["right"] / table["all"]["of"]
        for form, table in accuracy["formats"].items()
    }
    assert share["f32"] >= 0.95
    assert share["bf16"] >= share["f32"] - 0.01
    assert share["q8_0"] >= share["f32"] - 0.01
    assert share["q4_0"] >= share["f32"] - 0.05
