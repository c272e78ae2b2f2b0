"""Request bodies of Ollama's API. Unknown fields are ignored unless they are known to matter."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AliasChoices, Field

from pyinfer.server.http.body import Body
from pyinfer.server.http.unsupported import OLLAMA, Fields

KeepAlive = float | int | str | None
Think = bool | str | None


class ModelBody(Body):
    """A body that names a model; ``name`` is the older spelling of ``model``."""

    model: str = Field(default="", validation_alias=AliasChoices("model", "name"), max_length=512)


class AnswerBody(ModelBody):
    """What generate and chat have in common."""

    unsupported: ClassVar[Fields] = OLLAMA

    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    think: Think = None
    keep_alive: KeepAlive = None
    truncate: bool | None = None
    shift: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class GenerateBody(AnswerBody):
    """Body of ``/api/generate``."""

    prompt: str | None = None
    suffix: str | None = None
    images: list[Any] | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None


class ChatBody(AnswerBody):
    """Body of ``/api/chat``."""

    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None


class EmbedBody(ModelBody):
    """Body of ``/api/embed``."""

    input: str | list[str] | None = None
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive = None


class EmbeddingsBody(ModelBody):
    """Body of ``/api/embeddings``, the older form."""

    prompt: str | None = None
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive = None


class ShowBody(ModelBody):
    """Body of ``/api/show``."""

    verbose: bool | None = None


class PullBody(ModelBody):
    """Body of ``/api/pull``."""

    stream: bool | None = None
    insecure: bool | None = None


class CreateBody(ModelBody):
    """Body of ``/api/create``."""

    source: str | None = Field(default=None, alias="from", max_length=512)
    files: dict[str, str] | None = Field(default=None, max_length=1024)
    adapters: dict[str, str] | None = None
    template: str | None = None
    system: str | None = None
    parameters: dict[str, Any] | None = None
    messages: list[dict[str, Any]] | None = None
    license: str | list[str] | None = None
    quantize: str | None = None
    modelfile: str | None = None
    stream: bool | None = None


class CopyBody(Body):
    """Body of ``/api/copy``."""

    source: str = Field(max_length=512)
    destination: str = Field(max_length=512)
