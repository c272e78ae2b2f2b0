"""Fields of other servers that would change an answer and are not obeyed here: they are refused.

Unknown fields are ignored, as every server of these dialects does. But a client that asks for
something and gets an answer without it, and without a word, is misled. So fields that are known
from other servers are listed with the values that change nothing; any other value is a
``RequestError`` (400) that names the field and says what to do instead. ``docs/serving.md`` has the
same table, which a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyinfer.errors import RequestError


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A field that is not obeyed.

    Attributes
    ----------
    instead : str
        What to do; empty where there is nothing.
    neutral : tuple
        Values, besides null, that change nothing.
    """

    instead: str = ""
    neutral: tuple[Any, ...] = ()


Fields = Mapping[str, Unsupported]

_OFF = Unsupported("", (0, False, "", 0.0))
_SCHEMA = "ask for a format with response_format"
_PLACE = 'options are given in "options"'

#: Ways of sampling that this engine does not have.
SAMPLERS: Fields = {
    **dict.fromkeys(
        (
            "mirostat", "mirostat_mode", "xtc_probability", "dry_multiplier", "dynatemp_range",
            "top_a", "smoothing_factor", "use_beam_search", "adaptive_target",
        ),
        _OFF,
    ),
    "tfs_z": Unsupported("", (1, 0)),
    "top_n_sigma": Unsupported("", (-1, 0)),
    "length_penalty": Unsupported("", (1,)),
    "no_repeat_ngram_size": _OFF,
    "num_beams": Unsupported("", (1, 0)),
}  # fmt: skip

#: Of vLLM, SGLang and others, beyond OpenAI's interface.
_EXTENSIONS: Fields = {
    "bad_words": Unsupported("use logit_bias", ([],)),
    "allowed_token_ids": Unsupported("use logit_bias", ([],)),
    "logits_processors": Unsupported("", ([],)),
    "logit_processors": Unsupported("", ([],)),
    "custom_logit_processor": _OFF,
    "truncate_prompt_tokens": Unsupported("shorten the prompt", (-1, 0)),
    "include_stop_str_in_output": Unsupported("", (False,)),
    "skip_special_tokens": Unsupported("", (True,)),
    "no_stop_trim": Unsupported("", (False,)),
    "stop_regex": Unsupported("use stop", ("", [])),
    "structural_tag": Unsupported(_SCHEMA),
    "guided_whitespace_pattern": Unsupported(_SCHEMA),
    "lora": Unsupported("", ([],)),
    "lora_path": Unsupported(),
    "max_new_tokens": Unsupported("use max_tokens"),
    "num_predict": Unsupported("use max_tokens"),
    "options": Unsupported("they belong to /api/chat", ({},)),
    "format": Unsupported(_SCHEMA, ("",)),
    "t_max_predict_ms": Unsupported("", (-1, 0)),
    "thinking_level": Unsupported("use reasoning_effort"),
}

#: ``POST /v1/completions``.
OPENAI_TEXT: Fields = {**SAMPLERS, **_EXTENSIONS}

#: ``POST /v1/chat/completions``.
OPENAI_CHAT: Fields = {
    **OPENAI_TEXT,
    "functions": Unsupported("use tools", ([],)),
    "function_call": Unsupported("use tool_choice", ("none", "auto")),
    "web_search_options": Unsupported(),
    "audio": Unsupported(),
    "verbosity": Unsupported("say it in a message", ("medium",)),
    "documents": Unsupported("put them into a message", ([],)),
    "best_of": Unsupported("use n", (1,)),
    "echo": Unsupported("", (False,)),
    "suffix": Unsupported("", ("",)),
    "prompt": Unsupported("use messages", ("",)),
    "system": Unsupported("use a message with the role system", ("", [])),
    "parse_tool_calls": Unsupported("", (True,)),
    "mm_processor_kwargs": Unsupported("", ({},)),
}

_WORDS_OF_OPENAI: Fields = {
    **dict.fromkeys(
        (
            "temperature", "top_p", "top_k", "min_p", "seed", "stop", "num_predict", "num_ctx",
            "repeat_penalty", "presence_penalty", "frequency_penalty", "logit_bias",
        ),
        Unsupported(_PLACE),
    ),
    **dict.fromkeys(
        ("max_tokens", "max_completion_tokens"), Unsupported('use "num_predict" in "options"')
    ),
    **dict.fromkeys(
        (
            "response_format", "structured_outputs", "guided_json", "guided_regex",
            "guided_choice", "guided_grammar", "json_schema", "grammar", "regex", "ebnf",
        ),
        Unsupported('use "format"'),
    ),
    **dict.fromkeys(
        (
            "enable_thinking", "thinking", "reasoning", "reasoning_effort",
            "chat_template_kwargs", "thinking_budget",
        ),
        Unsupported('use "think"'),
    ),
    "chat_template": Unsupported("create a model that has it"),
    "n": Unsupported("", (1,)),
    "tool_choice": Unsupported("leave tools out, or use /v1/chat/completions", ("auto",)),
    "parallel_tool_calls": Unsupported("use /v1/chat/completions", (True,)),
}  # fmt: skip

#: ``POST /api/chat`` and ``POST /api/generate``.
OLLAMA: Fields = {**SAMPLERS, **_WORDS_OF_OPENAI}

#: ``options`` of the two.
OLLAMA_OPTIONS: Fields = {
    **SAMPLERS,
    **dict.fromkeys(
        ("rope_frequency_base", "rope_frequency_scale"),
        Unsupported("the position encoding is what the model's file says", (0,)),
    ),
    "num_beams": Unsupported("", (1, 0)),
    "think": Unsupported('it stands beside "options"'),
    "format": Unsupported('it stands beside "options"', ("",)),
    "max_tokens": Unsupported('use "num_predict"'),
    "n_predict": Unsupported('use "num_predict"'),
    "n_ctx": Unsupported('use "num_ctx"'),
    "repetition_penalty": Unsupported('use "repeat_penalty"'),
    "logit_bias": Unsupported("", ({}, [])),
    "grammar": Unsupported('use "format"', ("",)),
}

#: ``POST /completion`` and ``POST /infill``.
LLAMA: Fields = {
    **SAMPLERS,
    **dict.fromkeys(
        (
            "response_format", "structured_outputs", "guided_json", "guided_regex",
            "guided_choice", "guided_grammar", "regex", "ebnf",
        ),
        Unsupported("use json_schema or grammar"),
    ),
    "lora": Unsupported("", ([],)),
    "messages": Unsupported("use /v1/chat/completions", ([],)),
    "num_predict": Unsupported("use n_predict"),
    "repetition_penalty": Unsupported("use repeat_penalty"),
    "min_keep": _OFF,
    "n_indent": _OFF,
}  # fmt: skip


def refuse(values: Mapping[str, Any], fields: Fields, inside: str = "") -> None:
    """Raise for the first of ``values`` that is not obeyed and would change the answer.

    Parameters
    ----------
    values : mapping
        What a client sent.
    fields : mapping of str to Unsupported
    inside : str
        The field that ``values`` stand in.

    Raises
    ------
    RequestError
        ``param`` names the field.
    """
    for name, value in values.items():
        field = fields.get(name)
        if field is None or value is None or value in field.neutral:
            continue
        param = f"{inside}.{name}" if inside else name
        error = RequestError(f'"{param}" is not supported', hint=field.instead)
        error.param = param
        raise error
