"""The model of a chat: loaded in this process, or served by a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyinfer import LLM, Generation
    from pyinfer.requests.answer import StreamPart
    from pyinfer.requests.options import ChatOptions
    from pyinfer.text.grammar import Grammar

Progress = Callable[[int, int, int], None]


class ChatStream(Protocol):
    """An answer while it is generated."""

    def __iter__(self) -> Iterator[StreamPart]: ...
    def __enter__(self) -> ChatStream: ...
    def __exit__(self, *error: object) -> None: ...
    def cancel(self) -> None:
        """End the answer soon; may be called from a signal handler."""

    def result(self) -> Generation:
        """The whole answer."""


class ChatModel(Protocol):
    """What a chat asks of a model."""

    @property
    def name(self) -> str:
        """For people."""

    def stream(
        self,
        messages: list[dict[str, str]],
        parameters: Mapping[str, Any],
        think: bool | str | None,
        progress: Progress | None = None,
    ) -> ChatStream:
        """Answer a conversation; ``parameters`` are fields of SamplingParams."""

    def facts(self) -> list[str]:
        """Lines that describe it."""

    def parameters(self) -> dict[str, Any]:
        """Parameters that hold unless others are set."""

    def template(self, messages: list[dict[str, str]]) -> str:
        """The prompt that a conversation becomes, or the template that makes it."""

    def timings(self, result: Generation) -> list[str]:
        """Lines about the speed of an answer."""

    def close(self) -> None:
        """Free it."""


class LocalModel:
    """A model that is loaded in this process.

    Parameters
    ----------
    llm : LLM
        Closed by :meth:`close`.
    grammar : Grammar, optional
        What the answers must look like.
    """

    def __init__(self, llm: LLM, grammar: Grammar | None = None) -> None:
        self._llm = llm
        self._grammar = grammar

    @property
    def name(self) -> str:
        """As :class:`ChatModel`; so are the other methods."""
        return self._llm.info.name

    def stream(
        self,
        messages: list[dict[str, str]],
        parameters: Mapping[str, Any],
        think: bool | str | None,
        progress: Progress | None = None,
    ) -> ChatStream:
        """A level of thinking means yes."""
        from pyinfer import SamplingParams

        params = SamplingParams(**parameters)
        if isinstance(think, str):
            think = True
        options: ChatOptions = {} if self._grammar is None else {"grammar": self._grammar}
        return self._llm.stream_chat(messages, params, think, progress, **options)

    def facts(self) -> list[str]:
        """From the load report."""
        return [f"model: {self.name}", *self._llm.info.report]

    def parameters(self) -> dict[str, Any]:
        """Those of the weights' files and of the model's file."""
        defaults = self._llm.defaults
        names = ("temperature", "top_p", "top_k")
        return {name: getattr(defaults, name) for name in names} | self._llm.preset.given()

    def template(self, messages: list[dict[str, str]]) -> str:
        """The prompt."""
        return self._llm.apply_chat_template(messages)

    def timings(self, result: Generation) -> list[str]:
        """Ollama's lines and those about this machine."""
        from pyinfer.cli.report import verbose_lines
        from pyinfer.diagnose.limits import read_bandwidth

        info = self._llm.info
        return verbose_lines(info, result, read_bandwidth(info.threads, info.isa))

    def close(self) -> None:
        """Free the memory."""
        self._llm.close()
