"""Hyper-parameters of a model and its sampling defaults.

A :class:`ModelConfig` that exists is safe to compute with: its values are checked where they are
read, by the architecture (:mod:`pyinfer.model.registry`) with the checks of
:mod:`pyinfer.config_fields`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfer.config_fields import MAX_VOCAB, Fields
from pyinfer.config_rope import YarnScaling
from pyinfer.errors import ModelFormatError

__all__ = ["GGUF_SAMPLING", "GenerationDefaults", "ModelConfig", "YarnScaling"]

# What the converters of llama.cpp write where a token does not exist.
NO_TOKEN = 0xFFFFFFFF
#: Field of GenerationDefaults -> key of GGUF metadata.
GGUF_SAMPLING = {
    "temperature": "general.sampling.temp",
    "top_p": "general.sampling.top_p",
    "top_k": "general.sampling.top_k",
    "repetition_penalty": "general.sampling.penalty_repeat",
}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The checked hyper-parameters of one model.

    Attributes
    ----------
    architecture : str
        Name in :mod:`pyinfer.model.registry`, such as ``"qwen2"``.
    vocab_size : int
        V, rows of the embedding, padding rows included.
    hidden_size, intermediate_size : int
        D, the model width, and the width of the feed-forward part.
    n_layers, n_heads, n_kv_heads, head_dim : int
        Layers, H query heads, G key/value heads (G divides H), K values per head (even).
    rms_norm_eps, rope_theta : float
        Both finite and positive; ``rope_theta`` is above 1.
    rope_scaling : YarnScaling or None
        None for plain rotary positions.
    max_position : int
        Longest context in tokens. With YaRN at least ``factor * original_max_position``.
    tie_embeddings : bool
        Whether the head is the embedding matrix.
    name : str
        For messages only.
    """

    architecture: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    rope_scaling: YarnScaling | None
    max_position: int
    tie_embeddings: bool
    name: str


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """Sampling defaults of a model, from ``generation_config.json``.

    A value that the file lacks is the one that DeepSeek recommends for R1, so that a model
    without the file behaves sensibly. ``do_sample: false`` sets ``temperature`` to 0 (greedy).

    Attributes
    ----------
    temperature : float
        0 for greedy, at most 2.
    top_p : float
        Within (0, 1].
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
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    stated: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_hf(
        cls, data: Mapping[str, Any] | None, config_data: Mapping[str, Any], vocab_size: int
    ) -> GenerationDefaults:
        """Read ``generation_config.json`` (None if there is none).

        ``config_data`` is ``config.json``: only its ``eos_token_id`` serves, and only where the
        other file has none; its ``bos_token_id`` is wrong in published models and never used.

        Raises
        ------
        ModelFormatError
            A value has a wrong type or range, or a token id is outside the vocabulary.
        """
        fields = Fields(data or {}, "generation_config.json")
        bos = fields.token_ids("bos_token_id", vocab_size)
        if len(bos) > 1:
            raise fields.fail("bos_token_id", "one token id")
        eos = fields.token_ids("eos_token_id", vocab_size) or Fields(
            config_data, "config.json"
        ).token_ids("eos_token_id", vocab_size)
        defaults = cls()
        temperature = fields.number("temperature", 0, 2, defaults.temperature)
        samples = fields.boolean("do_sample", True)
        names = ("temperature", "top_p", "top_k", "repetition_penalty")
        return cls(
            temperature=temperature if samples else 0.0,
            top_p=fields.above("top_p", 0, 1, defaults.top_p),
            top_k=fields.integer("top_k", 0, MAX_VOCAB, defaults.top_k),
            repetition_penalty=fields.above(
                "repetition_penalty", 0, 100, defaults.repetition_penalty
            ),
            bos_token_id=bos[0] if bos else None,
            eos_token_ids=eos,
            stated=tuple(
                name
                for name in names
                if fields.present(name) or (name == "temperature" and not samples)
            ),
        )

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any], vocab_size: int) -> GenerationDefaults:
        """Read token ids and ``general.sampling.*`` of GGUF metadata.

        Raises
        ------
        ModelFormatError
            A token id is no integer or outside the vocabulary.
        """
        fields = Fields(metadata, "GGUF metadata")
        ids: dict[str, int | None] = {}
        for name in ("bos", "eos", "eot", "eom"):
            key = f"tokenizer.ggml.{name}_token_id"
            value = metadata.get(key)
            absent = isinstance(value, int) and value == NO_TOKEN
            found = () if absent else fields.token_ids(key, vocab_size)
            ids[name] = found[0] if found else None
        ends = {id_ for name, id_ in ids.items() if name != "bos" and id_ is not None}
        values = _gguf_sampling(fields)
        return cls(
            **values,
            bos_token_id=ids["bos"],
            eos_token_ids=tuple(sorted(ends)),
            stated=tuple(values),
        )


def _gguf_sampling(fields: Fields) -> dict[str, Any]:
    """Values that make sense; others are no reason not to run the model."""
    read: dict[str, Callable[[str], float]] = {
        "temperature": lambda key: _short(fields.number(key, 0, 2)),
        "top_p": lambda key: _short(fields.above(key, 0, 1)),
        "top_k": lambda key: max(0, fields.integer(key, -1, MAX_VOCAB)),
        "repetition_penalty": lambda key: _short(fields.above(key, 0, 100)),
    }
    values: dict[str, Any] = {}
    for name, key in GGUF_SAMPLING.items():
        with contextlib.suppress(ModelFormatError):
            values[name] = read[name](key)
    return values


def _short(value: float) -> float:
    """A number that was written as 32 bits, as it was meant: 0.6, not 0.6000000238."""
    return float(f"{value:.7g}")
