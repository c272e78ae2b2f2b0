"""Conversations in files, so that a chat can go on another day."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.errors import ModelFormatError, ModelNotFoundError
from pyinfer.store.durable import make_folder, storage_errors, write_file
from pyinfer.store.names import check_file_name
from pyinfer.store.places import store_root

SCHEMA = 1
MAX_SESSION_BYTES = 64 << 20


@dataclass(slots=True)
class Session:
    """What makes a conversation.

    Attributes
    ----------
    model : str or None
        Name or path; None is the embedded model.
    system : str
    think : bool, str or None
        As in ``LLM.chat``; a level such as ``high`` is for servers and means True here.
    parameters : dict
        Fields of ``SamplingParams``.
    messages : list of dict
        Without the system message.
    """

    model: str | None = None
    system: str = ""
    think: bool | str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, str]] = field(default_factory=list)

    def prompt(self, text: str) -> list[dict[str, str]]:
        """All messages, a new one of the user at the end."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self.messages, {"role": "user", "content": text}]


def session_file(name: str) -> Path:
    """Where a session is kept.

    Raises
    ------
    InvalidNameError
        The name is no plain file name.
    """
    return store_root().parent / "sessions" / f"{check_file_name(name)}.json"


def save_session(name: str, session: Session) -> Path:
    """Write a session.

    Raises
    ------
    InvalidNameError, StoreIOError, StoreFullError
        The name is not allowed, or writing failed.
    """
    path = session_file(name)
    value = {
        "schema": SCHEMA,
        "model": session.model,
        "system": session.system,
        "think": session.think,
        "parameters": session.parameters,
        "messages": session.messages,
    }
    with storage_errors(f"saving {name}"):
        make_folder(path.parent)
        write_file(path, json.dumps(value, ensure_ascii=False, indent=1).encode())
    return path


def load_session(name: str) -> Session:
    """Read a session.

    Raises
    ------
    ModelNotFoundError
        There is none of that name.
    ModelFormatError, InvalidNameError, StoreIOError
        It is damaged, the name is not allowed, or reading failed.
    """
    path = session_file(name)
    if not path.exists():
        raise ModelNotFoundError(f"there is no saved chat {name!r}")
    value = read_json_object(path, MAX_SESSION_BYTES)
    messages = value.get("messages")
    fits = (
        value.get("schema") == SCHEMA
        and isinstance(value.get("model"), str | None)
        and isinstance(value.get("system"), str)
        and isinstance(value.get("think"), bool | str | None)
        and isinstance(value.get("parameters"), dict)
        and isinstance(messages, list)
        and all(
            isinstance(m, dict)
            and m.get("role") in ("user", "assistant")
            and isinstance(m.get("content"), str)
            for m in messages
        )
    )
    if not fits:
        raise ModelFormatError(f"{path.name}: not a saved chat of this version")
    return Session(
        value["model"], value["system"], value["think"], value["parameters"], value["messages"]
    )
