"""The llama-server dialect against a real server on the embedded model."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ..running import RunningServer, running_server

httpx2 = pytest.importorskip("httpx2")
pytest.importorskip("fastapi")

GREEDY = {"prompt": "12 + 30 = ?", "temperature": 0, "n_predict": 16}
TIMINGS = {
    "cache_n", "prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second",
    "predicted_n", "predicted_ms", "predicted_per_token_ms", "predicted_per_second",
}  # fmt: skip


def post(client: httpx2.Client, path: str, body: Any, status: int = 200) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def events(client: httpx2.Client, path: str, body: Any) -> list[Any]:
    with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("path", ["/completion", "/completions"])
def test_completion_has_the_documented_fields(client: httpx2.Client, path: str) -> None:
    result = post(client, path, GREEDY | {"return_tokens": True})
    assert result["stop"] is True
    assert result["stop_type"] in ("eos", "limit")
    assert result["tokens_predicted"] == len(result["tokens"]) <= 16
    assert result["truncated"] is False
    assert result["generation_settings"]["temperature"] == 0
    assert result["generation_settings"]["n_predict"] == 16
    assert result["timings"].keys() == TIMINGS
    timings = result["timings"]
    assert timings["prompt_n"] + timings["cache_n"] == result["tokens_evaluated"]
    assert timings["predicted_n"] == result["tokens_predicted"]


def test_the_stream_says_the_same(client: httpx2.Client) -> None:
    whole = post(client, "/completion", GREEDY)
    parts = events(client, "/completion", GREEDY | {"stream": True})
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert [part["stop"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1]["tokens_predicted"] == whole["tokens_predicted"]


def test_progress_and_timings_come_on_demand(client: httpx2.Client) -> None:
    body = GREEDY | {"stream": True, "return_progress": True, "timings_per_token": True}
    parts = events(client, "/completion", body)
    progress = [part["prompt_progress"] for part in parts if "prompt_progress" in part]
    assert progress
    assert progress[-1].keys() == {"total", "cache", "processed", "time_ms"}
    assert progress[-1]["processed"] == progress[-1]["total"] == parts[-1]["tokens_evaluated"]
    assert all("timings" in part for part in parts if part["content"])


def test_stop_words_limits_and_ends_are_told_apart(client: httpx2.Client) -> None:
    limit = post(client, "/completion", GREEDY | {"n_predict": 2, "ignore_eos": True})
    assert (limit["stop_type"], limit["tokens_predicted"]) == ("limit", 2)
    text = post(client, "/completion", GREEDY)["content"]
    middle = text[len(text) // 2]
    word = post(client, "/completion", GREEDY | {"stop": [middle]})
    assert (word["stop_type"], word["stopping_word"]) == ("word", middle)
    assert word["content"] == text.split(middle)[0]
    assert post(client, "/completion", GREEDY | {"n_predict": 0})["content"] == ""


def test_several_prompts_give_several_results(client: httpx2.Client) -> None:
    one = post(client, "/completion", GREEDY)
    prompts = [GREEDY["prompt"], "a", [1, 2, 3], [4, "b"]]
    results = post(client, "/completion", GREEDY | {"prompt": prompts})
    assert [result["index"] for result in results] == [0, 1, 2, 3]
    assert results[0]["content"] == one["content"]
    assert results[2]["tokens_evaluated"] == 3
    parts = events(client, "/completion", GREEDY | {"prompt": prompts, "stream": True})
    texts = ["".join(p["content"] for p in parts if p["index"] == i) for i in range(4)]
    assert texts == [result["content"] for result in results]


def test_probabilities_have_their_alternatives(client: httpx2.Client) -> None:
    result = post(client, "/completion", GREEDY | {"n_probs": 3})
    entries = result["completion_probabilities"]
    assert len(entries) == result["tokens_predicted"]
    for entry in entries:
        best = [other["logprob"] for other in entry["top_logprobs"]]
        assert len(best) == 3
        assert best == sorted(best, reverse=True)
        assert entry["logprob"] == best[0]  # greedy
        assert bytes(entry["bytes"]).decode("utf-8", "replace") == entry["token"]


def test_fields_can_be_chosen(client: httpx2.Client) -> None:
    body = GREEDY | {"response_fields": ["content", "generation_settings/n_predict", "none/a"]}
    assert post(client, "/completion", body).keys() == {"content", "generation_settings/n_predict"}


def test_grammars_bind(client: httpx2.Client) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
    body = GREEDY | {"n_predict": 200, "json_schema": schema}
    assert isinstance(json.loads(post(client, "/completion", body)["content"])["a"], int)
    body = GREEDY | {"grammar": 'root ::= "yes" | "no"'}
    assert post(client, "/completion", body)["content"] in ("yes", "no")


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": None}, {"prompt": 3}, {"prompt": []}, {"prompt": [[]]}, {"prompt": [10**9]},
        {"prompt": [True]}, {"prompt": {"a": 1}}, {"temperature": "hot"}, {"top_p": 2},
        {"n_predict": 1.5}, {"n_probs": 21}, {"stop": 3}, {"seed": 2**70}, {"n_cmpl": 0},
        {"logit_bias": [[1]]}, {"logit_bias": [[1, "x"]]}, {"logit_bias": [[10**8, 1]]},
        {"json_schema": {"type": "nonsense"}}, {"grammar": "root ::= ("},
        {"grammar": 'root ::= "a"', "json_schema": {}}, {"post_sampling_probs": True},
    ],
)  # fmt: skip
def test_wrong_values_are_400_in_the_dialect(client: httpx2.Client, change: dict[str, Any]) -> None:
    error = post(client, "/completion", GREEDY | change, 400)["error"]
    assert error.keys() == {"code", "message", "type"}
    assert (error["code"], error["type"]) == (400, "invalid_request_error")


def test_an_over_long_prompt_tells_both_lengths(client: httpx2.Client) -> None:
    error = post(client, "/completion", GREEDY | {"prompt": "a b c d " * 4000}, 400)["error"]
    assert error["type"] == "exceed_context_size_error"
    assert error["n_prompt_tokens"] > error["n_ctx"] > 0
    assert f"({error['n_prompt_tokens']} tokens) exceeds" in error["message"]


def test_text_to_tokens_and_back(client: httpx2.Client) -> None:
    text = "12 + 30 = ? äöü 😀"
    tokens = post(client, "/tokenize", {"content": text})["tokens"]
    assert post(client, "/detokenize", {"tokens": tokens}) == {"content": text}
    special = post(client, "/tokenize", {"content": text, "add_special": True})["tokens"]
    assert special[1:] == tokens
    mixed = post(client, "/tokenize", {"content": ["12", tokens[0]]})["tokens"]
    assert mixed[-1] == tokens[0]
    pieces = post(client, "/tokenize", {"content": text, "with_pieces": True})["tokens"]
    data = b"".join(
        entry["piece"].encode() if isinstance(entry["piece"], str) else bytes(entry["piece"])
        for entry in pieces
    )
    assert data.decode() == text
    post(client, "/detokenize", {"tokens": [10**7]}, 400)
    post(client, "/detokenize", {"tokens": "a"}, 400)


def test_control_tokens_can_be_read_as_text(client: httpx2.Client) -> None:
    text = "</think>"
    parsed = post(client, "/tokenize", {"content": text})["tokens"]
    plain = post(client, "/tokenize", {"content": text, "parse_special": False})["tokens"]
    assert len(parsed) == 1 < len(plain)


def test_the_template_is_applied(client: httpx2.Client) -> None:
    messages = [{"role": "user", "content": "hello"}]
    prompt = post(client, "/apply-template", {"messages": messages})["prompt"]
    assert "hello" in prompt
    assert prompt.endswith("<think>\n")
    body = {"messages": messages, "chat_template_kwargs": {"enable_thinking": False}}
    assert post(client, "/apply-template", body)["prompt"].rstrip().endswith("</think>")
    post(client, "/apply-template", {"messages": [{"role": "user", "content": 3}]}, 400)


def test_props_and_slots_describe_the_server(client: httpx2.Client) -> None:
    props = client.get("/props").json()
    assert props["default_generation_settings"]["n_ctx"] == 2048
    assert props["model_alias"] == "demo"
    assert "/" not in props["model_path"]
    assert "think" in props["chat_template"]
    slots = client.get("/slots").json()
    assert [slot["id"] for slot in slots] == list(range(props["total_slots"]))
    assert {slot["is_processing"] for slot in slots} == {False}
    assert client.get("/slots?fail_on_no_slot=1").status_code == 200


def test_what_is_not_offered_says_so(client: httpx2.Client) -> None:
    error = post(client, "/slots/0?action=save", {"filename": "a"}, 501)["error"]
    assert error["type"] == "not_supported_error"
    post(client, "/slots/0?action=fly", {}, 400)
    fill = {"input_prefix": "a", "input_suffix": "b", "n_predict": 2}
    assert post(client, "/infill", fill)["tokens_predicted"] <= 2
    assert client.get("/lora-adapters").json() == []
    assert post(client, "/lora-adapters", []) == []
    post(client, "/lora-adapters", [{"id": 0, "scale": 1}], 400)


def test_vectors(client: httpx2.Client) -> None:
    found = post(client, "/embedding", {"content": ["a", [1, 2]]})
    assert [entry["index"] for entry in found] == [0, 1]
    assert sum(x * x for x in found[0]["embedding"][0]) == pytest.approx(1, abs=1e-5)


def test_unknown_models_and_paths(client: httpx2.Client) -> None:
    error = post(client, "/completion", GREEDY | {"model": "nobody"}, 404)["error"]
    assert (error["code"], error["type"]) == (404, "not_found_error")
    assert client.get("/nowhere").json()["error"]["code"] == 404
    assert client.get("/completion").status_code == 405


def test_the_request_id_is_taken_made_and_logged(
    server: RunningServer, client: httpx2.Client
) -> None:
    answer = client.post("/completion", json=GREEDY, headers={"X-Request-Id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    made = client.get("/health", headers={"X-Request-Id": "not valid!"}).headers["x-request-id"]
    assert made.startswith("req-")
    line = logged(server, "mine-1")
    assert (line["event"], line["status"], line["model"]) == ("request", 200, "demo")
    assert line["completion_tokens"] == answer.json()["tokens_predicted"]


def logged(server: RunningServer, request_id: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = [json.loads(line) for line in server.lines() if line.startswith("{")]
        for line in lines:
            if line.get("request_id") == request_id:
                return dict(line)
        time.sleep(0.02)
    raise AssertionError("not logged")


def test_metrics_move(client: httpx2.Client) -> None:
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    names = ("vllm:generation_tokens_total", "llamacpp:tokens_predicted_total",
             "vllm:prompt_tokens_total", "vllm:e2e_request_latency_seconds_count",
             "vllm:iteration_tokens_total_count", "llamacpp:n_decode_total")  # fmt: skip
    before = [value(name) for name in names]
    result = post(client, "/completion", GREEDY | {"n_predict": 5, "ignore_eos": True})
    after = [value(name) for name in names]
    grown = [later - earlier for earlier, later in zip(before, after, strict=True)]
    assert grown[:4] == [5, 5, result["tokens_evaluated"], 1]
    assert grown[4] >= 1
    assert grown[5] >= 1


def test_slots_can_be_hidden() -> None:
    flags = ("--no-slots", "--metrics-prefix", "pyinfer")
    with running_server(*flags) as server, httpx2.Client(base_url=server.url) as client:
        assert client.get("/slots").status_code == 501
        text = client.get("/metrics").text
        assert "pyinfer:" in text
        assert "vllm:" not in text


def test_the_server_of_one_model_takes_any_name_and_its_own_options() -> None:
    options = ("--no-prefill-assistant", "--cors-origins", "https://chat.example,localhost")
    with (
        running_server(*options, command="llama-server") as running,
        httpx2.Client(base_url=running.url, timeout=300) as client,
    ):
        messages = [
            {"role": "user", "content": "What is 12 + 30?"},
            {"role": "assistant", "content": "12 + 30 = 4"},
        ]
        body = {"model": "davinci-002", "messages": messages, "temperature": 0}
        answer = client.post("/v1/chat/completions", json=body).raise_for_status().json()
        assert answer["model"] == "davinci-002"
        assert answer["choices"][0]["message"]["reasoning_content"]  # a new turn
        text = client.post("/completion", json={"model": "x", "prompt": "a", "n_predict": 1})
        assert text.raise_for_status().json()["model"] == "demo"
        for origin, status in (
            ("https://chat.example", 200),
            ("http://localhost:3000", 200),
            ("https://evil.example", 403),
        ):
            assert client.get("/props", headers={"Origin": origin}).status_code == status
