"""``config.json`` of a Hugging Face folder: the part that all architectures share.

Everything that the rest of the package divides by, allocates by or loops over is validated here,
once. Keys that are not known are ignored; a key that would change the computation in a way that is
not supported is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyinfer.config import FrequencyDivisors, ModelConfig, YarnScaling
from pyinfer.config_fields import (
    MAX_CONTEXT,
    MAX_HEADS,
    MAX_LAYERS,
    MAX_VOCAB,
    MAX_WIDTH,
    Fields,
    head_size,
    kv_heads,
    show,
)
from pyinfer.config_rope import hf_rope, stretched
from pyinfer.errors import ModelUnsupportedError
from pyinfer.model.rope import llama3_of_divisors

MAX_WINDOW = (1 << 31) - 1
# What Qwen2Config of transformers takes for keys that are missing.
_DEFAULT_WINDOW = 4096
_DEFAULT_WINDOW_LAYERS = 28


def read_hf(fields: Fields, *, architecture: str, hf_class: str, name: str) -> ModelConfig:
    """Read and check the hyper-parameters.

    Parameters
    ----------
    fields : Fields
        Of the parsed file. Old and new spellings are read: ``rope_theta`` with ``rope_scaling``,
        or ``rope_parameters``.
    architecture : str
        Goes into the result.
    hf_class : str
        The class of transformers that the file must name, if it names any.
    name : str
        Goes into the result.

    Raises
    ------
    ModelFormatError
        A value is missing, of a wrong type, out of range or contradicts another.
    ModelUnsupportedError
        A feature that is not supported.
    """
    _check_class(fields, hf_class)
    n_heads = fields.integer("num_attention_heads", 1, MAX_HEADS)
    hidden_size = fields.integer("hidden_size", 1, MAX_WIDTH)
    n_layers = fields.integer("num_hidden_layers", 1, MAX_LAYERS)
    _check_features(fields)
    max_position = fields.integer("max_position_embeddings", 1, MAX_CONTEXT)
    theta, scaling = hf_rope(fields, max_position)
    max_position = stretched(max_position, scaling)
    _check_window(fields, n_layers, max_position)
    return ModelConfig(
        architecture=architecture,
        vocab_size=fields.integer("vocab_size", 1, MAX_VOCAB),
        hidden_size=hidden_size,
        intermediate_size=fields.integer("intermediate_size", 1, MAX_WIDTH),
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=kv_heads(fields, "num_key_value_heads", n_heads),
        head_dim=head_size(fields, "head_dim", hidden_size, n_heads),
        rms_norm_eps=fields.above("rms_norm_eps", 0, 1, 1e-6),
        rope_theta=theta,
        rope_scaling=scaling,
        max_position=max_position,
        tie_embeddings=fields.boolean("tie_word_embeddings", False),
        name=name,
    )


def _check_class(fields: Fields, hf_class: str) -> None:
    classes = fields.data.get("architectures")
    if classes is None:
        return
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise fields.fail("architectures", "a list of strings")
    if classes and hf_class not in classes:
        raise ModelUnsupportedError(
            f"config.json: architectures is {show(classes[0])}, which does not run",
            hint=f"what runs of this model_type: {hf_class}",
        )


def refuse_if_true(fields: Fields, *keys: str) -> None:
    """Refuse features that a file switches on.

    Raises
    ------
    ModelUnsupportedError
        One of the keys is true.
    ModelFormatError
        One of the keys is neither true nor false.
    """
    for key in keys:
        if fields.boolean(key, False):
            raise ModelUnsupportedError(f"{fields.source}: {key} is true, which does not run")


def _check_features(fields: Fields) -> None:
    refuse_if_true(fields, "use_mrope")
    if (activation := fields.text("hidden_act", "silu")) != "silu":
        raise ModelUnsupportedError(
            f"config.json: hidden_act is {show(activation)}, only 'silu' runs"
        )


def _check_window(fields: Fields, n_layers: int, context: int) -> None:
    """Refuse layers that do not see the whole context; which ones slide is as in transformers."""
    kinds = fields.data.get("layer_types")
    switched_on = fields.boolean("use_sliding_window", False)
    window = None
    if switched_on and fields.present("sliding_window"):
        window = fields.integer("sliding_window", 1, MAX_WINDOW)
    elif switched_on and "sliding_window" not in fields.data:
        window = _DEFAULT_WINDOW
    if kinds is None:
        first = fields.integer("max_window_layers", 0, MAX_WINDOW, _DEFAULT_WINDOW_LAYERS)
        sliding = list(range(first, n_layers)) if window is not None else []
    else:
        if not isinstance(kinds, list) or len(kinds) != n_layers:
            raise fields.fail("layer_types", f"a list of {n_layers} strings")
        other = next((k for k in kinds if k not in ("full_attention", "sliding_attention")), None)
        if other is not None:
            raise ModelUnsupportedError(
                f"config.json: layer_types holds {show(other)}, only 'full_attention' runs"
            )
        sliding = [index for index, kind in enumerate(kinds) if kind == "sliding_attention"]
    if sliding and (window is None or window < context):
        found = "no window is set" if window is None else f"a window of {window} tokens"
        raise ModelUnsupportedError(
            f"config.json: {len(sliding)} of {n_layers} layers (the first is {sliding[0]}) use "
            f"sliding window attention, which does not run: {found}, the context has {context}",
            hint="it runs where no layer slides: max_window_layers as many as the layers, or a "
            "window as long as the context",
        )


def write_hf(config: ModelConfig, *, hf_class: str, context: int) -> dict[str, Any]:
    """Return the object of ``config.json`` for a model.

    Parameters
    ----------
    config : ModelConfig
    hf_class : str
        The class of transformers that runs it.
    context : int
        ``max_position_embeddings`` as the source states it, before any stretching.

    Raises
    ------
    ModelUnsupportedError
        A rotary scaling that the file cannot express.
    """
    data: dict[str, Any] = {
        "architectures": [hf_class],
        "model_type": config.architecture,
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "max_position_embeddings": context,
        "rms_norm_eps": shortest(config.rms_norm_eps),
        "rope_theta": shortest(config.rope_theta),
        "tie_word_embeddings": config.tie_embeddings,
        "use_sliding_window": False,
        "vocab_size": config.vocab_size,
    }
    if config.head_dim * config.n_heads != config.hidden_size:
        data["head_dim"] = config.head_dim
    if config.rope_scaling is not None:
        data["rope_scaling"] = _write_scaling(config)
    return data


def _write_scaling(config: ModelConfig) -> dict[str, Any]:
    scaling = config.rope_scaling
    if isinstance(scaling, YarnScaling):
        return _write_yarn(scaling)
    if isinstance(scaling, FrequencyDivisors):
        scaling = llama3_of_divisors(config, scaling)
    if scaling is None:
        raise ModelUnsupportedError(
            "the divisors of the rotary frequencies (rope_freqs.weight) are not of the kind of "
            "Llama 3, and a folder has no place for others"
        )
    return {
        "rope_type": "llama3",
        "factor": shortest(scaling.factor),
        "low_freq_factor": shortest(scaling.low_freq_factor),
        "high_freq_factor": shortest(scaling.high_freq_factor),
        "original_max_position_embeddings": scaling.original_max_position,
    }


def _write_yarn(yarn: YarnScaling) -> dict[str, Any]:
    data: dict[str, Any] = {
        "rope_type": "yarn",
        "factor": shortest(yarn.factor),
        "original_max_position_embeddings": yarn.original_max_position,
        "beta_fast": shortest(yarn.beta_fast),
        "beta_slow": shortest(yarn.beta_slow),
    }
    if yarn.attention_factor is not None:
        data["attention_factor"] = yarn.attention_factor
    return data


def shortest(value: float) -> float | int:
    """Return the shortest decimal number that is the same float32: 1e-06, not 9.99999997e-07."""
    return value if isinstance(value, int) else float(str(np.float32(value)))
