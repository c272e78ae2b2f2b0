"""What ends an answer, besides the eos key: names in GGUF files, the template in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.end_tokens import gguf_ends
from pyinfer.text.tokenizer import Tokenizer

from .conftest import MINI_CONFIG, gguf_metadata, mini_json

EOS = "<｜end▁of▁sentence｜>"
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
Writer = Callable[..., Path]


def with_tokens(kind: int, *names: str, **keys: Any) -> tuple[Tokenizer, dict[str, int]]:
    metadata = gguf_metadata(mini_json(), None, "qwen2")
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    for name in names:
        tokens.append(name)
        types.append(kind)
    metadata |= {f"tokenizer.ggml.{key}": value for key, value in keys.items()}
    return Tokenizer.from_gguf(metadata), {name: tokens.index(name) for name in (EOS, *names)}


@pytest.mark.parametrize("kind", [NORMAL, CONTROL, USER_DEFINED])
@pytest.mark.parametrize(
    "name",
    [
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|end|>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "</s>",
        "[EOS]",
        "<eos>",
        "<|fim_pad|>",
        "<|file_sep|>",
    ],
)
def test_names_end_an_answer_whatever_their_type(name: str, kind: int) -> None:
    tokenizer, ids = with_tokens(kind, name)
    if kind == NORMAL and name in ("<|fim_pad|>", "<|file_sep|>"):
        assert tokenizer.eos_ids == (ids[EOS],)  # only control and user-defined ones
        return
    assert tokenizer.eos_ids == (ids[EOS], ids[name])
    assert tokenizer.encode(f"a{name}b")[1] == ids[name]
    if kind == NORMAL:
        assert tokenizer.decode([ids[name]], skip_special=True) == ""


def test_a_name_that_text_becomes_ends_nothing() -> None:
    root = mini_json()
    vocab = root["model"]["vocab"]
    merges = root["model"]["merges"] = list(root["model"]["merges"])
    shift = 3
    for piece, merge in (("</", "< /"), ("</s", "</ s"), ("</s>", "</s >")):
        vocab[piece] = len(vocab)
        merges.append(merge)
    for entry in root["added_tokens"]:
        entry["id"] += shift
    tokenizer = Tokenizer.from_gguf(gguf_metadata(root, None, "qwen2"))
    assert vocab["</s>"] not in tokenizer.eos_ids


def test_keys_come_first_and_bad_ones_are_passed_over() -> None:
    tokenizer, ids = with_tokens(CONTROL, "<|im_end|>", "x1", eot_token_id=1 << 31, eom_token_id=5)
    assert tokenizer.eos_ids == (ids[EOS], 5, ids["<|im_end|>"])


def test_names_that_mean_something_else_beside_others() -> None:
    ids = {"<|return|>": 1, "<|call|>": 2, "<|end|>": 3, "</s>": 4}
    tokens = {"tokenizer.ggml.tokens": ["x"] * 9}
    assert gguf_ends(tokens, ids) == (1, 2, 4)
    assert gguf_ends(tokens, {"<|end|>": 3, "</s>": 4}) == (3, 4)
    assert gguf_ends(tokens, {"<|tool_response>": 5, "</s>": 4}) == (5,)


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chatml_root() -> dict[str, Any]:
    root = mini_json()
    last = root["added_tokens"][-1]["id"]
    for place, name in enumerate(("<|im_start|>", "<|im_end|>"), 1):
        entry = {**root["added_tokens"][-1], "id": last + place, "content": name}
        root["added_tokens"].append(entry)
    return root


def test_the_end_of_turn_that_the_template_of_a_folder_writes(write_folder: Writer) -> None:
    root = chatml_root()
    end = root["added_tokens"][-1]["id"]
    config = MINI_CONFIG | {"chat_template": CHATML}
    tokenizer = Tokenizer.from_folder(write_folder(root=root, config=config))
    assert tokenizer.eos_ids[1:] == (end,)
    assert "<|im_end|>" in tokenizer.notes[0]
    # Without a template that writes it, a folder means what transformers makes of it.
    tokenizer = Tokenizer.from_folder(write_folder(root=root))
    assert (len(tokenizer.eos_ids), tokenizer.notes) == (1, ())


@pytest.mark.parametrize("add_bos", [True, False])
@pytest.mark.parametrize("writes", [True, False])
def test_bos_of_a_conversation(add_bos: bool, writes: bool, write_folder: Writer) -> None:
    template = ("{{ bos_token }}" if writes else "") + CHATML
    messages = [{"role": "user", "content": "Hi"}]
    metadata = gguf_metadata(chatml_root(), template, "qwen2")
    metadata["tokenizer.ggml.add_bos_token"] = add_bos
    tokenizer = Tokenizer.from_gguf(metadata)
    prompt = ChatTemplate(tokenizer).prompt(messages)
    assert prompt.token_ids.count(tokenizer.bos_id) == (add_bos or writes)
    assert (prompt.token_ids[0] == tokenizer.bos_id) == (add_bos or writes)
    assert tokenizer.encode(prompt.text) == prompt.token_ids
    # transformers leaves it to the template.
    config = MINI_CONFIG | {"chat_template": template, "add_bos_token": add_bos}
    tokenizer = Tokenizer.from_folder(write_folder(root=chatml_root(), config=config))
    ids = ChatTemplate(tokenizer).prompt(messages).token_ids
    assert ids.count(tokenizer.bos_id) == writes


def test_folders_saved_by_transformers_5(write_folder: Writer) -> None:
    """No add_bos_token, no added_tokens_decoder, lists of tokens, templates in files."""
    config = {key: MINI_CONFIG[key] for key in ("bos_token", "eos_token")}
    config |= {"extra_special_tokens": ["<think>"], "backend": "tokenizers", "is_local": True}
    root = mini_json() | {
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {},
        }
    }
    folder = write_folder(root=root, config=config, jinja=MINI_CONFIG["chat_template"])
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}")
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.add_bos  # the template writes BOS
    assert tokenizer.encode("a", add_special=True)[0] == tokenizer.bos_id
    assert tokenizer.chat_template == MINI_CONFIG["chat_template"]
    (folder / "chat_template.jinja").write_text(CHATML)
    assert not Tokenizer.from_folder(folder).add_bos
    (folder / "chat_template.jinja").unlink()
    (folder / "additional_chat_templates" / "default.jinja").write_text("{{ messages }}")
    assert Tokenizer.from_folder(folder).chat_template == "{{ messages }}"
