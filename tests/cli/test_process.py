"""The command as a process: pipes, terminals, signals, exit statuses, with a real tiny model."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyinfer

from ..checkpoints import random_config, write_folder

#: Longer than anything here takes, so that a hang fails the test instead of stopping the run.
PATIENCE = 60

# Settings of the person who runs the tests that would change what is shown.
_USUAL = dict.fromkeys(("NO_COLOR", "PYTHONUNBUFFERED", "PYINFER_ISA", "PYINFER_LOG"), "")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model without an end token: it writes until it is told to stop."""
    folder = tmp_path_factory.mktemp("cli") / "endless"
    write_folder(folder, random_config(max_position_embeddings=65_536), with_tokenizer=True)
    for name in ("tokenizer_config.json", "generation_config.json", "config.json"):
        content = json.loads((folder / name).read_text("utf-8"))
        content = {key: value for key, value in content.items() if "eos" not in key}
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def environment(**extra: str) -> dict[str, str]:
    home = str(Path(pyinfer.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": home, "TERM": "xterm", **_USUAL, **extra}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "pyinfer.generate", *map(str, words)]


def run(
    *words: str | Path, stdin: bytes | None = None, **extra: str
) -> subprocess.CompletedProcess[bytes]:
    source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        command(*words),
        capture_output=True,
        timeout=PATIENCE,
        env=environment(**extra),
        check=False,
        **source,  # type: ignore[call-overload]
    )


def one_error_line(done: subprocess.CompletedProcess[bytes], status: int, text: str) -> None:
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(b"pyinfer: error: ")
    assert done.stderr.count(b"\n") == 1
    assert text.encode() in done.stderr


def test_same_seed_same_answer_in_pipe_and_json(model: Path) -> None:
    words = ("-m", model, "-n", "20", "--seed", "3")
    plain = run(*words, "--no-think", "hello")
    assert plain.returncode == 0
    assert plain.stderr == b""
    answer = json.loads(run(*words, "--no-think", "--json", stdin=b"hello\n").stdout)
    assert answer["usage"]["completion_tokens"] == 20
    assert plain.stdout.decode() == answer["text"] + ("" if answer["text"].endswith("\n") else "\n")


def test_reasoning_and_reports(model: Path) -> None:
    done = run("-m", model, "-n", "5", "--verbose", "hello")
    assert done.stdout.startswith(b"<think>\n")
    names = [line.split(":")[0] for line in done.stderr.decode().splitlines()]
    assert names[:8] == [
        "total duration",
        "load duration",
        "prompt eval count",
        "prompt eval duration",
        "prompt eval rate",
        "eval count",
        "eval duration",
        "eval rate",
    ]
    assert re.search(rb"eval count: +5 token\(s\)\n", done.stderr)
    assert re.search(rb"eval rate: +\d+\.\d\d tokens/s\n", done.stderr)


def test_main_module() -> None:
    words = [sys.executable, "-m", "pyinfer", "--version"]
    done = subprocess.run(words, capture_output=True, env=environment(), check=True)
    assert done.stdout.decode() == f"pyinfer {pyinfer.__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from pyinfer.cli.main import main; main(['generate', '--help']);"
        "print([m for m in ('numpy', 'tokenizers', 'jinja2', 'rich', 'safetensors', 'asyncio')"
        " if m in sys.modules], file=sys.stderr)"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, env=environment(), check=True)
    assert done.stderr == b"[]\n"


def test_bad_input(model: Path, tmp_path: Path) -> None:
    one_error_line(run("-m", tmp_path / "none", "hi"), 5, "none")
    one_error_line(run("-m", model, "-", stdin=b"\xff"), 3, "UTF-8")
    one_error_line(run("-m", model, "-", stdin=b"\n"), 3, "empty")
    one_error_line(run("-m", model, "--isa", "mmx", "hi"), 2, "mmx")
    one_error_line(run("-m", model, "--dtype", "q9", "hi"), 2, "q9")
    one_error_line(run("-m", model, "-c", "64", "x" * 500), 3, "64")
    one_error_line(run("-m", model, "hi", PYINFER_ISA="mmx"), 2, "mmx")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    one_error_line(run("-m", tmp_path / "bad.gguf", "hi"), 4, "bad.gguf")


