"""Sampling defaults and end tokens, as ``generation_config.json`` and GGUF metadata state them.

None of them is a reason not to run a model: a value that neither transformers nor llama.cpp could
sample with is passed over, and what is asked for but not done is named. Both become notes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfer.config_fields import show
from pyinfer.errors import ModelFormatError

# What the converters of llama.cpp write where a token does not exist.
NO_TOKEN = 0xFFFFFFFF
_MAX_COUNT = (1 << 31) - 1
_MAX_PENALTY = 100.0

_HF = "generation_config.json: "
_GGUF = "GGUF metadata: "
#: Field of GenerationDefaults -> key of GGUF metadata.
GGUF_SAMPLING = {
    "temperature": "general.sampling.temp",
    "top_p": "general.sampling.top_p",
    "top_k": "general.sampling.top_k",
    "min_p": "general.sampling.min_p",
    "repetition_penalty": "general.sampling.penalty_repeat",
    "repeat_last_n": "general.sampling.penalty_last_n",
}
_HF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty")
# Not done here -> the value that means "off".
_HF_OTHERS: dict[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "penalty_alpha": (0,),
    "epsilon_cutoff": (0,),
    "eta_cutoff": (0,),
    "top_h": (),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "max_new_tokens": (),
    "bad_words_ids": ([],),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "sequence_bias": ([], {}),
    "guidance_scale": (1,),
    "stop_strings": ([],),
}
_GGUF_OTHERS: dict[str, tuple[Any, ...]] = {
    "general.sampling.sequence": ("",),
    "general.sampling.xtc_probability": (0,),
    "general.sampling.mirostat": (0,),
}


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """Sampling defaults of a model, from ``generation_config.json`` or ``general.sampling.*``.

    A value that the file lacks is the one that DeepSeek recommends for R1, so that a model
    without the file behaves sensibly. ``do_sample: false`` sets ``temperature`` to 0 (greedy).

    Attributes
    ----------
    temperature : float
        0 for greedy.
    top_p : float
        Within [0, 1]; 0 leaves the best token alone.
    top_k : int
        0 is off.
    repetition_penalty : float
        1 is off.
    bos_token_id : int or None
        Start token, None if the files name none.
    eos_token_ids : tuple of int
        Tokens that end an answer, ascending.
    stated : tuple of str
        Which of the sampling values the file gives.
    min_p, typical_p : float
        0 and 1 are off.
    repeat_last_n : int or None
        Tokens that the penalty looks at, -1 for all; None where the file does not say.
    notes : tuple of str
        For the load report: what the file states and is not used.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    stated: tuple[str, ...] = field(default=(), compare=False)
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_hf(
        cls, data: Mapping[str, Any] | None, config_data: Mapping[str, Any], vocab_size: int
    ) -> GenerationDefaults:
        """Read ``generation_config.json`` (None if there is none) as transformers does.

        ``config_data`` is ``config.json``: only its ``eos_token_id`` serves, and only where the
        other file has none; its ``bos_token_id`` is wrong in published models and never used.
        """
        data = data or {}
        notes: list[str] = []
        values = _values(data, {name: name for name in _HF_SAMPLING}, _HF_READ, _HF, notes)
        samples = data.get("do_sample")
        if samples is False:
            values["temperature"] = 0.0
        elif samples is not None and samples is not True:
            notes.append(f"{_HF}do_sample is {show(samples)}, expected true or false: not used")
        bos = _token_ids(data, "bos_token_id", vocab_size, _HF, notes)
        eos = _token_ids(data, "eos_token_id", vocab_size, _HF, notes)
        if not eos:
            eos = _token_ids(config_data, "eos_token_id", vocab_size, "config.json: ", notes)
        return cls(
            **values,
            bos_token_id=bos[0] if len(bos) == 1 else None,
            eos_token_ids=eos,
            stated=tuple(name for name in _HF_SAMPLING if name in values),
            notes=(*notes, *_not_done(data, _HF_OTHERS, _HF)),
        )

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any], vocab_size: int) -> GenerationDefaults:
        """Read token ids and ``general.sampling.*`` of GGUF metadata as llama.cpp does.

        Raises
        ------
        ModelFormatError
            A token id is no integer.
        """
        notes: list[str] = []
        values = _values(metadata, GGUF_SAMPLING, _GGUF_READ, _GGUF, notes)
        ids: dict[str, tuple[int, ...]] = {}
        for name in ("bos", "eos", "eot", "eom"):
            key = f"tokenizer.ggml.{name}_token_id"
            value = metadata.get(key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ModelFormatError(f"{_GGUF}{key} must be a token id, found {show(value)}")
            absent = value == NO_TOKEN
            ids[name] = () if absent else _token_ids(metadata, key, vocab_size, _GGUF, notes)
        return cls(
            **values,
            bos_token_id=ids["bos"][0] if len(ids["bos"]) == 1 else None,
            eos_token_ids=tuple(sorted({*ids["eos"], *ids["eot"], *ids["eom"]})),
            stated=tuple(name for name in GGUF_SAMPLING if name in values),
            notes=(*notes, *_not_done(metadata, _GGUF_OTHERS, _GGUF)),
        )


def _values(
    data: Mapping[str, Any],
    keys: Mapping[str, str],
    read: Mapping[str, Callable[[float], float | int | None]],
    where: str,
    notes: list[str],
) -> dict[str, Any]:
    """The values that can be sampled with, under the names of GenerationDefaults."""
    values: dict[str, Any] = {}
    for name, key in keys.items():
        found = data.get(key)
        if found is None:
            continue
        number = isinstance(found, int | float) and not isinstance(found, bool)
        chosen = None
        if number and (isinstance(found, int) or math.isfinite(found)):
            # The bounds are compared first: float() of a huge integer overflows.
            chosen = read[name](min(max(found, -_MAX_COUNT), _MAX_COUNT))
        if chosen is None:
            notes.append(f"{where}{key} is {show(found)}, which cannot be sampled with: not used")
        else:
            values[name] = chosen
    return values


def _not_negative(value: float) -> float | None:
    return float(value) if value >= 0 else None


def _probability(value: float) -> float | None:
    """Within [0, 1]; above means 1 as in ``top_p < 1.0``, the test that switches it on."""
    return min(float(value), 1.0) if value >= 0 else None


def _count(value: float) -> int | None:
    """0 and everything below is off."""
    return max(0, int(value)) if value == int(value) else None


def _penalty(value: float) -> float | None:
    return float(value) if 0 < value <= _MAX_PENALTY else None


def _short(value: float | None) -> float | None:
    """A number that was written as 32 bits, as it was meant: 0.6, not 0.6000000238."""
    return None if value is None else float(f"{value:.7g}")


_HF_READ: dict[str, Callable[[float], float | int | None]] = {
    "temperature": _not_negative,
    "top_p": _probability,
    "top_k": _count,
    "min_p": lambda value: float(value) if 0 <= value <= 1 else None,
    "typical_p": lambda value: min(float(value), 1.0) if value > 0 else None,
    "repetition_penalty": _penalty,
}
# llama.cpp takes what is below the range for its lower end.
_GGUF_READ: dict[str, Callable[[float], float | int | None]] = {
    "temperature": lambda value: _short(max(value, 0)),
    "top_p": lambda value: _short(min(max(value, 0), 1)),
    "top_k": lambda value: max(0, int(value)),
    "min_p": lambda value: _short(min(max(value, 0), 1)),
    "repetition_penalty": lambda value: _short(_penalty(value)),
    "repeat_last_n": lambda value: max(-1, int(value)),
}


def _token_ids(
    data: Mapping[str, Any], key: str, vocab_size: int, where: str, notes: list[str]
) -> tuple[int, ...]:
    """One token id or a list of them, sorted; ids that no token has never come and do nothing."""
    value = data.get(key)
    items = value if isinstance(value, list) else [] if value is None else [value]
    ids: set[int] = set()
    for item in items:
        if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < vocab_size:
            ids.add(item)
        elif item is not None:
            notes.append(f"{where}{key} {show(item)} is no token of the model: not used")
    return tuple(sorted(ids))


def _not_done(
    data: Mapping[str, Any], others: Mapping[str, tuple[Any, ...]], where: str
) -> list[str]:
    """Name what the file asks for and pyinfer does not do by itself."""
    # Arrays of GGUF metadata are NumPy's, which compare element by element.
    found = [
        key
        for key in others
        if (value := data.get(key)) is not None
        and (hasattr(value, "dtype") or value not in others[key])
    ]
    return [f"{where}{', '.join(found)}: not applied"] if found else []
