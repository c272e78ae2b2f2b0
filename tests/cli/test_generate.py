"""``pyinfer generate`` with a model that says what it is told to: options, output, reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import pyinfer
from pyinfer.cli.main import main
from pyinfer.errors import ContextLengthError, PyinferError
from pyinfer.requests.answer import Chunk, Generation, Timings, Usage

TIMINGS = Timings(
    load_ns=1_500_000_000,
    queue_ns=0,
    prompt_ns=250_000_000,
    decode_ns=2_000_000_000,
    prompt_tokens=50,
    decode_tokens=40,
    bytes_per_token=500_000_000,
)
RESULT = Generation(
    text="It is 5\x1b[1m.",
    reasoning="2+3, é\n",
    token_ids=[1, 2, 3],
    finish_reason="stop",
    cause="eos",
    stop=None,
    seed=7,
    usage=Usage(50, 10, 41, 20),
    timings=TIMINGS,
)


@dataclass
class Info:
    name: str = "fake"
    isa: str = "scalar"
    threads: int = 1


@dataclass
class FakeLLM:
    """Records how it is called, and answers with RESULT."""

    calls: list[tuple[str, Any, dict[str, Any]]] = field(default_factory=list)
    load_options: dict[str, Any] = field(default_factory=dict)
    failure: BaseException | None = None
    closed: bool = False
    info: Info = field(default_factory=Info)

    def load(self, path: str | None, **options: Any) -> FakeLLM:
        self.load_options = {"path": path, **options}
        options["progress"](1, 2)
        return self

    def stream(self, prompt: str, **options: Any) -> FakeStream:
        self.calls.append(("raw", prompt, options))
        return FakeStream(self)

    def stream_chat(self, messages: Any, **options: Any) -> FakeStream:
        self.calls.append(("chat", messages, options))
        return FakeStream(self)

    def __enter__(self) -> FakeLLM:
        return self

    def __exit__(self, *rest: object) -> None:
        self.closed = True


class FakeStream:
    def __init__(self, llm: FakeLLM) -> None:
        self.llm = llm

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *rest: object) -> None:
        pass

    def __iter__(self) -> Any:
        yield Chunk("reasoning", "2+3,", [1])
        yield Chunk("reasoning", " é\n", [2])
        if self.llm.failure is not None:
            raise self.llm.failure
        yield Chunk("content", "It is 5\x1b[1m.", [3])

    def result(self) -> Generation:
        if self.llm.failure is not None:
            raise self.llm.failure
        return RESULT


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> FakeLLM:
    fake = FakeLLM()
    monkeypatch.setitem(vars(pyinfer), "load", fake.load)
    return fake


@pytest.fixture
def call(llm: FakeLLM, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["generate", "--model", "m", *words])
        return status, *capsys.readouterr()

    return run


def test_plain_answer(call: Call, llm: FakeLLM) -> None:
    status, out, err = call("What is 2+3?")
    assert (status, err) == (0, "")
    assert out == "<think>\n2+3, é\n</think>\n\nIt is 5\x1b[1m.\n"
    kind, messages, options = llm.calls[0]
    assert (kind, messages) == ("chat", [{"role": "user", "content": "What is 2+3?"}])
    assert options["think"] is None
    assert options["params"] == pyinfer.SamplingParams()
    assert llm.closed


def test_system_message(call: Call, llm: FakeLLM) -> None:
    call("--system", "Be brief.", "hi")
    assert llm.calls[0][1][0] == {"role": "system", "content": "Be brief."}


def test_raw(call: Call, llm: FakeLLM) -> None:
    assert call("--raw", "1, 2,")[0] == 0
    assert llm.calls[0][:2] == ("raw", "1, 2,")
    for other in (("--system", "x"), ("--think",), ("--no-think",)):
        status, _, err = call("--raw", *other, "x")
        assert status == 2
        assert "--raw" in err


@pytest.mark.parametrize(
    ("words", "think"),
    [
        ((), None),
        (("--think",), True),
        (("--think=true",), True),
        (("--think=false",), False),
        (("--no-think",), False),
    ],
)
def test_think(call: Call, llm: FakeLLM, words: tuple[str, ...], think: bool | None) -> None:
    assert call(*words, "hi")[0] == 0
    assert llm.calls[0][2]["think"] is think


@pytest.mark.parametrize("flag", ["--hide-thinking", "--hidethinking"])
def test_hidden_reasoning(call: Call, flag: str) -> None:
    assert call(flag, "hi")[1] == "It is 5\x1b[1m.\n"


def test_sampling_options(call: Call, llm: FakeLLM) -> None:
    words = (
        "--temperature 0.5 --top-k 3 --top-p 0.25 --min-p 0.1 --typical-p 0.75 --seed -1"
        " --repeat-penalty 1.25 --repeat-last-n -1 --presence-penalty -0.5"
        " --frequency-penalty 0.5 --max-tokens 9 --stop a --stop b"
    )
    assert call(*words.split(), "hi")[0] == 0
    assert llm.calls[0][2]["params"] == pyinfer.SamplingParams(
        temperature=0.5,
        top_k=3,
        top_p=0.25,
        min_p=0.1,
        typical_p=0.75,
        seed=-1,
        repetition_penalty=1.25,
        repeat_last_n=-1,
        presence_penalty=-0.5,
        frequency_penalty=0.5,
        max_tokens=9,
        stop=("a", "b"),
    )


def test_load_options(call: Call, llm: FakeLLM) -> None:
    words = "--dtype q4_0 --ctx-size 512 --threads 3 --isa avx2 --kv-type q8_0 --packed-cache"
    call(*words.split(), "hi")
    del llm.load_options["progress"]
    assert llm.load_options == {
        "path": "m",
        "dtype": "q4_0",
        "ctx_size": 512,
        "threads": 3,
        "isa": "avx2",
        "kv_type": "q8_0",
        "packed_cache": True,
        "pre": None,
    }


def test_embedded_model_is_announced(llm: FakeLLM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hi"], command="generate") == 0
    assert llm.load_options["path"] is None
    out, err = capsys.readouterr()
    assert "embedded" in err
    assert "embedded" not in out


def test_json(call: Call) -> None:
    status, out, err = call("--json", "hi")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "model": "fake",
        "text": "It is 5\x1b[1m.",
        "reasoning": "2+3, é\n",
        "finish_reason": "stop",
        "seed": 7,
        "usage": {
            "prompt_tokens": 50,
            "cached_tokens": 10,
            "completion_tokens": 41,
            "reasoning_tokens": 20,
        },
        "timings": {
            "total": 3.75,
            "load": 1.5,
            "prompt": 0.25,
            "decode": 2.0,
            "prompt_per_second": 200.0,
            "decode_per_second": 20.0,
        },
        "isa": "scalar",
        "threads": 1,
    }


def test_verbose(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyinfer.diagnose.limits.read_bandwidth", lambda threads, isa: 2e10)
    status, out, err = call("--verbose", "--hide-thinking", "hi")
    assert (status, out) == (0, "It is 5\x1b[1m.\n")
    assert err.splitlines() == [
        "total duration:       3.75s",
        "load duration:        1.5s",
        "prompt eval count:    50 token(s)",
        "prompt eval duration: 250ms",
        "prompt eval rate:     200.00 tokens/s",
        "eval count:           41 token(s)",
        "eval duration:        2s",
        "eval rate:            20.00 tokens/s",
        "instruction set:      scalar",
        "threads:              1",
        "memory bandwidth:     10.00 GB/s of weights, 50% of the 20.0 GB/s measured now",
        "seed:                 7",
    ]


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (ContextLengthError("the prompt is too long"), 3, "pyinfer: error: the prompt is too long"),
        (PyinferError("odd"), 1, "pyinfer: error: odd"),
        (KeyboardInterrupt(), 130, ""),
        (MemoryError(), 6, "pyinfer: error: out of memory"),
        (RuntimeError("odd"), 1, "pyinfer: error: RuntimeError: odd. this is a bug"),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_failures(
    call: Call,
    llm: FakeLLM,
    failure: BaseException,
    status: int,
    message: str,
    flags: tuple[str, ...],
) -> None:
    llm.failure = failure
    got, out, err = call(*flags, "hi")
    assert got == status
    assert err.startswith(message)
    assert err.count("\n") == (1 if message else 0)
    assert out.endswith("\n") or not out or message
    assert llm.closed


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["generate", "--temperature", "hot", "x"], 2),
        (["generate", "--temperature", "-1", "x"], 3),
        (["generate", "--stop", "", "x"], 3),
        (["generate", "--threads", "0", "x"], 2),
        (["generate", ""], 3),
        (["generate", "a\udcff"], 3),
        (["generate", "a", "b"], 2),
        (["generte", "a"], 2),
        (["--frob"], 2),
        ([], 2),
    ],
)
def test_mistakes(
    llm: FakeLLM, capsys: pytest.CaptureFixture[str], words: list[str], status: int
) -> None:
    assert main(words) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyinfer: error: ")
    assert err.count("\n") == 1
    assert not llm.load_options


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pyinfer {pyinfer.__version__}\n"
    assert main(["--version", "-v"]) == 0
    assert "kernels:" in capsys.readouterr().out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--help"]) == 0
    assert "--hide-thinking" in capsys.readouterr().out
