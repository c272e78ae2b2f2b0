"""Settings of the service: from flags, the environment and defaults, in this order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import PyinferError, UsageError
from pyinfer.serving.durations import MAX_SECONDS, parse_duration

DEFAULT_KEEP_ALIVE = 300.0
MAX_PARALLEL = 64  # sequences that the engine runs at once


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How models are loaded and requests run.

    Attributes
    ----------
    preload : tuple of str
        Models to load at the start; the first one is the default model.
    alias : str
        Another name of the default model.
    load : LoadOptions
        How models are loaded; ``dtype`` is for folders.
    parallel : int
        Most sequences of one model that run at once.
    max_queue : int
        Most requests that wait; more are refused.
    queue_timeout : float
        Seconds that a request may wait for its turn.
    request_timeout : float
        Seconds that an answer may take from the start of its evaluation; it then ends as at a
        limit. Negative is for ever.
    max_models : int
        Most models loaded at once.
    keep_alive : float
        Seconds that a model stays after its last request; negative is for ever.
    grace : float
        Seconds that running requests get when the server ends.
    reasoning_budget : int or None
        For requests that do not say.
    loop_guard : bool
        Cut off answers that repeat themselves.
    sampling : SamplingParams
        For requests that do not say, before what the models' files say.
    any_name : bool
        Names of models that are not served get the default model instead of an error, as of a
        server of one model.
    continue_answers : bool
        A conversation that ends with an answer is continued unless its request says otherwise.
    template_variables : mapping of str to bool
        Switches for chat templates where requests do not set them; ``enable_thinking`` (or
        ``thinking``) is whether to reason.
    template : str or None
        Chat template of the default model in place of its own.
    """

    preload: tuple[str, ...] = ()
    alias: str = ""
    load: LoadOptions = field(default_factory=LoadOptions)
    parallel: int = 32
    max_queue: int = 512
    queue_timeout: float = 60.0
    request_timeout: float = 1800.0
    max_models: int = 3
    keep_alive: float = DEFAULT_KEEP_ALIVE
    grace: float = 30.0
    reasoning_budget: int | None = None
    loop_guard: bool = False
    sampling: SamplingParams = field(default_factory=SamplingParams)
    any_name: bool = False
    continue_answers: bool = True
    template_variables: Mapping[str, bool] = field(default_factory=dict)
    template: str | None = None

    @property
    def wall_seconds(self) -> float | None:
        """The time of an answer; None for no limit."""
        return None if self.request_timeout < 0 else max(self.request_timeout, 1e-9)

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **flags: Any
    ) -> ServerSettings:
        """Settings of ``OLLAMA_*`` and ``PYINFER_*`` variables; flags that are not None win.

        Of two variables with the same ending the one of pyinfer wins.

        Raises
        ------
        UsageError
            A variable or a flag has a wrong value.
        """
        values = read_variables(_VARIABLES, environment)
        values |= {name: value for name, value in flags.items() if value is not None}
        chosen = values.keys() & {each.name for each in fields(LoadOptions)}
        loading = {name: values.pop(name) for name in chosen}
        known = {each.name for each in fields(cls)}
        if unknown := values.keys() - known:
            raise UsageError(f"unknown setting {sorted(unknown)[0]}")
        settings = cls(load=LoadOptions(**loading), **values)
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse values out of range.

        Raises
        ------
        UsageError
            Names the setting.
        """
        for name, low, high in _RANGES:
            value = getattr(self.load if hasattr(self.load, name) else self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} must be between {low:g} and {high:g}, not {value:g}")
        kind = self.load.kv_type
        if kind not in (None, "f16", "f32", "q8_0"):
            raise UsageError(f"kv_type {kind[:20]!r} is unknown, expected f16, f32, q8_0")


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("ctx_size", 1, 1 << 20),
    ("threads", 1, 1024),
    ("parallel", 1, MAX_PARALLEL),
    ("max_queue", 0, 1 << 20),
    ("queue_timeout", 0.001, 86_400),
    ("request_timeout", -1, MAX_SECONDS),
    ("max_models", 1, 1024),
    ("keep_alive", -1, MAX_SECONDS),
    ("grace", 0, 86_400),
    ("reasoning_budget", 0, 1 << 31),
)


#: Ending of a variable -> the settings that it sets, and how it is read.
Variables = Mapping[str, tuple[tuple[str, ...], Callable[[str], tuple[Any, ...]]]]


def read_variables(
    variables: Variables, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the variables ``PYINFER_*``, else ``OLLAMA_*``, of the environment set.

    Raises
    ------
    UsageError
        One has a wrong value.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for tail, (names, read) in variables.items():
        for variable in (f"PYINFER_{tail}", f"OLLAMA_{tail}"):
            text = environment.get(variable, "").strip()
            if text:
                found = zip(names, _read(variable, text, read), strict=True)
                values |= {name: value for name, value in found if value is not None}
                break
    return values


def _read(variable: str, text: str, read: Callable[[str], tuple[Any, ...]]) -> tuple[Any, ...]:
    try:
        return read(text)
    except (ValueError, PyinferError) as error:
        message = error.message if isinstance(error, PyinferError) else f"{text[:60]!r} is wrong"
        raise UsageError(f"{variable}: {message}") from None


def _integer(text: str) -> tuple[int]:
    return (int(text),)


def _count(text: str) -> tuple[int | None]:
    """A count where 0 means the default (Ollama's way to say automatic)."""
    return (int(text) or None,)


def _kv_type(text: str) -> tuple[str]:
    if text not in ("f16", "f32", "q8_0"):
        raise ValueError
    return (text,)


def words(text: str) -> tuple[tuple[str, ...]]:
    """Words between commas."""
    return (tuple(word.strip() for word in text.split(",") if word.strip()),)


def read_switches(text: str) -> dict[str, bool]:
    """Switches for chat templates, written as a JSON object.

    Raises
    ------
    UsageError
        It is none, or holds something else than true and false.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not all(
        name.isidentifier() and isinstance(value, bool) for name, value in values.items()
    ):
        raise UsageError(
            "the chat template's switches must be an object of true and false",
            hint="""write it like --chat-template-kwargs '{"enable_thinking": false}'""",
        )
    return values


_VARIABLES: Variables = {
    "KEEP_ALIVE": (("keep_alive",), lambda text: (parse_duration(text),)),
    "NUM_PARALLEL": (("parallel",), _count),
    "MAX_LOADED_MODELS": (("max_models",), _count),
    "MAX_QUEUE": (("max_queue",), _integer),
    "CONTEXT_LENGTH": (("ctx_size",), _count),
    "KV_CACHE_TYPE": (("kv_type",), _kv_type),
    "NUM_THREAD": (("threads",), _count),
    "PRELOAD": (("preload",), words),
    "REQUEST_TIMEOUT": (
        ("request_timeout",),
        lambda text: (parse_duration(text, "the time"),),
    ),
    "QUEUE_TIMEOUT": (("queue_timeout",), lambda text: (parse_duration(text, "the time"),)),
    "GRACE": (("grace",), lambda text: (parse_duration(text, "the time"),)),
}
