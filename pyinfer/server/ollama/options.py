"""``options``, ``think``, ``format`` and ``keep_alive`` of a request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyinfer.engine.params import MAX_LOGPROBS, SamplingParams
from pyinfer.errors import RequestError
from pyinfer.requests.preset import OPTION_FIELDS
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.unsupported import OLLAMA_OPTIONS, refuse
from pyinfer.server.ollama.bodies import AnswerBody
from pyinfer.serving.durations import parse_duration
from pyinfer.store.modelfile import OPTION_TYPES
from pyinfer.text.grammar import Grammar, schema_grammar

log = logging.getLogger("pyinfer.server")

#: Ollama's own defaults, where neither the request nor the model's files say anything.
FALLBACK: Mapping[str, float | int] = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}

_TYPE_NAMES = {int: "integer", float: "float32", bool: "boolean", str: "array"}
_THINK_LEVELS = ("low", "medium", "high", "max")

#: Names of unknown options in a line of the log.
MAX_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Options:
    """What ``options`` say.

    Attributes
    ----------
    params : SamplingParams
        None where they say nothing.
    context : int or None
    """

    params: SamplingParams
    context: int | None


def read_options(values: Mapping[str, Any] | None, logprobs: int | None = None) -> Options:
    """Check the options of a request.

    Raises
    ------
    RequestError
        One has a wrong type or range, or would change the answer and is not obeyed; other unknown
        ones are only logged.
    """
    chosen: dict[str, Any] = {}
    context: int | None = None
    refuse(values or {}, OLLAMA_OPTIONS, "options")
    unknown = [name for name in values or {} if name not in OPTION_TYPES]
    if unknown:
        shown = ", ".join(f"{name:.40}" for name in unknown[:MAX_SHOWN])
        log.warning("%d unknown options are ignored: %r", len(unknown), shown)
    for name, value in (values or {}).items():
        if name not in OPTION_TYPES or value is None:
            continue
        value = _typed(name, value)
        if name == "num_ctx":
            context = value
        elif name == "num_predict" and value < 0:
            chosen["max_tokens"] = -1  # until the end, whatever the model's file says
        elif name in OPTION_FIELDS:
            chosen[OPTION_FIELDS[name][0]] = value
    return Options(_params(chosen | {"logprobs": logprobs}), context)


def read_answer_options(body: AnswerBody) -> Options:
    """Check the options and ``logprobs`` of a request for text; errors as above."""
    logprobs = None
    if body.top_logprobs is not None and not 0 <= body.top_logprobs <= MAX_LOGPROBS:
        raise bad_value("top_logprobs", f"top_logprobs must be between 0 and {MAX_LOGPROBS}")
    if body.logprobs:
        logprobs = body.top_logprobs or 0
    return read_options(body.options, logprobs)


def _typed(name: str, value: Any) -> Any:
    kind = OPTION_TYPES[name]
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # some clients have one type of number only
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str:
        if not isinstance(value, list):
            raise bad_value(name, f'option "{name}" must be of type array')
        if not all(isinstance(item, str) for item in value):
            raise bad_value(name, f'option "{name}" must be of an array of strings')
        return [item for item in value if item]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise bad_value(name, f'option "{name}" must be of type {_TYPE_NAMES[kind]}')
    return value


def _params(chosen: dict[str, Any]) -> SamplingParams:
    try:
        return SamplingParams(**chosen)
    except RequestError as error:
        names = {field: name for name, (field, _) in reversed(OPTION_FIELDS.items())}
        name = names.get(error.param, error.param)
        text = error.message.replace(error.param, name, 1) if error.param else error.message
        raise bad_value(name, text) from None


def read_think(value: bool | str | None) -> bool | None:
    """Whether to reason; None is what the model does. Every level means yes.

    Raises
    ------
    RequestError
        It is another word.
    """
    if value is None or isinstance(value, bool):
        return value
    if value not in _THINK_LEVELS:
        levels = ", ".join(f'"{level}"' for level in reversed(_THINK_LEVELS))
        raise bad_value("think", f'invalid think value: "{value[:40]}" (must be {levels}, true, '
                        "or false)")  # fmt: skip
    return True


def read_format(value: str | dict[str, Any] | None) -> Grammar | None:
    """The grammar that ``format`` asks for: ``"json"``, a schema, or nothing.

    Raises
    ------
    RequestError
        It is something else.
    """
    if value is None or value == "":
        return None
    if value == "json":
        return Grammar("json_object", "", "format")
    if isinstance(value, str):
        raise bad_value(
            "format",
            f'invalid format: "{value[:40]}"; expected "json" or a valid JSON Schema object',
        )
    return schema_grammar(value, "format")


def read_keep_alive(value: float | int | str | None) -> float | None:
    """Seconds; negative is for ever, None the server's setting.

    Raises
    ------
    RequestError
        It is no number and no duration.
    """
    return None if value is None or value == "" else parse_duration(value)
