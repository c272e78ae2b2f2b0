"""What a ``prompt`` field can be: one text, token ids, a mixture, or a list of those."""

from __future__ import annotations

from typing import TypeGuard

from pyinfer.errors import NotServedError
from pyinfer.requests.spec import bad_value
from pyinfer.server.llama.schemas import InfillBody, PromptText
from pyinfer.text.tokenizer import Tokenizer

MAX_PROMPTS = 128

_FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_REPOSITORY, _FILE = "<|repo_name|>", "<|file_sep|>"


def split_prompts(prompt: PromptText | list[PromptText], name: str) -> list[PromptText]:
    """The prompts of a request. A list of texts is several prompts, one with ids is one.

    Raises
    ------
    RequestError
        The list is empty or too long.
    """
    if isinstance(prompt, str) or _is_one(prompt):
        return [prompt]
    prompts: list[PromptText] = list(prompt)  # type: ignore[arg-type]
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise bad_value(name, f"{name} must hold 1 to {MAX_PROMPTS} prompts, not {len(prompts)}")
    return prompts


def _is_one(prompt: list[int | str] | list[PromptText]) -> TypeGuard[list[int | str]]:
    flat = all(isinstance(part, int | str) for part in prompt)
    return flat and any(isinstance(part, int) for part in prompt)


def prompt_ids(
    tokenizer: Tokenizer, prompt: PromptText, add_special: bool, limit: int
) -> list[int]:
    """Token ids of a text or of a mixture; BOS comes only before a text at the beginning.

    Raises
    ------
    ContextLengthError
        A text is long, and has more than ``limit`` tokens.
    """
    parts = [prompt] if isinstance(prompt, str) else prompt
    ids: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            ids += tokenizer.encode(part, add_special and number == 0, limit=limit)
        else:
            ids.append(part)
    return ids


def infill_ids(tokenizer: Tokenizer, body: InfillBody, limit: int) -> list[int]:
    """The prompt that asks a model for what stands between a prefix and a suffix.

    Raises
    ------
    ContextLengthError
        A text is long, and has more than ``limit`` tokens.
    NotServedError
        The model has no tokens for it.
    """
    tokens = tokenizer.added_tokens
    if not all(name in tokens for name in _FIM):
        raise NotServedError("this model was not made to fill in text")
    prefix, suffix, middle = (tokens[name] for name in _FIM)
    ids: list[int] = []

    def plain(text: str) -> list[int]:
        return tokenizer.encode(text, parse_special=False, limit=limit)

    if body.input_extra and _FILE in tokens:
        if _REPOSITORY in tokens:
            ids += [tokens[_REPOSITORY], *plain("project\n")]
        for file in body.input_extra:
            text = f"{file.filename or 'file'}\n{file.text}"
            ids += [tokens[_FILE], *plain(text)]
        ids += [tokens[_FILE], *plain("current\n")]
    return [
        *ids,
        prefix,
        *plain(body.input_prefix),
        suffix,
        *plain(body.input_suffix),
        middle,
        *plain(body.prompt),
    ]
