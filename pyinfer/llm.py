"""A language model ready to use: tokenizer, chat template and engine in one object."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any, Unpack

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
from pyinfer.requests.answer import Generation
from pyinfer.requests.options import ChatOptions, GenerateOptions, spec_fields
from pyinfer.requests.prepare import defaults_in_force, plan_of, prepare
from pyinfer.requests.preset import Messages, Preset
from pyinfer.requests.prompts import build_prompt
from pyinfer.requests.prompts import token_ids as checked_ids
from pyinfer.requests.rules import compile_grammar, hook_factory
from pyinfer.requests.spec import GenerateSpec, TextModel
from pyinfer.requests.streams import AsyncTextStream, Job, PromptProgress, TextStream
from pyinfer.text.chat_template import ChatTemplate
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
        What parameters of None mean, and the end tokens.
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
        self.preset = preset or Preset()
        template = None
        if tokenizer is not None and (self.preset.template or tokenizer.chat_template is not None):
            template = ChatTemplate(tokenizer, self.preset.template or None)
        self._model = TextModel(
            info=info,
            tokenizer=tokenizer,
            template=template,
            defaults=defaults,
            preset=self.preset,
        )
        self.defaults = defaults_in_force(self._model)
        rules = hook_factory(tokenizer)
        engine = Engine(model, defaults, context=info.context, cancel=cancel, hook_factory=rules)
        self._limits = engine.limits
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
        return self._model.text

    @property
    def chat_template(self) -> ChatTemplate:
        """The chat template.

        Raises
        ------
        RequestError, ModelUnsupportedError
            The model has no tokenizer; it has no template.
        """
        return self._model.chat_template

    def apply_chat_template(
        self,
        messages: Messages,
        think: bool | None = None,
        add_generation_prompt: bool = True,
        **options: Unpack[ChatOptions],
    ) -> str:
        """The prompt that a conversation becomes in :meth:`chat`, tools included.

        Parameters
        ----------
        messages, think, **options
            As :meth:`chat`.
        add_generation_prompt : bool
            Open the assistant's turn.
        """
        spec = GenerateSpec(
            messages=messages,
            think=think,
            add_generation_prompt=add_generation_prompt,
            **spec_fields(options),
        )
        spec.check()
        whole = self.info.context if spec.context is None else spec.context
        return build_prompt(self._model, spec, whole, plan_of(self._model, spec)).text

    def generate(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[GenerateOptions],
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
        **options
            See :class:`~pyinfer.requests.options.GenerateOptions`: several answers, grammar,
            budgets, truncation, deadline and priority.

        Returns
        -------
        Generation
            The answer; of several the first, whose ``choices`` are all of them.

        Raises
        ------
        RequestError
            Bad parameters, an empty prompt, or text for a model without a tokenizer.
        ContextLengthError
            The prompt does not fit the context.
        NumericError, EngineError
            The computation failed.
        QueueFullError
            1,024 requests are open.
        """
        spec = _raw(prompt, token_ids, params, options, stream=False)
        return TextStream(self._worker, self._job(spec, progress)).result()

    def stream(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[GenerateOptions],
    ) -> TextStream:
        """As :meth:`generate`, piece by piece."""
        spec = _raw(prompt, token_ids, params, options)
        return TextStream(self._worker, self._job(spec, progress))

    def chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[ChatOptions],
    ) -> Generation:
        """Answer a conversation.

        Parameters
        ----------
        messages : str or list of dict
            ``{"role": ..., "content": ...}`` with the roles system, user, assistant and tool; a
            string is one message of the user. Reasoning in earlier answers is left out.
        params, progress
            As :meth:`generate`, with the same result and errors.
        think : bool, optional
            False makes the model answer without reasoning; None lets it reason if it can.
        **options
            See :class:`~pyinfer.requests.options.ChatOptions`: those of :meth:`generate`, and
            tools.

        Examples
        --------
        >>> import pyinfer
        >>> weather = {"type": "function", "function": {"name": "weather", "parameters": {
        ...     "type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}},
        ...     "required": ["city"]}}}
        >>> greedy = pyinfer.SamplingParams(temperature=0, max_tokens=400)
        >>> with pyinfer.load() as llm:
        ...     answer = llm.chat("Which is larger, 9.11 or 9.9?", greedy, think=False,
        ...                       tools=[weather], tool_choice="required")
        ...     colours = llm.chat("Pick one.", greedy, think=False, n=2,
        ...                        json_schema={"enum": ["red", "blue"]})
        >>> answer.finish_reason, [call.name for call in answer.tool_calls]
        ('tool_calls', ['weather'])
        >>> all(choice.text in ('"red"', '"blue"') for choice in colours.choices)
        True
        """
        spec = _chat(messages, params, think, options, stream=False)
        return TextStream(self._worker, self._job(spec, progress)).result()

    def stream_chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[ChatOptions],
    ) -> TextStream:
        """As :meth:`chat`, piece by piece."""
        spec = _chat(messages, params, think, options)
        return TextStream(self._worker, self._job(spec, progress))

    async def agenerate(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """As :meth:`generate`, for asyncio; cancelling the task ends the generation."""
        spec = _raw(prompt, token_ids, params, options, stream=False)
        return await (await self._astart(spec, progress)).result()

    async def astream(
        self,
        prompt: str | None = None,
        token_ids: npt.ArrayLike | None = None,
        params: SamplingParams | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncTextStream:
        """As :meth:`stream`, for asyncio."""
        return await self._astart(_raw(prompt, token_ids, params, options), progress)

    async def achat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[ChatOptions],
    ) -> Generation:
        """As :meth:`chat`, for asyncio; cancelling the task ends the generation."""
        spec = _chat(messages, params, think, options, stream=False)
        return await (await self._astart(spec, progress)).result()

    async def astream_chat(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        think: bool | None = None,
        progress: PromptProgress | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncTextStream:
        """As :meth:`stream_chat`, for asyncio."""
        return await self._astart(_chat(messages, params, think, options), progress)

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
        tokens = checked_ids(token_ids, self.info.config.vocab_size, "token_ids")
        request = Request(
            request_id=self._worker.new_id(),
            tokens=tokens,
            params=SamplingParams(max_tokens=0),
            stream=False,
            prompt_logits=True,
        )
        # Before the request: without the memory there is none to be forgotten.
        out = np.empty((len(tokens), self.info.config.vocab_size), np.float32)
        handle = self._worker.submit(request)
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

    def _job(self, spec: GenerateSpec, progress: PromptProgress | None) -> Job:
        prepared = prepare(self._model, spec, self._limits)
        if self._model.tokenizer is not None:
            compile_grammar(prepared.requests[0], self._model.tokenizer)
        return Job(prepared, progress, owner=self)

    async def _astart(self, spec: GenerateSpec, progress: PromptProgress | None) -> AsyncTextStream:
        return AsyncTextStream(self._worker, await asyncio.to_thread(self._job, spec, progress))


def _raw(
    prompt: str | None,
    token_ids: npt.ArrayLike | None,
    params: SamplingParams | None,
    options: Mapping[str, Any],
    *,
    stream: bool = True,
) -> GenerateSpec:
    if (prompt is None) == (token_ids is None):
        raise RequestError("give either a prompt or token_ids")
    if isinstance(token_ids, str) or not isinstance(prompt, str | None):
        raise RequestError("prompt must be a string, and token_ids a list of integers")
    return GenerateSpec(
        prompt=token_ids if prompt is None else prompt,
        params=params or SamplingParams(),
        stream=stream,
        **spec_fields(options),
    )


def _chat(
    messages: Messages,
    params: SamplingParams | None,
    think: bool | None,
    options: Mapping[str, Any],
    *,
    stream: bool = True,
) -> GenerateSpec:
    return GenerateSpec(
        messages=messages,
        params=params or SamplingParams(),
        think=think,
        stream=stream,
        **spec_fields(options),
    )


def _shut_down(worker: EngineWorker, model: StepModel) -> None:
    worker.close()
    if worker.in_home_process:
        model.close()
