"""The soak's verdict on answers and growth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.serving.client import Server
from tools.soak import ANSWER, Soak, growth, told


def event(**value: Any) -> str:
    return "data: " + json.dumps(value) + "\n\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (event(choices=[{"index": 1, "text": "b"}]) * 2 + "data: [DONE]", {1: "bb"}),
        (event(choices=[{"index": 0, "delta": {"reasoning_content": "r"}}])
         + event(choices=[{"index": 0, "delta": {"content": "c"}}]) + event(choices=[]),
         {0: "rc"}),
        (json.dumps({"message": {"thinking": "t", "content": ""}}) + "\n"
         + json.dumps({"message": {"content": "c"}, "done": True}), {0: "tc"}),
        (json.dumps({"response": "x", "context": [1]}), {0: "x"}),
        (event(index=2, content="x", tokens=[4]), {2: "x"}),
        (json.dumps({"tokens": [1, 2]}), {"tokens": [1, 2]}),
        (json.dumps({"embeddings": [[0.5]], "model": "m"}), {"embeddings": [[0.5]]}),
        (": ping\n\n" + event(error={"message": "m"}), json.dumps({"error": {"message": "m"}})),
    ],
)  # fmt: skip
def test_what_an_answer_says(text: str, said: Any) -> None:
    assert told(text) == said


def test_answers_are_compared_with_the_first() -> None:
    soak = Soak(Server("http://127.0.0.1:1"))
    right = {0: f"thought {ANSWER}"}
    soak.judge("openai chat", right, ANSWER)
    soak.judge("openai chat", right, ANSWER)
    assert (soak.compared, soak.disturbed, soak.faults) == (1, 0, [])
    soak.judge("openai chat", {0: f"other {ANSWER}"}, ANSWER)
    soak.judge("openai chat", {0: "12"}, ANSWER)
    soak.judge("metrics", "a", "")
    soak.judge("metrics", "b", "")
    assert (soak.compared, soak.disturbed, len(soak.faults)) == (2, 1, 2)


def test_growth_of_processes_that_live_on() -> None:
    def sample(rss: int, **more: int) -> dict[str, Any]:
        own = {"1": {"rss": rss, "threads": 5}} | {pid[1:]: {"rss": 1} for pid in more}
        return {"processes": own}

    samples = [sample(1), sample(2, p7=1), sample(3), sample(4), sample(9, p8=1)]
    assert growth(samples) == {"1": {"rss": 7, "threads": 0}}
