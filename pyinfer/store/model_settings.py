"""What a created model adds to the files that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pyinfer.errors import ModelFormatError

ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Settings of a model file.

    Attributes
    ----------
    parent : str
        Name of the model that it was made from.
    template : str
        Chat template (Jinja) instead of the one beside the weights.
    system : str
        System message of conversations without one.
    parameters : mapping of str to Any
        Options such as ``temperature``, ``num_ctx`` and ``stop``.
    messages : tuple of dict
        ``role`` and ``content``; they begin every conversation.
    licenses : tuple of str
    """

    parent: str = ""
    template: str = ""
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, str], ...] = ()
    licenses: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) for f in fields(self))

    def over(self, base: ModelSettings) -> ModelSettings:
        """These settings, and what only ``base`` has; parameters one by one, licenses of both."""
        return ModelSettings(
            self.parent or base.parent,
            self.template or base.template,
            self.system or base.system,
            {**base.parameters, **self.parameters},
            self.messages or base.messages,
            tuple(dict.fromkeys((*base.licenses, *self.licenses))),
        )

    def to_json(self) -> dict[str, Any]:
        """As values for JSON; what is empty is left out."""
        value = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: _plain(entry) for name, entry in value.items() if entry}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def parse_settings(value: object, where: str) -> ModelSettings:
    """Read what :meth:`ModelSettings.to_json` gave.

    Raises
    ------
    ModelFormatError
        Something has a wrong type.
    """
    if not isinstance(value, dict):
        raise ModelFormatError(f"{where}: settings are no object")
    texts = [value.get(name, "") for name in ("parent", "template", "system")]
    if not all(isinstance(text, str) for text in texts):
        raise ModelFormatError(f"{where}: parent, template and system must be text")
    parameters, licenses = value.get("parameters", {}), value.get("licenses", [])
    if not isinstance(parameters, dict):
        raise ModelFormatError(f"{where}: parameters must be an object")
    if not isinstance(licenses, list) or not all(isinstance(text, str) for text in licenses):
        raise ModelFormatError(f"{where}: licenses must be a list of texts")
    parent, template, system = texts
    return ModelSettings(
        parent=parent,
        template=template,
        system=system,
        parameters=parameters,
        licenses=tuple(licenses),
        messages=parse_messages(value.get("messages", []), where),
    )


def parse_messages(value: object, where: str) -> tuple[Mapping[str, str], ...]:
    """Read messages of a role and a text.

    Raises
    ------
    ModelFormatError
        They are something else.
    """
    messages = []
    for entry in value if isinstance(value, list) else [None]:
        role, content = (
            (entry.get("role"), entry.get("content")) if isinstance(entry, dict) else (None, None)
        )
        if role not in ROLES or not isinstance(content, str):
            raise ModelFormatError(f"{where}: messages must be a list of role and content")
        messages.append({"role": role, "content": content})
    return tuple(messages)
