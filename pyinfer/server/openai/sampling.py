"""Fields about sampling, shared by chat and text completions."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from pyinfer.engine.params import STAGES, SamplingParams
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import Body

#: Used where neither the request nor the model's files say anything.
FALLBACK = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
MAX_LOGPROBS = 20
#: Most tokens of an answer; negative is no limit.
Limit = Annotated[int, Field(ge=-2)]

_TOKEN_ID = re.compile(r"[0-9]{1,10}")


class StreamOptions(Body):
    """``stream_options``."""

    include_usage: bool | None = None


class SamplingBody(Body):
    """What both kinds of completions take. None is the default of the model or the server."""

    model: str = ""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Limit | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    seed: Annotated[int, Field(ge=-(1 << 63), le=(1 << 64) - 1)] | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logit_bias: dict[str, float] | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    # Beyond OpenAI's interface.
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    repeat_penalty: Annotated[float, Field(gt=0)] | None = None
    repeat_last_n: Annotated[int, Field(ge=-1)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: list[int] | None = None
    samplers: list[str] | None = None
    priority: Annotated[int, Field(ge=-(1 << 31), le=(1 << 31) - 1)] | None = None
    num_ctx: Annotated[int, Field(ge=1)] | None = None
    n_predict: Limit | None = None
    cache_prompt: bool | None = None
    # Formats, as vLLM, SGLang and llama-server name them; see output_format.py.
    structured_outputs: dict[str, Any] | None = None
    guided_json: dict[str, Any] | str | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None
    regex: str | None = None
    ebnf: str | None = None
    grammar: str | None = None
    json_schema: dict[str, Any] | str | None = None

    def check_stream_options(self) -> None:
        """Refuse options of a stream where there is none.

        Raises
        ------
        RequestError
        """
        if self.stream_options is not None and not self.stream:
            raise bad_value("stream_options", "stream_options needs stream to be true")

    @property
    def limit(self) -> int | None:
        """Most tokens of the answer, from whichever field says so."""
        return self.n_predict if self.max_tokens is None else self.max_tokens

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk about usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def sampling_params(
    body: SamplingBody, max_tokens: int | None, logprobs: int | None
) -> SamplingParams:
    """What the request says; errors name the field.

    Parameters
    ----------
    body : SamplingBody
    max_tokens : int, optional
        From whichever field the endpoint has for it.
    logprobs : int, optional
        Alternatives to report per token.

    Raises
    ------
    RequestError
    """
    return SamplingParams(
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        min_p=body.min_p,
        typical_p=body.typical_p,
        repetition_penalty=(
            body.repeat_penalty if body.repetition_penalty is None else body.repetition_penalty
        ),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        repeat_last_n=body.repeat_last_n,
        logit_bias=_bias(body.logit_bias),
        seed=body.seed,
        max_tokens=-1 if max_tokens is not None and max_tokens < 0 else max_tokens,
        min_tokens=body.min_tokens or 0,
        stop=body.stop or (),
        stop_token_ids=body.stop_token_ids or (),
        ignore_eos=bool(body.ignore_eos),
        logprobs=logprobs,
        samplers=STAGES if body.samplers is None else body.samplers,
    )


def _bias(given: dict[str, float] | None) -> dict[int, float] | None:
    if given is None:
        return None
    bias = {}
    for token, amount in given.items():
        if not _TOKEN_ID.fullmatch(token):
            raise bad_value("logit_bias", "logit_bias must map token ids to numbers")
        if not -100 <= amount <= 100:
            raise bad_value("logit_bias", "logit_bias must hold numbers between -100 and 100")
        bias[int(token)] = amount
    return bias
