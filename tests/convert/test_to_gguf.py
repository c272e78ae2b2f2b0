"""Folders become GGUF files that others read, and come back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from pyinfer import SamplingParams, load
from pyinfer.checkpoint.checkpoint import Checkpoint, open_checkpoint
from pyinfer.checkpoint.safetensors import open_folder_tensors
from pyinfer.convert.to_folder import gguf_to_folder
from pyinfer.convert.to_gguf import folder_to_gguf, stored_float
from pyinfer.convert.tokenizer_files import tokenizer_files
from pyinfer.errors import ModelFormatError, ModelUnsupportedError, UsageError
from pyinfer.quant.plan import FileRules, parse_override
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.folder_tokenizer import read_folder

from ..checkpoint.gguf_bytes import ARR, F32, U32, Array, build, small_pairs, small_tensors
from ..checkpoints import from_bf16, gguf_tensor_name, random_config, random_weights, write_folder
from ..vocabulary import N_TOKENS, gguf_vocabulary

YARN = {"factor": 4.0, "original_max_position_embeddings": 1024}
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": random_config(vocab=N_TOKENS + 3),
    "tied": random_config(vocab=N_TOKENS, tied=True),
    "yarn": random_config(
        vocab=N_TOKENS, max_position_embeddings=4096, yarn={**YARN, "attention_factor": 1.25}
    ),
    "wide-heads": random_config(vocab=N_TOKENS, head_dim=24, rope_theta=1000000.0),
}


def convert(source: Path, out: Path, dtype: str | None = None, **options: Any) -> Path:
    with open_checkpoint(source) as checkpoint:
        if checkpoint.kind == "gguf":
            gguf_to_folder(checkpoint, out, dtype, threads=2)
        else:
            rules = FileRules(dtype or stored_float(checkpoint), **options)
            folder_to_gguf(checkpoint, out, rules, threads=2)
    return out


def weights_of(folder: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Type, shape and bytes of the tensors of a folder, whatever the shards."""
    files, tensors = open_folder_tensors(folder)
    found = {
        name: (tensor.dtype, tensor.shape, bytes(tensor.file.read(tensor.offset, tensor.n_bytes)))
        for name, tensor in tensors.items()
    }
    for file in files:
        file.close()
    return found


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_folder_comes_back_the_same(tmp_path: Path, name: str, dtype: str) -> None:
    source = tmp_path / "model"
    write_folder(source, CONFIGS[name], dtype=dtype, with_tokenizer=True, shards=2)
    file = convert(source, tmp_path / "model.gguf")
    back = convert(file, tmp_path / "back")
    assert weights_of(source) == weights_of(back)
    with open_checkpoint(source) as a, open_checkpoint(back) as b:
        assert _fields(a) == _fields(b)
    _same_tokenizer(source, back)


def _fields(checkpoint: Checkpoint) -> tuple[Any, ...]:
    config = checkpoint.config
    scaling = config.rope_scaling
    facts = [getattr(config, name) for name in config.__slots__ if name not in ("name",)]
    facts.remove(scaling)
    yarn = scaling and (scaling.factor, scaling.beta_fast, scaling.original_max_position)
    scale = scaling and pytest.approx(scaling.attention_scale, rel=1e-6)
    return (facts, yarn, scale, checkpoint.generation.bos_token_id,
            checkpoint.generation.eos_token_ids,
            pytest.approx(checkpoint.generation.temperature))  # fmt: skip


def _same_tokenizer(source: Path, back: Path) -> None:
    a, b = read_folder(source), read_folder(back)
    for part in ("merges", "added", "control"):
        assert getattr(a.vocabulary, part) == getattr(b.vocabulary, part)
    names = {piece.content for piece in a.vocabulary.added}
    assert {p: i for p, i in a.vocabulary.pieces.items() if p not in names} == {
        p: i for p, i in b.vocabulary.pieces.items() if p not in names
    }
    assert (a.bos_id, a.eos_ids, a.add_bos) == (b.bos_id, b.eos_ids, b.add_bos)
    assert a.chat_template == b.chat_template
    text = "hello the world <think>\n e\u0301 é 12<｜User｜>"
    assert a.backend.encode(text).ids == b.backend.encode(text).ids


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "q8_0", "q4_0"])
def test_the_gguf_package_reads_what_its_quantizer_writes(tmp_path: Path, dtype: str) -> None:
    config = random_config(vocab=N_TOKENS + 3)
    weights = random_weights(config)
    write_folder(tmp_path / "model", config, dtype="f32", weights=weights, with_tokenizer=True)
    file = convert(tmp_path / "model", tmp_path / "model.gguf", dtype)
    reader = gguf.GGUFReader(file)
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert found.keys() == {gguf_tensor_name(config, name) for name in weights}
    for name, values in weights.items():
        tensor = found[gguf_tensor_name(config, name)]
        kind = "f32" if values.ndim == 1 else dtype
        if dtype == "q4_0" and name in ("model.embed_tokens.weight", "lm_head.weight"):
            kind = "q8_0"
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        assert tensor.tensor_type == qtype
        expected = gguf.quants.quantize(values, qtype)
        assert np.array_equal(
            tensor.data.reshape(-1).view(np.uint8), expected.reshape(-1).view(np.uint8)
        )
    ftype = gguf.LlamaFileType["ALL_F32" if dtype == "f32" else f"MOSTLY_{dtype.upper()}"]
    assert reader.fields["general.file_type"].contents() == ftype.value
    assert reader.fields["tokenizer.ggml.tokens"].contents()[-1] == f"[PAD{N_TOKENS + 2}]"


