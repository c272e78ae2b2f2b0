"""What each file type costs the embedded model: size, perplexity, divergence from f32, answers.

    python -m tools.train_demo.quality

Writes ``docs/runs/quality/embedded.json``, from which ``bench.report`` makes the table. The text is
that of held-out questions with their answers. The importance matrix is made from other ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.convert.requantize import requantize
from pyinfer.convert.to_gguf import folder_to_gguf
from pyinfer.eval.divergence import compare
from pyinfer.eval.importance import collect
from pyinfer.eval.importance_file import write_importance
from pyinfer.eval.logits_file import LogitsReader, LogitsWriter, Shape
from pyinfer.eval.perplexity import score
from pyinfer.eval.subject import Subject
from pyinfer.eval.windows import second_halves, text_tokens
from pyinfer.quant.plan import MIXES, FileRules
from pyinfer.store.places import DEMO_FOLDER

from .accuracy import measure
from .generate import held_out
from .problem import Problem
from .tokenizer import EOS, completion_text, prompt_text

N_CTX = 512
OUT = Path("docs/runs/quality/embedded.json")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write the model."""

    mix: str
    fit: bool = False
    imatrix: bool = False

    @property
    def label(self) -> str:
        """Name in the table."""
        return self.mix + (" --imatrix" if self.imatrix else " --fit" if self.fit else "")


def variants() -> list[Variant]:
    """Every type that can be written, and the searches for those that have one."""
    found = [Variant(mix) for mix in MIXES]
    found.append(Variant("q4_0", fit=True))
    found += [Variant(mix, imatrix=True) for mix in MIXES if mix[:2] in ("q2", "q3", "q4")]
    return found


def text_of(problems: Sequence[Problem]) -> str:
    """Conversations as the model saw them in training."""
    return "".join(prompt_text(p) + completion_text(p) + EOS for p in problems)


def prepare(folder: Path, n_windows: int) -> Path:
    """Write the f32 file, its logits and the importance matrix."""
    base = folder / "f32.gguf"
    with open_checkpoint(DEMO_FOLDER) as checkpoint:
        folder_to_gguf(checkpoint, base, FileRules("f32"))
    problems = held_out(1200)
    with Subject(base, LoadOptions(ctx_size=N_CTX)) as subject:
        tokenizer, model = subject.tokenizer, subject.model
        rows = [
            text_tokens(tokenizer, text_of(part), special=True)[: n_windows * N_CTX].reshape(
                -1, N_CTX
            )
            for part in (problems[:600], problems[600:])
        ]
        shape = Shape(N_CTX, model.config.vocab_size, len(rows[0]))
        writer = LogitsWriter(folder / "base", shape, rows[0].reshape(-1))
        with writer.file:
            score(model, second_halves(rows[0], tokenizer.bos_id), keep=writer.add)
            writer.file.publish()
        found = collect(model, [w.tokens for w in second_halves(rows[1], tokenizer.bos_id)])
    write_importance(
        folder / "imatrix.gguf", found, dataset="held-out questions", n_windows=n_windows,
        n_ctx=N_CTX,
    )  # fmt: skip
    return base


def measured(base: Path, variant: Variant, problems: list[Problem]) -> dict[str, Any]:
    """Write one variant and measure it."""
    folder = base.parent
    path = folder / "variant.gguf"
    with open_checkpoint(base) as checkpoint:
        written = requantize(
            checkpoint, path, FileRules(variant.mix), fit=variant.fit, force=True,
            imatrix=folder / "imatrix.gguf" if variant.imatrix else None,
        )  # fmt: skip
    with (
        Subject(path, LoadOptions(ctx_size=N_CTX)) as subject,
        LogitsReader(folder / "base") as saved,
    ):
        windows = second_halves(saved.tokens, subject.tokenizer.bos_id)
        found = compare(subject.model, windows, saved)
        estimate = found.model
    answers = measure(path, None, problems)["all"] if problems else {"right": 0, "of": 0}
    return {
        "bytes": written.n_bytes,
        "bits_per_weight": written.bits_per_weight,
        "perplexity": estimate.perplexity,
        "perplexity_error": estimate.error,
        "mean_kl": found.mean_kl()[0],
        "kl_99": found.percentiles()["99%"],
        "same_top": found.top_agreement()[0],
        "tokens": found.count,
        "answers": answers,
    }


def main() -> None:
    """Measure all variants and write the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", help="labels to measure; others stay as saved")
    options = parser.parse_args()
    run: dict[str, Any] = {"questions": options.questions, "variants": {}}
    if options.only and options.out.exists():
        run = json.loads(options.out.read_text("utf-8"))
    problems = held_out(options.questions)
    with tempfile.TemporaryDirectory() as name:
        base = prepare(Path(name), options.windows)
        for variant in variants():
            if options.only and variant.label not in options.only:
                continue
            run["variants"][variant.label] = measured(base, variant, problems)
            print(variant.label, json.dumps(run["variants"][variant.label]), flush=True)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(run, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
