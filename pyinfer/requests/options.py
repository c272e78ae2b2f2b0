"""Keyword arguments of the calls of :class:`~pyinfer.llm.LLM`, typed once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pyinfer.errors import RequestError
from pyinfer.text.grammar import Grammar, schema_grammar


class GenerateOptions(TypedDict, total=False):
    """What every call takes besides its prompt, ``params`` and ``progress``.

    Attributes
    ----------
    n : int
        Answers to the same prompt, 1 to 16; they share its cache. See ``Generation.choices``.
    grammar : Grammar
        What the content must look like; reasoning stays free.
    json_schema : dict or bool
        The same as a JSON schema.
    reasoning_budget : int
        Most reasoning tokens; 0 answers without reasoning, a negative number is no limit.
    loop_guard : bool
        Cut off an answer that repeats itself (``cause`` is then ``loop``).
    context : int
        Most tokens of prompt and answer; at most that of the model.
    truncate : bool
        Drop the oldest messages (never system messages and the last one) of a conversation that
        is too long, or the beginning of a raw prompt, instead of raising ContextLengthError.
    split_reasoning : bool
        False leaves the reasoning with its tags in the content.
    prompt_logprobs : int
        Give ``Generation.prompt_logprobs`` with so many alternatives per token.
    reuse_prefix : bool
        False evaluates the whole prompt anew.
    priority : int
        Of the requests that wait, those with a lower number come first; 0 unless told otherwise.
    deadline_seconds : float
        End the answer, as at ``max_tokens``, so long after its first token.
    """

    n: int
    grammar: Grammar
    json_schema: Mapping[str, Any] | bool
    reasoning_budget: int
    loop_guard: bool
    context: int
    truncate: bool
    split_reasoning: bool
    prompt_logprobs: int
    reuse_prefix: bool
    priority: int
    deadline_seconds: float


class ChatOptions(GenerateOptions, total=False):
    """What calls about conversations take besides.

    Attributes
    ----------
    tools : sequence of dict
        Functions that the model may call: ``{"type": "function", "function": {"name": ...,
        "description": ..., "parameters": JSON schema}}``. See ``Generation.tool_calls``.
    tool_choice : str
        ``none``, ``auto`` (default), ``required`` or ``function:NAME``.
    parallel_tool_calls : bool
        False allows at most one call.
    continue_final_message : bool
        Go on with the last message, which is the assistant's.
    template_variables : mapping of str to bool
        Switches for the chat template.
    """

    tools: Sequence[Mapping[str, Any]]
    tool_choice: str
    parallel_tool_calls: bool
    continue_final_message: bool
    template_variables: Mapping[str, bool]


def spec_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as fields of :class:`~pyinfer.requests.spec.GenerateSpec`.

    Raises
    ------
    RequestError
        There are two grammars, or the schema is none.
    """
    fields = dict(options)
    schema = fields.pop("json_schema", None)
    if schema is not None:
        if fields.get("grammar") is not None:
            raise RequestError("give either grammar or json_schema")
        fields["grammar"] = schema_grammar(schema, "json_schema")
    return fields
