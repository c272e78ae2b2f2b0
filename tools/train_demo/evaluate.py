"""Greedy accuracy on held-out questions, in float32 and under weight quantization."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from .generate import held_out
from .problem import Problem
from .tokenizer import EOS, completion_text, prompt_text, token_id

FORMATS = ("f32", "bf16", "q8_0", "q4_0")
_QUANTS = {
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
}


@torch.inference_mode()
def answers(
    model: Qwen2ForCausalLM,
    tokenizer: Tokenizer,
    problems: list[Problem],
    *,
    slack: int = 24,
    group: int = 100,
    temperature: float = 0.0,
    top_p: float = 1.0,
) -> list[str]:
    """Return the full completions (reasoning, tags, answer) without the end token.

    Questions are grouped by the length of their expected completion, and a group stops ``slack``
    tokens after its longest: whatever still runs then is wrong anyway.
    """
    eos = token_id(tokenizer, EOS)
    prompts = [tokenizer.encode(prompt_text(p), add_special_tokens=False).ids for p in problems]
    wanted = [len(tokenizer.encode(completion_text(p), add_special_tokens=False)) for p in problems]
    order = sorted(range(len(prompts)), key=lambda index: wanted[index])
    texts = [""] * len(prompts)
    sampling = (
        {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
        if temperature > 0
        else {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    )
    for first in range(0, len(order), group):
        chosen = order[first : first + group]
        width = max(len(prompts[index]) for index in chosen)
        ids = torch.full((len(chosen), width), eos)
        mask = torch.zeros(len(chosen), width, dtype=torch.long)
        for row, index in enumerate(chosen):
            ids[row, width - len(prompts[index]) :] = torch.tensor(prompts[index])
            mask[row, width - len(prompts[index]) :] = 1
        out = model.generate(
            ids, attention_mask=mask, max_new_tokens=wanted[chosen[-1]] + slack,
            pad_token_id=eos, eos_token_id=eos, use_cache=True, **sampling,
        )  # fmt: skip
        for row, index in enumerate(chosen):
            new = out[row, width:].tolist()
            new = new[: new.index(eos)] if eos in new else new
            texts[index] = tokenizer.decode(new, skip_special_tokens=False)
    return texts


def final_answer(completion: str, *, think: bool) -> str:
    """Return what follows the reasoning; empty if the reasoning never ends."""
    if not think:
        return completion.strip()
    return completion.partition("</think>")[2].strip()


def score(problems: list[Problem], completions: list[str]) -> dict[str, dict[str, int]]:
    """Count right answers per category, those without reasoning apart."""
    table: dict[str, dict[str, int]] = defaultdict(lambda: {"right": 0, "of": 0})
    for problem, completion in zip(problems, completions, strict=True):
        right = final_answer(completion, think=problem.think) == problem.answer
        name = problem.category if problem.think else f"{problem.category} (no reasoning)"
        for row in (name, "all" if problem.think else "all (no reasoning)"):
            table[row]["of"] += 1
            table[row]["right"] += right
    return {name: table[name] for name in sorted(table)}


def rounded(weight: np.ndarray, name: str, form: str) -> np.ndarray:
    """Return a matrix as it comes back from a weight format.

    ``q4_0`` keeps embedding and head in q8_0, ``q4_0 pure`` does not.
    """
    if form == "f32":
        return weight
    if form == "bf16":
        return torch.from_numpy(weight).bfloat16().float().numpy()
    outer = "embed_tokens" in name or "lm_head" in name
    kind = _QUANTS["q8_0" if form == "q8_0" or (form == "q4_0" and outer) else "q4_0"]
    return gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind)


def in_format(model: Qwen2ForCausalLM, form: str) -> Qwen2ForCausalLM:
    """Return a copy of the model with its matrices rounded to a format."""
    copy = Qwen2ForCausalLM(model.config).float()
    copy.load_state_dict(model.state_dict())
    copy.eval()
    for name, parameter in copy.named_parameters():
        if parameter.ndim == 2:
            data = rounded(parameter.detach().numpy().copy(), name, form)
            parameter.data = torch.from_numpy(np.ascontiguousarray(data))
    return copy


def main() -> None:
    """Evaluate a model folder and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--direct", type=int, default=100, help="questions without reasoning")
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", type=Path, help="where the JSON goes")
    parser.add_argument("--show", type=int, default=0, help="print this many wrong answers")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
    model = Qwen2ForCausalLM.from_pretrained(args.folder, dtype=torch.float32)
    problems = held_out(args.count) + held_out(args.direct, think=False)
    result: dict[str, object] = {"questions": args.count, "direct": args.direct}
    result["decoding"] = "greedy"
    tables = {}
    for form in args.formats:
        completions = answers(in_format(model, form), tokenizer, problems)
        tables[form] = score(problems, completions)
        print(form, json.dumps(tables[form]["all"]), flush=True)
        wrong = [
            (problem, completion)
            for problem, completion in zip(problems, completions, strict=True)
            if final_answer(completion, think=problem.think) != problem.answer
        ]
        for problem, completion in wrong[: args.show]:
            print(f"--- {problem.question!r}\n{completion}\nexpected: {problem.answer}")
    result["formats"] = tables
    if args.write:
        args.write.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
