"""From what is asked to what the engine runs: values from all sources, tools, prompt, rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyinfer.config import GenerationDefaults
from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import Request
from pyinfer.engine.params import SamplingParams
from pyinfer.requests.prompts import Prompt, build_prompt
from pyinfer.requests.spec import GenerateSpec, TextModel
from pyinfer.text.hooks import Rules

if TYPE_CHECKING:
    from pyinfer.text.tools import ToolPlan

# Without a generation_config.json, models that reason are sampled as their authors recommend.
_RECOMMENDED = ("temperature", "top_p", "top_k")
_STATED = (
    *("temperature", "top_p", "top_k", "min_p", "typical_p"),
    *("repetition_penalty", "repeat_last_n"),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked request: its prompt and one engine request per answer, without ids.

    ``params`` are the parameters in force, ``plan`` says what to do about tools.
    """

    model: TextModel
    spec: GenerateSpec
    prompt: Prompt
    params: SamplingParams
    requests: list[Request]
    plan: ToolPlan | None


def prepare(
    model: TextModel, spec: GenerateSpec, limits: EngineLimits, *, grammar_checked: bool = False
) -> Prepared:
    """Render, tokenise and check a request. Takes a while for long texts; thread-safe.

    With ``grammar_checked`` the caller sees to it that the grammar in the rules of the result can
    be followed, before it is submitted (:mod:`pyinfer.text.grammar_check`).

    Raises
    ------
    RequestError, ContextLengthError, ModelUnsupportedError, ModelFormatError
        The request cannot run.
    """
    spec.check()
    params = sampling_params(model, spec)
    context = spec.context if spec.context is not None else model.preset.context
    whole = limits.context if context is None else min(context, limits.context)
    template, budget = model.template, spec.reasoning_budget
    if budget == 0 and template is not None and template.reasons and spec.think is not True:
        spec = replace(spec, think=False)
    plan = plan_of(model, spec)
    grammar = spec.grammar if plan is None else plan.grammar(spec.grammar)
    if grammar is not None:
        from pyinfer.text.grammar_check import CHECKER, check_end

        check_end(model.text)
        if not grammar_checked:
            CHECKER.check(grammar)
    if params.stop:
        _ = model.text  # stop strings need a tokenizer
    prompt = build_prompt(model, spec, whole, plan)
    rules = Rules(
        grammar=grammar,
        reasoning_budget=budget,
        starts_in_reasoning=prompt.starts_in_reasoning,
        stops_in_content=spec.scoped_stops,
        begun=prompt.begun,
        extra_stops=() if plan is None else plan.extra_stops,
        loop_guard=spec.loop_guard,
    )
    request = Request(
        request_id=0,
        tokens=np.array(prompt.token_ids, np.int32),
        params=params,
        context=whole,
        stream=spec.stream,
        reuse_prefix=spec.reuse_prefix,
        cache_scope=spec.cache_scope,
        prompt_logprobs=spec.prompt_logprobs,
        priority=spec.priority,
        deadline_ns=_nanoseconds(spec.deadline_seconds),
        wall_ns=_nanoseconds(spec.wall_seconds),
        rules=rules,
    )
    limits.check(request)
    requests = [replace(request, choice=index) for index in range(spec.n)]
    return Prepared(model, spec, prompt, params, requests, plan)


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def plan_of(model: TextModel, spec: GenerateSpec) -> ToolPlan | None:
    """What to do about the tools of a request; errors as :func:`prepare`."""
    if model.template is None or spec.messages is None:
        return None
    if not spec.tools and spec.tool_choice in ("auto", "none"):
        return None
    from pyinfer.text.tools import plan_tools  # not needed for a first answer

    return plan_tools(
        spec.tools, spec.tool_choice, spec.parallel_tool_calls, model.template, model.text
    )


def sampling_params(model: TextModel, spec: GenerateSpec) -> SamplingParams:
    """The parameters in force. Each value comes from the first of these that has it:

    1. the request (``spec.params``; a server has laid its own settings under them),
    2. the model's file: a Modelfile or an Ollama store (``Preset``),
    3. what the weights' files state: ``generation_config.json``, ``general.sampling`` of a GGUF;
       where they state nothing, models that reason have their authors' recommendation,
    4. the defaults of the dialect (``spec.fallback``),
    5. neutral values.

    A seed is drawn if nobody gives one, so that all answers to a request report the same.
    """
    defaults = model.defaults
    names: tuple[str, ...] = tuple(name for name in defaults.stated if name in _STATED)
    if not names and model.template is not None and model.template.reasons:
        names = _RECOMMENDED
    stated = SamplingParams(**{name: getattr(defaults, name) for name in names})
    fallback = SamplingParams(**spec.fallback)  # type: ignore[arg-type]
    return spec.params.over(model.preset.params).over(stated).over(fallback).filled(defaults)


def defaults_in_force(model: TextModel) -> GenerationDefaults:
    """What sampling values of None mean, and the model's end tokens."""
    params = sampling_params(model, GenerateSpec())
    return replace(model.defaults, **{name: getattr(params, name) for name in _STATED})
