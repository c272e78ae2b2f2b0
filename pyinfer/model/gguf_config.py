"""GGUF metadata of a model's hyper-parameters: the part that all architectures share.

Keys carry the name of the architecture in front: ``qwen2.embedding_length``. What is checked and
what is ignored is as in :mod:`pyinfer.model.hf_config`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyinfer.config import NO_TOKEN, ModelConfig, YarnScaling
from pyinfer.config_fields import (
    MAX_CONTEXT,
    MAX_HEAD_DIM,
    MAX_HEADS,
    MAX_LAYERS,
    MAX_ROPE_THETA,
    MAX_VOCAB,
    MAX_WIDTH,
    Fields,
    head_size,
    kv_heads,
)
from pyinfer.config_rope import gguf_scaling, stretched
from pyinfer.errors import ModelFormatError, ModelUnsupportedError

Value = int | float | str | bool

_PER_LAYER = ("attention.head_count", "attention.head_count_kv", "feed_forward_length")


def read_gguf(
    metadata: Mapping[str, Any],
    *,
    architecture: str,
    vocab_rows: int | None,
    tie_embeddings: bool,
    name: str,
) -> ModelConfig:
    """Read and check the hyper-parameters.

    Parameters
    ----------
    metadata : Mapping[str, object]
    architecture : str
        The first part of the keys; goes into the result.
    vocab_rows : int or None
        Rows of ``token_embd.weight``. None takes ``vocab_size`` or the token list.
    tie_embeddings : bool
        True for a file without ``output.weight``.
    name : str
        For messages; empty takes ``general.name``.

    Raises
    ------
    ModelFormatError
        A value is missing, of a wrong type, out of range or contradicts another.
    ModelUnsupportedError
        A feature that is not supported.
    """
    own = f"{architecture}."
    fields = Fields(_uniform_arrays(metadata, own), "GGUF metadata")
    n_heads = fields.integer(f"{own}attention.head_count", 1, MAX_HEADS)
    hidden_size = fields.integer(f"{own}embedding_length", 1, MAX_WIDTH)
    max_position = fields.integer(f"{own}context_length", 1, MAX_CONTEXT)
    head_dim = head_size(fields, f"{own}attention.key_length", hidden_size, n_heads)
    _check_features(fields, own, head_dim)
    scaling = gguf_scaling(fields, own, max_position)
    return ModelConfig(
        architecture=architecture,
        vocab_size=_vocab_size(fields, own, vocab_rows),
        hidden_size=hidden_size,
        intermediate_size=fields.integer(f"{own}feed_forward_length", 1, MAX_WIDTH),
        n_layers=fields.integer(f"{own}block_count", 1, MAX_LAYERS),
        n_heads=n_heads,
        n_kv_heads=kv_heads(fields, f"{own}attention.head_count_kv", n_heads),
        head_dim=head_dim,
        rms_norm_eps=fields.above(f"{own}attention.layer_norm_rms_epsilon", 0, 1),
        rope_theta=fields.above(f"{own}rope.freq_base", 1, MAX_ROPE_THETA, 10000.0),
        rope_scaling=scaling,
        max_position=stretched(max_position, scaling),
        tie_embeddings=tie_embeddings,
        name=name or fields.text("general.name", architecture),
    )


def _uniform_arrays(metadata: Mapping[str, Any], own: str) -> Mapping[str, Any]:
    """Replace a value per layer by the one value, if all layers agree."""
    keys = [f"{own}{key}" for key in _PER_LAYER]
    arrays = {key: metadata[key] for key in keys if hasattr(metadata.get(key), "tolist")}
    if not arrays:
        return metadata
    single: dict[str, Any] = {}
    for key, array in arrays.items():
        values = array.tolist()
        if not values or any(value != values[0] for value in values):
            raise ModelUnsupportedError(f"GGUF metadata: {key} differs between layers")
        single[key] = values[0]
    return {**metadata, **single}


def _check_features(fields: Fields, own: str, head_dim: int) -> None:
    for key in (f"{own}attention.value_length", f"{own}rope.dimension_count"):
        if fields.integer(key, 1, MAX_HEAD_DIM, head_dim) != head_dim:
            raise ModelUnsupportedError(
                f"GGUF metadata: {key} is {fields.data[key]}, only the head size {head_dim} runs"
            )
    if experts := fields.integer(f"{own}expert_count", 0, NO_TOKEN, 0):
        raise ModelUnsupportedError(
            f"GGUF metadata: {own}expert_count is {experts}: a mixture of experts does not run"
        )


def _vocab_size(fields: Fields, own: str, vocab_rows: int | None) -> int:
    tokens = fields.data.get("tokenizer.ggml.tokens")
    if tokens is not None and (isinstance(tokens, str) or not isinstance(tokens, Sequence)):
        raise fields.fail("tokenizer.ggml.tokens", "an array of strings")
    n_tokens = 0 if tokens is None else len(tokens)
    key = f"{own}vocab_size"
    if vocab_rows is None:
        return fields.integer(key, 1, MAX_VOCAB, n_tokens or None)
    if not 1 <= vocab_rows <= MAX_VOCAB:
        raise ModelFormatError(f"the embedding has {vocab_rows} rows, expected 1 to {MAX_VOCAB}")
    if fields.integer(key, 1, MAX_VOCAB, vocab_rows) != vocab_rows:
        raise fields.fail(key, f"the {vocab_rows} rows of token_embd.weight")
    if n_tokens > vocab_rows:
        raise fields.fail("tokenizer.ggml.tokens", f"at most {vocab_rows} (rows of the embedding)")
    return vocab_rows


def write_gguf(config: ModelConfig, *, context: int) -> dict[str, Value]:
    """Return the metadata of a model's hyper-parameters.

    Parameters
    ----------
    config : ModelConfig
    context : int
        ``max_position_embeddings`` as the source states it: with YaRN that is the context before
        or after stretching, and every reader of GGUF expects it as it is.

    Returns
    -------
    dict
        Key -> value; integers are stored as uint32, floats as float32.

    Raises
    ------
    ModelUnsupportedError
        A rotary scaling that GGUF cannot express.
    """
    values: dict[str, Value] = {
        "block_count": config.n_layers,
        "context_length": context,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.n_heads,
        "attention.head_count_kv": config.n_kv_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "rope.freq_base": config.rope_theta,
        "vocab_size": config.vocab_size,
    }
    if config.head_dim * config.n_heads != config.hidden_size:
        values |= {
            "attention.key_length": config.head_dim,
            "attention.value_length": config.head_dim,
            "rope.dimension_count": config.head_dim,
        }
    if isinstance(config.rope_scaling, YarnScaling):
        values |= _write_yarn(config.rope_scaling)
    return {f"{config.architecture}.{key}": value for key, value in values.items()}


def _write_yarn(yarn: YarnScaling) -> dict[str, Value]:
    # llama.cpp reads none of these for the architectures that run here.
    for key, found in (
        ("truncate is false", not yarn.truncate),
        (f"beta_fast is {yarn.beta_fast:g}", yarn.beta_fast != 32),
        (f"beta_slow is {yarn.beta_slow:g}", yarn.beta_slow != 1),
    ):
        if found:
            raise ModelUnsupportedError(
                f"config.json: rope_scaling: {key}, which GGUF cannot express"
            )
    prefix = "rope.scaling"
    values: dict[str, Value] = {
        f"{prefix}.type": "yarn",
        f"{prefix}.factor": yarn.factor,
        f"{prefix}.original_context_length": yarn.original_max_position,
    }
    derived = YarnScaling(yarn.factor, yarn.original_max_position).attention_scale
    if yarn.attention_scale != derived:
        # Readers of GGUF multiply this with the derived factor.
        values[f"{prefix}.attn_factor"] = yarn.attention_scale / derived
    return values
