"""Rotary positions in ``config.json`` and GGUF metadata: the base and its scaling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from pyinfer.config_fields import MAX_CONTEXT, MAX_ROPE_FACTOR, MAX_ROPE_THETA, Fields, show
from pyinfer.errors import ModelUnsupportedError

# Scalings that are plain rotary positions at a factor of 1.
_SCALES = ("linear", "dynamic", "llama3")


@dataclass(frozen=True, slots=True)
class YarnScaling:
    """YaRN, the rotary scaling that stretches a context; field names and defaults as transformers.

    Attributes
    ----------
    factor : float
        How many times longer the new context is.
    original_max_position : int
        Context of the pre-training, in tokens.
    beta_fast, beta_slow : float
        Rotations over the original context above which a frequency is kept as it is, and below
        which it is divided by ``factor``.
    attention_factor : float or None
        What cosine and sine are multiplied by; None derives it, see :attr:`attention_scale`.
    mscale, mscale_all_dim : float or None
        Weights of the derived attention factor; used if both are given and not zero.
    truncate : bool
        Whether the borders of the ramp are rounded outwards to whole dimensions.
    """

    factor: float
    original_max_position: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    @property
    def attention_scale(self) -> float:
        """The factor on cosine and sine, with the defaults of transformers filled in."""
        if self.attention_factor is not None:
            return self.attention_factor
        if self.mscale and self.mscale_all_dim:
            return _mscale(self.factor, self.mscale) / _mscale(self.factor, self.mscale_all_dim)
        return _mscale(self.factor, 1.0)


def _mscale(factor: float, weight: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """The rotary scaling of Llama 3.1; field names as in transformers.

    Attributes
    ----------
    factor : float
        What slow frequencies are divided by.
    low_freq_factor, high_freq_factor : float
        Rotations over the original context below which a frequency is slow, and above which it is
        kept as it is; between them both are mixed.
    original_max_position : int
        Context of the pre-training, in tokens.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position: int


@dataclass(frozen=True, slots=True)
class FrequencyDivisors:
    """A divisor for each frequency, as the tensor ``rope_freqs.weight`` of a GGUF file gives them.

    Attributes
    ----------
    values : tuple of float
        K / 2 positive numbers.
    """

    values: tuple[float, ...]


RopeScaling = YarnScaling | Llama3Scaling | FrequencyDivisors


def scaling_of_fields(data: dict[str, Any]) -> RopeScaling:
    """Return the scaling whose fields :func:`dataclasses.asdict` gave.

    Raises
    ------
    ValueError
        They are those of none.
    """
    if data.keys() == {"values"}:
        return FrequencyDivisors(tuple(data["values"]))
    for kind in (YarnScaling, Llama3Scaling):
        if data.keys() == {one.name for one in fields_of(kind)}:
            return kind(**data)
    raise ValueError("no rotary scaling has these fields")


def stretched(max_position: int, scaling: RopeScaling | None) -> int:
    """Return the context in tokens; YaRN files keep either the old or the new one in the config."""
    if not isinstance(scaling, YarnScaling):
        return max_position
    return min(max(max_position, int(scaling.factor * scaling.original_max_position)), MAX_CONTEXT)


def hf_rope(fields: Fields, max_position: int) -> tuple[float, RopeScaling | None]:
    """Read rope_scaling or rope_parameters; the nested rope_theta wins, as in transformers."""
    theta = fields.above("rope_theta", 1, MAX_ROPE_THETA, 10000.0)
    rope = fields.section("rope_scaling") or fields.section("rope_parameters")
    for part in (fields, rope or fields):
        if part.number("partial_rotary_factor", 0, 1, 1.0) != 1:
            raise ModelUnsupportedError("config.json: partial_rotary_factor below 1 does not run")
    if rope is None:
        return theta, None
    theta = rope.above("rope_theta", 1, MAX_ROPE_THETA, theta)
    kind = rope.text("rope_type", rope.text("type", "default"))
    if rope.present("full_attention") or rope.present("sliding_attention"):
        raise ModelUnsupportedError(f"{rope.source}: a setting per layer type does not run")
    if kind == "default" or (kind in _SCALES and rope.data.get("factor") == 1):
        return theta, None
    if kind == "llama3":
        return theta, _llama3(rope)
    if kind != "yarn":
        raise ModelUnsupportedError(
            f"{rope.source}: rotary scaling {show(kind)} does not run; what runs: default, llama3, "
            "yarn"
        )
    # Some configs keep the original context beside the section; there it has priority.
    outer = fields.integer("original_max_position_embeddings", 1, MAX_CONTEXT, max_position)
    inner = rope.integer("original_max_position_embeddings", 1, MAX_CONTEXT, outer)
    original = outer if fields.present("original_max_position_embeddings") else inner
    scaling = _yarn(
        rope,
        factor=rope.number("factor", 1, MAX_ROPE_FACTOR),
        original=original,
        attention_factor=_optional(rope, "attention_factor", 100),
    )
    return theta, None if _changes_nothing(scaling, max_position) else scaling


