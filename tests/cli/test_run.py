"""The chat on a real terminal of 80 x 24, and single answers through pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyinfer
from pyinfer.cli.main import main
from pyinfer.store.local import Store

from ..checkpoints import random_config, write_folder, write_gguf
from ..store.hub_server import Hub
from ..store.stores import add_ollama
from ..vocabulary import N_TOKENS
from .screen import Screen

GREEDY = "/set parameter temperature 0"


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model without an end token."""
    folder = tmp_path_factory.mktemp("run") / "endless"
    write_folder(folder, random_config(max_position_embeddings=65_536), with_tokenizer=True)
    for name in ("tokenizer_config.json", "generation_config.json", "config.json"):
        content = json.loads((folder / name).read_text("utf-8"))
        content = {key: value for key, value in content.items() if "eos" not in key}
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    home = str(Path(pyinfer.__file__).parents[1])
    return {
        **os.environ,
        "PYTHONPATH": home,
        "TERM": "xterm",
        "NO_COLOR": "",
        "PYINFER_LOG": "",
        "PYINFER_ISA": "",
        "PYINFER_MODELS": str(tmp_path / "data" / "models"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
    }


def words(*given: str | Path) -> list[str]:
    return [sys.executable, "-m", "pyinfer", "run", *map(str, given)]


@pytest.fixture
def chat(env: dict[str, str]) -> Iterator[Screen]:
    """A chat with the embedded model."""
    with Screen(words(), env) as screen:
        screen.until_prompt()
        yield screen


def test_question_and_answer(chat: Screen) -> None:
    chat.ask(GREEDY)
    lines = chat.ask("Which is larger, 9.11 or 9.9?")
    assert lines[:4] == [
        "9.11 and 9.90: 9=9 1<9",
        "9.11 is smaller, 9.9 is larger.",
        "",
        "9.9 is larger than 9.11.",
    ]
    assert re.fullmatch(r"\[\d+ tokens, [\d.]+ tok/s\]", lines[4])
    assert lines[5:] == [""]
    assert chat.is_dim("9.11")
    assert not chat.is_dim("than")
    assert b" tok/s, 0 s" in chat.sent  # while it came
    chat.ask("/set fold")
    lines = chat.ask('"""Which is larger,\n9.11 or 9.9?"""')
    assert re.fullmatch(r"\[thought for [\d.]+ s, \d+ tokens\]", lines[1])
    assert lines[2:4] == ["", "9.9 is larger than 9.11."]
    chat.type("/bye\n")
    assert chat.wait() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(env: dict[str, str], endless: Path) -> None:
    with Screen(words(endless, "--no-think"), env) as chat:
        chat.until_prompt()
        chat.ask("/set parameter seed 1")  # random text could hold what moves the cursor
        chat.type("hello\n")
        chat.until(lambda: any("tokens, " in line and "tok/s" in line for line in chat.lines))
        chat.type("\x03")
        chat.until_prompt()
        assert any(line.endswith("stopped]") for line in chat.lines), chat.lines[-5:]
        chat.type("\x03")  # at the prompt: a hint
        chat.until(lambda: "Use Ctrl-D or /bye to leave." in chat.lines)
        chat.until_prompt()
        assert chat.ask("/set parameter num_predict 5") == ["num_predict is 5."]
        lines = chat.ask("again")
        assert lines[-2].startswith("[5 tokens")
        chat.type("\x04")
        assert chat.wait() == 0


def test_settings(chat: Screen) -> None:
    assert chat.ask("/set parameter top_p 9")[0].startswith("pyinfer: error: top_p")
    assert "takes a number" in chat.ask("/set parameter top_k x")[0]
    assert "is no parameter" in chat.ask("/set parameter tempo 1")[0]
    assert "is fixed" in chat.ask("/set parameter num_ctx 100")[0]
    assert chat.ask("/set parameter stop x") == ['stop is ["x"].']
    assert chat.ask("/set parameter stop y") == ['stop is ["x", "y"].']
    assert chat.ask("/show parameters")[-1].split() == ["stop", '["x",', '"y"]']
    assert chat.ask("/show system") == ["No system message is set."]
    chat.ask('/set system "Be brief."')
    assert chat.ask("/show system") == ["Be brief."]
    assert "Be brief." in "\n".join(chat.ask("/show template"))
    for line in ("/foo", "/set", "/set foo", "/show", "/save", "/load", "/load none", "/save ../x"):
        assert "pyinfer: error: " in chat.ask(line)[0]
    assert any("demo" in line for line in chat.ask("/show info"))
    page = chat.ask("/help")
    assert len(page) <= 22  # fits the screen
    assert max(map(len, page)) < 80


def test_a_chat_goes_on_another_day(env: dict[str, str], tmp_path: Path) -> None:
    with Screen(words(), env) as chat:
        chat.until_prompt()
        chat.ask(GREEDY)
        chat.ask("What is 12 + 30?")
        messages = chat.ask("/show messages")
        chat.ask("/save sums")
        chat.type("/bye\n")
        assert chat.wait() == 0
    saved = json.loads((tmp_path / "data" / "sessions" / "sums.json").read_text())
    assert [message["role"] for message in saved["messages"]] == ["user", "assistant"]
    assert "42" in saved["messages"][1]["content"]
    assert "<think>" not in saved["messages"][1]["content"]
    with Screen(words(), env) as chat:
        chat.until_prompt()
        assert chat.ask("/load sums") == ["Loaded: 2 messages with demo."]
        assert chat.ask("/show messages") == messages
        chat.ask("/clear")
        assert chat.ask("/show messages") == ["No messages yet."]
        chat.type("\x1b[A")  # an earlier line comes back
        chat.until(lambda: chat.lines[-1] == ">>> /show messages")
        chat.type("\x15/bye\n")
        assert chat.wait() == 0
    history = (tmp_path / "state" / "pyinfer" / "history").read_text()
    assert "What is 12 + 30?" in history


def test_pipes(env: dict[str, str]) -> None:
    def answer(*given: str, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words(*given), input=text, capture_output=True, text=True, env=env, check=False
        )

    done = answer("--no-think", text="What is 12 + 30?\n")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stdout.endswith("\n")
    demo = str(Path(pyinfer.__file__).parent / "demo")
    done = answer("--hide-thinking", demo, "What", "is 2 +", text="3?\n")
    assert done.returncode == 0
    assert "<think>" not in done.stdout
    assert done.stderr == ""
    assert answer(text="").returncode == 3
    assert answer("no-such-model", text="hi").returncode == 5
    assert answer("hf:a/../b", text="hi").returncode == 5


def test_a_format_without_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llguidance", reason="grammars need the extra [server]")
    monkeypatch.setenv("PYINFER_HOST", "127.0.0.1:1")
    monkeypatch.setattr("sys.stdin", None)
    question = "is beijing a big city?"
    assert main(["run", "demo", question, "--no-think", "--format", '{"type": "boolean"}']) == 0
    assert json.loads(capsys.readouterr().out) in (True, False)
    assert main(["run", "demo", question, "--format", "nonsense"]) == 2
    assert main(["run", "demo", question, "--format", '{"type": "nonsense"}']) == 3
    assert "nonsense" in capsys.readouterr().err


def test_a_model_of_an_ollama_store(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, random_config(vocab=N_TOKENS, hidden=64, intermediate=128))
    params = {"temperature": 0.5, "stop": ["<｜User｜>"], "num_ctx": 4096, "foo": [1]}
    add_ollama(tmp_path / "ollama", path.read_bytes(), params=params, texts={"license": "MIT"})
    env["OLLAMA_MODELS"] = str(tmp_path / "ollama")
    with Screen(words("deepseek-r1:1.5b", "--no-think"), env) as chat:
        chat.until_prompt()
        shown = dict(line.split(None, 1) for line in chat.ask("/show parameters"))
        assert shown["temperature"] == "0.5"
        assert "User" in shown["stop"]
        chat.ask("/set parameter num_predict 5")
        assert chat.ask("hi")[-2].startswith("[")


def test_a_q4_k_m_blob_of_an_ollama_store(
    env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Ollama users have: manifest, template, params and license beside a Q4_K_M blob."""
    demo, blob = str(Path(pyinfer.__file__).parent / "demo"), tmp_path / "m.gguf"
    assert main(["convert", demo, str(blob), "--dtype", "q4_k_m"]) == 0
    texts = {"template": "{{ .Prompt }}", "license": "MIT"}
    params = {"temperature": 0, "stop": ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]}
    add_ollama(tmp_path / "ollama", blob.read_bytes(), params=params, texts=texts)
    env["OLLAMA_MODELS"] = str(tmp_path / "ollama")
    listed = subprocess.run(
        [sys.executable, "-m", "pyinfer", "list"],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert re.search(r"^deepseek-r1:1\.5b +[0-9a-f]{12} .* ollama$", listed.stdout, re.MULTILINE)
    with Screen(words("deepseek-r1:1.5b"), env) as chat:
        chat.until_prompt()
        assert "12 + 30 = 42." in chat.ask("What is 12 + 30?")


def test_a_hub_model_is_pulled_first(env: dict[str, str]) -> None:
    folder = Path(pyinfer.__file__).parent / "demo"
    files = {
        p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".json", ".safetensors")
    }
    with Hub({"org/demo": files}) as hub:
        env |= {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "", "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
        done = subprocess.run(
            words("hf:org/demo", "What is 2 + 3?"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=env,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "model.safetensors" in done.stderr
        with Screen([sys.executable, "-m", "pyinfer", "pull", "hf:org/demo"], env) as screen:
            assert screen.wait() == 0
            assert max(map(len, screen.lines)) <= 80
            assert screen.lines[-1] == "hf.co/org/demo:latest: 6.8 MB in the store"
    store = Store(Path(env["PYINFER_MODELS"]))
    assert [str(model.name) for model in store.models()] == ["hf.co/org/demo:latest"]
