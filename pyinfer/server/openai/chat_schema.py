"""The body of ``POST /v1/chat/completions`` and what it asks of the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pyinfer.requests.spec import GenerateSpec, bad_value
from pyinfer.server.openai.output_format import wanted_grammar
from pyinfer.server.openai.sampling import (
    FALLBACK,
    MAX_LOGPROBS,
    SamplingBody,
    sampling_params,
)

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ChatBody(SamplingBody):
    """A conversation to be continued."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=0)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    modalities: list[str] | None = None
    # Beyond OpenAI's interface.
    reasoning_format: Literal["auto", "deepseek", "parsed", "none", "hidden"] | None = None
    include_reasoning: bool | None = None
    thinking_token_budget: Annotated[int, Field(ge=-1, le=1 << 31)] | None = None
    chat_template: Any = None
    chat_template_kwargs: dict[str, Any] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    cache_prompt: bool | None = None
    return_progress: bool | None = None
    timings_per_token: bool | None = None

    @property
    def shows_reasoning(self) -> bool:
        """Whether the reasoning is part of the answer."""
        return self.include_reasoning is not False and self.reasoning_format != "hidden"


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
    think, variables = _thinking(body)
    limit = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    budget = body.thinking_token_budget
    return GenerateSpec(
        model=body.model,
        messages=body.messages,
        tools=body.tools,
        tool_choice=_tool_choice(body),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        think=think,
        template_variables=variables,
        add_generation_prompt=body.add_generation_prompt is not False,
        continue_final_message=bool(body.continue_final_message),
        params=sampling_params(body, limit, (body.top_logprobs or 0) if body.logprobs else None),
        fallback=FALLBACK,
        n=body.n or 1,
        context=body.num_ctx,
        reuse_prefix=body.cache_prompt is not False,
        grammar=wanted_grammar(body.response_format, body.structured_outputs),
        reasoning_budget=budget if budget is not None and budget > 0 else None,
        split_reasoning=body.reasoning_format != "none",
        progress=bool(body.return_progress or body.timings_per_token),
        priority=body.priority or 0,
        stream=bool(body.stream),
        request_id=request_id,
    )


def _thinking(body: ChatBody) -> tuple[bool | None, dict[str, bool]]:
    """Whether to reason, from three places, and the other switches for the template."""
    variables: dict[str, bool] = {}
    for name, value in (body.chat_template_kwargs or {}).items():
        param = f"chat_template_kwargs.{name[:40]}"
        if not name.isidentifier() or not isinstance(value, bool):
            raise bad_value(param, "chat_template_kwargs may hold switches: true or false")
        variables[name] = value
    think = None
    for name in ("thinking", "enable_thinking"):
        think = variables.pop(name, think)
    if body.reasoning_effort is not None:
        # Models of this family have no levels: any effort is to reason, if the model can.
        think = False if body.reasoning_effort == "none" else think
    if body.thinking_token_budget == 0:
        think = False
    return think, variables


def _tool_choice(body: ChatBody) -> str:
    choice = body.tool_choice
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise bad_value("tool_choice", "tool_choice must be none, auto, required or a function")
        return choice
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if choice.get("type") != "function" or not isinstance(name, str):
        raise bad_value(
            "tool_choice", 'tool_choice must be like {"type": "function", "function": {"name": ..}}'
        )
    return f"function:{name}"