def test_the_metadata_says_what_others_ask_for(tmp_path: Path) -> None:
    file = convert(DEMO_FOLDER, tmp_path / "demo.gguf")
    fields = gguf.GGUFReader(file).fields
    value = {key: field.contents() for key, field in fields.items()}
    config = json.loads((DEMO_FOLDER / "config.json").read_text())
    assert value["general.architecture"] == "qwen2"
    assert (value["general.type"], value["general.license"]) == ("model", "mit")
    assert (value["general.name"], value["general.size_label"]) == ("demo", "3.4M")
    assert value["general.quantization_version"] == 2
    assert value["qwen2.context_length"] == config["max_position_embeddings"]
    assert value["qwen2.rope.freq_base"] == 10000.0
    assert value["general.sampling.temp"] == pytest.approx(0.3)
    assert value["tokenizer.ggml.model"] == "gpt2"
    assert value["tokenizer.ggml.pre"] == "deepseek-r1-qwen"
    assert value["tokenizer.ggml.add_bos_token"] is True
    assert value["tokenizer.ggml.bos_token_id"] == 489
    types = value["tokenizer.ggml.token_type"]
    kind = gguf.TokenType
    tokens = value["tokenizer.ggml.tokens"]
    assert types[tokens.index("<｜User｜>")] == kind.CONTROL
    assert types[tokens.index("<think>")] == kind.USER_DEFINED
    assert types[0] == kind.NORMAL
    assert types[-1] == kind.UNUSED
    assert value["tokenizer.chat_template"]


def test_metadata_of_the_wrong_type_stays_out_of_the_folder(tmp_path: Path) -> None:
    pairs = [
        *(pair for pair in small_pairs() if not str(pair[0]).startswith("tokenizer.")),
        ("general.sampling.temp", ARR, Array(F32, [1.0, 2.0])),
        ("general.sampling.top_p", F32, float("nan")),
        ("general.sampling.top_k", U32, 7),
    ]
    path = tmp_path / "m.gguf"
    path.write_bytes(build(pairs, small_tensors(), alignment=64).data)
    convert(path, tmp_path / "folder", "f32")
    written = json.loads((tmp_path / "folder" / "generation_config.json").read_text())
    assert written == {"do_sample": True, "top_k": 7}
    for padding in (np.array([1, 2]), "x", None):
        metadata = {**gguf_vocabulary(N_TOKENS), "tokenizer.ggml.padding_token_id": padding}
        assert tokenizer_files(metadata)["tokenizer_config.json"]["pad_token"] is None


@pytest.mark.parametrize("dtype", ["bf16", "q8_0", "q4_0"])
def test_the_embedded_model_says_the_same_from_both(tmp_path: Path, dtype: str) -> None:
    file = convert(DEMO_FOLDER, tmp_path / "demo.gguf", dtype)
    greedy = SamplingParams(temperature=0, max_tokens=60)
    answers = []
    for path, kind in ((DEMO_FOLDER, dtype), (file, None)):
        with load(path, dtype=kind, threads=1, ctx_size=256) as llm:
            answers.append(llm.chat("Which is larger, 9.11 or 9.9?", params=greedy))
            ids = llm.tokenizer.encode("12 + 30 = 42")
            answers.append(llm.logits(ids).tobytes())
    assert answers[0].token_ids == answers[2].token_ids
    assert answers[1] == answers[3]  # the same bits


