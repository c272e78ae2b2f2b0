"""Writes what transformers computes: logits under ``tests/golden/logits``, and the greedy answers
of the embedded model that ``pyinfer verify`` replays.

Run from the root of the checkout, with the extra [oracle]: ``python -m tools.make_golden``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from tests.model.golden_cases import CASES, FOLDER, dequantized, tokens_of, weights_of
from tests.oracle.reference import forward, reference_model

DEMO = Path("pyinfer/demo")
ANSWERS = Path("pyinfer/eval/golden/demo.json")
QUESTIONS = (
    "Which is larger, 9.11 or 9.9?",
    "What is 12 + 30?",
    "How many r's are in strawberry?",
    "Is Beijing a big city?",
)


def demo_answers() -> dict[str, Any]:
    """Greedy answers of the embedded model in float32, with log-probabilities of their tokens."""
    import torch
    from tokenizers import Tokenizer
    from transformers import Qwen2ForCausalLM

    model = Qwen2ForCausalLM.from_pretrained(DEMO, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    cases = []
    for question in QUESTIONS:
        prompt = f"<｜begin▁of▁sentence｜><｜User｜>{question}<｜Assistant｜><think>\n"
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        with torch.inference_mode():
            out = model.generate(
                torch.tensor([ids]), max_new_tokens=200, do_sample=False,
                temperature=None, top_p=None, top_k=None,
            )[0]  # fmt: skip
            rows = torch.log_softmax(model(out[None]).logits[0].double(), -1)
        answer = out[len(ids) :].tolist()
        logprobs = rows[range(len(ids) - 1, len(out) - 1), answer].tolist()
        cases.append(
            {"name": question, "prompt": prompt, "prompt_ids": ids, "generated_ids": answer,
             "logprobs": [round(value, 4) + 0.0 for value in logprobs]}
        )  # fmt: skip
    config = model.config
    match = {
        "hidden_size": config.hidden_size, "n_layers": config.num_hidden_layers,
        "vocab_size": config.vocab_size,
    }  # fmt: skip
    note = "Greedy answers of transformers in float32, made by tools/make_golden.py."
    return {"model": "the embedded model", "note": note, "match": match, "cases": cases}


def main() -> None:
    """Run every case through the reference and store its logits, float32 (T, V)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        weights = dequantized(weights_of(case.config), case.dtype)
        logits = forward(reference_model(case.config, weights), tokens_of(case))
        np.savez_compressed(case.path, logits=logits)
        print(f"{case.path.name}: {case.path.stat().st_size} bytes")
    text = json.dumps(demo_answers(), ensure_ascii=False, indent=1)
    # Lists of numbers on one line.
    text = re.sub(r"\[\s*((?:-?[\d.]+,?\s*)+)\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    ANSWERS.write_text(text + "\n", encoding="utf-8")
    print(f"{ANSWERS.name}: {ANSWERS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
