"""Hyper-parameters of a model, read from ``config.json`` or from GGUF metadata and checked.

Everything that the rest of the package divides by, allocates by or loops over is validated here,
once. A :class:`ModelConfig` that exists is safe to compute with. Keys that are not known are
ignored; a key that would change the computation in a way that is not supported is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyinfer.config_fields import (
    MAX_CONTEXT,
    MAX_HEAD_DIM,
    MAX_HEADS,
    MAX_LAYERS,
    MAX_ROPE_THETA,
    MAX_VOCAB,
    MAX_WIDTH,
    Fields,
    show,
)
from pyinfer.config_rope import YarnScaling, gguf_scaling, hf_rope, stretched
from pyinfer.errors import ModelFormatError, ModelUnsupportedError

__all__ = ["ARCHITECTURES", "GenerationDefaults", "ModelConfig", "YarnScaling"]

ARCHITECTURES = ("qwen2",)

# What the converters of llama.cpp write where a token does not exist.
NO_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The checked hyper-parameters of one model.

    Attributes
    ----------
    architecture : str
        Name of the graph, ``"qwen2"``.
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

    @classmethod
    def from_hf(cls, data: Mapping[str, Any], *, name: str = "qwen2") -> ModelConfig:
        """Read the object of a Hugging Face ``config.json``.

        Parameters
        ----------
        data : Mapping[str, object]
            The parsed file. Old and new spellings are read: ``rope_theta`` with ``rope_scaling``,
            or ``rope_parameters``.
        name : str
            For messages.

        Raises
        ------
        ModelFormatError
            A value is missing, of a wrong type, out of range or contradicts another.
        ModelUnsupportedError
            The model is of another architecture, or uses a feature that is not supported.
        """
        fields = Fields(data, "config.json")
        _check_hf_architecture(fields)
        n_heads = fields.integer("num_attention_heads", 1, MAX_HEADS)
        hidden_size = fields.integer("hidden_size", 1, MAX_WIDTH)
        n_layers = fields.integer("num_hidden_layers", 1, MAX_LAYERS)
        _check_hf_features(fields, n_layers)
        max_position = fields.integer("max_position_embeddings", 1, MAX_CONTEXT)
        theta, scaling = hf_rope(fields, max_position)
        return cls(
            architecture="qwen2",
            vocab_size=fields.integer("vocab_size", 1, MAX_VOCAB),
            hidden_size=hidden_size,
            intermediate_size=fields.integer("intermediate_size", 1, MAX_WIDTH),
            n_layers=n_layers,
            n_heads=n_heads,
            n_kv_heads=_kv_heads(fields, "num_key_value_heads", n_heads),
            head_dim=_head_dim(fields, "head_dim", hidden_size, n_heads),
            rms_norm_eps=fields.above("rms_norm_eps", 0, 1, 1e-6),
            rope_theta=theta,
            rope_scaling=scaling,
            max_position=stretched(max_position, scaling),
            tie_embeddings=fields.boolean("tie_word_embeddings", False),
            name=name,
        )

    @classmethod
    def from_gguf(
        cls,
        metadata: Mapping[str, Any],
        *,
        vocab_rows: int | None = None,
        tie_embeddings: bool = False,
        name: str = "",
    ) -> ModelConfig:
        """Read the metadata of a GGUF file.

        Parameters
        ----------
        metadata : Mapping[str, object]
            Keys such as ``qwen2.embedding_length``.
        vocab_rows : int, optional
            Rows of ``token_embd.weight``. None takes ``qwen2.vocab_size`` or the token list.
        tie_embeddings : bool
            True for a file without ``output.weight``.
        name : str
            For messages; empty takes ``general.name``.

        Raises
        ------
        ModelFormatError, ModelUnsupportedError
            As :meth:`from_hf`.
        """
        fields = Fields(_uniform_arrays(metadata), "GGUF metadata")
        architecture = fields.text("general.architecture")
        if architecture not in ARCHITECTURES:
            raise _other_architecture("general.architecture", architecture)
        n_heads = fields.integer("qwen2.attention.head_count", 1, MAX_HEADS)
        hidden_size = fields.integer("qwen2.embedding_length", 1, MAX_WIDTH)
        max_position = fields.integer("qwen2.context_length", 1, MAX_CONTEXT)
        head_dim = _head_dim(fields, "qwen2.attention.key_length", hidden_size, n_heads)
        _check_gguf_features(fields, head_dim, max_position)
        scaling = gguf_scaling(fields, max_position)
        return cls(
            architecture=architecture,
            vocab_size=_gguf_vocab_size(fields, vocab_rows),
            hidden_size=hidden_size,
            intermediate_size=fields.integer("qwen2.feed_forward_length", 1, MAX_WIDTH),
            n_layers=fields.integer("qwen2.block_count", 1, MAX_LAYERS),
            n_heads=n_heads,
            n_kv_heads=_kv_heads(fields, "qwen2.attention.head_count_kv", n_heads),
            head_dim=head_dim,
            rms_norm_eps=fields.above("qwen2.attention.layer_norm_rms_epsilon", 0, 1),
            rope_theta=fields.above("qwen2.rope.freq_base", 1, MAX_ROPE_THETA, 10000.0),
            rope_scaling=scaling,
            max_position=stretched(max_position, scaling),
            tie_embeddings=tie_embeddings,
            name=name or fields.text("general.name", "qwen2"),
        )


def _other_architecture(key: str, found: object) -> ModelUnsupportedError:
    return ModelUnsupportedError(
        f"{key} is {show(found)}, which does not run",
        hint=f"what runs: {', '.join(ARCHITECTURES)} (such as DeepSeek-R1-Distill-Qwen)",
    )


def _check_hf_architecture(fields: Fields) -> None:
    if (model_type := fields.text("model_type")) not in ARCHITECTURES:
        raise _other_architecture("config.json: model_type", model_type)
    classes = fields.data.get("architectures")
    if classes is None:
        return
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise fields.fail("architectures", "a list of strings")
    if classes and "Qwen2ForCausalLM" not in classes:
        raise _other_architecture("config.json: architectures", classes[0])


def _check_hf_features(fields: Fields, n_layers: int) -> None:
    if fields.boolean("use_sliding_window", False):
        raise ModelUnsupportedError("config.json: use_sliding_window is true, which does not run")
    if fields.boolean("use_mrope", False):
        raise ModelUnsupportedError("config.json: use_mrope is true, which does not run")
    if (activation := fields.text("hidden_act", "silu")) != "silu":
        raise ModelUnsupportedError(
            f"config.json: hidden_act is {show(activation)}, only 'silu' runs"
        )
    if fields.present("quantization_config"):
        raise ModelUnsupportedError(
            "config.json: quantization_config: quantized Hugging Face checkpoints do not run",
            hint="use the original bf16 or f16 folder, or a GGUF file",
        )
    layer_types = fields.data.get("layer_types")
    if layer_types is None:
        return
    if not isinstance(layer_types, list) or len(layer_types) != n_layers:
        raise fields.fail("layer_types", f"a list of {n_layers} strings")
    for kind in layer_types:
        if kind != "full_attention":
            raise ModelUnsupportedError(
                f"config.json: layer_types holds {show(kind)}, only 'full_attention' runs"
            )


def _check_gguf_features(fields: Fields, head_dim: int, max_position: int) -> None:
    for key in ("qwen2.attention.value_length", "qwen2.rope.dimension_count"):
        if fields.integer(key, 1, MAX_HEAD_DIM, head_dim) != head_dim:
            raise ModelUnsupportedError(
                f"GGUF metadata: {key} is {fields.data[key]}, only the head size {head_dim} runs"
            )
    window = fields.integer("qwen2.attention.sliding_window", 0, NO_TOKEN, 0)
    if 0 < window < max_position:
        raise ModelUnsupportedError(f"sliding window attention ({window} tokens) does not run")


def _kv_heads(fields: Fields, key: str, n_heads: int) -> int:
    n_kv_heads = fields.integer(key, 1, n_heads, n_heads)
    if n_heads % n_kv_heads:
        raise fields.fail(key, f"a divisor of the {n_heads} attention heads")
    return n_kv_heads


def _head_dim(fields: Fields, key: str, hidden_size: int, n_heads: int) -> int:
    if not fields.present(key):
        if hidden_size % n_heads:
            raise ModelFormatError(
                f"{fields.source}: hidden size {hidden_size} is no multiple of the {n_heads} "
                f"attention heads, and {key} is missing"
            )
        head_dim = hidden_size // n_heads
        if head_dim > MAX_HEAD_DIM or head_dim % 2:
            raise ModelFormatError(
                f"{fields.source}: hidden size {hidden_size} over {n_heads} attention heads gives "
                f"a head size of {head_dim}, expected an even number up to {MAX_HEAD_DIM}"
            )
        return head_dim
    head_dim = fields.integer(key, 2, MAX_HEAD_DIM)
    if head_dim % 2:
        raise fields.fail(key, "even, because rotary positions turn pairs")
    return head_dim


_PER_LAYER = (
    "qwen2.attention.head_count",
    "qwen2.attention.head_count_kv",
    "qwen2.feed_forward_length",
)


def _uniform_arrays(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace a value per layer by the one value, if all layers agree."""
    arrays = {key: metadata[key] for key in _PER_LAYER if hasattr(metadata.get(key), "tolist")}
    if not arrays:
        return metadata
    single: dict[str, Any] = {}
    for key, array in arrays.items():
        values = array.tolist()
        if not values or any(value != values[0] for value in values):
            raise ModelUnsupportedError(f"GGUF metadata: {key} differs between layers")
        single[key] = values[0]
    return {**metadata, **single}


