"""What other servers know and this one does not obey is refused, in every dialect."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytest.importorskip("fastapi")

from pyinfer.errors import RequestError
from pyinfer.server.http import unsupported
from pyinfer.server.http.body import Body, parse_body
from pyinfer.server.http.unsupported import Fields, refuse
from pyinfer.server.llama.schemas import CompletionBody as LlamaBody
from pyinfer.server.llama.schemas import InfillBody
from pyinfer.server.ollama.bodies import ChatBody as OllamaChatBody
from pyinfer.server.ollama.bodies import GenerateBody
from pyinfer.server.openai.chat_schema import ChatBody
from pyinfer.server.openai.completion_schema import CompletionBody

from ...source_tree import ROOT

QUESTION = [{"role": "user", "content": "?"}]
BODIES: list[tuple[type[Body], Fields, dict[str, Any]]] = [
    (ChatBody, unsupported.OPENAI_CHAT, {"messages": QUESTION}),
    (CompletionBody, unsupported.OPENAI_TEXT, {"prompt": "a"}),
    (OllamaChatBody, unsupported.OLLAMA, {"messages": QUESTION}),
    (GenerateBody, unsupported.OLLAMA, {"prompt": "a"}),
    (LlamaBody, unsupported.LLAMA, {"prompt": "a"}),
    (InfillBody, unsupported.LLAMA, {"input_prefix": "a", "input_suffix": "b"}),
]


@pytest.mark.parametrize(("schema", "fields", "rest"), BODIES)
def test_each_is_refused_by_name_unless_it_changes_nothing(
    schema: type[Body], fields: Fields, rest: dict[str, Any]
) -> None:
    # What the schema reads itself is obeyed, so it has no place in the table.
    assert not fields.keys() & schema.model_fields.keys()
    for name, field in fields.items():
        with pytest.raises(RequestError) as caught:
            parse_body(json.dumps(rest | {name: "other"}).encode(), schema)
        assert caught.value.param == name
        assert name in str(caught.value)
        assert field.instead in str(caught.value)
        for value in (None, *field.neutral):
            parse_body(json.dumps(rest | {name: value}).encode(), schema)


@pytest.mark.parametrize(("schema", "fields", "rest"), BODIES)
def test_what_changes_no_answer_is_taken(
    schema: type[Body], fields: Fields, rest: dict[str, Any]
) -> None:
    harmless = {
        "user": "me", "metadata": {"a": "b"}, "store": True, "service_tier": "auto",
        "safety_identifier": "x", "prompt_cache_key": "y", "unheard_of": 1,
    }  # fmt: skip
    parse_body(json.dumps(rest | harmless).encode(), schema)


def test_options_inside_options() -> None:
    with pytest.raises(RequestError) as caught:
        refuse({"temperature": 1, "mirostat": 2}, unsupported.OLLAMA_OPTIONS, "options")
    assert caught.value.param == "options.mirostat"
    refuse({"mirostat": 0, "tfs_z": 1.0, "typo": 3}, unsupported.OLLAMA_OPTIONS, "options")


def test_the_document_lists_them() -> None:
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    part = text.split("## What is refused", 1)[1].split("\n## ", 1)[0]
    listed = set(re.findall(r"`([A-Za-z_]+)`", part))
    tables = (
        unsupported.OPENAI_CHAT, unsupported.OLLAMA, unsupported.OLLAMA_OPTIONS, unsupported.LLAMA,
    )  # fmt: skip
    assert set().union(*tables) <= listed
