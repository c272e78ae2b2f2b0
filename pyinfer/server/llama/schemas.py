"""Request bodies of the llama-server dialect."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pyinfer.server.http.body import Body
from pyinfer.server.http.unsupported import LLAMA, Fields

#: Text, token ids, or a mixture of both.
PromptText = str | list[int | str]

Number = int | float


class SamplingBody(Body):
    """What completion and infill have in common."""

    model: str = ""
    n_predict: int | None = Field(None, description="-1: until the context is full")
    max_tokens: int | None = None
    n_cmpl: Annotated[int, Field(ge=1, le=16)] = 1
    stream: bool = False
    temperature: Number | None = None
    top_k: int | None = None
    top_p: Number | None = None
    min_p: Number | None = None
    typical_p: Number | None = None
    repeat_penalty: Number | None = None
    repeat_last_n: int | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    ignore_eos: bool = False
    logit_bias: list[list[Any]] | dict[str, Any] | None = None
    n_probs: Annotated[int, Field(ge=0, le=20)] = 0
    post_sampling_probs: bool = False
    samplers: list[str] | str | None = None
    grammar: str | None = None
    json_schema: dict[str, Any] | bool | None = None
    cache_prompt: bool = True
    id_slot: int = -1
    return_tokens: bool = False
    return_progress: bool = False
    timings_per_token: bool = False
    response_fields: list[str] | None = None
    t_max_predict_ms: Number | None = None
    n_keep: int = 0


class CompletionBody(SamplingBody):
    """``POST /completion``."""

    unsupported: ClassVar[Fields] = LLAMA

    prompt: PromptText | list[PromptText]


class ExtraFile(Body):
    """A file beside the one that is filled in."""

    filename: str = ""
    text: str


class InfillBody(SamplingBody):
    """``POST /infill``."""

    unsupported: ClassVar[Fields] = LLAMA

    input_prefix: str
    input_suffix: str
    input_extra: list[ExtraFile] = Field(default_factory=list)
    prompt: str = ""


class TokenizeBody(Body):
    """``POST /tokenize``."""

    content: PromptText
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False
    model: str = ""


class DetokenizeBody(Body):
    """``POST /detokenize``."""

    tokens: list[int]
    model: str = ""


class TemplateBody(Body):
    """``POST /apply-template``."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: dict[str, bool] = Field(default_factory=dict)
    model: str = ""


class EmbeddingBody(Body):
    """``POST /embedding``."""

    content: PromptText | list[PromptText]
    model: str = ""


SlotAction = Literal["save", "restore", "erase"]
