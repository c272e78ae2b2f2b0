"""The DeepSeek-R1-Distill chat format, written out in Python.

The published Jinja template is recognised by its hash and never executed. Its habits are kept
exactly: the last system message wins and comes first; the first tool call gets no end marker; a
conversation that ends with a tool result opens no new assistant turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
END = "<｜end▁of▁sentence｜>"
THINK = "<think>\n"

# SHA-256 of the template without the "<think>\n" that the second published form has at its end.
_SHAPE = "b6835114b7303ddd78919a82e4d9f7d8c26ed0d7dfc36beeb12d524f6144eab1"


def recognise_r1(source: str) -> bool | None:
    """Return None for another template, else whether this form ends prompts with ``<think>``."""
    head, found, tail = source.strip().rpartition(r"<think>\n")
    shape = hashlib.sha256((head + tail).encode("utf-8", "replace")).hexdigest()
    return bool(found) if shape == _SHAPE else None


def format_r1(
    messages: Sequence[dict[str, Any]], bos: str, add_generation_prompt: bool, think: bool
) -> str:
    """Return the prompt text of normalized ``messages``.

    Parameters
    ----------
    messages : sequence of dict
        As :func:`pyinfer.text.messages.normalize_messages` returns them.
    bos : str
        Text of the begin-of-sequence token.
    add_generation_prompt : bool
        Open the assistant's turn.
    think : bool
        This form of the template opens the reasoning, too.
    """
    system = ""
    for message in messages:
        if message["role"] == "system":
            system = message["content"]
    out = [bos, system]
    after_tool = False
    called = False  # a first tool call was written
    answered = False  # a first tool result was written
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "user":
            after_tool = False
            out.append(USER + content)
        elif role == "assistant" and content is None:
            after_tool = False
            for call in message["tool_calls"]:
                out.append(_tool_call(call, first=not called))
                called = True
        elif role == "assistant":
            out.append(("<｜tool▁outputs▁end｜>" if after_tool else ASSISTANT) + content + END)
            after_tool = False
        elif role == "tool":
            after_tool = True
            out.append("\n" if answered else "<｜tool▁outputs▁begin｜>")
            out.append("<｜tool▁output▁begin｜>" + content + "<｜tool▁output▁end｜>")
            answered = True
    if after_tool:
        out.append("<｜tool▁outputs▁end｜>")
    elif add_generation_prompt:
        out.append(ASSISTANT + (THINK if think else ""))
    return "".join(out)


def _tool_call(call: dict[str, Any], first: bool) -> str:
    function = call["function"]
    body = (
        f"<｜tool▁call▁begin｜>{call['type']}<｜tool▁sep｜>{function['name']}\n"
        f"```json\n{function['arguments']}\n```<｜tool▁call▁end｜>"
    )
    if first:
        return f"{ASSISTANT}<｜tool▁calls▁begin｜>{body}"
    return f"\n{body}<｜tool▁calls▁end｜>{END}"
