"""A small complete vocabulary: byte-level BPE with the Qwen2 split and the R1 control tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

EOS = "<｜end▁of▁sentence｜>"
USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
BOS = "<｜begin▁of▁sentence｜>"
THINK, END_THINK = "<think>", "</think>"

# (content, special): <think> is an ordinary added token, as in the published vocabulary.
ADDED = ((EOS, 1), (USER, 0), (ASSISTANT, 0), (BOS, 1), ("<|EOT|>", 0), (THINK, 0), (END_THINK, 0))

MERGES = (
    ("h", "e"),
    ("t", "he"),
    ("Ġ", "the"),
    ("i", "n"),
    ("in", "g"),
    ("l", "l"),
    ("he", "ll"),
    ("hell", "o"),
    ("Ġ", "w"),
    ("o", "r"),
    ("Ġw", "or"),
    ("l", "d"),
    ("Ġwor", "ld"),
    ("æ", "Ī"),
)

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ '<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)


def byte_tokens() -> list[str]:
    """Return the 256 characters that stand for bytes in byte-level BPE, by byte value."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    characters = {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}
    return [characters[b] for b in range(256)]


def base_tokens() -> list[str]:
    """Return the tokens without the added ones, by id."""
    return byte_tokens() + [a + b for a, b in MERGES]


N_BASE = 256 + len(MERGES)
N_TOKENS = N_BASE + len(ADDED)
EOS_ID = N_BASE
BOS_ID = N_BASE + 3


def tokenizer_json() -> dict[str, Any]:
    """Return the object of ``tokenizer.json``."""
    vocab = {token: i for i, token in enumerate(base_tokens())}
    added = added_entries(N_BASE, ADDED)
    return bpe_json(vocab, [f"{left} {right}" for left, right in MERGES], added)


def added_entries(first: int, added: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    """Added tokens of ``tokenizer.json`` from (content, special), ids from ``first`` on."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [
        {"id": i, "content": content, **flags, "special": bool(special)}
        for i, (content, special) in enumerate(added, first)
    ]


def bpe_json(
    vocab: dict[str, int], merges: list[str], added: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a ``tokenizer.json`` with the parts that the published Qwen2 one has."""
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": SPLIT},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level,
            ],
        },
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocab,
            "merges": merges,
        },
    }


def tokenizer_config() -> dict[str, Any]:
    """Return the object of ``tokenizer_config.json``."""
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
        "tokenizer_class": "LlamaTokenizerFast",
        "added_tokens_decoder": {
            str(entry["id"]): {k: v for k, v in entry.items() if k != "id"}
            for entry in tokenizer_json()["added_tokens"]
        },
    }


def gguf_vocabulary(vocab_size: int) -> dict[str, Any]:
    """Return the ``tokenizer.*`` metadata, padded to ``vocab_size`` tokens.

    Token types are those of ggml: 1 normal, 3 control, 4 user defined, 5 unused.
    """
    if vocab_size < N_TOKENS:
        raise ValueError(f"vocabulary size {vocab_size}, at least {N_TOKENS} needed")
    padding = range(N_TOKENS, vocab_size)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "deepseek-r1-qwen",
        "tokenizer.ggml.tokens": [
            *base_tokens(),
            *(content for content, _ in ADDED),
            *(f"[PAD{i}]" for i in padding),
        ],
        "tokenizer.ggml.token_type": [
            *[1] * N_BASE,
            *(3 if special else 4 for _, special in ADDED),
            *[5] * len(padding),
        ],
        "tokenizer.ggml.merges": [f"{a} {b}" for a, b in MERGES],
        "tokenizer.ggml.bos_token_id": BOS_ID,
        "tokenizer.ggml.eos_token_id": EOS_ID,
        "tokenizer.ggml.padding_token_id": EOS_ID,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }
