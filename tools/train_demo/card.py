"""Writes the model card from the model folder and its measured accuracy."""

from __future__ import annotations

import argparse
import json
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

_TEXT = """\
---
license: mit
library_name: pyinfer
---

# The embedded demo model

A Qwen2 model of {parameters:,} parameters ({bytes:,} bytes in bf16) with the prompt format of
the DeepSeek-R1 distills: the same control tokens, chat template and `<think>` block, but trained
from scratch on synthetic questions only. It makes the package answer something right, with visible
reasoning, straight after installing; it is no language model in the usual sense.

It can:

- add and subtract numbers of up to 4 digits, multiply up to 3 digits by 1 and 2 digits by 2;
- compare decimals ("Which is larger, 9.11 or 9.9?");
- count letters ("How many r's are in strawberry?");
- name capitals and say whether a city is big ("Is Beijing a big city?"), for a few dozen places.

To anything else it says what it is and how to load a real model. Beyond these sizes, or on
questions phrased very differently from its training data, it is wrong without noticing.

## Measured

Exact answers, greedy, on {questions} held-out questions in the default mode, with reasoning; they
share no problem with the training data (`tools/train_demo/generate.py: held_out`). Measured by
pyinfer itself (`tools/train_demo/accuracy.py`), weights in the format named, where `q4_0` keeps
embedding and head in q8_0. The figures are in `accuracy.json`.

The rows "(no reasoning)" are {direct} further questions whose prompt ends in an empty reasoning
block. There, small sums and comparisons are answered at once and mostly wrong: arithmetic without
reasoning is not a promise of this model. Longer ones, and letters, it declines.

{table}

## Recipe

Hidden size {hidden}, {layers} layers, {heads} heads of {head_dim}, {kv_heads} kv heads,
feed-forward {inner}, vocabulary {vocabulary} (the last rows are padding), untied head, context
{context} tokens. Trained for {steps:,} steps on {problems:,} generated problems; data, schedule and
commands: `tools/train_demo/README.md`. The place facts are rounded common knowledge written down by
hand. The chat template is the published one of the R1 distills (MIT, DeepSeek). Licence of the
weights: MIT.
"""


def table(formats: dict[str, dict[str, dict[str, int]]]) -> str:
    """Return the accuracy table in Markdown, one row per category, one column per format."""
    names = sorted(
        next(iter(formats.values())),
        key=lambda name: (name.endswith("(no reasoning)"), name.startswith("all"), name),
    )
    lines = [
        "| questions | n | " + " | ".join(formats) + " |",
        "| --- | ---: |" + " ---: |" * len(formats),
    ]
    for name in names:
        rows = [scores[name] for scores in formats.values()]
        cells = [f"{100 * row['right'] / row['of']:.1f} %" for row in rows]
        lines.append(f"| {name} | {rows[0]['of']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def card(folder: Path) -> str:
    """Return the text of the card for a model folder with ``accuracy.json``."""
    accuracy: dict[str, Any] = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = folder / "model.safetensors"
    with safe_open(weights, framework="np") as file:
        names = list(file.keys())
        parameters = sum(prod(file.get_slice(name).get_shape()) for name in names)
        made = file.metadata()
    return _TEXT.format(
        parameters=parameters,
        bytes=weights.stat().st_size,
        questions=accuracy["questions"],
        direct=accuracy["direct"],
        table=table(accuracy["formats"]),
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        head_dim=config["hidden_size"] // config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        inner=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        steps=int(made["steps"]),
        problems=int(made["problems"]),
    )


def main() -> None:
    """Parse the command line and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("pyinfer/demo"))
    args = parser.parse_args()
    (args.folder / "README.md").write_text(card(args.folder), encoding="utf-8")


if __name__ == "__main__":
    main()
