"""What begins with a slash in a chat."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from pyinfer.cli.chat_session import load_session, save_session
from pyinfer.errors import ModelNotFoundError, UsageError
from pyinfer.requests.preset import OPTION_FIELDS

if TYPE_CHECKING:
    from pyinfer.cli.chat import Chat

HELP = '''\
  /set parameter NAME VALUE   temperature, top_p, seed, num_predict, stop, ...
  /set system TEXT            system message for the following answers
  /set think | nothink        reason before answering, or not
  /set fold | show            hide the reasoning behind one line, or show it
  /set verbose | quiet        timings after each answer
  /set wordwrap | nowordwrap  break lines between words
  /set history | nohistory    keep what you type for the next chat
  /show info | parameters | system | template | messages
  /save NAME, /load NAME      keep the chat; go on with it or another model
  /clear                      forget the conversation
  /bye                        leave (also Ctrl-D)
  """                         begin and end a message of several lines
  Ctrl-C                      stop the answer; at the prompt: give up the line'''

WORDS = [
    "/set parameter ", "/set system ", "/set think", "/set nothink", "/set fold", "/set show",
    "/set verbose", "/set quiet", "/set wordwrap", "/set nowordwrap", "/set history",
    "/set nohistory", "/show info", "/show parameters", "/show system", "/show template",
    "/show messages", "/save ", "/load ", "/clear", "/bye", "/help",
    *(f"/set parameter {name} " for name in OPTION_FIELDS),
]  # fmt: skip


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise RequestError for a value out of range."""
    from pyinfer import SamplingParams

    SamplingParams(**parameters)


def run_command(chat: Chat, line: str) -> bool:
    """Do what a line says; False ends the chat.

    Raises
    ------
    PyinferError
        It cannot be done; the chat goes on.
    """
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word in ("/bye", "/exit", "/quit"):
        return False
    if word in ("/help", "/?"):
        chat.say(HELP)
    elif word == "/clear":
        chat.session.messages.clear()
        chat.say("The conversation is forgotten.")
    elif word == "/set":
        _set(chat, rest)
    elif word == "/show":
        _show(chat, rest)
    elif word == "/save":
        save_session(_name(rest), chat.session)
        chat.say(f"Saved. Go on another day with: /load {rest}")
    elif word == "/load":
        _load(chat, _name(rest))
    else:
        raise UsageError(f"{word[:40]} is no command", hint="/help lists them")
    return True


def _name(text: str) -> str:
    if not text:
        raise UsageError("a name is missing")
    return text


def _set(chat: Chat, rest: str) -> None:
    what, _, value = rest.partition(" ")
    value = value.strip()
    switches: dict[str, tuple[str, Any, str]] = {
        "verbose": ("verbose", True, "Timings are shown."),
        "quiet": ("verbose", False, "Timings are not shown."),
        "wordwrap": ("wrap", True, "Lines are broken between words."),
        "nowordwrap": ("wrap", False, "Lines are broken where the terminal ends."),
        "fold": ("fold", True, "Reasoning is folded."),
        "show": ("fold", False, "Reasoning is shown."),
    }
    if what in switches:
        field, setting, text = switches[what]
        setattr(chat, field, setting)
        chat.say(text)
    elif what in ("think", "nothink"):
        chat.session.think = None if what == "think" else False
        chat.say("Answers after reasoning." if what == "think" else "Answers without reasoning.")
    elif what in ("history", "nohistory"):
        chat.reader.keep_history = what == "history"
        chat.say("Lines are kept." if what == "history" else "Lines are not kept.")
    elif what == "system":
        chat.session.system = _unquoted(value)
        chat.say("Set." if value else "Without a system message.")
    elif what == "parameter":
        _set_parameter(chat, *value.partition(" ")[::2])
    else:
        raise UsageError(f"/set {what[:40]} is not known", hint="/help lists what can be set")


def _unquoted(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    return words[0] if len(words) == 1 and text[:1] in "\"'" else text


def _set_parameter(chat: Chat, name: str, value: str) -> None:
    if name == "num_ctx":
        raise UsageError("the context is fixed when the model is loaded", hint="start with -c N")
    if name not in OPTION_FIELDS:
        raise UsageError(
            f"{name[:40]!r} is no parameter", hint=f"there are: {', '.join(OPTION_FIELDS)}"
        )
    field, kind = OPTION_FIELDS[name]
    text = _unquoted(value.strip())
    try:
        setting = kind(text)
    except ValueError:
        raise UsageError(f"{name} takes a number, found {text[:40]!r}") from None
    parameters = dict(chat.session.parameters)
    if field == "stop":
        before = {**chat.model.parameters(), **parameters}.get("stop", [])
        parameters["stop"] = [*before, text] if text else []
    elif (field, setting) == ("max_tokens", -1):
        parameters.pop("max_tokens", None)
    else:
        parameters[field] = setting
    check_parameters(parameters)
    chat.session.parameters = parameters
    chat.say(f"{name} is {json.dumps(parameters.get(field), ensure_ascii=False)}.")


def _show(chat: Chat, what: str) -> None:
    session = chat.session
    if what == "info":
        chat.say("\n".join(f"  {line}" for line in chat.model.facts()))
    elif what == "parameters":
        given = {**chat.model.parameters(), **session.parameters}
        chat.say("\n".join(f"  {name:<20}{json.dumps(v)}" for name, v in given.items()))
    elif what == "system":
        chat.say(session.system or "No system message is set.")
    elif what == "template":
        chat.say(chat.model.template(session.prompt("...")))
    elif what == "messages":
        texts = [f"  {m['role']}: {m['content']}" for m in session.messages]
        chat.say("\n".join(texts) or "No messages yet.")
    else:
        raise UsageError(
            f"/show {what[:40]} is not known", hint="info, parameters, system, template, messages"
        )


def _load(chat: Chat, name: str) -> None:
    """Go on with a saved chat, or start one with another model."""
    try:
        session = load_session(name)
    except ModelNotFoundError as no_session:
        try:
            chat.switch_model(name)
        except ModelNotFoundError as no_model:
            raise ModelNotFoundError(f"{no_session.message}, and {no_model.message}") from None
        chat.say(f"Now talking to {chat.model.name}.")
        return
    check_parameters(session.parameters)
    if session.model != chat.session.model:
        chat.switch_model(session.model)
    chat.session = session
    chat.say(f"Loaded: {len(session.messages)} messages with {chat.model.name}.")
