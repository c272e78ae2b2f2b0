"""What a model's file says about how the model is used, between a request and the weights' files.

Such values come from a Modelfile (``pyinfer create``) or from an Ollama store. A request wins over
them, and they win over ``generation_config.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfer.engine.params import SamplingParams
from pyinfer.errors import PyinferError, RequestError
from pyinfer.store.resolve import ResolvedModel

Messages = str | Iterable[Mapping[str, Any]]

#: Name of an option -> field of SamplingParams and type.
OPTION_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "temperature": ("temperature", float),
    "top_p": ("top_p", float),
    "top_k": ("top_k", int),
    "min_p": ("min_p", float),
    "typical_p": ("typical_p", float),
    "repeat_penalty": ("repetition_penalty", float),
    "repetition_penalty": ("repetition_penalty", float),
    "repeat_last_n": ("repeat_last_n", int),
    "presence_penalty": ("presence_penalty", float),
    "frequency_penalty": ("frequency_penalty", float),
    "seed": ("seed", int),
    "num_predict": ("max_tokens", int),
    "max_tokens": ("max_tokens", int),
    "stop": ("stop", str),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """Values of a model's file.

    Attributes
    ----------
    params : SamplingParams
        What a request leaves open; None where the file says nothing.
    context : int or None
        Most tokens of prompt and answer together.
    system : str
        System message of a conversation that has none.
    messages : tuple of dict
        Begin every conversation.
    template : str
        Chat template (Jinja) instead of the one beside the weights; empty for that one.
    """

    params: SamplingParams = field(default_factory=SamplingParams)
    context: int | None = None
    system: str = ""
    messages: tuple[Mapping[str, str], ...] = ()
    template: str = ""

    @classmethod
    def of(cls, model: ResolvedModel) -> Preset:
        """Read the values of a model; wrong ones are passed over."""
        context = model.settings.parameters.get("num_ctx")
        if isinstance(context, bool) or not isinstance(context, int) or context < 1:
            context = None
        return cls(
            SamplingParams(**option_fields(model.settings.parameters)),
            context,
            model.settings.system,
            model.settings.messages,
            model.settings.template,
        )

    def conversation(self, messages: Messages) -> list[Mapping[str, Any]]:
        """A conversation (a string is one message of the user) after what the file begins with.

        Raises
        ------
        RequestError
            It is no list.
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if isinstance(messages, bytes | Mapping) or not isinstance(messages, Iterable):
            raise RequestError("messages must be a list of objects with role and content")
        given = list(messages)
        first = given[0].get("role") if given and isinstance(given[0], Mapping) else None
        whole = [*self.messages, *given]
        if self.system and first not in ("system", "developer"):
            whole.insert(0, {"role": "system", "content": self.system})
        return whole

    def given(self) -> dict[str, Any]:
        """The fields of SamplingParams that the file sets."""
        names = dict.fromkeys(field for field, _ in OPTION_FIELDS.values())
        values = {name: getattr(self.params, name) for name in names}
        return {name: value for name, value in values.items() if value not in (None, ())}


def option_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a model's file as fields of SamplingParams; wrong ones are left out."""
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        if name not in OPTION_FIELDS:
            continue
        field, kind = OPTION_FIELDS[name]
        if field == "stop":
            stops = value if isinstance(value, list) else [value]
            value = [stop for stop in stops if isinstance(stop, str) and stop]
        elif isinstance(value, bool) or not isinstance(value, int | float):
            continue
        try:
            value = value if field == "stop" else kind(value)
            SamplingParams(**{field: value})
        except (PyinferError, ValueError, OverflowError):
            continue
        chosen[field] = value
    return chosen
