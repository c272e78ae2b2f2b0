"""Records what ``run``, ``pull``, ``list``, ``show`` and ``doctor`` show, by running them.

From the folder of the checkout: ``python -m tests.cli.record_sessions`` writes
``docs/sessions.md``. The hub is one on the loopback interface, the Ollama store laid out by hand.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from pyinfer.store.places import DEMO_FOLDER

from ..store.hub_server import Hub
from ..store.stores import add_ollama
from .screen import Screen

ROOT = Path(__file__).parents[2]
QUESTIONS = [
    "/set parameter temperature 0",
    "Which is larger, 9.11 or 9.9?",
    "/set fold",
    '"""What is 12 + 30?\n"""',
    "/save sums",
    "/show parameters",
    "/foo",
]
HEAD = """\
# Recorded sessions

Made by `python -m tests.cli.record_sessions` on a terminal of 80 x 24, with the embedded model
behind a hub on the loopback interface and an Ollama store laid out by hand. Colours are lost here:
reasoning is dim.
"""


def record(env: dict[str, str], *words: str) -> str:
    """What a command leaves on the screen."""
    with Screen([sys.executable, "-m", "pyinfer", *words], env) as screen:
        screen.wait()
        return "\n".join([f"$ pyinfer {' '.join(words)}", *screen.everything])


def record_chat(env: dict[str, str], model: str) -> str:
    """A chat, and how an answer is stopped."""
    with Screen([sys.executable, "-m", "pyinfer", "run", model], env) as screen:
        screen.until_prompt()
        for line in QUESTIONS:
            screen.ask(line)
        screen.type("/bye\n")
        screen.wait()
        return "\n".join([f"$ pyinfer run {model}", *screen.everything])


def main() -> None:
    """Write the document."""
    files = {p.name: p.read_bytes() for p in DEMO_FOLDER.iterdir() if p.name != "README.md"}
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    with tempfile.TemporaryDirectory() as work, Hub({"pyinfer/demo": files}) as hub:
        hub.rate = 8e6
        params = {"temperature": 0.6, "top_p": 0.95, "stop": ["<｜User｜>"]}
        texts = {"template": "{{ .Prompt }}", "license": "MIT"}
        env = {
            **os.environ,
            "TERM": "xterm",
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": "",
            "NO_PROXY": "*",
            "HF_HUB_OFFLINE": "",
            "PYINFER_MODELS": f"{work}/models",
            "OLLAMA_MODELS": f"{work}/ollama",
            "HF_HUB_CACHE": f"{work}/hub",
            "XDG_STATE_HOME": f"{work}/state",
            "XDG_CACHE_HOME": f"{work}/cache",
        }
        small = Path(work) / "small.gguf"
        record(env, "convert", str(DEMO_FOLDER), str(small), "--dtype", "q4_k_m")
        name = "registry.ollama.ai/library/pyinfer-demo/q4_k_m"
        add_ollama(Path(work) / "ollama", small.read_bytes(), name, params, texts)
        sessions = [
            record(env, "pull", "hf:pyinfer/demo"),
            record(env, "cp", "hf:pyinfer/demo", "demo"),
            record(env, "list"),
            record(env, "show", "demo", "--verify"),
            record(env, "show", "pyinfer-demo:q4_k_m"),
            record_chat(env, "demo"),
            record(env, "run", "demo", "--hide-thinking", "What is 12 + 30?"),
            record(env, "rm", "demo"),
            record(env, "doctor"),
        ]
    text = HEAD + "".join(f"\n```text\n{session}\n```\n" for session in sessions)
    text = text.replace(work, "~").replace(str(hub.port), "PORT")
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    (ROOT / "docs" / "sessions.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
