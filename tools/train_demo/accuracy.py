"""Measures the embedded model with pyinfer itself, in every weight format, and writes the figures.

    python -m tools.train_demo.accuracy pyinfer/demo

`evaluate.py` does the same with transformers, for use while training; this is what users run.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyinfer

from .generate import held_out
from .problem import Problem

FORMATS = ("f32", "bf16", "q8_0", "q4_0")
TOGETHER = 32  # questions in one step


def messages(problem: Problem) -> list[dict[str, str]]:
    """Return the conversation that ends in the question."""
    turns = [("system", problem.system)] if problem.system else []
    for question, answer in problem.history:
        turns += [("user", question), ("assistant", answer)]
    turns.append(("user", problem.question))
    return [{"role": role, "content": content} for role, content in turns]


def measure(folder: Path, dtype: str | None, problems: list[Problem]) -> dict[str, dict[str, int]]:
    """Count exact answers per category, greedy; those without reasoning apart."""
    greedy = pyinfer.SamplingParams(temperature=0, max_tokens=600)

    def is_right(problem: Problem) -> bool:
        answer = llm.chat(messages(problem), params=greedy, think=None if problem.think else False)
        return answer.text.strip() == problem.answer

    with pyinfer.load(folder, dtype=dtype) as llm, ThreadPoolExecutor(TOGETHER) as pool:
        right = list(pool.map(is_right, problems))
    table: dict[str, dict[str, int]] = defaultdict(lambda: {"right": 0, "of": 0})
    for problem, ok in zip(problems, right, strict=True):
        suffix = "" if problem.think else " (no reasoning)"
        for row in (problem.category + suffix, "all" + suffix):
            table[row]["of"] += 1
            table[row]["right"] += ok
    return {name: table[name] for name in sorted(table)}


def main() -> None:
    """Measure all formats and write ``accuracy.json`` into the model's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--direct", type=int, default=100, help="questions without reasoning")
    args = parser.parse_args()
    problems = held_out(args.count) + held_out(args.direct, think=False)
    result: dict[str, Any] = {"questions": args.count, "direct": args.direct, "decoding": "greedy"}
    result["formats"] = {form: measure(args.folder, form, problems) for form in FORMATS}
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (args.folder / "accuracy.json").write_text(text, encoding="utf-8")
    print(json.dumps({form: rows["all"] for form, rows in result["formats"].items()}))


if __name__ == "__main__":
    main()
