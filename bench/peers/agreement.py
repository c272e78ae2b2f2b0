"""Do pyinfer and llama.cpp say the same about the same files? Perplexity and greedy tokens.

    python -m bench.peers.agreement --peer-python P --out docs/runs/quality/agreement.json

``--peer-python`` names the interpreter that has llama-cpp-python (extra ``[peers]``). Without files
the embedded model is measured in every type that llama.cpp's quantizer writes, on the text of
held-out questions. Each file is also measured with its weights expanded to f32 and f32 activations:
what both would say without rounding activations.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyinfer
from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.convert.requantize import requantize
from pyinfer.convert.to_gguf import folder_to_gguf
from pyinfer.eval.perplexity import Estimate, score
from pyinfer.eval.subject import Subject
from pyinfer.eval.windows import halves, text_tokens
from pyinfer.quant.plan import FileRules
from pyinfer.store.places import DEMO_FOLDER
from tools.train_demo.generate import held_out
from tools.train_demo.quality import text_of

Losses = npt.NDArray[np.float64]

# File types as llama.cpp numbers them (``enum llama_ftype``).
TYPES = {
    "f32": 0, "bf16": 32, "q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q5_1": 9, "q5_0": 8, "q4_k_m": 15,
    "q4_1": 3, "iq4_nl": 25, "q4_0": 2, "q3_k_m": 12, "q2_k": 10,
}  # fmt: skip
PROMPTS = (
    "Which is larger, 9.11 or 9.9?",
    "What is 12 + 30?",
    "How many r's are in strawberry?",
    "Is Beijing a big city?",
    "what is 734 - 215",
    "Tell me a joke.",
)
TOKENS_PER_QUESTION = 92  # of the text with control tokens, on average


def losses(path: Path, text: str, n_ctx: int, special: bool) -> tuple[list[int], Losses]:
    """Tokens of the text, and the mean loss of every window by pyinfer."""
    found: list[float] = []
    before = Estimate()

    def report(_: int, estimate: Estimate) -> None:
        found.append((estimate.total - before.total) / (estimate.count - before.count))
        before.count, before.total = estimate.count, estimate.total

    with Subject(path, LoadOptions(ctx_size=n_ctx)) as subject:
        tokenizer = subject.tokenizer
        tokens = text_tokens(tokenizer, text, special=special)
        bos = tokenizer.bos_id if tokenizer.add_bos else None
        score(subject.model, halves(tokens, n_ctx, bos), report)
    return tokens.tolist(), np.array(found)


def greedy_answers(path: Path, n_ctx: int, n: int) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts and greedy answers of pyinfer."""
    greedy = pyinfer.SamplingParams(temperature=0, max_tokens=n)
    with pyinfer.load(path, ctx_size=n_ctx) as llm:
        prompts = [
            llm.chat_template.prompt([{"role": "user", "content": p}]).token_ids for p in PROMPTS
        ]
        return prompts, [llm.generate(token_ids=p, params=greedy).token_ids for p in prompts]


def apart(a: Losses, b: Losses) -> dict[str, float]:
    """Relative difference of two perplexities on the same windows, and its standard error."""
    difference = a - b
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return {"difference": math.expm1(float(difference.mean())), "error": error}


def compare(path: Path, folder: Path, text: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one file with both, and without rounding of activations."""
    tokens, mine = losses(path, text, options.ctx_size, options.special)
    prompts, answers = greedy_answers(path, options.ctx_size, options.n)
    expanded = folder / "expanded.gguf"
    with open_checkpoint(path) as checkpoint:
        requantize(checkpoint, expanded, FileRules("f32"), allow_quantized=True, force=True)
    _, exact = losses(expanded, text, options.ctx_size, options.special)
    request = {
        "text": text, "n_ctx": options.ctx_size, "special": options.special, "n": options.n,
        "prompts": prompts,
    }  # fmt: skip
    peer = json.loads(_peer(options, "bench.peers.llama_scores", str(path), request=request))
    theirs = np.array(peer["window_nll"])
    pairs = list(zip(answers, peer["greedy"], strict=True))
    return {
        "file": path.name,
        "same_text_tokens": tokens == peer["tokens"],
        "scored": peer["count"],
        "windows": len(theirs),
        "pyinfer": math.exp(float(mine.mean())),
        "llama_cpp": math.exp(float(theirs.mean())),
        "exact": math.exp(float(exact.mean())),
        **apart(mine, theirs),
        "pyinfer_to_exact": apart(mine, exact),
        "llama_cpp_to_exact": apart(theirs, exact),
        "same_answers": sum(a == b for a, b in pairs),
        "answers": len(pairs),
        "first_difference": [_first_difference(a, b) for a, b in pairs],
    }


def embedded_files(folder: Path, options: argparse.Namespace) -> list[Path]:
    """Write the embedded model as f32 and let llama.cpp's quantizer write the other types."""
    base = folder / "demo-f32.gguf"
    with open_checkpoint(DEMO_FOLDER) as checkpoint:
        folder_to_gguf(checkpoint, base, FileRules("f32"))
    files = []
    for name in options.types:
        files.append(folder / f"demo-{name}.gguf")
        if files[-1] != base:
            _peer(
                options, "bench.peers.llama_quantize", str(base), str(files[-1]), str(TYPES[name])
            )
    return files


def _peer(options: argparse.Namespace, module: str, *words: str, request: Any = None) -> str:
    command = [options.peer_python, "-m", module, *words]
    text = json.dumps(request)
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def _first_difference(a: list[int], b: list[int]) -> int | None:
    if a == b:
        return None
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def main() -> None:
    """Compare all files and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--types", nargs="*", choices=TYPES, default=list(TYPES))
    parser.add_argument("--text", type=Path, help="default: held-out questions with their answers")
    parser.add_argument("--windows", type=int, default=800, help="of that default text")
    parser.add_argument("--ctx-size", type=int, default=512)
    parser.add_argument("--special", action="store_true", help="control tokens in the text")
    parser.add_argument("-n", type=int, default=120, help="tokens per answer")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.text is not None:
        text, source = options.text.read_text("utf-8").removesuffix("\n"), options.text.name
    else:
        count = options.windows * options.ctx_size // TOKENS_PER_QUESTION
        text, source = text_of(held_out(count)), f"{count} held-out questions"
        options.special = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in options.files or embedded_files(folder, options):
            result = {"text": source, **compare(path, folder, text, options)}
            print(json.dumps(result), flush=True)
            if options.out is not None:
                keep(options.out, result, options.ctx_size)


def keep(out: Path, result: dict[str, Any], n_ctx: int) -> None:
    """Put the result of one file into a saved run, in the place of an older one."""
    run = json.loads(out.read_text("utf-8")) if out.exists() else {}
    facts = run.get("agreement", {"ctx_size": n_ctx, "files": []})
    others = [file for file in facts["files"] if file["file"] != result["file"]]
    order = [f"demo-{name}.gguf" for name in TYPES]
    facts["files"] = sorted(
        [*others, result],
        key=lambda f: order.index(f["file"]) if f["file"] in order else len(order),
    )
    out.write_text(json.dumps({"agreement": facts}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
