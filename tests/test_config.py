"""Hyper-parameters: published configs, both spellings, GGUF keys, and every way to be wrong."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer import config_fields as limits
from pyinfer.config import GenerationDefaults, ModelConfig, YarnScaling
from pyinfer.config_rope import hf_rope_notes
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.model.registry import read_hf_config

from .checkpoints import random_config
from .config_cases import DELETE, REFUSED, WRONG_TYPES, json_values, read

YARN = {"factor": 4.0, "original_max_position_embeddings": 32768}


# --- what is read -----------------------------------------------------------------------------


def test_small_config() -> None:
    assert read() == ModelConfig(
        architecture="qwen2",
        vocab_size=320,
        hidden_size=64,
        intermediate_size=96,
        n_layers=2,
        n_heads=4,
        n_kv_heads=2,
        head_dim=16,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        rope_scaling=None,
        max_position=4096,
        tie_embeddings=False,
        name="qwen2",
    )


def test_published_configs(test_data: Path) -> None:
    table = json.loads((test_data / "configs" / "r1-distill-hparams.json").read_text())
    for name, row in table["models"].items():
        config = read_hf_config(table["common"] | row, name=name)
        assert config.head_dim == 128
        assert config.n_kv_heads == row["num_key_value_heads"]
        assert config.max_position == 131072
        assert config.name == name
    tied = json.loads((test_data / "configs" / "qwen2.5-0.5b.json").read_text())
    assert read_hf_config(tied).tie_embeddings
    folder = test_data / "r1-distill-qwen-1.5b"
    data = json.loads((folder / "config.json").read_text())
    assert read_hf_config(data).vocab_size == 151936
    sampling = json.loads((folder / "generation_config.json").read_text())
    assert GenerationDefaults.from_hf(sampling, data, 151936) == GenerationDefaults(
        temperature=0.6, top_p=0.95, bos_token_id=151646, eos_token_ids=(151643,)
    )
    folder = test_data / "configs" / "qwen2-1.5b-instruct-finetune"
    data = json.loads((folder / "config.json").read_text())
    sampling = json.loads((folder / "generation_config.json").read_text())
    defaults = GenerationDefaults.from_hf(sampling, data, 151936)
    assert defaults.eos_token_ids == (151643, 151645)
    assert defaults.repetition_penalty == 1.1


def test_defaults_of_missing_keys() -> None:
    missing = ("num_key_value_heads", "rms_norm_eps", "rope_theta", "hidden_act")
    missing += ("tie_word_embeddings", "architectures", "use_sliding_window")
    config = read(**dict.fromkeys(missing, DELETE))
    assert config.n_kv_heads == config.n_heads == 4
    assert (config.rms_norm_eps, config.rope_theta) == (1e-6, 10000.0)
    assert not config.tie_embeddings
    assert read(**dict.fromkeys(missing)) == config  # null is the same as missing


def test_both_spellings_of_rope() -> None:
    old = read(rope_theta=5e5, rope_scaling={"type": "yarn", **YARN})
    new = read(rope_theta=DELETE, rope_parameters={"rope_type": "yarn", "rope_theta": 5e5, **YARN})
    assert old == new
    assert old.rope_theta == 5e5
    assert old.rope_scaling == YarnScaling(4.0, 32768)
    plain = read(rope_theta=7, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert (plain.rope_theta, plain.rope_scaling) == (5e5, None)
    assert read(rope_scaling=None).rope_scaling is None
    assert read(rope_scaling={}).rope_scaling is None


def test_yarn_fields_and_context() -> None:
    config = read(
        rope_scaling={
            "rope_type": "yarn",
            "factor": 2,
            "beta_fast": 16,
            "beta_slow": 2.0,
            "attention_factor": 1.25,
            "mscale": 0.7,
            "mscale_all_dim": 1,
            "truncate": False,
        }
    )
    assert config.rope_scaling == YarnScaling(2.0, 4096, 16.0, 2.0, 1.25, 0.7, 1.0, False)
    # The original context defaults to the config's; the new one is longer by the factor.
    assert config.max_position == 8192
    assert read(yarn=YARN, max_position_embeddings=131072).max_position == 131072
    assert read(yarn=YARN, max_position_embeddings=32768).max_position == 131072
    outer = read(yarn=YARN, original_max_position_embeddings=1000)
    assert outer.rope_scaling is not None
    assert outer.rope_scaling.original_max_position == 1000


def test_yarn_limits_are_inclusive() -> None:
    scaling = read(yarn={"factor": 2, "beta_fast": 2, "beta_slow": 2}).rope_scaling
    assert scaling == YarnScaling(2.0, 4096, 2.0, 2.0)
    scaling = read(yarn={"factor": limits.MAX_ROPE_FACTOR}).rope_scaling
    assert scaling == YarnScaling(limits.MAX_ROPE_FACTOR, 4096)


def test_attention_scale() -> None:
    assert YarnScaling(4.0, 1).attention_scale == 0.1 * math.log(4) + 1
    assert YarnScaling(1.0, 1).attention_scale == 1.0
    assert YarnScaling(4.0, 1, attention_factor=0.5).attention_scale == 0.5
    weighted = YarnScaling(4.0, 1, mscale=2.0, mscale_all_dim=0.5).attention_scale
    assert weighted == (0.2 * math.log(4) + 1) / (0.05 * math.log(4) + 1)
    assert YarnScaling(4.0, 1, mscale=2.0).attention_scale == 0.1 * math.log(4) + 1


@pytest.mark.oracle
@pytest.mark.parametrize(
    "yarn",
    [
        {},
        {"attention_factor": 0.8},
        {"mscale": 2.0, "mscale_all_dim": 0.5},
        {"mscale": 0.0, "mscale_all_dim": 1.0},
        {"beta_fast": 20, "beta_slow": 2},
    ],
)
def test_attention_scale_equals_transformers(yarn: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    rope = pytest.importorskip("transformers.modeling_rope_utils")
    data = random_config(yarn={**YARN, **yarn})
    reference = transformers.Qwen2Config(**{k: v for k, v in data.items() if k != "torch_dtype"})
    _, scale = rope.ROPE_INIT_FUNCTIONS["yarn"](reference, "cpu")
    config = read_hf_config(data)
    assert config.rope_scaling is not None
    assert config.rope_scaling.attention_scale == scale


def test_head_dim() -> None:
    assert read(head_dim=24).head_dim == 24
    assert read(hidden=64, heads=4, head_dim=None).head_dim == 16
    with pytest.raises(ModelFormatError, match="no multiple of the 3 attention heads"):
        read(heads=3, kv_heads=3)
    with pytest.raises(ModelFormatError, match="head size of 15"):
        read(hidden=60)
    assert read(heads=3, kv_heads=3, head_dim=32).head_dim == 32
    assert read(hidden=4096).head_dim == limits.MAX_HEAD_DIM
    with pytest.raises(ModelFormatError, match="head size of 1025"):
        read(hidden=4100)
    with pytest.raises(ModelFormatError, match="head_dim must be even"):
        read(head_dim=15)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'.*what runs: llama, qwen2, qwen3"),
        ({"architectures": ["Qwen2ForSequenceClassification"]}, "architectures"),
        (
            {"use_sliding_window": True, "max_window_layers": 1, "sliding_window": 1024},
            r"1 of 2 layers \(the first is 1\) use sliding window.*1024 tokens",
        ),
        ({"use_mrope": True}, "use_mrope"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', only 'silu' runs"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "no window is set"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "linear_attention"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "'linear' does not run"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "dynamic"),
        ({"rope_parameters": {"rope_type": "longrope", "factor": 2.0}}, "longrope"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "per layer type"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial"),
    ],
)
def test_unsupported(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelUnsupportedError, match=message):
        read(**changes)


INTEGERS = {
    "vocab_size": limits.MAX_VOCAB,
    "hidden_size": limits.MAX_WIDTH,
    "intermediate_size": limits.MAX_WIDTH,
    "num_hidden_layers": limits.MAX_LAYERS,
    "num_attention_heads": limits.MAX_HEADS,
    "num_key_value_heads": limits.MAX_HEADS,
    "max_position_embeddings": limits.MAX_CONTEXT,
    "head_dim": limits.MAX_HEAD_DIM,
}
FLOATS = ("rms_norm_eps", "rope_theta")
YARN_FLOATS = ("factor", "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim")
BOOLEANS = ("tie_word_embeddings", "use_sliding_window", "use_mrope")


@pytest.mark.parametrize("key", INTEGERS)
def test_wrong_integers(key: str) -> None:
    required = key not in ("num_key_value_heads", "head_dim")
    wrong = [*WRONG_TYPES, 0, 12.0, 1.5, INTEGERS[key] + 1, 2**63, 2**64, -(2**63)]
    for value in [*wrong, *([DELETE, None] if required else [])]:
        with pytest.raises(ModelFormatError, match=key):
            read(**{key: value})


@pytest.mark.parametrize("key", FLOATS)
def test_wrong_floats(key: str) -> None:
    for value in [*WRONG_TYPES, 0, 0.0, -1e-9, 1e300]:
        with pytest.raises(ModelFormatError, match=key):
            read(**{key: value})
    with pytest.raises(ModelFormatError, match="rope_theta"):
        read(rope_theta=1.0)


@pytest.mark.parametrize("key", YARN_FLOATS)
def test_wrong_yarn(key: str) -> None:
    for value in [*WRONG_TYPES, 1e300]:
        with pytest.raises(ModelFormatError, match=key):
            read(yarn={**YARN, key: value})


def test_wrong_yarn_relations() -> None:
    for yarn in (
        {**YARN, "factor": 0.5},
        {**YARN, "beta_fast": 1.0, "beta_slow": 2.0},
        {**YARN, "beta_slow": 0},
        {**YARN, "truncate": 1},
        {**YARN, "rope_theta": 0.5},
        {**YARN, "original_max_position_embeddings": 0},
        {**YARN, "original_max_position_embeddings": 1 << 21},
        {"original_max_position_embeddings": 10},
    ):
        with pytest.raises(ModelFormatError, match=r"rope_scaling: \w+"):
            read(yarn=yarn)
    for section in (7, "yarn", [1], True):
        with pytest.raises(ModelFormatError, match="rope_scaling must be an object"):
            read(rope_scaling=section)


@pytest.mark.parametrize("key", BOOLEANS)
def test_wrong_booleans(key: str) -> None:
    for value in (0, 1, "false", [], {}, 0.0):
        with pytest.raises(ModelFormatError, match=f"{key} must be true or false"):
            read(**{key: value})


def test_wrong_words_and_lists() -> None:
    for key in ("model_type", "hidden_act"):
        for value in (1, [], {}, True):
            with pytest.raises(ModelFormatError, match=f"{key} must be a string"):
                read(**{key: value})
    for value in (DELETE, None):
        with pytest.raises(ModelFormatError, match="model_type is missing"):
            read(model_type=value)
    for value in ("Qwen2ForCausalLM", [1], {}):
        with pytest.raises(ModelFormatError, match="architectures"):
            read(architectures=value)
    for value in (7, [], ["full_attention"], ["full_attention"] * 3):
        with pytest.raises(ModelFormatError, match="layer_types"):
            read(layer_types=value)
    with pytest.raises(ModelFormatError, match="divisor of the 4"):
        read(kv_heads=3)


def test_limits_are_inclusive() -> None:
    config = read(
        layers=limits.MAX_LAYERS,
        heads=limits.MAX_HEADS,
        kv_heads=limits.MAX_HEADS,
        head_dim=limits.MAX_HEAD_DIM,
        vocab=limits.MAX_VOCAB,
        hidden=limits.MAX_WIDTH,
        max_position_embeddings=limits.MAX_CONTEXT,
    )
    assert config.max_position == limits.MAX_CONTEXT


def test_messages_stay_short() -> None:
    for value in (10**4000, "x" * 10**6, ["x"] * 10**6, dict.fromkeys(range(10**5)), b"1" * 10**6):
        with pytest.raises(ModelFormatError) as caught:
            read(hidden_size=value)
        assert len(str(caught.value)) < 200


def test_auto_map_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary_configuration"
    (tmp_path / f"{canary}.py").write_text("raise SystemExit('the canary ran')")
    monkeypatch.syspath_prepend(tmp_path)
    auto_map = {"AutoConfig": f"{canary}.Config", "AutoModelForCausalLM": f"{canary}.Model"}
    assert read(auto_map=auto_map, trust_remote_code=True) == read()
    assert canary not in sys.modules


known_keys = st.sampled_from(
    [*random_config(), "head_dim", "rope_scaling", "rope_parameters", "layer_types", "use_mrope"]
)
rope_keys = st.sampled_from([*YARN_FLOATS, *YARN, "rope_type", "type", "truncate", "rope_theta"])


@given(
    st.dictionaries(known_keys, json_values, max_size=3),
    st.none() | st.dictionaries(rope_keys, json_values, max_size=4),
)
def test_any_json_gives_a_config_or_a_typed_error(
    changes: dict[str, Any], rope: dict[str, Any] | None
) -> None:
    data = random_config() | changes
    if rope is not None:
        data["rope_scaling"] = rope
    try:
        config = read_hf_config(data)
        GenerationDefaults.from_hf(data, data, config.vocab_size)
    except REFUSED:
        return
    assert config.n_heads % config.n_kv_heads == 0
    assert config.head_dim % 2 == 0
    assert 1 <= config.max_position <= limits.MAX_CONTEXT
    if config.rope_scaling is not None:
        assert math.isfinite(config.rope_scaling.attention_scale)


# --- generation defaults ------------------------------------------------------------------------


def test_generation_defaults_without_a_file() -> None:
    defaults = GenerationDefaults.from_hf(None, {"bos_token_id": 5, "eos_token_id": 6}, 10)
    assert defaults == GenerationDefaults(0.6, 0.95, 0, 1.0, None, (6,))
    assert GenerationDefaults.from_hf({}, {}, 10).eos_token_ids == ()


def test_generation_defaults_from_a_file() -> None:
    data = {"temperature": 1, "top_p": 1.0, "top_k": 20, "repetition_penalty": 1.1}
    data |= {"bos_token_id": 1, "eos_token_id": [9, 2, 9], "do_sample": True, "unknown": {}}
    defaults = GenerationDefaults.from_hf(data, {"eos_token_id": 3}, 10)
    assert defaults == GenerationDefaults(1.0, 1.0, 20, 1.1, 1, (2, 9))
    assert GenerationDefaults.from_hf({"do_sample": False}, {}, 10).temperature == 0.0


def defaults_of(**data: Any) -> GenerationDefaults:
    return GenerationDefaults.from_hf(data, {}, 10)


def test_values_that_switch_something_off_or_mean_the_best_token() -> None:
    assert defaults_of(top_k=-1).top_k == defaults_of(top_k=0).top_k == 0
    assert defaults_of(top_p=0).top_p == 0.0
    assert defaults_of(top_p=1.5).top_p == 1.0
    assert defaults_of(temperature=0).temperature == 0.0
    assert defaults_of(temperature=2.5).temperature == 2.5
    assert defaults_of(do_sample=False, temperature=0.7).temperature == 0.0
    assert (defaults_of(min_p=0.1).min_p, defaults_of(typical_p=0.9).typical_p) == (0.1, 0.9)
    assert defaults_of(top_k=20.0).top_k == 20
    silent = defaults_of(temperature=None, top_p=None, top_k=None, repetition_penalty=None)
    assert (silent, silent.stated, silent.notes) == (GenerationDefaults(), (), ())
    # Such values are sampled with: none of them is refused by a request.
    for top_p in (0, 1, 1.5):
        assert SamplingParams().filled(defaults_of(top_p=top_p, top_k=-1)).seed is not None


@pytest.mark.parametrize(
    "data",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": "0.6"},
        {"top_p": -1},
        {"top_k": 1.5},
        {"top_k": True},
        {"min_p": 2},
        {"typical_p": 0},
        {"repetition_penalty": 0},
        {"repetition_penalty": 10**400},
        {"do_sample": 1},
        {"bos_token_id": 10},
        {"eos_token_id": -1},
        {"eos_token_id": [10]},
        {"eos_token_id": [True]},
        {"eos_token_id": "1"},
        {"num_beams": 4},
        {"no_repeat_ngram_size": 3},
    ],
)
def test_no_generation_default_stops_a_load(data: dict[str, Any]) -> None:
    defaults = defaults_of(**data)
    assert defaults == GenerationDefaults()
    assert defaults.stated == ()
    (note,) = defaults.notes
    assert next(iter(data)) in note


@pytest.mark.parametrize(
    "changes",
    [
        {"use_sliding_window": True, "sliding_window": 1024, "max_window_layers": 2},
        {"use_sliding_window": True, "sliding_window": 1024, "max_window_layers": 28},
        {"use_sliding_window": True, "sliding_window": 1024},  # max_window_layers is 28 by default
        {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 0},
        {"use_sliding_window": True, "sliding_window": 1 << 30, "max_window_layers": 0},
        {"use_sliding_window": True, "sliding_window": None, "max_window_layers": 0},
        {"use_sliding_window": True, "max_window_layers": 0},  # 4096 by default
        {"use_sliding_window": True, "sliding_window": 9, "layer_types": ["full_attention"] * 2},
        {"use_sliding_window": False, "sliding_window": 9, "max_window_layers": 0},
        {
            "use_sliding_window": True,
            "sliding_window": 4096,
            "layer_types": ["full_attention", "sliding_attention"],
        },
    ],
)
def test_windows_that_change_nothing(changes: dict[str, Any]) -> None:
    assert read(**changes) == read()


@pytest.mark.parametrize(
    "rope",
    [
        None,
        {},
        {"type": "default"},
        {"rope_type": "default", "factor": 4.0},
        {"rope_type": None},
        {"type": "linear", "factor": 1.0},
        {"rope_type": "linear", "factor": 1},
        {"rope_type": "dynamic", "factor": 1.0},
        {"rope_type": "yarn", "factor": 1.0},
        {"rope_type": "yarn", "factor": 1, "original_max_position_embeddings": 4096},
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_scalings_that_change_nothing(key: str, rope: dict[str, Any] | None) -> None:
    assert read(**{key: rope}) == read()


def test_attn_factor_is_not_read_by_transformers() -> None:
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
    plain = read(rope_scaling=yarn)
    assert read(rope_scaling={**yarn, "attn_factor": 2.0}) == plain
    assert (
        "attn_factor 2.0 is not applied"
        in hf_rope_notes({"rope_scaling": {**yarn, "attn_factor": 2.0}})[0]
    )
    scaled = read(rope_scaling={**yarn, "attention_factor": 2.0}).rope_scaling
    assert scaled is not None
    assert scaled.attention_scale == 2.0
    assert hf_rope_notes({"rope_scaling": yarn}) == ()
