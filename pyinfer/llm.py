"""A language model ready to use: tokenizer, chat template and engine in one object."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.config import GenerationDefaults
from pyinfer.engine.engine import Engine
from pyinfer.engine.messages import End, Failed, PromptLogits, Request
from pyinfer.engine.params import SamplingParams
from pyinfer.engine.worker import EngineWorker
from pyinfer.errors import RequestError
from pyinfer.model.step import CancelSignal, StepModel
from pyinfer.model_info import ModelInfo
from pyinfer.requests.answer import AnswerBuilder, Generation
from pyinfer.requests.preset import Messages, Preset
from pyinfer.requests.rules import compile_grammar, hook_factory
from pyinfer.requests.streams import AsyncTextStream, Job, PromptProgress, TextStream
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.grammar import Grammar
from pyinfer.text.grammar_check import check_grammar
from pyinfer.text.hooks import Rules
from pyinfer.text.reasoning import opens_reasoning
from pyinfer.text.tokenizer import Tokenizer


class LLM:
    """A loaded model. Made by :func:`pyinfer.load`.

    All methods may be called from several threads at once; requests run together. The weights and
    the engine's thread live until :meth:`close` or the end of the ``with`` block. After a fork,
    calls in the child raise :class:`~pyinfer.errors.EngineError`.

    Attributes
    ----------
    info : ModelInfo
    defaults : GenerationDefaults
        What parameters of None mean.
    preset : Preset
        What the model's file adds: further parameters, a system message, a chat template.

    Examples
    --------
    >>> import pyinfer
    >>> llm = pyinfer.load()  # the embedded model
    >>> greedy = pyinfer.SamplingParams(temperature=0, max_tokens=400)
    >>> answer = llm.chat("Which is larger, 9.11 or 9.9?", params=greedy)
    >>> "9.9" in answer.text, len(answer.reasoning) > 0, answer.finish_reason
    (True, True, 'stop')
    >>> with llm.stream_chat("What is 12 + 30?", params=greedy) as stream:
    ...     pieces = [chunk.text for chunk in stream if chunk.kind == "content"]
    >>> "".join(pieces) == stream.result().text
    True
    >>> ids = llm.tokenizer.encode("hello")
    >>> llm.tokenizer.decode(ids)
    'hello'
    >>> llm.logits(ids).shape == (len(ids), llm.info.config.vocab_size)
    True
    >>> prompt = llm.apply_chat_template([{"role": "user", "content": "Hi"}])
    >>> llm.generate(prompt, params=pyinfer.SamplingParams(max_tokens=3)).usage.completion_tokens
    3
    >>> llm.close()
    """

    def __init__(
        self,
        model: StepModel,
        tokenizer: Tokenizer | None,
        defaults: GenerationDefaults,
        info: ModelInfo,
        cancel: CancelSignal,
        preset: Preset | None = None,
    ) -> None:
        self.info = info
        self.defaults = defaults
        self.preset = preset or Preset()
        self._tokenizer = tokenizer
        self._template: ChatTemplate | None = None
        if tokenizer is not None and (self.preset.template or tokenizer.chat_template is not None):
            self._template = ChatTemplate(tokenizer, self.preset.template or None)
        rules = hook_factory(tokenizer)
        engine = Engine(model, defaults, context=info.context, cancel=cancel, hook_factory=rules)
        self._worker = EngineWorker(engine, cancel)
        # Also at the end of the interpreter, where a thread inside a kernel must not be cut off.
        self._finalizer = weakref.finalize(self, _shut_down, self._worker, model)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with ``encode`` and ``decode``.

        Raises
        ------
        RequestError
            The model has none.
        """
        if self._tokenizer is None:
            raise RequestError(
                f"{self.info.name} has no tokenizer, so text cannot be read or written",
                hint="pass token_ids, or put tokenizer.json into the model's folder",
            )
        return self._tokenizer

    @property
    def chat_template(self) -> ChatTemplate:
        """The chat template.

        Raises
        ------
        RequestError, ModelUnsupportedError
            The model has no tokenizer; it has no template.
        """
        tokenizer = self.tokenizer
        if self._template is None:
            self._template = ChatTemplate(tokenizer)
        return self._template

    def apply_chat_template(
        self,
        messages: Messages,
        think: bool | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt that a conversation becomes.

        Parameters
        ----------
        messages : str or list of dict
            ``{"role": ..., "content": ...}``; a string is one message of the user.
        think : bool, optional
            False makes the model answer without reasoning; None lets it reason if it can.
        add_generation_prompt : bool
            Open the assistant's turn.
        """
        whole = self.preset.conversation(messages)
        return self.chat_template.render(whole, add_generation_prompt, think)

    def generate(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
    ) -> Generation:
        """Continue a prompt as it is, without a chat template.

        Parameters
        ----------
        prompt : str, optional
            BOS is put in front unless it is there.
        token_ids : int (T,), optional
            Instead of ``prompt``; used unchanged.
        params : SamplingParams, optional
        progress : callable, optional
            Called with (evaluated, total, cached) tokens of the prompt.

        Raises
        ------
        RequestError
            Bad parameters, an empty prompt, or text for a model without a tokenizer.
        ContextLengthError
            The prompt does not fit the context.
        NumericError, EngineError
            The computation failed.
        """
        job = self._raw_job(prompt, token_ids, params, progress, stream=False)
        return TextStream(self._worker, job).result()

    def stream(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
    ) -> TextStream:
        """As :meth:`generate`, piece by piece."""
        return TextStream(
            self._worker, self._raw_job(prompt, token_ids, params, progress, stream=True)
        )

    def chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
    ) -> Generation:
        """Answer a conversation.

        Parameters
        ----------
        messages : str or list of dict
            ``{"role": ..., "content": ...}`` with the roles system, user, assistant and tool; a
            string is one message of the user. Reasoning in earlier answers is left out.
        params, progress
            As :meth:`generate`, with the same errors.
        think : bool, optional
            False makes the model answer without reasoning; None lets it reason if it can.
        """
        job = self._chat_job(messages, params, think, progress, stream=False)
        return TextStream(self._worker, job).result()

    def stream_chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
        grammar: Grammar | None = None,
    ) -> TextStream:
        """As :meth:`chat`, piece by piece; the text after the reasoning follows ``grammar``."""
        job = self._chat_job(messages, params, think, progress, stream=True, grammar=grammar)
        return TextStream(self._worker, job)

    async def agenerate(self, prompt: str | None = None, **options: Any) -> Generation:
        """As :meth:`generate`, for asyncio; cancelling the task ends the generation."""
        return await (await self.astream(prompt, **options)).result()

    async def astream(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
    ) -> AsyncTextStream:
        """As :meth:`stream`, for asyncio."""
        job = await asyncio.to_thread(
            self._raw_job, prompt, token_ids, params, progress, stream=True
        )
        return AsyncTextStream(self._worker, job)

    async def achat(self, messages: Messages, **options: Any) -> Generation:
        """As :meth:`chat`, for asyncio; cancelling the task ends the generation."""
        return await (await self.astream_chat(messages, **options)).result()

    async def astream_chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
    ) -> AsyncTextStream:
        """As :meth:`stream_chat`, for asyncio."""
        job = await asyncio.to_thread(
            self._chat_job, messages, params, think, progress, stream=True
        )
        return AsyncTextStream(self._worker, job)

    def logits(self, token_ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Logits of every position of a sequence.

        Parameters
        ----------
        token_ids : int (T,)

        Returns
        -------
        float32 (T, V)
            Row ``t`` scores the token after ``token_ids[t]``; V is the configuration's vocabulary,
            padding included.

        Raises
        ------
        RequestError, ContextLengthError, NumericError, EngineError
            As :meth:`generate`.
        """
        tokens = _token_array(token_ids)
        request = Request(
            request_id=self._worker.new_id(),
            tokens=tokens,
            params=SamplingParams(max_tokens=0),
            stream=False,
            prompt_logits=True,
        )
        handle = self._worker.submit(request)
        out = np.empty((len(tokens), self.info.config.vocab_size), np.float32)
        try:
            while True:
                event = handle.next()
                if isinstance(event, PromptLogits):
                    out[event.start : event.start + len(event.rows)] = event.rows
                elif isinstance(event, Failed):
                    raise event.error
                elif isinstance(event, End):
                    return out
        finally:
            handle.cancel()

    def close(self) -> None:
        """Stop running requests and free the model. May be repeated."""
        self._finalizer()

    def __enter__(self) -> LLM:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _raw_job(
        self,
        prompt: str | None,
        token_ids: npt.ArrayLike | None,
        params: SamplingParams | None,
        progress: PromptProgress | None,
        *,
        stream: bool,
    ) -> Job:
        if (prompt is None) == (token_ids is None):
            raise RequestError("give either a prompt or token_ids")
        if prompt is not None:
            if prompt == "":
                raise RequestError("the prompt is empty")
            tokens = _token_array(self.tokenizer.encode(prompt, add_special=True))
        else:
            tokens = _token_array(token_ids)
        inside = self._tokenizer is not None and opens_reasoning(self._tokenizer, tokens.tolist())
        return self._job(tokens, inside, params, progress, stream)

    def _chat_job(
        self,
        messages: Messages,
        params: SamplingParams | None,
        think: bool | None,
        progress: PromptProgress | None,
        *,
        stream: bool,
        grammar: Grammar | None = None,
    ) -> Job:
        whole = self.preset.conversation(messages)
        prompt = self.chat_template.prompt(whole, think=think)
        tokens = _token_array(prompt.token_ids)
        job = self._job(tokens, prompt.starts_in_reasoning, params, progress, stream)
        if grammar is not None:
            inside = prompt.starts_in_reasoning
            job.request.rules = Rules(grammar=grammar, starts_in_reasoning=inside)
            check_grammar(grammar, self.tokenizer)
            compile_grammar(job.request, self.tokenizer)
        return job

    def _job(
        self,
        tokens: npt.NDArray[np.int32],
        starts_in_reasoning: bool,
        params: SamplingParams | None,
        progress: PromptProgress | None,
        stream: bool,
    ) -> Job:
        params = (params or SamplingParams()).over(self.preset.params)
        if params.stop:
            _ = self.tokenizer  # stop strings need one
        builder = AnswerBuilder(
            self._tokenizer,
            params.stop,
            (*self.defaults.eos_token_ids, *params.stop_token_ids),
            starts_in_reasoning=starts_in_reasoning,
        )
        request = Request(
            request_id=self._worker.new_id(), tokens=tokens, params=params, stream=stream
        )
        info = self.info
        return Job(request, builder, progress, info.load_ns, info.bytes_per_token, owner=self)


def _token_array(token_ids: npt.ArrayLike | None) -> npt.NDArray[np.int32]:
    """A copy of the ids as int32; what does not fit becomes an id that the engine refuses."""
    try:
        array = np.asarray(token_ids)
    except ValueError:
        array = np.empty((0, 0))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise RequestError("token_ids must be a list of integers")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= 1 << 31):
        raise RequestError("token_ids holds a number that is no token id")
    return array.astype(np.int32)


def _shut_down(worker: EngineWorker, model: StepModel) -> None:
    worker.close()
    if worker.in_home_process:
        model.close()
