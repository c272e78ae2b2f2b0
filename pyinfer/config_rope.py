"""Rotary positions in ``config.json`` and GGUF metadata: the base and YaRN scaling."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pyinfer.config_fields import MAX_CONTEXT, MAX_ROPE_FACTOR, MAX_ROPE_THETA, Fields, show
from pyinfer.errors import ModelUnsupportedError


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


def stretched(max_position: int, scaling: YarnScaling | None) -> int:
    """Return the context in tokens; YaRN files keep either the old or the new one in the config."""
    if scaling is None:
        return max_position
    return min(max(max_position, int(scaling.factor * scaling.original_max_position)), MAX_CONTEXT)


def hf_rope(fields: Fields, max_position: int) -> tuple[float, YarnScaling | None]:
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
    if kind == "default":
        return theta, None
    if kind != "yarn":
        raise ModelUnsupportedError(
            f"{rope.source}: rotary scaling {show(kind)} does not run; what runs: default, yarn"
        )
    # Some configs keep the original context beside the section; there it has priority.
    outer = fields.integer("original_max_position_embeddings", 1, MAX_CONTEXT, max_position)
    inner = rope.integer("original_max_position_embeddings", 1, MAX_CONTEXT, outer)
    original = outer if fields.present("original_max_position_embeddings") else inner
    scaling = _yarn(
        rope,
        factor=rope.number("factor", 1, MAX_ROPE_FACTOR),
        original=original,
        beta_keys=("beta_fast", "beta_slow"),
        attention_factor=_optional(rope, "attention_factor", 100),
    )
    return theta, scaling


def _optional(fields: Fields, key: str, high: float) -> float | None:
    return fields.above(key, 0, high) if fields.present(key) else None


def _yarn(
    fields: Fields,
    *,
    factor: float,
    original: int,
    beta_keys: tuple[str, str],
    attention_factor: float | None,
) -> YarnScaling:
    fast_key, slow_key = beta_keys
    beta_fast = fields.above(fast_key, 0, 1e6, 32.0)
    beta_slow = fields.above(slow_key, 0, 1e6, 1.0)
    if beta_fast < beta_slow:
        raise fields.fail(fast_key, f"at least {slow_key} ({beta_slow:g})")
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
    factor = factor or fields.number(f"{own}rope.scale_linear", 0, MAX_ROPE_FACTOR, 0.0)
    kind = fields.text(f"{prefix}.type", "linear")
    if kind == "none" or (kind == "linear" and factor in (0.0, 1.0)):
        return None
    if kind != "yarn":
        raise ModelUnsupportedError(
            f"GGUF metadata: {prefix}.type {show(kind)} does not run; what runs: none, yarn"
        )
    if factor < 1:
        raise fields.fail(f"{prefix}.factor", f"a number from 1 to {MAX_ROPE_FACTOR:g}")
    if fields.number(f"{prefix}.yarn_ext_factor", -1, 100, -1.0) not in (-1.0, 1.0):
        raise ModelUnsupportedError(f"GGUF metadata: {prefix}.yarn_ext_factor other than 1")
    if fields.number(f"{prefix}.yarn_log_multiplier", -100, 100, 0.0) != 0:
        raise ModelUnsupportedError(f"GGUF metadata: {prefix}.yarn_log_multiplier other than 0")
    # In GGUF this factor comes on top of the derived one.
    on_top = 1.0
    for key in (f"{prefix}.attn_factor", f"{prefix}.yarn_attn_factor"):
        on_top = fields.above(key, 0, 100, on_top)
    return _yarn(
        fields,
        factor=factor,
        original=fields.integer(f"{prefix}.original_context_length", 1, MAX_CONTEXT, max_position),
        beta_keys=(f"{prefix}.yarn_beta_fast", f"{prefix}.yarn_beta_slow"),
        attention_factor=None if on_top == 1.0 else on_top * _mscale(factor, 1.0),
    )
