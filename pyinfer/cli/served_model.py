"""A model of a chat that a running server serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyinfer.cli.report import timing_fields, written
from pyinfer.cli.server_client import LineStream, ServerClient
from pyinfer.errors import EngineError, ModelNotFoundError

if TYPE_CHECKING:
    from pyinfer.cli.chat_model import Progress
    from pyinfer.requests.answer import Chunk, Generation

#: Field of SamplingParams -> Ollama's name, where they differ.
_OPTION_NAMES = {"repetition_penalty": "repeat_penalty", "max_tokens": "num_predict"}


def find_served(client: ServerClient, model: str) -> dict[str, Any] | None:
    """What a server says of a model, or None where there is no server that has it."""
    if not client.is_there():
        return None
    try:
        return client.call("POST", "/api/show", {"model": model})
    except ModelNotFoundError:
        return None


class ServedModel:
    """A model behind Ollama's API; the methods are those of :class:`.chat_model.ChatModel`.

    Parameters
    ----------
    client : ServerClient
    name : str
    shown : mapping
        The answer of ``/api/show``.
    extra : mapping
        Further fields of every request, such as ``keep_alive`` and ``format``.
    context : int, optional
        Most tokens of prompt and answer.
    """

    def __init__(
        self,
        client: ServerClient,
        name: str,
        shown: Mapping[str, Any],
        extra: Mapping[str, Any],
        context: int | None,
    ) -> None:
        self._client = client
        self.name = name
        self._shown = shown
        self._extra = extra
        self._context = context

    def stream(
        self,
        messages: list[dict[str, str]],
        parameters: Mapping[str, Any],
        think: bool | str | None,
        progress: Progress | None = None,
    ) -> ServedStream:
        """The server tells nothing about the progress of reading the prompt."""
        options: dict[str, Any] = {
            _OPTION_NAMES.get(name, name): list(value) if isinstance(value, tuple) else value
            for name, value in parameters.items()
        }
        if self._context is not None:
            options["num_ctx"] = self._context
        body = {"model": self.name, "messages": messages, "options": options, **self._extra}
        if think is not None:
            body["think"] = think
        return ServedStream(self._client.stream("/api/chat", body), parameters.get("seed"))

    def facts(self) -> list[str]:
        """Where it runs, and what it is."""
        details = self._shown.get("details")
        fields = details.items() if isinstance(details, dict) else ()
        lines = [f"{name.replace('_', ' ')}: {value}" for name, value in fields
                 if isinstance(value, str) and value]  # fmt: skip
        return [f"model: {self.name}", f"server: {self._client.address}", *lines]

    def parameters(self) -> dict[str, Any]:
        """Those of the model's file; the server keeps its defaults to itself."""
        values: dict[str, Any] = {}
        for line in str(self._shown.get("parameters") or "").splitlines():
            name, _, value = line.partition(" ")
            values.setdefault(name, []).append(value.strip().strip('"'))
        return {name: v if name == "stop" or len(v) > 1 else v[0] for name, v in values.items()}

    def template(self, messages: list[dict[str, str]]) -> str:
        """The template."""
        return str(self._shown.get("template") or "The server shows no template.")

    def timings(self, result: Generation) -> list[str]:
        """Ollama's lines."""
        return written(timing_fields(result))

    def close(self) -> None:
        """The server unloads it when its time has come."""


class ServedStream:
    """An answer that comes from a server; see :class:`.chat_model.ChatStream`."""

    def __init__(self, lines: LineStream, seed: int | None) -> None:
        self._lines = lines
        self._seed = -1 if seed is None else seed
        self._texts = {"reasoning": "", "content": ""}
        self._last: dict[str, Any] = {}
        self._chunks = self._read()

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def _read(self) -> Iterator[Chunk]:
        from pyinfer.requests.answer import Chunk

        for number, line in enumerate(self._lines):
            message = line.get("message")
            message = message if isinstance(message, dict) else {}
            if text := str(message.get("thinking") or ""):
                self._texts["reasoning"] += text
                yield Chunk("reasoning", text, [number])
            if text := str(message.get("content") or ""):
                self._texts["content"] += text
                yield Chunk("content", text, [number])
            if line.get("done"):
                self._last = line

    def cancel(self) -> None:
        """Leave: the server stops the answer."""
        self._lines.close()

    def result(self) -> Generation:
        """The whole answer, with the counts and durations that the server tells.

        Raises
        ------
        EngineError
            The stream ended early, and not because of :meth:`cancel`.
        """
        from pyinfer.requests.answer import Generation, Timings, Usage

        for _ in self._chunks:
            pass
        last = self._last
        if not last and not self._lines.closed:
            raise EngineError("the server ended the answer early")

        def number(name: str) -> int:
            value = last.get(name)
            return value if isinstance(value, int) else 0

        prompt, cached = number("prompt_eval_count"), number("prompt_cached_count")
        load, prompt_ns = number("load_duration"), max(1, number("prompt_eval_duration"))
        count, decode_ns = number("eval_count"), number("eval_duration")
        rest = number("total_duration") - load - prompt_ns - decode_ns
        reason = "length" if last.get("done_reason") == "length" else "stop"
        return Generation(
            text=self._texts["content"],
            reasoning=self._texts["reasoning"],
            token_ids=[],
            finish_reason=reason if last else "cancelled",  # type: ignore[arg-type]
            cause="",
            stop=None,
            seed=self._seed,
            usage=Usage(prompt, cached, count, 0),
            timings=Timings(
                load, max(0, rest), prompt_ns, decode_ns, prompt - cached, max(0, count - 1), 0
            ),
        )

    def __enter__(self) -> ServedStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.cancel()
