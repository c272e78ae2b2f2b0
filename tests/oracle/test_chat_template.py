"""Published chat templates against the rendering of transformers, with tools and history."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.tokenizer import Tokenizer

from ..checkpoints import random_config, write_folder
from ..vocabulary import BOS, EOS

pytestmark = pytest.mark.oracle
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

GOLDEN = Path(__file__).parents[1] / "text" / "golden"
CALL = {"type": "function", "function": {"name": "f", "arguments": '{"a": "é"}'}}
TOOLS = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}]
CONVERSATIONS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "hi"}],
    [{"role": "system", "content": "S"}, {"role": "user", "content": "a\nb"}],
    [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ],
    [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
        {"role": "tool", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ],
]


@pytest.mark.parametrize("tools", [None, TOOLS], ids=["plain", "tools"])
@pytest.mark.parametrize("messages", CONVERSATIONS, ids=len)
@pytest.mark.parametrize("name", ["r1_chat_template", "r1_0528_qwen3_chat_template"])
def test_rendering(
    name: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, tmp_path: Path
) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    write_folder(tmp_path, random_config(), with_tokenizer=True)
    source = (GOLDEN / f"{name}.jinja").read_text("utf-8")
    template = ChatTemplate(Tokenizer.from_folder(tmp_path), source)
    theirs = copy.deepcopy(messages)
    if not template.built_in:
        for message in theirs:  # transformers fails for None with this template
            message["content"] = message["content"] or ""
    (expected,), _ = render_jinja_template(
        [theirs],
        tools=tools,
        chat_template=source,
        add_generation_prompt=True,
        bos_token=BOS,
        eos_token=EOS,
    )
    found = template.render(messages, tools=tools)
    assert found == expected.removesuffix("<think>\n") + "<think>\n"
