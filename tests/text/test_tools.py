"""What a request's tools mean: prompt, grammar, and reading what follows the grammar."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest

from pyinfer.errors import RequestError
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.grammar import Grammar, schema_grammar
from pyinfer.text.grammar_check import check_grammar
from pyinfer.text.grammar_matcher import compiler_of
from pyinfer.text.tokenizer import Tokenizer
from pyinfer.text.tool_parser import ToolText
from pyinfer.text.tools import ToolPlan, plan_tools

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 6},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Météo", "parameters": PARAMETERS},
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
HERMES = """{%- if tools %}<tool_call> {{ tools | tojson }}{% endif %}
{%- for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"""


@pytest.fixture(scope="module")
def template(mini: Tokenizer) -> ChatTemplate:
    return ChatTemplate(mini)


def planned(
    tokenizer: Tokenizer,
    template: ChatTemplate,
    choice: str = "auto",
    tools: list[dict[str, Any]] | None = None,
    parallel: bool = True,
) -> ToolPlan:
    plan = plan_tools(tools or [WEATHER, CLOCK], choice, parallel, template, tokenizer)
    assert plan is not None
    return plan


def test_no_tools_no_plan(mini: Tokenizer, template: ChatTemplate) -> None:
    assert plan_tools(None, "auto", True, template, mini) is None
    assert plan_tools([], "none", True, template, mini) is None
    assert plan_tools([WEATHER], "none", True, template, mini) is None


def test_describes_tools_in_the_system_message(mini: Tokenizer, template: ChatTemplate) -> None:
    plan = planned(mini, template)
    question = {"role": "user", "content": "Beijing?"}
    for before, kept in (
        ([], ""),
        ([{"role": "system", "content": "Be brief."}], "Be brief.\n\n"),
        ([{"role": "developer", "content": ""}], ""),
        ([{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}], "Be brief.\n\n"),
    ):
        text = template.render(plan.messages([*before, question]))
        head, _, tail = text.partition("<｜User｜>")
        assert tail.startswith("Beijing?")
        assert head.startswith("<｜begin▁of▁sentence｜>" + kept + "## Tools")
        assert '"description": "Météo"' in head
        assert head.endswith("```<｜tool▁call▁end｜><｜tool▁calls▁end｜>")
        lines = [line for line in head.splitlines() if line.startswith('{"name"')]
        assert [json.loads(line)["name"] for line in lines] == ["get_weather", "clock"]


def test_only_the_named_function_is_described(mini: Tokenizer, template: ChatTemplate) -> None:
    plan = planned(mini, template, "function:clock")
    assert [tool.name for tool in plan.tools] == ["clock"]
    assert plan.required
    assert not plan.parallel
    text = template.render(plan.messages([{"role": "user", "content": "?"}]))
    assert "You must call one of these functions:" in text
    assert "get_weather" not in text


def test_calls_beside_content_are_not_lost(mini: Tokenizer, template: ChatTemplate) -> None:
    call = {"type": "function", "function": {"name": "clock", "arguments": {"a": 1}}}
    history = [
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "content": "12:00"},
    ]
    text = template.render(planned(mini, template).messages(history))
    assert (
        "I look.\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>clock\n"
        '```json\n{"a": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>' in text
    )


def test_a_template_that_knows_tools_gets_them(mini: Tokenizer) -> None:
    template = ChatTemplate(mini, HERMES)
    plan = planned(mini, template)
    assert plan.form == "tags"
    messages = [{"role": "user", "content": "Hi"}]
    assert plan.messages(messages) == messages
    text = template.render(messages, tools=plan.template_tools)
    assert "<tool_call> [" in text
    assert '"name": "clock"' in text
    assert "## Tools" not in text


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([WEATHER, WEATHER], "auto", "tools[1].function.name"),
        ([{"type": "retrieval"}], "auto", "tools[0]"),
        (["clock"], "auto", "tools[0]"),
        ([{"type": "function"}], "auto", "tools[0].function"),
        ([{"function": {"name": "a b"}}], "auto", "tools[0].function.name"),
        ([{"function": {"name": "x" * 65}}], "auto", "tools[0].function.name"),
        ([{"function": {"name": "a", "description": 1}}], "auto", "tools[0].function.description"),
        ([{"function": {"name": "a", "parameters": []}}], "auto", "tools[0].function.parameters"),
        (
            [{"function": {"name": "a", "parameters": {"type": "string"}}}],
            "auto",
            "tools[0].function.parameters",
        ),
        ([], "required", "tool_choice"),
        ([WEATHER], "function:other", "tool_choice"),
        ([WEATHER], "always", "tool_choice"),
        ([{"function": {"name": f"f{n}"}} for n in range(129)], "auto", "tools"),
    ],
)
def test_wrong_tools(
    mini: Tokenizer, template: ChatTemplate, tools: list[Any], choice: str, param: str
) -> None:
    with pytest.raises(RequestError) as caught:
        plan_tools(tools, choice, True, template, mini)
    assert caught.value.param == param


def generate(tokenizer: Tokenizer, grammar: Grammar, dice: random.Random) -> str | None:
    """A text that follows the grammar, mostly with the token that ends things soonest."""
    matcher = compiler_of(tokenizer).matcher(grammar)
    out = np.zeros(-(-tokenizer.n_tokens // 32), np.uint32)
    tokens: list[int] = []
    for _ in range(600):
        if matcher.complete:
            return tokenizer.decode(tokens)
        matcher.mask(out)
        ids = np.flatnonzero(np.unpackbits(out.view(np.uint8), bitorder="little")).tolist()
        quick = [i for i in ids if tokenizer.token_bytes(i)[:1] in (b'"', b"}", b"`")]
        token = dice.choice(quick if quick and dice.random() < 0.7 else ids)
        matcher.accept(token)
        tokens.append(token)
    return None


@pytest.mark.parametrize("source", [None, HERMES])
@pytest.mark.parametrize("choice", ["required", "function:get_weather"])
def test_enforced_calls_are_read_back(mini: Tokenizer, source: str | None, choice: str) -> None:
    plan = planned(mini, ChatTemplate(mini, source), choice)
    grammar = plan.grammar(None)
    assert grammar is not None
    dice = random.Random(choice)
    several = 0
    for _ in range(8):
        text = generate(mini, grammar, dice)
        if text is None:
            continue
        parser = plan.parser()
        events = parser.push(text) + parser.finish()
        assert not [event for event in events if isinstance(event, ToolText)]
        assert parser.calls
        several += len(parser.calls) > 1
        for call in parser.calls:
            schema = PARAMETERS if call.name == "get_weather" else {"maxProperties": 0}
            jsonschema.validate(json.loads(call.arguments), schema)
            assert choice == "required" or call.name == "get_weather"
    assert not several or choice == "required"


def test_json_answer_or_calls(mini: Tokenizer, template: ChatTemplate) -> None:
    plan = planned(mini, template)
    assert plan.grammar(None) is None
    grammar = plan.grammar(schema_grammar({"enum": [1, 2]}))
    assert grammar is not None
    check_grammar(grammar, mini)
    dice = random.Random(2)
    texts = {str(generate(mini, grammar, dice))[:5] for _ in range(20)}
    assert {"1", "2"} & texts
    assert "<｜too" in texts
    with pytest.raises(RequestError, match="cannot be combined"):
        plan.grammar(Grammar("regex", "a", "structured_outputs"))


def test_an_unsupported_parameter_schema_is_refused(
    mini: Tokenizer, template: ChatTemplate
) -> None:
    tool = {"function": {"name": "a", "parameters": {"properties": {"b": {"not": {}}}}}}
    grammar = planned(mini, template, "required", [tool]).grammar(None)
    assert grammar is not None
    with pytest.raises(RequestError, match="not") as caught:
        check_grammar(grammar, mini)
    assert caught.value.param == "tools"


def test_stops_behind_the_calls(mini: Tokenizer, template: ChatTemplate) -> None:
    many = planned(mini, template).extra_stops
    one = planned(mini, template, parallel=False).extra_stops
    assert "<｜tool▁calls▁end｜>" in many
    assert "<｜tool▁call▁end｜>" not in many
    assert "<｜tool▁call▁end｜>" in one