def test_overrides_and_pure(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", random_config(), dtype="f32")
    rules = [parse_override("ffn_down=q8_0"), parse_override(r"blk\.0\.=F16")]
    file = convert(tmp_path / "model", tmp_path / "a.gguf", "q4_0", overrides=rules, pure=True)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(file).tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q8_0"  # the first that fits
    assert kinds["blk.0.attn_q.weight"] == "F16"
    assert kinds["blk.0.attn_q.bias"] == "F32"
    assert kinds["blk.1.attn_q.weight"] == kinds["output.weight"] == "Q4_0"


def test_rows_that_are_no_whole_blocks_stay_floats(tmp_path: Path) -> None:
    config = random_config(hidden=48, intermediate=64)
    write_folder(tmp_path / "model", config, dtype="bf16")
    with open_checkpoint(tmp_path / "model") as checkpoint:
        written = folder_to_gguf(checkpoint, tmp_path / "a.gguf", FileRules("q8_0"))
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q8_0"
    assert kinds["blk.0.ffn_up.weight"] == "F16"
    assert any("blk.0.ffn_up.weight is f16" in line for line in written.notes)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (lambda: FileRules("q9_0"), "cannot be written"),
        (lambda: FileRules("q8_0", overrides=[parse_override("nothing=f16")]), "no matrix"),
        (lambda: FileRules("q8_0", overrides=[parse_override("f16")]), "REGEX=FORMAT"),
        (lambda: FileRules("q8_0", overrides=[parse_override("(=f16")]), "regular expression"),
        (lambda: FileRules("q8_0", overrides=[parse_override("a=q9")]), "cannot be written"),
    ],
)
def test_wrong_rules(tmp_path: Path, rules: Any, message: str) -> None:
    with open_checkpoint(DEMO_FOLDER) as checkpoint, pytest.raises(UsageError, match=message):
        folder_to_gguf(checkpoint, tmp_path / "a.gguf", rules())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "q8_0"), (np.inf, "bf16"), (1e6, "f16")])
def test_values_that_cannot_be_stored(tmp_path: Path, value: float, dtype: str) -> None:
    config = random_config()
    weights = random_weights(config)
    weights["model.layers.1.mlp.up_proj.weight"][5, 3] = value
    write_folder(tmp_path / "model", config, dtype="f32", weights=weights)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelFormatError, match=r"layers\.1\.mlp\.up_proj.*row 5"):
        convert(tmp_path / "model", tmp_path / "out/a.gguf", dtype)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with open_checkpoint(DEMO_FOLDER) as checkpoint, pytest.raises(KeyboardInterrupt):
        folder_to_gguf(checkpoint, tmp_path / "a.gguf", FileRules("q8_0"), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_tokenizer(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", random_config())
    with open_checkpoint(tmp_path / "model") as checkpoint:
        written = folder_to_gguf(checkpoint, tmp_path / "a.gguf", FileRules("f32"))
    assert any("token ids only" in line for line in written.notes)
    with open_checkpoint(tmp_path / "a.gguf") as checkpoint:
        assert checkpoint.tokenizer_source() is None


def test_a_tokenizer_that_gguf_cannot_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", random_config(vocab=N_TOKENS), with_tokenizer=True)
    path = tmp_path / "model/tokenizer.json"
    root = json.loads(path.read_text())
    root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+|\S+"
    path.write_text(json.dumps(root))
    with pytest.raises(ModelUnsupportedError, match="pre-tokenizer"):
        convert(tmp_path / "model", tmp_path / "a.gguf")


def test_bf16_is_copied_and_widened_exactly(tmp_path: Path) -> None:
    config = random_config()
    bits = np.arange(320 * 64, dtype=np.uint16).reshape(320, 64)  # denormals among them
    weights = random_weights(config) | {"model.embed_tokens.weight": from_bf16(bits)}
    write_folder(tmp_path / "model", config, dtype="bf16", weights=weights)
    for dtype in ("bf16", "f32"):
        file = convert(tmp_path / "model", tmp_path / f"{dtype}.gguf", dtype)
        (tensor,) = (t for t in gguf.GGUFReader(file).tensors if t.name == "token_embd.weight")
        raw = tensor.data.view(np.uint16).reshape(320, -1)
        assert np.array_equal(raw if dtype == "bf16" else raw[:, 1::2], bits)


def test_slices_of_any_size_give_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(DEMO_FOLDER, tmp_path / "a.gguf", "q4_0")
    monkeypatch.setattr("pyinfer.convert.rows.SLICE_VALUES", 1000)
    convert(DEMO_FOLDER, tmp_path / "b.gguf", "q4_0")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


@pytest.mark.parametrize("extra", [{"beta_fast": 16.0}, {"beta_slow": 2.0}, {"truncate": False}])
def test_yarn_that_no_reader_of_gguf_computes(extra: dict[str, Any], tmp_path: Path) -> None:
    write_folder(tmp_path / "folder", random_config(yarn=YARN | extra))
    with (
        open_checkpoint(tmp_path / "folder") as checkpoint,
        pytest.raises(ModelUnsupportedError, match=f"{next(iter(extra))} is .*GGUF cannot express"),
    ):
        folder_to_gguf(checkpoint, tmp_path / "out.gguf", FileRules("f16"))
