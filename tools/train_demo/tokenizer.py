"""Trains the byte-level BPE tokenizer and adds the control tokens of the R1 distills."""

from __future__ import annotations

from itertools import islice

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from .generate import stream
from .problem import Problem

BASE_TOKENS = 486
MODEL_VOCABULARY = 512  # rows of the embedding; the last ones are padding, as in the real models

# The split of Qwen2: one digit per token.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
EOS = "<｜end▁of▁sentence｜>"
USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
BOS = "<｜begin▁of▁sentence｜>"
THINK = "<think>\n"
EMPTY_THINK = "<think>\n\n</think>\n\n"

# In the order of the R1 distills, with their "special" flags.
ADDED: tuple[tuple[str, bool], ...] = (
    (EOS, True),
    (USER, False),
    (ASSISTANT, False),
    (BOS, True),
    ("<|EOT|>", False),
    ("<think>", False),
    ("</think>", False),
    ("<|quad_start|>", True),
    ("<|quad_end|>", True),
    ("<|vision_start|>", True),
    ("<|vision_end|>", True),
    ("<|vision_pad|>", True),
    ("<|image_pad|>", True),
    ("<|video_pad|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    ("<|fim_prefix|>", False),
    ("<|fim_middle|>", False),
    ("<|fim_suffix|>", False),
    ("<|fim_pad|>", False),
    ("<|repo_name|>", False),
    ("<|file_sep|>", False),
)


def prompt_text(problem: Problem) -> str:
    """Return the prompt as the R1 chat template renders it, up to and with the think opening."""
    parts = [BOS, problem.system]
    for question, answer in problem.history:
        parts += [USER, question, ASSISTANT, answer, EOS]
    parts += [USER, problem.question, ASSISTANT, THINK if problem.think else EMPTY_THINK]
    return "".join(parts)


def completion_text(problem: Problem) -> str:
    """Return what the model must write after the prompt, without the end token."""
    if not problem.think:
        return problem.answer
    return f"{problem.reasoning}</think>\n\n{problem.answer}"


def train_tokenizer(texts: int = 20_000) -> Tokenizer:
    """Train the tokenizer on the first ``texts`` training problems; deterministic."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    lines = (
        text
        for problem in islice(stream(), texts)
        for text in (problem.question, problem.reasoning, problem.answer)
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens(
        [AddedToken(text, special=special, normalized=False) for text, special in ADDED]
    )
    return tokenizer


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """Return the id of one token that must exist."""
    found = tokenizer.token_to_id(text)
    if found is None:
        raise KeyError(text)
    return int(found)


def encode(tokenizer: Tokenizer, problem: Problem) -> tuple[list[int], int]:
    """Return the ids of prompt, completion and end token, and the length of the prompt part."""
    prompt = tokenizer.encode(prompt_text(problem), add_special_tokens=False).ids
    rest = tokenizer.encode(completion_text(problem), add_special_tokens=False).ids
    return [*prompt, *rest, token_id(tokenizer, EOS)], len(prompt)
