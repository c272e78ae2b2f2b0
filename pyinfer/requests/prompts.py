"""From a conversation or a text to the token ids of a prompt, cut to the context if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfer.requests.spec import GenerateSpec, ServedModel, bad_value
from pyinfer.text.chat_template import ChatPrompt, ChatTemplate
from pyinfer.text.reasoning import opens_reasoning
from pyinfer.text.tokenizer import Tokenizer
from pyinfer.text.tools import ToolPlan

Render = Callable[[Sequence[Any]], ChatPrompt]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model gets.

    Attributes
    ----------
    text : str
    token_ids : list of int
    starts_in_reasoning : bool
        The prompt ends inside the reasoning.
    truncated_messages, truncated_tokens : int
        What was dropped to make it fit.
    """

    text: str
    token_ids: list[int]
    starts_in_reasoning: bool
    truncated_messages: int = 0
    truncated_tokens: int = 0


def build_prompt(
    served: ServedModel, spec: GenerateSpec, context: int, plan: ToolPlan | None = None
) -> Prompt:
    """The prompt of a request.

    Parameters
    ----------
    served : ServedModel
    spec : GenerateSpec
    plan : ToolPlan, optional
        What to do about the tools of the request.
    context : int
        Most tokens of prompt and answer; looked at only if ``spec.truncate`` is set.

    Raises
    ------
    RequestError, ModelUnsupportedError, ModelFormatError
        Malformed messages or ids, text that is no Unicode, no usable chat template.
    """
    if spec.prompt is not None:
        return _raw(served.tokenizer, spec.prompt, _room(spec, context) if spec.truncate else None)
    template = served.template
    if template is None:
        template = ChatTemplate(served.tokenizer)  # says what is missing
    messages = list(served.preset.conversation(spec.messages or []))
    if not messages:
        raise bad_value("messages", "there are no messages")
    render = _renderer(template, spec, plan)
    if not spec.truncate:
        return _prompt(render(messages))
    return _fitting(render, messages, _room(spec, context))


def _renderer(
    template: ChatTemplate, spec: GenerateSpec, plan: ToolPlan | None
) -> Callable[[Sequence[Any]], ChatPrompt]:
    tools = None if plan is None else plan.template_tools

    def render(messages: Sequence[Any]) -> ChatPrompt:
        if plan is not None:
            messages = plan.messages(messages)
        if spec.continue_final_message:
            return template.continuation(messages, spec.think, tools, spec.template_variables)
        return template.prompt(
            messages, spec.add_generation_prompt, spec.think, tools, spec.template_variables
        )

    return render


def _prompt(chat: ChatPrompt, messages: int = 0, tokens: int = 0) -> Prompt:
    return Prompt(chat.text, chat.token_ids, chat.starts_in_reasoning, messages, tokens)


def _room(spec: GenerateSpec, context: int) -> int:
    """Most tokens of a prompt that is cut: a quarter of the context is left for the answer."""
    answer = context // 4
    if spec.params.max_tokens is not None:
        answer = min(answer, spec.params.max_tokens)
    return max(1, context - max(1, answer))


def _fitting(render: Render, messages: list[Any], room: int) -> Prompt:
    """Drop as few of the oldest messages as needed; system messages and the last one stay."""
    whole = render(messages)
    if len(whole.token_ids) <= room:
        return _prompt(whole)
    movable = [n for n, message in enumerate(messages[:-1]) if not _is_system(message)]
    low, high = 1, len(movable)  # the fewest that suffice, if any number does
    best = whole
    dropped = 0
    while low <= high:
        count = (low + high) // 2
        gone = set(movable[:count])
        chat = render([message for n, message in enumerate(messages) if n not in gone])
        if len(chat.token_ids) <= room:
            best, dropped, high = chat, count, count - 1
        else:
            low = count + 1
    return _prompt(best, dropped, len(whole.token_ids) - len(best.token_ids))


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _raw(tokenizer: Tokenizer, prompt: str | list[int], room: int | None) -> Prompt:
    if isinstance(prompt, str):
        if not prompt:
            raise bad_value("prompt", "the prompt is empty")
        tokens = tokenizer.encode(prompt, add_special=True)
        text = prompt
    else:
        tokens = checked_ids(prompt, tokenizer.n_tokens)
        text = ""
    cut = 0
    if room is not None and len(tokens) > room:
        begin = tokens[:1] if tokens[0] == tokenizer.bos_id else []
        cut = len(tokens) - room
        tokens = begin + tokens[cut + len(begin) :]
    return Prompt(text, tokens, opens_reasoning(tokenizer, tokens), 0, cut)


def checked_ids(ids: Sequence[Any], n_tokens: int, param: str = "prompt") -> list[int]:
    """Token ids of a client.

    Raises
    ------
    RequestError
        Empty, not integers, or ids that no token has.
    """
    if not ids:
        raise bad_value(param, f"the {param} is empty")
    for token in ids:
        if isinstance(token, bool) or not isinstance(token, int):
            raise bad_value(param, f"the {param} must be text or a list of token ids")
        if not 0 <= token < n_tokens:
            raise bad_value(param, f"token id {token} is not within 0 to {n_tokens - 1}")
    return list(ids)
