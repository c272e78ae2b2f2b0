"""A conversation on a terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from pyinfer.cli.chat_input import LineReader
from pyinfer.cli.chat_session import Session
from pyinfer.cli.chat_view import AnswerView
from pyinfer.cli.outcome import complain, note
from pyinfer.cli.terminal import put, visible
from pyinfer.errors import PyinferError, RequestError

if TYPE_CHECKING:
    from pyinfer import Generation
    from pyinfer.cli.chat_model import ChatModel, ChatStream

GREETING = "Type a message, /help for commands, /bye to leave."


class Chat:
    """The loop and its state.

    Parameters
    ----------
    load : callable
        Gives the model for a name; None is the embedded model.
    session : Session
        Where to begin; its model is loaded.
    reader : LineReader

    Attributes
    ----------
    model : ChatModel
    session : Session
    reader : LineReader
    verbose, fold, wrap : bool
        Timings after answers; reasoning folded; lines broken between words.
    """

    def __init__(
        self, load: Callable[[str | None], ChatModel], session: Session, reader: LineReader
    ) -> None:
        self._load = load
        self.session = session
        self.verbose = self.fold = False
        self.wrap = True
        self.reader = reader
        self.model = load(session.model)

    def close(self) -> None:
        """Free the model."""
        self.model.close()

    def say(self, text: str) -> None:
        """Tell something that is no answer."""
        put(sys.stdout, visible(text).rstrip() + "\n")

    def switch_model(self, name: str | None) -> None:
        """Load another model and start a conversation with it.

        Raises
        ------
        PyinferError
            It cannot be loaded; the old one stays.
        """
        model = self._load(name)
        self.model.close()
        self.model = model
        self.session = Session(name)

    def loop(self, run_command: Callable[[Chat, str], bool]) -> None:
        """Read and answer until the user leaves; lines with a slash go to ``run_command``."""
        self.say(GREETING)
        with self.reader:
            going = True
            while going:
                try:
                    text = self.reader.read()
                except EOFError:
                    put(sys.stdout, "\n")
                    return
                except KeyboardInterrupt:
                    put(sys.stdout, "\nUse Ctrl-D or /bye to leave.\n")
                    continue
                if text:
                    going = self._take(text, run_command)

    def _take(self, text: str, run_command: Callable[[Chat, str], bool]) -> bool:
        try:
            if text.startswith("/"):
                return run_command(self, text)
            self.answer(text)
        except PyinferError as error:
            complain(str(error))
        except KeyboardInterrupt:  # while a command runs
            put(sys.stdout, "\n")
        return True

    def answer(self, text: str) -> None:
        """Answer one message and remember both.

        Raises
        ------
        PyinferError
            There is no answer; the conversation is as before.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise RequestError("the message is not UTF-8 text") from None
        session = self.session
        view = AnswerView(sys.stdout, fold=self.fold, wrap=self.wrap)
        try:
            with self.model.stream(
                session.prompt(text),
                session.parameters,
                session.think,
                lambda done, total, cached: view.progress(done, total),
            ) as stream:
                result = _show(stream, view)
        except BaseException:
            view.finish()
            raise
        view.finish(_summary(result))
        put(sys.stdout, "\n")
        if result.text or result.finish_reason != "cancelled":
            session.messages += [
                {"role": "user", "content": text},
                {"role": "assistant", "content": result.text},
            ]
        if self.verbose:
            for line in self.model.timings(result):
                note(line)


def _show(stream: ChatStream, view: AnswerView) -> Generation:
    """Show an answer while it comes. The first Ctrl-C ends it, a second one gives it up."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stream.cancel()

    before = signal.signal(signal.SIGINT, stop)
    try:
        for chunk in stream:
            view.write(chunk)
        return stream.result()
    finally:
        signal.signal(signal.SIGINT, before)


def _summary(result: Generation) -> str:
    usage, timings = result.usage, result.timings
    parts = [f"{usage.completion_tokens} tokens"]
    if timings.decode_tokens:
        parts.append(f"{timings.decode_per_second:.1f} tok/s")
    if result.finish_reason == "cancelled":
        parts.append("stopped")
    elif result.finish_reason == "length":
        parts.append("cut off at the limit")
    return f"[{', '.join(parts)}]"