def _changes_nothing(scaling: YarnScaling, max_position: int) -> bool:
    return (
        scaling.factor == 1
        and scaling.attention_scale == 1
        and scaling.original_max_position <= max_position
    )


def hf_rope_notes(data: Mapping[str, Any]) -> tuple[str, ...]:
    """What ``config.json`` says of rotary positions and transformers does not read."""
    for key in ("rope_scaling", "rope_parameters"):
        rope = data.get(key)
        if isinstance(rope, Mapping) and rope.get("attn_factor") is not None:
            return (
                f"config.json: {key}: attn_factor {show(rope['attn_factor'])} is not applied, as in"
                " transformers, which reads attention_factor",
            )
    return ()


def _llama3(rope: Fields) -> Llama3Scaling:
    low = rope.above("low_freq_factor", 0, 1e6)
    high = rope.above("high_freq_factor", 0, 1e6)
    if high <= low:
        raise rope.fail("high_freq_factor", f"above low_freq_factor ({low:g})")
    return Llama3Scaling(
        factor=rope.number("factor", 1, MAX_ROPE_FACTOR),
        low_freq_factor=low,
        high_freq_factor=high,
        original_max_position=rope.integer("original_max_position_embeddings", 1, MAX_CONTEXT),
    )


def _optional(fields: Fields, key: str, high: float) -> float | None:
    return fields.above(key, 0, high) if fields.present(key) else None


def _yarn(
    fields: Fields,
    *,
    factor: float,
    original: int,
    attention_factor: float | None,
) -> YarnScaling:
    beta_fast = fields.above("beta_fast", 0, 1e6, 32.0)
    beta_slow = fields.number("beta_slow", 1e-6, 1e6, 1.0)
    if beta_fast < beta_slow:
        raise fields.fail("beta_fast", f"at least beta_slow ({beta_slow:g})")
    return YarnScaling(
        factor=factor,
        original_max_position=original,
        beta_fast=beta_fast,
        beta_slow=beta_slow,
        attention_factor=attention_factor,
        mscale=fields.number("mscale", 0, 100) if fields.present("mscale") else None,
        mscale_all_dim=(
            fields.number("mscale_all_dim", 0, 100) if fields.present("mscale_all_dim") else None
        ),
        truncate=fields.boolean("truncate", True),
    )


def gguf_scaling(fields: Fields, own: str, max_position: int) -> YarnScaling | None:
    """Read the scaling of the architecture whose keys begin with ``own``."""
    prefix = f"{own}rope.scaling"
    # A factor without a type means linear scaling; 0 means none, as in llama.cpp.
    factor = fields.number(f"{prefix}.factor", 0, MAX_ROPE_FACTOR, 0.0)
    factor = factor or fields.number(f"{own}rope.scale_linear", 0, MAX_ROPE_FACTOR, 0.0) or 1.0
    kind = fields.text(f"{prefix}.type", "linear")
    # This factor comes on top of the derived one, and counts without YaRN, too.
    on_top = fields.above(f"{prefix}.attn_factor", 0, 100, 1.0)
    if kind == "none" or (kind == "linear" and factor == 1):
        return None if on_top == 1 else YarnScaling(1.0, max_position, attention_factor=on_top)
    if kind != "yarn":
        raise ModelUnsupportedError(
            f"GGUF metadata: {prefix}.type {show(kind)} does not run; what runs: none, yarn"
        )
    if factor < 1:
        raise fields.fail(f"{prefix}.factor", f"a number from 1 to {MAX_ROPE_FACTOR:g}")
    scaling = YarnScaling(
        factor,
        fields.integer(f"{prefix}.original_context_length", 1, MAX_CONTEXT, max_position),
        attention_factor=None if on_top == 1.0 else on_top * _mscale(factor, 1.0),
    )
    return None if _changes_nothing(scaling, max_position) else scaling


def gguf_rope_notes(metadata: Mapping[str, Any], own: str) -> tuple[str, ...]:
    """What GGUF metadata say of positions and llama.cpp does not read for these architectures."""
    neutral = {
        "rope.scaling.yarn_ext_factor": (-1, 1),
        "rope.scaling.yarn_attn_factor": (1,),
        "rope.scaling.yarn_beta_fast": (32,),
        "rope.scaling.yarn_beta_slow": (1,),
        "rope.scaling.yarn_log_multiplier": (0,),
        "attention.sliding_window": (0,),
    }
    found = [
        f"{own}{key} {show(value)}"
        for key, usual in neutral.items()
        if (value := metadata.get(f"{own}{key}")) is not None
        and (not isinstance(value, int | float | str) or value not in usual)
    ]
    if not found:
        return ()
    return (f"GGUF metadata: not applied, as llama.cpp does not read it: {', '.join(found)}",)
