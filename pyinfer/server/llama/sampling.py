"""From the fields of a request to sampling parameters, and back for ``generation_settings``."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from pyinfer.engine.params import MAX_TOKENS, STAGES, SamplingParams
from pyinfer.requests.spec import bad_value
from pyinfer.server.llama.schemas import SamplingBody
from pyinfer.text.grammar import Grammar, schema_grammar
from pyinfer.text.tokenizer import Tokenizer

#: Used where neither the request nor the model's files say anything.
FALLBACK: Mapping[str, float | int] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
}

#: Characters of a text in ``logit_bias``.
MAX_BIAS_CHARS = 1024

_ID = re.compile(r"[0-9]{1,9}", re.ASCII)
#: What older clients send for a random seed.
_RANDOM_SEED = 0xFFFFFFFF
_STAGE_NAMES = {name: name for name in STAGES} | {"typ_p": "typical_p", "temp": "temperature"}
_STAGE_LETTERS = dict(zip("ekypmt", STAGES, strict=True))


def sampling_params(body: SamplingBody, tokenizer: Tokenizer) -> SamplingParams:
    """The parameters that the request gives; None where it says nothing.

    Raises
    ------
    RequestError
        A value is out of range.
    """
    if body.post_sampling_probs:
        raise bad_value(
            "post_sampling_probs", "probabilities after the sampling stages are not available"
        )
    given = body.n_predict if body.n_predict is not None else body.max_tokens
    seed = -1 if body.seed == _RANDOM_SEED else body.seed
    return SamplingParams(
        temperature=None if body.temperature is None else max(body.temperature, 0),
        top_k=None if body.top_k is None else max(body.top_k, 0),
        top_p=body.top_p,
        min_p=body.min_p,
        typical_p=body.typical_p,
        repetition_penalty=body.repeat_penalty,
        repeat_last_n=body.repeat_last_n,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        seed=seed,
        max_tokens=None if given is None or given < 0 else given,
        stop=[text for text in _stops(body) if text],
        ignore_eos=body.ignore_eos,
        logit_bias=_bias(body.logit_bias, tokenizer),
        logprobs=body.n_probs or None,
        samplers=_stages(body.samplers),
    )


def grammar_of(body: SamplingBody) -> Grammar | None:
    """The grammar that a request asks for.

    Raises
    ------
    RequestError
        It asks for two.
    """
    if body.grammar and body.json_schema is not None:
        raise bad_value("grammar", "give either grammar or json_schema")
    if body.json_schema is not None:
        return schema_grammar(body.json_schema, "json_schema")
    return Grammar("gbnf", body.grammar, "grammar") if body.grammar else None


def generation_settings(params: SamplingParams, body: SamplingBody | None = None) -> dict[str, Any]:
    """Parameters under llama-server's names; those of ``params`` are filled."""
    limit = -1 if params.max_tokens in (None, MAX_TOKENS) else params.max_tokens
    settings: dict[str, Any] = {
        "seed": params.seed,
        "temperature": params.temperature,
        "top_k": params.top_k,
        "top_p": params.top_p,
        "min_p": params.min_p,
        "typical_p": params.typical_p,
        "repeat_last_n": params.repeat_last_n,
        "repeat_penalty": params.repetition_penalty,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "stop": list(params.stop),
        "max_tokens": limit,
        "n_predict": limit,
        "ignore_eos": params.ignore_eos,
        "n_probs": params.logprobs or 0,
        "logit_bias": [
            {"token": token, "bias": None if math.isinf(bias) else bias}
            for token, bias in (params.logit_bias or {}).items()
        ],
        "samplers": list(params.samplers),
    }
    if body is not None:
        settings |= {
            "n_keep": body.n_keep,
            "stream": body.stream,
            "grammar": body.grammar or "",
            "timings_per_token": body.timings_per_token,
            "post_sampling_probs": body.post_sampling_probs,
        }
    return settings


def _stops(body: SamplingBody) -> list[str]:
    return [body.stop] if isinstance(body.stop, str) else body.stop or []


def _stages(samplers: list[str] | str | None) -> tuple[str, ...]:
    if samplers is None:
        return STAGES
    names = _STAGE_LETTERS if isinstance(samplers, str) else _STAGE_NAMES
    wanted = dict.fromkeys(names[name] for name in samplers if name in names)
    return tuple(sorted(wanted, key=lambda name: name != "penalties"))


def _bias(
    given: list[list[Any]] | dict[str, Any] | None, tokenizer: Tokenizer
) -> dict[int, float] | None:
    """Pairs of a token (id or text, which may be several tokens) and a number or false (never)."""
    if given is None:
        return None
    if isinstance(given, dict):
        pairs = [(int(key) if _ID.fullmatch(key) else key, value) for key, value in given.items()]
    else:
        pairs = [tuple(pair) for pair in given]
    biases: dict[int, float] = {}
    for pair in pairs:
        if len(pair) != 2:
            raise bad_value("logit_bias", "logit_bias must hold pairs of a token and a number")
        token, value = pair
        if value is False:
            value = -math.inf
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise bad_value("logit_bias", "a bias must be a number or false")
        if value != -math.inf and abs(value) > sys.float_info.max:
            raise bad_value("logit_bias", "a bias is beyond the range of floating point")
        for token_id in _token_ids(token, tokenizer):
            biases[token_id] = biases.get(token_id, 0.0) + float(value)
    return biases


def _token_ids(token: object, tokenizer: Tokenizer) -> list[int]:
    if isinstance(token, int) and not isinstance(token, bool):
        return [token]
    if not isinstance(token, str):
        raise bad_value("logit_bias", "a token must be an id or a text")
    if len(token) > MAX_BIAS_CHARS:
        raise bad_value("logit_bias", f"a text may have at most {MAX_BIAS_CHARS} characters")
    return tokenizer.encode(token)
