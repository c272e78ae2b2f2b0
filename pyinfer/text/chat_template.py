"""Messages to prompt: chat templates, the rules around them, and safe encoding.

The published DeepSeek-R1-Distill templates are recognised and formatted in Python
(:mod:`pyinfer.text.r1_format`); any other template runs in a sandbox
(:mod:`pyinfer.text.template_sandbox`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfer.errors import ContextLengthError, ModelUnsupportedError, RequestError
from pyinfer.text.control_guard import ControlGuard
from pyinfer.text.messages import begun_answer, normalize_messages
from pyinfer.text.r1_format import format_r1, recognise_r1
from pyinfer.text.tags import CLOSE_TAG, OPEN_TAG
from pyinfer.text.template_sandbox import render_sandboxed
from pyinfer.text.tokenizer import Tokenizer

_THINK_LINE = OPEN_TAG + "\n"
_NO_REASONING = f"\n{CLOSE_TAG}\n\n"
_RESERVED = {
    "messages",
    "tools",
    "bos_token",
    "eos_token",
    "add_generation_prompt",
    "enable_thinking",
    "thinking",
    "raise_exception",
    "strftime_now",
}


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A rendered conversation.

    Attributes
    ----------
    text : str
        The prompt as text.
    token_ids : list of int
        What the model gets. Control tokens come from the template only.
    starts_in_reasoning : bool
        The answer begins inside ``<think>``.
    begun : str
        The content of an answer that is continued.
    continued : bool
        The prompt ends with an answer that was begun.
    """

    text: str
    token_ids: list[int]
    starts_in_reasoning: bool
    begun: str = ""
    continued: bool = False


