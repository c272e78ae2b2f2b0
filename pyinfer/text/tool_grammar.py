"""The grammar of an answer that has to call tools."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from pyinfer.text.grammar import (
    Grammar,
    check_bounds,
    check_source,
    embedded_schema,
    grammar_error,
    parsed_schema,
)
from pyinfer.text.tags import (
    CALL_BEGIN,
    CALL_END,
    CALL_SEP,
    CALLS_BEGIN,
    CALLS_END,
    TAG_BEGIN,
    TAG_END,
)
from pyinfer.text.tool_prompt import Form, Tool

# More calls in one answer than this are a loop.
MAX_CALLS = 16


def tool_grammar(
    tools: Sequence[Tool],
    form: Form,
    parallel: bool,
    token_names: Collection[str],
    otherwise: Grammar | None = None,
) -> Grammar:
    """Grammar of one or more calls of ``tools``, each with arguments that fit its schema.

    Parameters
    ----------
    tools : sequence of Tool
    form : "markers" or "tags"
    parallel : bool
        More than one call is allowed.
    token_names : collection of str
        Texts that the tokenizer has as one control token.
    otherwise : Grammar, optional
        A JSON grammar that the answer may follow instead of calling.

    Raises
    ------
    RequestError
        ``otherwise`` is not about JSON.
    """
    rules = []
    for number, tool in enumerate(tools):
        check_bounds(tool.parameters, "tools", f"{tool.name}.parameters")
        schema = json.dumps(embedded_schema(tool.parameters, "tools"))
        rules.append(f"call_{number}: {_call(tool.name, form, number, token_names)}")
        rules.append(f"args_{number}: %json {schema}")
    names = " | ".join(f"call_{number}" for number in range(len(tools)))
    repeat = f'("\\n" call){{0,{MAX_CALLS - 1}}}' if parallel else ""
    calls = f"call {repeat}"
    if form == "markers":
        begin, end = (_marker(t, token_names) for t in (CALLS_BEGIN, CALLS_END))
        calls = f"{begin} call {repeat} {end}"
    start = "calls"
    if otherwise is not None:
        if otherwise.kind not in ("json_object", "json_schema"):
            raise grammar_error(otherwise.param, "cannot be combined with tools unless it is JSON")
        start = "calls | answer"
        check_source(otherwise)
        answer = embedded_schema(parsed_schema(otherwise), otherwise.param)
        rules.append(f"answer: %json {json.dumps(answer)}")
    head = [f"start: {start}", f"calls: {calls}", f"call: {names}"]
    return Grammar("tools", "\n".join(head + rules), "tools")


def _call(name: str, form: Form, number: int, token_names: Collection[str]) -> str:
    if form == "tags":
        begin, end = (_marker(t, token_names) for t in (TAG_BEGIN, TAG_END))
        opened = _literal(f'\n{{"name": {json.dumps(name)}, "arguments": ')
        return f"{begin} {opened} args_{number} {_literal('}' + chr(10))} {end}"
    begin, sep, end = (_marker(t, token_names) for t in (CALL_BEGIN, CALL_SEP, CALL_END))
    opened = _literal(f"{name}\n```json\n")
    closed = _literal("\n```")
    return f'{begin} "function" {sep} {opened} args_{number} {closed} {end}'


def _marker(text: str, token_names: Collection[str]) -> str:
    """A marker by the name of its token, or as text where it has none."""
    return text if text in token_names else _literal(text)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
