"""Hyper-parameters from GGUF metadata: what is read, and every way to be wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer import config_fields as limits
from pyinfer.config import GenerationDefaults, ModelConfig, YarnScaling
from pyinfer.config_rope import gguf_rope_notes
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.model.registry import read_gguf_config

from .checkpoints import gguf_metadata, random_config
from .config_cases import DELETE, REFUSED, WRONG_TYPES, json_values, read


def gguf_keys() -> dict[str, Any]:
    """Return the metadata of the small config."""
    return {"general.architecture": "qwen2"} | gguf_metadata(random_config())


def read_gguf(**changes: Any) -> ModelConfig:
    data = gguf_keys() | {key.replace("__", "."): value for key, value in changes.items()}
    return read_gguf_config({k: v for k, v in data.items() if v is not DELETE})


def test_gguf_config() -> None:
    config = read_gguf()
    assert config == replace(read(), name="random", rms_norm_eps=config.rms_norm_eps)
    assert read_gguf(qwen2__attention__key_length=32).head_dim == 32
    assert read_gguf(tokenizer__ggml__tokens=DELETE, qwen2__vocab_size=400).vocab_size == 400
    metadata = gguf_keys()
    assert read_gguf_config(metadata, vocab_rows=352, tie_embeddings=True).vocab_size == 352
    with pytest.raises(ModelFormatError, match="at most 300"):
        read_gguf_config(metadata, vocab_rows=300)
    with pytest.raises(ModelFormatError, match="embedding has 0 rows"):
        read_gguf_config(metadata, vocab_rows=0)
    with pytest.raises(ModelFormatError, match=r"qwen2\.vocab_size"):
        read_gguf_config(metadata | {"qwen2.vocab_size": 321}, vocab_rows=320)


def test_gguf_vocabulary_size() -> None:
    metadata = gguf_keys()
    assert read_gguf_config(metadata, vocab_rows=320).vocab_size == 320
    bare = metadata | {"tokenizer.ggml.tokens": None}
    for rows in (1, limits.MAX_VOCAB):
        assert read_gguf_config(bare, vocab_rows=rows).vocab_size == rows
    with pytest.raises(ModelFormatError, match="embedding has 1048577 rows"):
        read_gguf_config(bare, vocab_rows=limits.MAX_VOCAB + 1)
    for tokens in ("<s>", 7, np.array([1, 2])):
        with pytest.raises(ModelFormatError, match=r"tokens must be an array of strings"):
            read_gguf_config(metadata | {"tokenizer.ggml.tokens": tokens})


def test_gguf_windows_are_not_read() -> None:
    """llama.cpp knows no window of these architectures."""
    for window in (0, 1024, 4096):
        assert read_gguf(qwen2__attention__sliding_window=window) == read_gguf()
        notes = gguf_rope_notes({"qwen2.attention.sliding_window": window}, "qwen2.")
        assert len(notes) == (window > 0)


def test_gguf_values_per_layer() -> None:
    same = np.array([96, 96], np.int32)
    assert read_gguf(qwen2__feed_forward_length=same).intermediate_size == 96
    for bad in (np.array([96, 64]), np.array([], np.int32)):
        with pytest.raises(ModelUnsupportedError, match="differs between layers"):
            read_gguf(qwen2__feed_forward_length=bad)


def test_gguf_rope_scaling() -> None:
    key = "qwen2__rope__scaling__"
    yarn = {key + "type": "yarn", key + "factor": 4.0, key + "original_context_length": 32768}
    assert read_gguf(**yarn).rope_scaling == YarnScaling(4.0, 32768)
    assert read_gguf(**yarn).max_position == 131072
    others = {key + "yarn_beta_fast": 16.0, key + "yarn_attn_factor": 2.0}
    # llama.cpp reads these keys for other architectures only.
    assert read_gguf(**yarn, **others) == read_gguf(**yarn)
    metadata = {name.replace("__", "."): value for name, value in others.items()}
    (note,) = gguf_rope_notes(metadata, "qwen2.")
    assert "yarn_attn_factor 2.0" in note
    assert "yarn_beta_fast 16.0" in note
    plain = read_gguf(**{key + "attn_factor": 2.0}).rope_scaling
    assert plain is not None
    assert (plain.factor, plain.attention_scale) == (1.0, 2.0)
    assert read_gguf(**yarn | {key + "factor": 1.0}).rope_scaling == YarnScaling(1.0, 32768)
    on_top = read_gguf(**yarn, **{key + "attn_factor": 0.5}).rope_scaling
    assert on_top is not None
    assert on_top.attention_scale == 0.5 * (0.1 * math.log(4) + 1)
    for none in ({key + "type": "none", key + "factor": 4.0}, {key + "factor": 1.0}):
        assert read_gguf(**none).rope_scaling is None
    for bad in (
        {key + "factor": 2.0},
        {key + "type": "linear", key + "factor": 2.0},
        {key + "type": "longrope", key + "factor": 2.0},
        {"qwen2__rope__scale_linear": 2.0},
    ):
        with pytest.raises(ModelUnsupportedError):
            read_gguf(**bad)
    assert read_gguf(**{key + "type": "yarn"}).rope_scaling is None  # factor 1 by default
    with pytest.raises(ModelFormatError, match="factor"):
        read_gguf(**{key + "type": "yarn", key + "factor": 0.5})


@pytest.mark.parametrize(
    "changes",
    [
        {"general__architecture": "gpt2"},
        {"qwen2__attention__value_length": 32},
        {"qwen2__rope__dimension_count": 8},
    ],
)
def test_unsupported_gguf(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelUnsupportedError):
        read_gguf(**changes)


GGUF_INTEGERS = {
    "qwen2.block_count": limits.MAX_LAYERS,
    "qwen2.context_length": limits.MAX_CONTEXT,
    "qwen2.embedding_length": limits.MAX_WIDTH,
    "qwen2.feed_forward_length": limits.MAX_WIDTH,
    "qwen2.attention.head_count": limits.MAX_HEADS,
    "qwen2.attention.head_count_kv": limits.MAX_HEADS,
    "qwen2.attention.key_length": limits.MAX_HEAD_DIM,
}


@pytest.mark.parametrize("key", GGUF_INTEGERS)
def test_wrong_gguf_integers(key: str) -> None:
    wrong = [*WRONG_TYPES, 0, 12.0, GGUF_INTEGERS[key] + 1, 2**64 - 1]
    optional = ("qwen2.attention.key_length", "qwen2.attention.head_count_kv")
    for value in wrong if key in optional else [*wrong, DELETE]:
        with pytest.raises(ModelFormatError, match=key):
            read_gguf(**{key.replace(".", "__"): value})


@given(st.dictionaries(st.sampled_from(sorted(gguf_keys())), json_values))
def test_any_metadata_gives_a_config_or_a_typed_error(changes: dict[str, Any]) -> None:
    metadata = gguf_keys() | changes
    try:
        config = read_gguf_config(metadata)
        GenerationDefaults.from_gguf(metadata, config.vocab_size)
    except REFUSED:
        pass


def test_gguf_generation_defaults() -> None:
    metadata = {
        f"tokenizer.ggml.{name}_token_id": i for i, name in enumerate(("bos", "eos", "eot"))
    }
    assert GenerationDefaults.from_gguf(metadata, 10) == GenerationDefaults(
        bos_token_id=0, eos_token_ids=(1, 2)
    )
    metadata["tokenizer.ggml.bos_token_id"] = 0xFFFFFFFF
    assert GenerationDefaults.from_gguf(metadata, 10).bos_token_id is None
    metadata["tokenizer.ggml.eos_token_id"] = 10  # no token: llama.cpp passes it over, too
    found = GenerationDefaults.from_gguf(metadata, 10)
    assert (found.eos_token_ids, len(found.notes)) == ((2,), 1)
    metadata["tokenizer.ggml.eos_token_id"] = "x"  # type: ignore[assignment]
    with pytest.raises(ModelFormatError, match=r"tokenizer\.ggml\.eos_token_id"):
        GenerationDefaults.from_gguf(metadata, 10)


def test_gguf_sampling_values() -> None:
    def read_defaults(**values: Any) -> GenerationDefaults:
        metadata = gguf_keys() | {f"general.sampling.{k}": v for k, v in values.items()}
        return GenerationDefaults.from_gguf(metadata, 320)

    silent = read_defaults()
    assert (silent.temperature, silent.top_p, silent.top_k, silent.stated) == (0.6, 0.95, 0, ())
    given = read_defaults(temp=float(np.float32(0.7)), top_k=20, penalty_repeat=1.25)
    assert (given.temperature, given.top_p, given.top_k) == (0.7, 0.95, 20)
    assert given.repetition_penalty == 1.25
    assert given.stated == ("temperature", "top_k", "repetition_penalty")
    assert read_defaults(top_k=-1).top_k == 0
    more = read_defaults(min_p=float(np.float32(0.05)), penalty_last_n=-1, temp=-1.0, top_p=1.5)
    assert (more.min_p, more.repeat_last_n, more.temperature, more.top_p) == (0.05, -1, 0.0, 1.0)
    assert read_defaults(mirostat=2, xtc_probability=0.0).notes == (
        "GGUF metadata: general.sampling.mirostat: not applied",
    )
    wrong = read_defaults(top_p="1.5", temp="hot", top_k=np.zeros(2), penalty_repeat=True)
    assert (wrong, wrong.stated, len(wrong.notes)) == (silent, (), 4)
