"""Trains the demo model; resumable, every choice seeded."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import Qwen2ForCausalLM

from .batches import IGNORE, Batch, Packer
from .evaluate import answers, score
from .generate import HELD_OUT_SEED, TRAIN_SEED, held_out
from .model import demo_config, new_model
from .tokenizer import BOS, EOS, token_id, train_tokenizer

ROWS, LENGTH = 20, 256
LONG_ROWS, LONG_LENGTH, LONG_EVERY, LONG_FROM = 3, 1408, 16, 1000
MUON_RATE, ADAM_RATE = 4e-3, 2e-3
WARM_UP = 60
DEVELOPMENT_SEED = HELD_OUT_SEED + 1  # the card's questions are never looked at while training


def rate_factor(step: int, steps: int, decay: float) -> float:
    """Return the learning-rate factor: warm up, hold, then fall linearly to 2 %."""
    start = int(steps * (1 - decay))
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    if step < start:
        return 1.0
    return max(0.02, 1 - 0.98 * (step - start) / max(1, steps - start))


def optimizers(model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the layers and AdamW for the rest."""
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n]
    chosen = {id(p) for p in inner}
    outer = [p for p in model.parameters() if p.ndim == 2 and id(p) not in chosen]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    muon = torch.optim.Muon(
        inner, lr=MUON_RATE, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    groups = [{"params": outer, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=ADAM_RATE, betas=(0.9, 0.98))
    return [muon, adam]


def fake_q4_0(weight: torch.Tensor) -> torch.Tensor:
    """Round a matrix to q4_0 and back: blocks of 32, float16 scale, 16 levels."""
    blocks = weight.reshape(-1, 32)
    extreme = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = extreme / -8
    inverse = torch.where(scale == 0, torch.zeros_like(scale), 1 / scale)
    levels = (blocks * inverse + 8.5).trunc().clamp(0, 15) - 8
    return (levels * scale.half().float()).reshape(weight.shape)


def loss_of(model: Qwen2ForCausalLM, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    """Return the mean loss over the completion tokens."""
    wanted = batch.labels != IGNORE
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        hidden = model.model(
            input_ids=batch.tokens,
            attention_mask={"full_attention": batch.mask},
            position_ids=batch.positions,
        ).last_hidden_state
        logits = model.lm_head(hidden[wanted])
    return functional.cross_entropy(logits.float(), batch.labels[wanted])


def backward(
    model: Qwen2ForCausalLM, batch: Batch, dtype: torch.dtype, *, quantized: bool
) -> float:
    """Run one step's gradients; ``quantized`` sees q4_0 weights (straight-through)."""
    kept = []
    if quantized:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    kept.append((parameter, parameter.data))
                    parameter.data = fake_q4_0(parameter.data)
    loss = loss_of(model, batch, dtype)
    loss.backward()
    for parameter, data in kept:
        parameter.data = data
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return float(loss.detach())


def report(model: Qwen2ForCausalLM, tokenizer: Tokenizer, count: int) -> dict[str, Any]:
    """Return accuracy on development questions (held out, but not those of the card)."""
    model.eval()
    problems = held_out(count, DEVELOPMENT_SEED)
    table = score(problems, answers(model, tokenizer, problems))
    model.train()
    return {name: f"{row['right']}/{row['of']}" for name, row in table.items()}


def train(args: argparse.Namespace) -> None:
    """Run the training from the newest checkpoint in the work folder, or from the start."""
    work: Path = args.work
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    tokens = work / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(tokens)) if tokens.exists() else train_tokenizer()
    tokenizer.save(str(tokens))
    config = demo_config(token_id(tokenizer, BOS), token_id(tokenizer, EOS))
    model = new_model(config, args.seed)
    opts = optimizers(model)
    packer = Packer(tokenizer, TRAIN_SEED, focus=args.focus)
    step, spent = 0, 0.0
    saved = work / "checkpoint.pt"
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        for opt, values in zip(opts, state["optimizers"], strict=True):
            opt.load_state_dict(values)
        step, packer.cursor, spent = state["step"], state["cursor"], state["seconds"]
    base = [[MUON_RATE], [ADAM_RATE, ADAM_RATE]]
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    began, running, log = time.monotonic() - spent, 0.0, (work / "log.jsonl").open("a")
    while step < args.steps:
        factor = args.peak * rate_factor(step, args.steps, args.decay)
        for opt, rates in zip(opts, base, strict=True):
            for group, rate in zip(opt.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        long = step >= LONG_FROM and step % LONG_EVERY == 0
        shape = (LONG_ROWS, LONG_LENGTH) if long else (ROWS, LENGTH)
        batch = packer.batch(*shape, long=long)
        quantized = step >= args.steps * (1 - args.quantized) and step % 2 == 1
        loss = backward(model, batch, dtype, quantized=quantized)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        running = loss if not running else 0.95 * running + 0.05 * loss
        if step % 20 == 0:
            line: dict[str, Any] = {
                "step": step, "loss": round(running, 4), "s": round(time.monotonic() - began),
            }  # fmt: skip
            print(json.dumps(line), flush=True)
        if step % args.save_every == 0 or step == args.steps:
            line = {"step": step, "loss": round(running, 4), "s": round(time.monotonic() - began)}
            line["accuracy"] = report(model, tokenizer, args.check)
            log.write(json.dumps(line) + "\n")
            log.flush()
            print(json.dumps(line), flush=True)
            state = {
                "model": model.state_dict(), "optimizers": [opt.state_dict() for opt in opts],
                "step": step, "cursor": packer.cursor, "seconds": time.monotonic() - began,
            }  # fmt: skip
            torch.save(state, work / "checkpoint.tmp")
            (work / "checkpoint.tmp").replace(saved)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/train_demo"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--decay", type=float, default=0.4, help="last share, falling rate")
    parser.add_argument("--quantized", type=float, default=0.2, help="last share, with q4_0 steps")
    parser.add_argument("--peak", type=float, default=1.0, help="scales the learning rates")
    parser.add_argument("--focus", type=int, default=0, help="every n-th problem a hard kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save-every", type=int, default=400)
    parser.add_argument("--check", type=int, default=128, help="development questions per check")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
