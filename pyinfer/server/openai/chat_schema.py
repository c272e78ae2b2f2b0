"""The body of ``POST /v1/chat/completions`` and what it asks of the service."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pyinfer.requests.spec import GenerateSpec, bad_value
from pyinfer.server.http.unsupported import OPENAI_CHAT, Fields
from pyinfer.server.openai.output_format import wanted_grammar
from pyinfer.server.openai.sampling import (
    FALLBACK,
    MAX_LOGPROBS,
    Limit,
    SamplingBody,
    sampling_params,
)
from pyinfer.server.openai.thinking import ThinkingBody
from pyinfer.server.openai.tools import as_function_calls, as_functions, read_choice


class ChatBody(SamplingBody, ThinkingBody):
    """A conversation to be continued."""

    unsupported: ClassVar[Fields] = OPENAI_CHAT

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    max_completion_tokens: Limit | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[str] | None = None
    # Beyond OpenAI's interface.
    chat_template: Any = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    return_progress: bool | None = None
    timings_per_token: bool | None = None


def chat_spec(body: ChatBody, request_id: str) -> GenerateSpec:
    """What a body asks for.

    Raises
    ------
    RequestError
        A value is wrong, or two exclude each other; ``param`` names one.
    """
    body.check_stream_options()
    if body.chat_template is not None:
        raise bad_value("chat_template", "a template in the request is refused")
    if body.modalities is not None and body.modalities != ["text"]:
        raise bad_value("modalities", "the answer can only be text")
    if body.top_logprobs is not None and not body.logprobs:
        raise bad_value("top_logprobs", "top_logprobs needs logprobs to be true")
    think, variables = body.wanted()
    limit = body.max_completion_tokens if body.max_completion_tokens is not None else body.limit
    budget = body.budget()
    choice = read_choice(body.tool_choice)
    return GenerateSpec(
        model=body.model,
        messages=as_function_calls(body.messages),
        tools=as_functions(choice.allowed(body.tools)),
        tool_choice=choice.word,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        think=think,
        template_variables=variables,
        add_generation_prompt=body.add_generation_prompt is not False,
        continue_final_message=_goes_on(body),
        params=sampling_params(body, limit, (body.top_logprobs or 0) if body.logprobs else None),
        fallback=FALLBACK,
        n=body.n or 1,
        context=body.num_ctx,
        reuse_prefix=body.cache_prompt is not False,
        grammar=wanted_grammar(body),
        reasoning_budget=budget if budget is not None and budget > 0 else None,
        split_reasoning=body.splits_reasoning,
        progress=bool(body.return_progress or body.timings_per_token),
        priority=body.priority or 0,
        stream=bool(body.stream),
        request_id=request_id,
    )


def _goes_on(body: ChatBody) -> bool | None:
    """Whether the last message is to be continued; None if it is one of the assistant.

    That is what Ollama, llama-server and LM Studio do where nothing is said; vLLM's two switches
    say it.
    """
    if body.continue_final_message is None and body.add_generation_prompt is None:
        return None
    if body.continue_final_message and body.add_generation_prompt:
        raise bad_value(
            "continue_final_message",
            "continue_final_message and add_generation_prompt exclude each other",
        )
    return bool(body.continue_final_message)
