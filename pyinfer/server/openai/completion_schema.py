"""The body of ``POST /v1/completions`` and what it asks of the service."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pyinfer.requests.spec import GenerateSpec, bad_value
from pyinfer.server.http.unsupported import OPENAI_TEXT, Fields
from pyinfer.server.openai.output_format import wanted_grammar
from pyinfer.server.openai.sampling import (
    FALLBACK,
    MAX_LOGPROBS,
    SamplingBody,
    sampling_params,
)

MAX_PROMPTS = 64
MAX_CHOICES = 128


class CompletionBody(SamplingBody):
    """Text to be continued as it is."""

    unsupported: ClassVar[Fields] = OPENAI_TEXT

    prompt: str | list[str] | list[int] | list[list[int]]
    suffix: str | None = None
    echo: bool | None = None
    best_of: Annotated[int, Field(ge=1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None


def completion_specs(body: CompletionBody, request_id: str) -> list[GenerateSpec]:
    """What a body asks for, one spec per prompt.

    Raises
    ------
    RequestError
        A value is wrong, or asks for what is not supported; ``param`` names it.
    """
    body.check_stream_options()
    if body.suffix:
        raise bad_value("suffix", "filling in before a suffix is not supported")
    count = body.n or 1
    if body.best_of is not None and body.best_of != count:
        raise bad_value("best_of", "best_of must equal n")
    prompts = split_prompts(body.prompt)
    if len(prompts) * count > MAX_CHOICES:
        raise bad_value("n", f"prompts times n may be at most {MAX_CHOICES}")
    params = sampling_params(body, body.limit, body.logprobs)
    grammar = wanted_grammar(body)
    return [
        GenerateSpec(
            model=body.model,
            prompt=prompt,
            params=params,
            fallback=FALLBACK,
            n=count,
            context=body.num_ctx,
            reuse_prefix=body.cache_prompt is not False,
            grammar=grammar,
            split_reasoning=False,
            prompt_logprobs=body.logprobs if body.echo else None,
            priority=body.priority or 0,
            stream=bool(body.stream),
            request_id=request_id,
        )
        for prompt in prompts
    ]


def split_prompts(
    prompt: str | list[str] | list[int] | list[list[int]],
    param: str = "prompt",
    most: int = MAX_PROMPTS,
) -> list[str | list[int]]:
    """One entry per prompt; a list of numbers is one prompt.

    Parameters
    ----------
    prompt : str or list
    param : str
        Name of the field, for messages.
    most : int
        Most prompts.

    Raises
    ------
    RequestError
        Nothing to continue, or too many prompts.
    """
    prompts: list[Any] = prompt if isinstance(prompt, list) else [prompt]
    if prompts and isinstance(prompts[0], int):
        prompts = [prompts]
    if not prompts or not all(prompts):
        raise bad_value(param, f"the {param} is empty")
    if len(prompts) > most:
        raise bad_value(param, f"there may be at most {most} entries")
    return prompts
