"""Measures what the format of the key-value cache does to the answers of the embedded model.

    python -m tools.train_demo.kv_types pyinfer/demo docs/runs/quality/kv-types.json

Greedy answers to held-out questions, and the divergence of the next-token probabilities over
question and answer from those with an f32 cache. The weights stay in the default format.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyinfer

from .accuracy import TOGETHER, messages
from .generate import held_out
from .problem import Problem

KV_TYPES = ("f32", "f16", "q8_0")
BASE = "f32"

Logs = npt.NDArray[np.float64]


def answers(llm: pyinfer.LLM, problems: list[Problem]) -> list[pyinfer.Generation]:
    """Greedy answers, many at a time."""
    greedy = pyinfer.SamplingParams(temperature=0, max_tokens=600)
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(lambda p: llm.chat(messages(p), params=greedy), problems))


def log_probabilities(llm: pyinfer.LLM, tokens: list[int]) -> Logs:
    """Of every id after every token."""
    logits = llm.logits(tokens)[:-1].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def measure(folder: Path, problems: list[Problem], n_texts: int) -> dict[str, Any]:
    """Every format against the first one."""
    table: dict[str, Any] = {}
    base_logs: list[Logs] = []
    base_answers: list[pyinfer.Generation] = []
    texts: list[list[int]] = []
    for kv_type in KV_TYPES:
        with pyinfer.load(folder, kv_type=kv_type) as llm:
            found = answers(llm, problems)
            if kv_type == BASE:
                base_answers = found
                texts = [
                    llm.tokenizer.encode(llm.apply_chat_template(messages(p))) + a.token_ids
                    for p, a in zip(problems[:n_texts], found, strict=False)
                ]
            logs = [log_probabilities(llm, text) for text in texts]
            if kv_type == BASE:
                base_logs = logs
        table[kv_type] = {
            "right": sum(a.text.strip() == p.answer for a, p in zip(found, problems, strict=True)),
            "of": len(problems),
            "same_answer": sum(
                a.token_ids == b.token_ids for a, b in zip(found, base_answers, strict=True)
            ),
            **divergence(logs, base_logs, texts),
        }
    return table


def divergence(logs: list[Logs], base: list[Logs], texts: list[list[int]]) -> dict[str, Any]:
    """Perplexity, mean and largest Kullback-Leibler divergence, agreement of the best id."""
    kl = [(np.exp(b) * (b - x)).sum(axis=1) for x, b in zip(logs, base, strict=True)]
    best = [x.argmax(axis=1) == b.argmax(axis=1) for x, b in zip(logs, base, strict=True)]
    right = [x[np.arange(len(x)), t[1:]] for x, t in zip(logs, texts, strict=True)]
    return {
        "tokens": sum(map(len, kl)),
        "perplexity": float(np.exp(-np.concatenate(right).mean())),
        "mean_kl": float(np.concatenate(kl).mean()),
        "max_kl": float(np.concatenate(kl).max()),
        "same_best": float(np.concatenate(best).mean()),
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--texts", type=int, default=200, help="answers whose tokens are scored")
    args = parser.parse_args()
    result = {
        "questions": args.count,
        "base": BASE,
        "kv_types": measure(args.folder, held_out(args.count), args.texts),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["kv_types"], indent=1))


if __name__ == "__main__":
    main()