class ChatTemplate:
    """A model's chat template together with its tokenizer.

    Parameters
    ----------
    tokenizer : Tokenizer
        Gives the names of BOS and EOS, and the ids.
    source : str, optional
        Jinja source; by default the tokenizer's own.

    Raises
    ------
    ModelUnsupportedError
        There is no template.
    """

    def __init__(self, tokenizer: Tokenizer, source: str | None = None) -> None:
        source = tokenizer.chat_template if source is None else source
        if source is None:
            raise ModelUnsupportedError(
                "the model has no chat template",
                hint="Give the whole prompt as text (raw) instead of messages",
            )
        self.source = source
        self._tokenizer = tokenizer
        self._bos = tokenizer.token_text(tokenizer.bos_id)
        self._eos = tokenizer.token_text(next(iter(tokenizer.eos_ids), None))
        self._r1_thinks = recognise_r1(source)
        self._object_arguments = re.search(r"arguments\s*\|\s*tojson", source) is not None
        self._fails_for_none = False
        #: Whether the template writes descriptions of tools into the prompt.
        self.describes_tools = not self.built_in and re.search(r"\btools\b", source) is not None
        #: Whether the model reasons between ``<think>`` and ``</think>``.
        self.reasons = CLOSE_TAG in source

    @property
    def built_in(self) -> bool:
        """Whether this is a published R1 template, formatted without running it."""
        return self._r1_thinks is not None

    def render(
        self,
        messages: Iterable[Mapping[str, Any]],
        add_generation_prompt: bool = True,
        think: bool | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, bool] | None = None,
    ) -> str:
        """Return the prompt as text; for the arguments and errors see :meth:`prompt`."""
        return self.prompt(messages, add_generation_prompt, think, tools, variables).text

    def prompt(
        self,
        messages: Iterable[Mapping[str, Any]],
        add_generation_prompt: bool = True,
        think: bool | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, bool] | None = None,
        limit: int | None = None,
    ) -> ChatPrompt:
        """Render a conversation and encode it.

        Parameters
        ----------
        messages : iterable of mappings
            ``role`` (system, developer, user, assistant, tool) and ``content`` (text or a list of
            text parts), optionally ``tool_calls``.
        add_generation_prompt : bool
            Open the assistant's turn.
        think : bool, optional
            True: open the reasoning; False: put an empty one, so that the model answers at once.
            None is True where the model reasons.
        tools : sequence of mappings, optional
            Function descriptions; the R1 templates do not use them.
        variables : mapping of str to bool, optional
            Further switches for the template.
        limit : int, optional
            Of no use beyond so many tokens; as in :meth:`Tokenizer.encode`.

        Raises
        ------
        RequestError, ContextLengthError
            Malformed messages or options, or the template refuses them; more than ``limit``.
        ModelFormatError
            The template is not usable.
        """
        tokenizer = self._tokenizer
        guard = ControlGuard(tokenizer.added_tokens, self.source)
        text = self._render(guard, messages, add_generation_prompt, think, tools, variables)
        inside = add_generation_prompt and text.rstrip().endswith(OPEN_TAG)
        shown, ids = self._encoded(guard, text, limit)
        return ChatPrompt(shown, ids, inside)

    def continuation(
        self,
        messages: Sequence[Mapping[str, Any]],
        think: bool | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, bool] | None = None,
        limit: int | None = None,
    ) -> ChatPrompt:
        """Render a conversation whose last message, an answer that goes on, stays open.

        Reasoning of that message (in a field of its own, or in tags at the begin of the content)
        is kept. For the other arguments and the errors see :meth:`prompt`.

        Raises
        ------
        RequestError
            The last message is not one of the assistant with text.
        """
        answer = begun_answer(messages)
        reasoning, content = answer.reasoning, answer.content
        tokenizer = self._tokenizer
        guard = ControlGuard(tokenizer.added_tokens, self.source)
        guard.reserve([reasoning, content])
        text = self._render(guard, messages[:-1], True, think, tools, variables)
        if self.reasons and think is not False:
            text = text.removesuffix(_THINK_LINE)
        if reasoning is not None:
            text = f"{text.removesuffix(_THINK_LINE + _NO_REASONING)}{_THINK_LINE}"
            text += guard.protect(reasoning)
            if not answer.open:
                text = f"{text.removesuffix(chr(10))}\n{CLOSE_TAG}\n\n"
        text += guard.protect(content)
        shown, ids = self._encoded(guard, text, limit)
        return ChatPrompt(shown, ids, answer.open, content, continued=True)

    def _encoded(self, guard: ControlGuard, text: str, limit: int | None) -> tuple[str, list[int]]:
        """Text and ids of a rendered conversation, with BOS where the tokenizer puts one."""
        tokenizer = self._tokenizer
        shown, ids = guard.restore(text), encode_guarded(tokenizer, guard, text, limit)
        if tokenizer.chat_bos and tokenizer.bos_id is not None and ids[:1] != [tokenizer.bos_id]:
            shown, ids = self._bos + shown, [tokenizer.bos_id, *ids]
        return shown, ids

    def _render(
        self,
        guard: ControlGuard,
        messages: Iterable[Mapping[str, Any]],
        add_generation_prompt: bool,
        think: bool | None,
        tools: Sequence[Mapping[str, Any]] | None,
        variables: Mapping[str, bool] | None,
    ) -> str:
        """Render with guarded content; completes the reasoning part of the prompt."""
        if think and not self.reasons:
            error = RequestError("this model does not support thinking")
            error.param = "think"
            raise error
        normal = normalize_messages(messages)
        if self._r1_thinks is not None:
            _check_variables(variables)
            text = format_r1(
                guard.protect(normal), self._bos, add_generation_prompt, self._r1_thinks
            )
        else:
            context = self._context(normal, add_generation_prompt, think, tools, variables)
            for name in ("messages", "tools"):
                context[name] = guard.protect(context[name])
            text = self._run(context)
        if add_generation_prompt and self.reasons:
            text = _complete(text, think is not False)
        return text

    def _run(self, context: dict[str, Any]) -> str:
        """Run the template. Beside tool calls some expect no content as None, some as ``""``, and
        fail for the other (R1's first templates and that of R1-0528); None is tried first.
        """
        empty = [message for message in context["messages"] if message["content"] is None]
        if empty and not self._fails_for_none:
            try:
                return render_sandboxed(self.source, context)
            except RequestError as error:
                first = error
        for message in empty:
            message["content"] = ""
        try:
            text = render_sandboxed(self.source, context)
        except RequestError:
            if empty and not self._fails_for_none:
                raise first from None
            raise
        self._fails_for_none = self._fails_for_none or bool(empty)
        return text

    def _context(
        self,
        messages: list[dict[str, Any]],
        add_generation_prompt: bool,
        think: bool | None,
        tools: Sequence[Mapping[str, Any]] | None,
        variables: Mapping[str, bool] | None,
    ) -> dict[str, Any]:
        for message in messages:
            if message["role"] == "assistant" and message["content"]:
                message["content"] = message["content"].lstrip("\n")
            for call in message.get("tool_calls", ()) if self._object_arguments else ():
                call["function"]["arguments"] = _as_object(call["function"]["arguments"])
        context: dict[str, Any] = dict(_check_variables(variables))
        if think is not None:
            context |= {"enable_thinking": think, "thinking": think}
        return context | {
            "messages": messages,
            "tools": _plain_json(tools) if tools else None,
            "bos_token": self._bos,
            "eos_token": self._eos,
            "add_generation_prompt": add_generation_prompt,
        }


