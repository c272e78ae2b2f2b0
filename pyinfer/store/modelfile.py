"""Reading and writing Modelfiles, Ollama's description of a model.

::

    # a comment
    FROM <name, GGUF file or folder>
    PARAMETER <name> <value>          may repeat; several ``stop`` make a list
    TEMPLATE <text>                   Jinja, or what go_template.py understands
    SYSTEM <text>
    LICENSE <text>                    may repeat
    MESSAGE <role> <text>             may repeat

Instructions are written in any case. A text ends at the end of its line, or, if it begins with
``\"\"\"`` or ``"``, at the end of a line that closes the quotes. ``ADAPTER`` is refused. Reference:
``ollama/ollama``, docs/modelfile.mdx.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyinfer.errors import ModelUnsupportedError, UsageError
from pyinfer.store.go_template import to_jinja
from pyinfer.store.model_settings import ROLES, ModelSettings

MAX_MODELFILE_BYTES = 4 << 20
_QUOTES = '"""'

#: Options and the types of their values; other names are an error in a Modelfile.
OPTION_TYPES: dict[str, type] = {
    "num_ctx": int,
    "num_keep": int,
    "num_predict": int,
    "num_batch": int,
    "num_thread": int,
    "num_gpu": int,
    "main_gpu": int,
    "seed": int,
    "top_k": int,
    "repeat_last_n": int,
    "top_p": float,
    "min_p": float,
    "typical_p": float,
    "temperature": float,
    "repeat_penalty": float,
    "presence_penalty": float,
    "frequency_penalty": float,
    "use_mmap": bool,
    "stop": str,
}
# Of older versions of Ollama; accepted and left out.
_FORMER = {
    "mirostat", "mirostat_tau", "mirostat_eta", "tfs_z", "penalize_newline", "numa", "low_vram",
    "f16_kv", "logits_all", "vocab_only", "use_mlock", "num_gqa", "rope_frequency_base",
    "rope_frequency_scale",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Modelfile:
    """A Modelfile.

    Attributes
    ----------
    source : str
        What stands after ``FROM``.
    settings : ModelSettings
        The rest; the template is Jinja.
    notes : tuple of str
        What was left out, a line each.
    """

    source: str
    settings: ModelSettings
    notes: tuple[str, ...] = ()


def parse_modelfile(text: str) -> Modelfile:
    """Read a Modelfile.

    Raises
    ------
    UsageError
        It is malformed; the message names the line.
    ModelUnsupportedError
        It has an adapter, or a template that cannot be translated.
    """
    source, template, system = "", "", ""
    options: list[tuple[str, str, str]] = []
    messages: list[Mapping[str, str]] = []
    licenses: list[str] = []
    for number, word, rest in _instructions(text):
        where = f"line {number} of the Modelfile"
        match word:
            case "from" if source:
                raise UsageError(f"{where}: a second FROM, expected one model")
            case "from":
                source = rest
            case "template":
                template = rest
            case "system":
                system = rest
            case "license":
                licenses.append(rest)
            case "parameter":
                name, value = _two(rest, where, "PARAMETER takes a name and a value")
                options.append((name.lower(), _unquoted(value), where))
            case "message":
                role, content = _two(rest, where, "MESSAGE takes a role and a text")
                messages.append({"role": _role(role, where), "content": _unquoted(content)})
            case "adapter":
                raise ModelUnsupportedError(f"{where}: adapters (LoRA) do not run here")
            case "requires" | "renderer" | "parser":
                pass  # of other programs: a version, and built-in formats
            case _:
                raise UsageError(
                    f"{where}: {word[:40]!r} is no instruction",
                    hint="FROM, PARAMETER, TEMPLATE, SYSTEM, LICENSE and MESSAGE are",
                )
    if not source:
        raise UsageError(
            "the Modelfile has no FROM line", hint="FROM names the model to start with"
        )
    parameters, notes = _parameters(options)
    return Modelfile(
        source,
        ModelSettings(
            template=to_jinja(template),
            system=system,
            parameters=parameters,
            messages=tuple(messages),
            licenses=tuple(licenses),
        ),
        notes,
    )


def write_modelfile(settings: ModelSettings, source: str) -> str:
    """A Modelfile that :func:`parse_modelfile` reads back."""
    lines = ["# Made by pyinfer from the model's settings.", f"FROM {source}"]
    if settings.template:
        lines.append(f"TEMPLATE {_quoted(settings.template)}")
    if settings.system:
        lines.append(f"SYSTEM {_quoted(settings.system)}")
    lines += [f"PARAMETER {name} {value}" for name, value in parameter_lines(settings.parameters)]
    lines += [f"MESSAGE {m['role']} {_quoted(m['content'])}" for m in settings.messages]
    lines += [f"LICENSE {_quoted(text)}" for text in settings.licenses]
    return "\n".join(lines) + "\n"


def parameter_lines(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and written values; a list becomes several lines."""
    lines = []
    for name, value in parameters.items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str):
                lines.append((name, _quoted(entry)))
            else:
                lines.append((name, str(entry).lower() if isinstance(entry, bool) else str(entry)))
    return lines


def typed_option(name: str, value: str, where: str) -> Any:
    """The value of an option that is written as text.

    Raises
    ------
    UsageError
        It has not the option's type.
    """
    kind = OPTION_TYPES[name]
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        number = kind(value)
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError
    except (ValueError, KeyError):
        raise UsageError(
            f"{where}: {name} must be of type {_TYPE_NAMES[kind]}, found {value[:40]!r}"
        ) from None
    return number


_TYPE_NAMES = {int: "integer", float: "number", bool: "true or false", str: "text"}


def _parameters(options: list[tuple[str, str, str]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    parameters: dict[str, Any] = {}
    notes = []
    for name, value, where in options:
        if name in _FORMER:
            notes.append(f"{where}: {name} has no effect here")
        elif name not in OPTION_TYPES:
            raise UsageError(
                f"{where}: {name[:40]!r} is no parameter",
                hint=f"there are: {', '.join(OPTION_TYPES)}",
            )
        elif name == "stop":
            parameters.setdefault("stop", []).append(value)
        else:
            parameters[name] = typed_option(name, value, where)
    return parameters, tuple(notes)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, lower-case word and text of every instruction."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = enumerate(text.split("\n"), 1)
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        word, *rest = stripped.split(None, 1)
        value = rest[0] if rest else ""
        head, body = "", value
        if word.lower() in ("message", "parameter"):
            parts = value.split(None, 1)
            head, body = (parts[0] + " ", parts[1]) if len(parts) == 2 else ("", value)
        while _is_open(body):
            more = next(lines, None)
            if more is None:
                raise UsageError(f"line {number} of the Modelfile: the quotes are never closed")
            body += "\n" + more[1]
        body = body.rstrip() if body.startswith('"') else body
        if not body and word.lower() != "template":
            raise UsageError(f"line {number} of the Modelfile: {word[:40]} has no value")
        yield number, word.lower(), head + body if head else _unquoted(body)


def _is_open(value: str) -> bool:
    """Whether quotes have begun and not ended at the end of a line."""
    end = value.rstrip()
    if value.startswith(_QUOTES):
        return len(end) < 6 or not end.endswith(_QUOTES)
    return value.startswith('"') and (len(end) < 2 or not end.endswith('"'))


def _unquoted(value: str) -> str:
    if value.startswith(_QUOTES) and not _is_open(value):
        return value[3:-3]
    if value.startswith('"') and not _is_open(value):
        return value[1:-1]
    return value


def _quoted(text: str) -> str:
    """Triple quotes where single ones, or none, could be misread."""
    plain = "\n" not in text and '"' not in text
    return f'"{text}"' if plain else f"{_QUOTES}{text}{_QUOTES}"


def _two(value: str, where: str, what: str) -> tuple[str, str]:
    parts = value.split(None, 1)
    if len(parts) != 2:
        raise UsageError(f"{where}: {what}")
    return parts[0], parts[1]


def _role(role: str, where: str) -> str:
    if role.lower() not in ROLES:
        raise UsageError(f"{where}: {role[:40]!r} is no role, expected one of {', '.join(ROLES)}")
    return role.lower()