def start(*words: str | Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*words),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_closed_pipe_is_silent(model: Path) -> None:
    process = start("-m", model, "hello")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(8) == b"<think>\n"
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("words", [["--help"], ["--json", "-n", "3", "hello"]])
def test_nobody_reads(model: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("-m", model, *words, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (141, b"")


def test_output_never_open(model: Path) -> None:
    line = " ".join([*command("-m", model, "-n", "3", "hello"), ">&-"])
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, env=environment())
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("words", [["--help"], ["--json", "-n", "3", "x"], ["-n", "3", "x"]])
def test_full_disk(model: Path, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("-m", model, *words, stdout=full.fileno())
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err == b"pyinfer: error: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_generating(model: Path, number: int, status: int) -> None:
    process = start("-m", model, "hello")
    assert process.stdout is not None
    process.stdout.read(9)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (status, b"")
    if number == signal.SIGINT:
        assert out.endswith(b"\n")


def test_interrupt_while_reading_the_prompt(model: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt"
    prompt.write_text("x 1\n" * 15_000)
    with prompt.open("rb") as source:
        process = subprocess.Popen(
            command("-m", model, "-c", "65000", "-"),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        # Both share the file's position, which tells when the prompt has been read.
        while os.lseek(source.fileno(), 0, os.SEEK_CUR) < prompt.stat().st_size:
            time.sleep(0.02)
    time.sleep(0.7)  # loading takes less, evaluating the prompt takes much longer
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, b"\n" * (out != b""), b"")


def test_interrupt_inside_a_long_call() -> None:
    """The main thread cannot run Python's handler, yet the process ends."""
    script = (
        "import hashlib, pyinfer, sys\n"
        "from pyinfer.cli.main import main\n"
        "def load(*a, **k):\n"
        "    print('loading', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'x', b'y', 100_000_000)\n"
        "    print('loaded', flush=True)\n"
        "pyinfer.load = load\n"
        "sys.argv[1:] = ['generate', '-m', 'x', 'hi']\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"loading\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, b"", b"")


class Terminal:
    """A process whose three standard streams are one terminal."""

    def __init__(self, *words: str | Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command(*words), stdin=slave, stdout=slave, stderr=slave, env=environment()
        )
        os.close(slave)
        self.text = b""

    def read_until(self, wanted: bytes) -> None:
        while wanted not in self.text and self._more():
            pass
        assert wanted in self.text, self.text

    def finish(self) -> int:
        while self._more():
            pass
        return self.process.wait(PATIENCE)

    def _more(self) -> bool:
        try:
            data = os.read(self.master, 4096)
        except OSError:  # the other side is closed
            return False
        self.text += data
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.master)


@pytest.fixture
def terminal(model: Path) -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    class Tracked(Terminal):
        def __init__(self, *words: str | Path) -> None:
            super().__init__("-m", model, *words)
            opened.append(self)

    yield Tracked
    for one in opened:
        one.close()


def sane(text: bytes) -> bool:
    """Every attribute is reset and the cursor is visible."""
    hidden, shown = text.rfind(b"\x1b[?25l"), text.rfind(b"\x1b[?25h")
    return text.rfind(b"\x1b[2m") <= text.rfind(b"\x1b[0m") and hidden <= shown


def test_terminal_shows_reasoning_dim(terminal: type[Terminal]) -> None:
    one = terminal("-n", "30", "--seed", "1", "hello")
    assert one.finish() == 0
    assert b"\x1b[2m" in one.text
    assert b"<think>\r\n" not in one.text
    assert sane(one.text)
    # After the progress bar nothing but our own sequences reaches the terminal.
    answer = one.text.rpartition(b"\x1b[?25h")[2]
    rest = re.sub(rb"\x1b\[([02]m|1A|2K)", b"", answer)
    assert len(rest) > 20
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest)


def test_terminal_long_prompt_shows_progress(terminal: type[Terminal]) -> None:
    one = terminal("-n", "3", "--no-think", "-c", "20000", "word " * 4000)
    assert one.finish() == 0
    assert b"Reading the prompt" in one.text
    shown = re.search(rb"([1-9]\d*)/(\d+)", one.text)
    assert shown is not None
    assert int(shown[2]) > 4000
    assert sane(one.text)


def test_terminal_interrupt(terminal: type[Terminal]) -> None:
    one = terminal("hello")
    one.read_until(b"\x1b[2m")
    one.process.send_signal(signal.SIGINT)
    assert one.finish() == 130
    assert sane(one.text)
    assert b"Traceback" not in one.text


def test_terminal_without_prompt(terminal: type[Terminal]) -> None:
    one = terminal()
    assert one.finish() == 2
    assert one.text.startswith(b"pyinfer: error: no prompt given")
    assert one.text.count(b"\n") == 1
