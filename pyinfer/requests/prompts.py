"""From a conversation or a text to the token ids of a prompt, cut to the context if asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyinfer.errors import ContextLengthError
from pyinfer.requests.spec import GenerateSpec, TextModel, bad_value
from pyinfer.text.chat_template import ChatPrompt, ChatTemplate
from pyinfer.text.messages import begins_answer
from pyinfer.text.reasoning import opens_reasoning
from pyinfer.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pyinfer.text.tools import ToolPlan

_GUESSES = 4  # renderings of a chat that is cut before the search halves what is left

# From messages and the most tokens that are of use.
Render = Callable[[Sequence[Any], int], ChatPrompt]


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
    begun : str
        The content of an answer that is continued, at the end of the prompt.
    opens_tag : bool
        It was the template that opened the reasoning, no text of the client.
    """

    text: str
    token_ids: list[int]
    starts_in_reasoning: bool
    truncated_messages: int = 0
    truncated_tokens: int = 0
    begun: str = ""
    opens_tag: bool = False


def build_prompt(
    model: TextModel, spec: GenerateSpec, context: int, plan: ToolPlan | None = None
) -> Prompt:
    """The prompt of a request.

    Parameters
    ----------
    model : TextModel
    spec : GenerateSpec
    plan : ToolPlan, optional
        What to do about the tools of the request.
    context : int
        Most tokens of prompt and answer. What certainly has more is refused early, or cut if
        ``spec.truncate`` is set; what has just too many is left to the engine's own check.

    Raises
    ------
    ContextLengthError
        The prompt is long, and longer than ``context``.
    RequestError, ModelUnsupportedError, ModelFormatError
        Malformed messages or ids, text that is no Unicode, no usable chat template.
    """
    if spec.prompt is not None:
        room = _room(spec, context) if spec.truncate else None
        if room is not None and isinstance(spec.prompt, str):
            return _last(model.text, spec.prompt, room)
        return _raw(model, spec.prompt, context, room)
    template = model.chat_template
    messages = model.preset.conversation(spec.messages or [])
    if not messages:
        raise bad_value("messages", "there are no messages")
    goes_on = spec.continue_final_message
    if goes_on is None:
        goes_on = begins_answer(messages)
        if not goes_on and len(messages) > 1 and _is_empty_answer(messages[-1]):
            del messages[-1]  # an answer without a word is one that is to come
    render = _renderer(template, spec, plan, goes_on)
    if not spec.truncate:
        return _prompt(render(messages, context))
    return _fitting(render, messages, _room(spec, context), context)


def _renderer(
    template: ChatTemplate, spec: GenerateSpec, plan: ToolPlan | None, goes_on: bool
) -> Render:
    tools = None if plan is None else plan.template_tools
    think, variables = spec.think, spec.template_variables

    def render(messages: Sequence[Any], limit: int) -> ChatPrompt:
        if plan is not None:
            messages = plan.messages(messages)
        if goes_on:
            return template.continuation(messages, think, tools, variables, limit)
        return template.prompt(messages, spec.add_generation_prompt, think, tools, variables, limit)

    return render


def _prompt(chat: ChatPrompt, messages: int = 0, tokens: int = 0) -> Prompt:
    return Prompt(
        text=chat.text,
        token_ids=chat.token_ids,
        starts_in_reasoning=chat.starts_in_reasoning,
        truncated_messages=messages,
        truncated_tokens=tokens,
        begun=chat.begun,
        opens_tag=chat.starts_in_reasoning and not chat.continued,
    )


def _room(spec: GenerateSpec, context: int) -> int:
    """Most tokens of a prompt that is cut: a quarter of the context is left for the answer."""
    answer = context // 4
    if spec.params.max_tokens is not None:
        answer = min(answer, spec.params.max_tokens)
    return max(1, context - max(1, answer))


