"""Do pyinfer and llama.cpp say the same about the same files? Perplexity and greedy tokens.

    python -m bench.peers.agreement --text FILE --out docs/runs/agreement.json FILE.gguf ...

``--peer-python`` names the interpreter that has llama-cpp-python (extra ``[peers]``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyinfer
from pyinfer.eval.perplexity import score
from pyinfer.eval.subject import Subject
from pyinfer.eval.windows import halves, text_tokens

PROMPTS = (
    "Which is larger, 9.11 or 9.9?",
    "What is 12 + 30?",
    "How many r's are in strawberry?",
    "Is Beijing a big city?",
    "what is 734 - 215",
    "Tell me a joke.",
)


def ours(path: Path, text: str, n_ctx: int, special: bool, n: int) -> dict[str, Any]:
    """Perplexity, tokens, prompts and greedy answers of pyinfer."""
    with Subject(path, n_ctx) as subject:
        tokenizer = subject.tokenizer
        tokens = text_tokens(tokenizer, text, special=special)
        bos = tokenizer.bos_id if tokenizer.add_bos else None
        estimate = score(subject.model, halves(tokens, n_ctx, bos))
    greedy = pyinfer.SamplingParams(temperature=0, max_tokens=n)
    with pyinfer.load(path, ctx_size=n_ctx) as llm:
        prompts = [
            llm.chat_template.prompt([{"role": "user", "content": p}]).token_ids for p in PROMPTS
        ]
        answers = [llm.generate(token_ids=p, params=greedy).token_ids for p in prompts]
    return {"tokens": tokens.tolist(), "perplexity": estimate.perplexity, "prompts": prompts,
            "mean_nll": estimate.mean, "count": estimate.count, "greedy": answers}  # fmt: skip


def compare(path: Path, text: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one file with both."""
    mine = ours(path, text, options.ctx_size, options.special, options.n)
    request = {
        "text": text, "n_ctx": options.ctx_size, "special": options.special, "n": options.n,
        "prompts": mine["prompts"],
    }  # fmt: skip
    done = subprocess.run(
        [options.peer_python, "-m", "bench.peers.llama_scores", str(path)],
        input=json.dumps(request), capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = json.loads(done.stdout)
    pairs = list(zip(mine["greedy"], theirs["greedy"], strict=True))
    return {
        "file": path.name,
        "same_text_tokens": mine["tokens"] == theirs["tokens"],
        "scored": mine["count"],
        "pyinfer": mine["perplexity"],
        "llama_cpp": theirs["perplexity"],
        "difference": mine["perplexity"] / theirs["perplexity"] - 1,
        "same_answers": sum(a == b for a, b in pairs),
        "answers": len(pairs),
        "first_difference": [_first_difference(a, b) for a, b in pairs],
    }


def _first_difference(a: list[int], b: list[int]) -> int | None:
    if a == b:
        return None
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def main() -> None:
    """Compare all files and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--ctx-size", type=int, default=512)
    parser.add_argument("--special", action="store_true", help="control tokens in the text")
    parser.add_argument("-n", type=int, default=120, help="tokens per answer")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = options.text.read_text("utf-8").removesuffix("\n")
    results = []
    for path in options.files:
        results.append(compare(path, text, options))
        print(json.dumps(results[-1]), flush=True)
    if options.out is not None:
        facts = {"text": options.text.name, "ctx_size": options.ctx_size, "files": results}
        options.out.write_text(json.dumps({"agreement": facts}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
