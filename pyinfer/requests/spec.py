"""What may be asked of a model: one description of a request, from Python and from every dialect.

``LLM`` builds a :class:`GenerateSpec` from its arguments, a dialect from a request body;
``prepare.py`` turns it into what the engine runs, and what comes back is in ``answer.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.config import GenerationDefaults
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import RequestError
from pyinfer.model_info import ModelInfo
from pyinfer.requests.preset import Messages, Preset
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.grammar import Grammar
from pyinfer.text.tokenizer import Tokenizer

MAX_CHOICES = 16
#: Longest time that a request may ask for: 100 years fit nanoseconds of 64 bits.
MAX_SECONDS = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSpec:
    """One generation request, whoever asks.

    Attributes
    ----------
    model : str
        Name; empty is the default model.
    messages : str or list of dict, optional
        A conversation (a string is one message of the user); exactly one of ``messages`` and
        ``prompt`` is given.
    prompt : str or int (T,), optional
        Text that is continued as it is (BOS is put in front unless it is there), or token ids.
    tools : sequence of dict, optional
        ``{"type": "function", "function": {...}}``.
    tool_choice : str
        ``none``, ``auto``, ``required`` or ``function:NAME``.
    parallel_tool_calls : bool
        False allows at most one call.
    think : bool, optional
        False answers without reasoning; None is what the model does.
    template_variables : mapping of str to bool
        Switches for the chat template.
    add_generation_prompt : bool
        Open the assistant's turn.
    continue_final_message : bool, optional
        Go on with the last message, which is the assistant's; None does so if it is one with text.
    params : SamplingParams
        What the client gave; None means the next in the precedence, see
        :func:`pyinfer.requests.prepare.sampling_params`.
    fallback : mapping of str to number
        The dialect's own defaults by the names of ``SamplingParams``.
    n : int
        Answers to the same prompt; they share its cache.
    context : int, optional
        Most tokens of prompt and answer; None is the server's limit.
    truncate : bool
        Drop the oldest messages (never system messages and the last one) of a conversation that is
        too long, or the beginning of a raw prompt, instead of refusing it.
    reuse_prefix : bool
        Use the prefix cache.
    cache_scope : str
        Only requests of the same scope share the prefix cache.
    grammar : Grammar, optional
        What the content must look like.
    reasoning_budget : int, optional
        Most reasoning tokens; 0 answers without reasoning, a negative number is no limit, None is
        the server's setting (without a server: no limit).
    loop_guard : bool
        Cut off an answer that repeats itself.
    split_reasoning : bool
        False leaves the reasoning with its tags in the content.
    stops_in_content : bool, optional
        Stop strings count from the first character behind the reasoning; None is for conversations
        only, a raw prompt's whole answer is searched.
    keep_alive : float, optional
        Seconds that the model stays loaded after its last request; negative is for ever, None is
        the server's setting.
    progress : bool
        Deliver :class:`~pyinfer.requests.answer.Progress`.
    prompt_logprobs : int, optional
        Deliver :class:`~pyinfer.requests.answer.PromptScores` with so many alternatives per token;
        nothing of the prompt is taken from the prefix cache then.
    stream : bool
        Deliver pieces as they come; otherwise they may come all at the end.
    priority : int
        Requests with a lower number get places before others that wait.
    deadline_seconds : float, optional
        Ends the answer, as at ``max_tokens``, so long after its first token.
    wall_seconds : float, optional
        Ends it so long after the evaluation of the prompt began; None is the server's setting
        (without a server: no limit).
    request_id : str
        For logs, the request record and the slots.
    """

    model: str = ""
    messages: Messages | None = None
    prompt: str | npt.ArrayLike | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    think: bool | None = None
    template_variables: Mapping[str, bool] = field(default_factory=dict)
    add_generation_prompt: bool = True
    continue_final_message: bool | None = False
    params: SamplingParams = field(default_factory=SamplingParams)
    fallback: Mapping[str, float | int] = field(default_factory=dict)
    n: int = 1
    context: int | None = None
    truncate: bool = False
    reuse_prefix: bool = True
    cache_scope: str = ""
    grammar: Grammar | None = None
    reasoning_budget: int | None = None
    loop_guard: bool = False
    split_reasoning: bool = True
    stops_in_content: bool | None = None
    keep_alive: float | None = None
    progress: bool = False
    prompt_logprobs: int | None = None
    stream: bool = True
    priority: int = 0
    deadline_seconds: float | None = None
    wall_seconds: float | None = None
    request_id: str = ""

    @property
    def scoped_stops(self) -> bool:
        """Whether stop strings are looked for in the content only."""
        given = self.stops_in_content
        return self.messages is not None if given is None else given

    def check(self) -> None:
        """Refuse values that no model could run.

        Raises
        ------
        RequestError
            A value is out of range, or two exclude each other; ``param`` names one.
        """
        if (self.messages is None) == (self.prompt is None):
            raise bad_value("messages", "give either messages or a prompt")
        if not 1 <= self.n <= MAX_CHOICES:
            raise bad_value("n", f"n must be between 1 and {MAX_CHOICES}, not {self.n}")
        if self.context is not None and self.context < 1:
            raise bad_value("num_ctx", f"the context must be at least 1 token, not {self.context}")
        for name in ("deadline_seconds", "wall_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds <= MAX_SECONDS:
                raise bad_value(name, f"{name} must be above 0 and at most {MAX_SECONDS}")


def bad_value(param: str, message: str) -> RequestError:
    """A RequestError that names the parameter at fault."""
    error = RequestError(message)
    error.param = param
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """A loaded model as a request sees it.

    Attributes
    ----------
    info : ModelInfo
    tokenizer : Tokenizer or None
        None takes prompts of token ids only.
    template : ChatTemplate or None
        None takes raw prompts only.
    defaults : GenerationDefaults
        Of the weights' files.
    preset : Preset
        What the model's file (Modelfile) adds: parameters, system message, messages.
    """

    info: ModelInfo
    tokenizer: Tokenizer | None
    template: ChatTemplate | None
    defaults: GenerationDefaults
    preset: Preset

    @property
    def text(self) -> Tokenizer:
        """The tokenizer.

        Raises
        ------
        RequestError
            There is none.
        """
        if self.tokenizer is None:
            raise RequestError(
                f"{self.info.name} has no tokenizer, so text cannot be read or written",
                hint="pass token_ids, or put tokenizer.json into the model's folder",
            )
        return self.tokenizer

    @property
    def chat_template(self) -> ChatTemplate:
        """The chat template.

        Raises
        ------
        RequestError, ModelUnsupportedError
            The model has no tokenizer; it has no template.
        """
        return self.template or ChatTemplate(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel(TextModel):
    """A model that is served under a name.

    Attributes
    ----------
    name : str
        The full name that the request's name stands for.
    path : Path
    digest : str
        Of the model's files; empty for a path.
    context : int
        Most tokens of prompt and answer.
    created : int
        Seconds since 1970: when the model's files were written.
    """

    tokenizer: Tokenizer
    name: str
    path: Path
    digest: str
    context: int
    created: int


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of texts: float32 (n, D), each of length 1."""

    vectors: npt.NDArray[np.float32]
    prompt_tokens: int
    load_ns: int
    model: ServedModel