def encode_guarded(
    tokenizer: Tokenizer, guard: ControlGuard, text: str, limit: int | None = None
) -> list[int]:
    """Encode rendered ``text``; what the guard stands for becomes ordinary tokens.

    The template writes BOS itself, so none is added; a doubled one is reduced to one. For ``limit``
    see :meth:`Tokenizer.encode`.
    """
    if not (guard.active or tokenizer.matches_normalized):
        ids = tokenizer.encode(text, limit=limit)
    else:
        ids = []
        bounded = limit is not None
        long = tokenizer.check_length(guard.restore(text), limit)

        def take(part: str) -> None:
            part = guard.restore(part)
            for more in tokenizer.encode_pieces(part, parse_special=False, bounded=bounded):
                ids.extend(more)
                if long and limit is not None and len(ids) > limit:
                    raise ContextLengthError.of(len(ids), limit, room=limit, at_least=True)

        done = 0
        for token_id, start, end in tokenizer.control_spans(text, bounded=bounded):
            # After Unicode normalization, content could match what is not spelled like the token.
            if text[start:end].strip() != tokenizer.token_text(token_id).strip():
                continue
            take(text[done:start])
            ids.append(token_id)
            done = end
        take(text[done:])
    while len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_id:
        del ids[0]
    return ids


def _complete(text: str, think: bool) -> str:
    """Make the prompt end in an open (or, without thinking, an empty) reasoning part."""
    if think:
        if text.endswith(OPEN_TAG):
            return text + "\n"
        return text if text.endswith(_THINK_LINE) else text + _THINK_LINE
    if text.endswith(_THINK_LINE):
        return text + _NO_REASONING
    if text.endswith(OPEN_TAG):
        return f"{text}\n{_NO_REASONING}"
    empty = _THINK_LINE + _NO_REASONING
    return text if text.endswith(empty) else text + empty


def _check_variables(variables: Mapping[str, bool] | None) -> dict[str, bool]:
    result: dict[str, bool] = {}
    for name, value in (variables or {}).items():
        if not isinstance(name, str) or not name.isidentifier() or name in _RESERVED:
            raise RequestError(f"chat template option {str(name)[:40]!r} is not allowed")
        if not isinstance(value, bool):
            raise RequestError(f"chat template option {name[:40]!r} must be true or false")
        result[name] = value
    return result


def _as_object(arguments: str) -> Any:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments


def _plain_json(value: object) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise RequestError("tools must be a list of JSON objects") from None