def _fitting(render: Render, messages: list[Any], room: int, context: int) -> Prompt:
    """Drop as few of the oldest messages as needed; system messages and the last one stay."""
    best, length = _within(render, messages, context)
    if best is not None and length <= room:
        return _prompt(best)
    movable = [n for n, message in enumerate(messages[:-1]) if not _is_system(message)]
    text = sum(map(_length, messages)) if best is None else len(best.text)
    share = length / max(1, text)
    sizes = [share * _length(messages[n]) for n in movable]
    low, high = 1, len(movable)  # the fewest that suffice, if any number does
    dropped = count = tries = 0
    over = length - room
    while low <= high:
        # A rendering is costly: go where the sizes say, and halve what is left if they mislead.
        count = _step(sizes, count, over) if tries < _GUESSES else (low + high) // 2
        count = min(max(count, low), high)
        tries += 1
        gone = set(movable[:count])
        left = [message for n, message in enumerate(messages) if n not in gone]
        chat, tokens = _within(render, left, room)
        over = tokens - room
        if chat is not None and over <= 0:
            best, dropped, high = chat, count, count - 1
        else:
            low = count + 1
    if best is None:
        raise ContextLengthError.of(length, context, room=context, at_least=True)
    return _prompt(best, dropped, length - len(best.token_ids))


def _within(render: Render, messages: list[Any], limit: int) -> tuple[ChatPrompt | None, int]:
    """The prompt unless it is long and has more than ``limit`` tokens, and how many it has.

    At least so many, if it is not there.
    """
    try:
        chat = render(messages, limit)
    except ContextLengthError as error:
        return None, error.prompt_tokens
    return chat, len(chat.token_ids)


def _length(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    return 1 + len(content if isinstance(content, str) else str(message))


def _step(sizes: list[float], count: int, over: int) -> int:
    """How many messages to drop if dropping ``count`` leaves so many tokens too many (or few)."""
    if over > 0:
        while count < len(sizes) and over > 0:
            over -= int(sizes[count])
            count += 1
        return count
    while count > 0 and over + sizes[count - 1] <= 0:
        over += int(sizes[count - 1])
        count -= 1
    return count


def _is_empty_answer(message: Any) -> bool:
    role = message.get("role") if isinstance(message, dict) else None
    return role == "assistant" and not message.get("tool_calls") and not message.get("content")


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _raw(model: TextModel, prompt: str | npt.ArrayLike, context: int, room: int | None) -> Prompt:
    if isinstance(prompt, str):
        if not prompt:
            raise bad_value("prompt", "the prompt is empty")
        tokens = model.text.encode(prompt, add_special=True, limit=context)
        return Prompt(prompt, tokens, opens_reasoning(model.text, tokens))
    tokens = token_ids(prompt, model.info.config.vocab_size).tolist()
    cut = 0
    if room is not None and len(tokens) > room:
        begin = tokens[:1] if model.tokenizer and tokens[0] == model.tokenizer.bos_id else []
        cut = len(tokens) - room
        tokens = begin + tokens[cut + len(begin) :]
    inside = model.tokenizer is not None and opens_reasoning(model.tokenizer, tokens)
    return Prompt("", tokens, inside, 0, cut)


def _last(tokenizer: Tokenizer, text: str, room: int) -> Prompt:
    """The end of a text, and its BOS; the memory does not grow with the text."""
    if not text:
        raise bad_value("prompt", "the prompt is empty")
    tail: deque[int] = deque(maxlen=room)
    begin: list[int] = []
    count = 0
    for ids in tokenizer.encode_pieces(text, add_special=True):
        if not count and ids[:1] == [tokenizer.bos_id]:
            begin = ids[:1]
        tail.extend(ids)
        count += len(ids)
    tokens = list(tail)
    if count > room:
        tokens[: len(begin)] = begin
    cut = count - len(tokens)
    return Prompt(text, tokens, opens_reasoning(tokenizer, tokens), 0, cut)


def token_ids(ids: npt.ArrayLike, vocabulary: int, param: str = "prompt") -> npt.NDArray[np.int32]:
    """Token ids of a caller, checked.

    Parameters
    ----------
    ids : int (T,)
    vocabulary : int
        They must be below it.
    param : str
        For messages.

    Raises
    ------
    RequestError
        Empty, not integers, or ids that no token has.
    """
    try:
        array = np.asarray(ids)
    except ValueError:  # lists of different lengths
        array = np.empty((0, 0))
    if array.ndim == 1 and not array.size:
        raise bad_value(param, f"the {param} is empty")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise bad_value(param, f"the {param} must be a string or a list of integers, token ids")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= vocabulary:
        wrong = low if low < 0 else high
        raise bad_value(param, f"token id {wrong} is not within 0 to {vocabulary - 1}")
    return array.astype(np.int32)
