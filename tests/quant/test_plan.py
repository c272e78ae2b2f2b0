"""Mixes choose what llama.cpp chooses; overrides and fallbacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import UsageError
from pyinfer.quant.plan import MIXES, FileRules, ModelShape, parse_override, plan_file

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/mixes.json").read_text("utf-8"))
MODELS = GOLDEN["models"]
CASES = [(name, mix) for name, model in MODELS.items() for mix in model["mixes"] if mix in MIXES]


def shapes_of(model: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the matrices; inner ones have the width of the model's."""
    width, inner = model["hidden"], model["intermediate"]
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (320, width)}
    for i in range(model["layers"]):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"):
            shapes[f"blk.{i}.{name}.weight"] = (64, width)
        shapes[f"blk.{i}.ffn_down.weight"] = (width, inner)
        shapes[f"blk.{i}.attn_norm.weight"] = (width,)
    if not model["tied"]:
        shapes["output.weight"] = (320, width)
    return shapes


def expected(model: dict[str, Any], mix: str) -> dict[str, str]:
    chosen = model["mixes"][mix]
    found = {"token_embd.weight": chosen["token_embd"], "output.weight": chosen["output"]}
    for name, formats in chosen.items():
        per_layer = str(formats).split()
        for i in range(model["layers"]):
            found[f"blk.{i}.{name}.weight"] = per_layer[i % len(per_layer)]
    return found


@pytest.mark.parametrize(("name", "mix"), CASES)
def test_mixes_are_those_of_llama_cpp(name: str, mix: str) -> None:
    model = MODELS[name]
    shape = ModelShape(model["layers"], model["group_heads"], model["tied"])
    plan = plan_file(shapes_of(model), FileRules(mix), shape)
    want = expected(model, mix)
    if mix == "q4_0":  # as a folder that is loaded with --dtype q4_0
        want["token_embd.weight"] = want["output.weight"] = "q8_0"
    for tensor, fmt in plan.formats.items():
        assert fmt == ("f32" if "norm" in tensor else want[tensor]), tensor


def test_pure_files_have_one_format() -> None:
    model = MODELS["l28"]
    shape = ModelShape(28, 2, tied=False)
    plan = plan_file(shapes_of(model), FileRules("q4_0", pure=True), shape)
    assert {f for n, f in plan.formats.items() if "norm" not in n} == {"q4_0"}
    assert plan.notes == ()


def test_the_first_override_wins_over_the_mix() -> None:
    rules = FileRules("q8_0", [parse_override(r"blk\.1\.ffn=F16"), parse_override("ffn=q4_0")])
    formats = plan_file(shapes_of(MODELS["l10"]), rules, ModelShape(10, 4, tied=True)).formats
    assert formats["blk.1.ffn_down.weight"] == "f16"
    assert formats["blk.2.ffn_down.weight"] == "q4_0"
    assert formats["blk.2.attn_q.weight"] == "q8_0"
    unused = FileRules("q8_0", [parse_override("nothing=f16")])
    with pytest.raises(UsageError, match="no matrix is called 'nothing'"):
        plan_file(shapes_of(MODELS["l10"]), unused, ModelShape(10, 4, tied=True))


def test_rows_that_are_no_blocks_fall_back() -> None:
    shapes = {"blk.0.attn_q.weight": (8, 48), "blk.0.attn_k.weight": (8, 64)}
    plan = plan_file(shapes, FileRules("q8_0"), ModelShape(1, 1, tied=True))
    assert dict(plan.formats) == {"blk.0.attn_q.weight": "f16", "blk.0.attn_k.weight": "q8_0"}
    assert plan.notes == ("blk.0.attn_q.weight is f16: rows of 48 are no whole q8_0 blocks",)


@pytest.mark.parametrize("text", ["q8_0", "=q8_0", "a=q9_9", "(=q8_0", "a="])
def test_overrides_of_another_form(text: str) -> None:
    with pytest.raises(UsageError):
        parse_override(text)