def _gguf_vocab_size(fields: Fields, vocab_rows: int | None) -> int:
    tokens = fields.data.get("tokenizer.ggml.tokens")
    if tokens is not None and (isinstance(tokens, str) or not isinstance(tokens, Sequence)):
        raise fields.fail("tokenizer.ggml.tokens", "an array of strings")
    n_tokens = 0 if tokens is None else len(tokens)
    if vocab_rows is None:
        return fields.integer("qwen2.vocab_size", 1, MAX_VOCAB, n_tokens or None)
    if not 1 <= vocab_rows <= MAX_VOCAB:
        raise ModelFormatError(f"the embedding has {vocab_rows} rows, expected 1 to {MAX_VOCAB}")
    if fields.integer("qwen2.vocab_size", 1, MAX_VOCAB, vocab_rows) != vocab_rows:
        raise fields.fail("qwen2.vocab_size", f"the {vocab_rows} rows of token_embd.weight")
    if n_tokens > vocab_rows:
        raise fields.fail("tokenizer.ggml.tokens", f"at most {vocab_rows} (rows of the embedding)")
    return vocab_rows


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
        """Read the token ids of GGUF metadata; the sampling values are the recommended ones.

        Raises
        ------
        ModelFormatError
            A token id is no integer or outside the vocabulary.
        """
        ids: dict[str, int | None] = {}
        for name in ("bos", "eos", "eot", "eom"):
            key = f"tokenizer.ggml.{name}_token_id"
            value = metadata.get(key)
            absent = isinstance(value, int) and value == NO_TOKEN
            found = (
                Fields(metadata, "GGUF metadata").token_ids(key, vocab_size) if not absent else ()
            )
            ids[name] = found[0] if found else None
        ends = {id_ for name, id_ in ids.items() if name != "bos" and id_ is not None}
        return cls(bos_token_id=ids["bos"], eos_token_ids=tuple(sorted(ends)))
