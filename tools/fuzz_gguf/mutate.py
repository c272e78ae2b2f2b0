"""Changes to GGUF files by their structure.

Shares: metadata 35 %, tensor table 35 %, header 10 %, numbers that contradict what follows 10 %,
alignment 5 %, tensor data 5 %.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tools.fuzz_gguf.pieces import ARRAY, SIZES, STRING, Pieces, Record, Value, read

# What a number may wrongly hold: small ones, limits of the format and one past, machine borders.
NUMBERS = sorted(
    {
        *range(17), *(30, 31, 32, 33, 39, 41, 63, 64, 65, 96, 127, 128, 255, 256, 257, 320, 511),
        *(512, 513, 1023, 1024, 1025, 4096, 4097, 8193, 8194, 65535, 65536, 65537),
        *(1 << 20, (1 << 20) + 1),
        *(4 << 20, (4 << 20) + 1, 16 << 20, (16 << 20) + 1, 128 << 20, (128 << 20) + 1),
        *(2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
    }
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-5, 1e-45, 1e38, 1e308, float("inf"), float("-inf"), float("nan"))
KEYS = (
    b"general.architecture", b"general.alignment", b"general.name", b"general.file_type",
    b"split.count", b"split.no", b"split.tensors.count", b"qwen2.block_count",
    b"qwen2.context_length", b"qwen2.embedding_length", b"qwen2.feed_forward_length",
    b"qwen2.attention.head_count", b"qwen2.attention.head_count_kv", b"qwen2.attention.key_length",
    b"qwen2.attention.value_length", b"qwen2.attention.layer_norm_rms_epsilon",
    b"qwen2.attention.sliding_window", b"qwen2.rope.freq_base", b"qwen2.rope.dimension_count",
    b"qwen2.rope.scaling.type", b"qwen2.rope.scaling.factor", b"qwen2.vocab_size",
    b"qwen2.rope.scaling.original_context_length", b"qwen2.rope.scaling.attn_factor",
    b"qwen2.rope.scaling.yarn_log_multiplier", b"qwen2.expert_count",
    b"tokenizer.ggml.model", b"tokenizer.ggml.pre", b"tokenizer.ggml.tokens",
    b"tokenizer.ggml.token_type", b"tokenizer.ggml.merges", b"tokenizer.ggml.scores",
    b"tokenizer.ggml.bos_token_id", b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.eot_token_id",
    b"tokenizer.ggml.padding_token_id", b"tokenizer.ggml.add_bos_token", b"tokenizer.chat_template",
)  # fmt: skip
TEXTS = (
    b"", b"qwen2", b"llama", b"gpt2", b"none", b"no_vocab", b"deepseek-r1-qwen", b"default",
    b"yarn", b"linear", b"\xff", b"\xed\xa0\x80", b"a b", b" ", b"a  b", b"\x00", b"<think>",
    b"h e", "Ġ".encode(), "日本".encode(), b"x" * 4096, b"x" * 4097, "\u202e".encode(),
)  # fmt: skip
NAMES = (
    b"token_embd.weight", b"output_norm.weight", b"output.weight", b"blk.0.attn_q.weight",
    b"blk.1.attn_q.weight", b"blk.00.attn_q.weight", b"rope_freqs.weight", b"", b"\xff", b"x" * 65,
    b"model.embed_tokens.weight", b"gguf:x", "blk.\u0661.attn_q.weight".encode(),
)  # fmt: skip

Change = Callable[[Pieces, random.Random], None]


def mutated(data: bytes, rng: random.Random, other: Pieces | None) -> bytearray:
    """Return a changed copy of a file.

    Parameters
    ----------
    data : bytes
        Any file, best one that can be followed.
    rng : Random
        Decides everything.
    other : Pieces, optional
        A file that may lend its keys, tensors and data.
    """
    pieces = read(data)
    wrong_numbers = wrong_gap = 0
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        share = rng.random()
        if share < 0.35:
            rng.choice(_ON_PAIRS)(pieces, rng)
        elif share < 0.70:
            rng.choice(_ON_RECORDS)(pieces, rng)
        elif share < 0.80:
            _header(pieces, rng)
        elif share < 0.90:
            wrong_numbers += 1
        elif share < 0.95:
            wrong_gap += _alignment(pieces, rng)
        else:
            _data(pieces, rng)
        if other is not None and rng.random() < 0.1:
            _borrow(pieces, other, rng)
    out, numbers = pieces.write()
    for _ in range(wrong_numbers):
        at, size = rng.choice(numbers)
        old = int.from_bytes(out[at : at + size], "little")
        new = rng.choice((rng.choice(NUMBERS), old + rng.choice((-1, 1, 8, -8)), old << 32, ~old))
        out[at : at + size] = (new & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    if wrong_gap:
        at = rng.randrange(len(out) + 1)
        out[at:at] = bytes(rng.randint(1, 40))
    return out


# --- metadata ---------------------------------------------------------------------------------


def random_value(rng: random.Random) -> Value:
    """Return any value."""
    kind = rng.choice((*SIZES, STRING, ARRAY, ARRAY, 13))
    if kind == STRING:
        return Value(kind, rng.choice(TEXTS))
    if kind != ARRAY:
        return Value(kind, _scalar(kind, rng))
    if rng.random() < 0.4:
        return Value(kind, element=STRING, strings=rng.choices(TEXTS, k=rng.randint(0, 6)))
    element = rng.choice((*SIZES, ARRAY, 13))
    parts = [_scalar(element, rng) for _ in range(rng.randint(0, 6))]
    return Value(kind, b"".join(parts), element)


def _scalar(kind: int, rng: random.Random) -> bytes:
    if kind == 6:
        return struct.pack("<f", max(min(rng.choice(FLOATS), 3e38), -3e38))
    if kind == 12:
        return struct.pack("<d", rng.choice(FLOATS))
    size = SIZES.get(kind, 4)
    return (rng.choice(NUMBERS) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _change_value(pieces: Pieces, rng: random.Random) -> None:
    if not pieces.pairs:
        return
    at = rng.randrange(len(pieces.pairs))
    key, value = pieces.pairs[at]
    pieces.pairs[at] = (key, _changed(value, rng))


def _changed(value: Value, rng: random.Random) -> Value:
    if rng.random() < 0.15:
        return random_value(rng)
    if value.kind == STRING:
        return Value(STRING, _text(value.raw, rng))
    if value.kind != ARRAY:
        return Value(value.kind, _scalar(value.kind, rng))
    if value.strings is not None:
        return Value(ARRAY, element=STRING, strings=_changed_list(value.strings, rng, _text))
    size = SIZES.get(value.element, 1)
    parts = [value.raw[i : i + size] for i in range(0, len(value.raw), size)]
    changed = _changed_list(parts, rng, lambda _, r: _scalar(value.element, r))
    return Value(ARRAY, b"".join(changed), value.element)


def _changed_list(
    items: list[bytes], rng: random.Random, change: Callable[[bytes, random.Random], bytes]
) -> list[bytes]:
    items = list(items)
    action = rng.randrange(6)
    if not items or action == 0:
        items.insert(rng.randint(0, len(items)), change(b"", rng))
        return items
    at = rng.randrange(len(items))
    if action == 1:
        del items[at : at + rng.choice((1, 1, 2, 300))]
    elif action == 2:
        items.insert(rng.randrange(len(items)), items[at])
    elif action == 3:
        to = rng.randrange(len(items))
        items[at], items[to] = items[to], items[at]
    else:
        items[at] = change(items[at], rng)
    return items


def _text(raw: bytes, rng: random.Random) -> bytes:
    action = rng.randrange(4)
    if action == 0 or not raw:
        return rng.choice(TEXTS)
    at = rng.randrange(len(raw))
    if action == 1:
        return raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
    if action == 2:
        return raw[:at] + raw[at + 1 :]
    return raw[:at] + rng.choice(TEXTS)[:200] + raw[at:]


def _new_key(pieces: Pieces, rng: random.Random) -> None:
    key = rng.choice(KEYS) if rng.random() < 0.9 else rng.choice(TEXTS)
    pair = (key, random_value(rng))
    at = next((i for i, (k, _) in enumerate(pieces.pairs) if k == key), None)
    if at is not None and rng.random() < 0.9:
        pieces.pairs[at] = pair
    else:
        pieces.pairs.insert(rng.randint(0, len(pieces.pairs)), pair)


def _drop_key(pieces: Pieces, rng: random.Random) -> None:
    if pieces.pairs:
        del pieces.pairs[rng.randrange(len(pieces.pairs))]


def _repeat_key(pieces: Pieces, rng: random.Random) -> None:
    if pieces.pairs:
        pieces.pairs.insert(rng.randrange(len(pieces.pairs)), rng.choice(pieces.pairs))


def _rename_key(pieces: Pieces, rng: random.Random) -> None:
    if pieces.pairs:
        at = rng.randrange(len(pieces.pairs))
        key, value = pieces.pairs[at]
        pieces.pairs[at] = (rng.choice((rng.choice(KEYS), _text(key, rng))), value)


# --- tensor table -----------------------------------------------------------------------------


def _change_dims(pieces: Pieces, rng: random.Random) -> None:
    if not pieces.records:
        return
    record = rng.choice(pieces.records)
    action = rng.randrange(6)
    if not record.dims or action == 0:
        record.dims.insert(rng.randint(0, len(record.dims)), rng.choice(NUMBERS))
        return
    at = rng.randrange(len(record.dims))
    if action == 1:
        del record.dims[at]
    elif action == 2:
        record.dims[at] += rng.choice((-1, 1, 32, -32, 256, -256))
    elif action == 3:
        rng.shuffle(record.dims)
    else:
        record.dims[at] = rng.choice(NUMBERS)


def _change_kind(pieces: Pieces, rng: random.Random) -> None:
    if pieces.records:
        rng.choice(pieces.records).kind = rng.choice((*range(42), 2**31, 2**32 - 1))


def _change_offset(pieces: Pieces, rng: random.Random) -> None:
    if pieces.records:
        record = rng.choice(pieces.records)
        record.offset = rng.choice(
            (
                rng.choice(NUMBERS),
                record.offset + rng.choice((-pieces.alignment, pieces.alignment, 1, 8)),
                rng.choice(pieces.records).offset,
                -record.offset,
            )
        )


def _change_name(pieces: Pieces, rng: random.Random) -> None:
    if pieces.records:
        record = rng.choice(pieces.records)
        record.name = rng.choice(
            (rng.choice(NAMES), _text(record.name, rng), rng.choice(pieces.records).name)
        )


def _drop_record(pieces: Pieces, rng: random.Random) -> None:
    if pieces.records:
        del pieces.records[rng.randrange(len(pieces.records))]


def _new_record(pieces: Pieces, rng: random.Random) -> None:
    dims = [rng.choice(NUMBERS[:40]) for _ in range(rng.randint(1, 4))]
    record = Record(rng.choice(NAMES), dims, rng.randrange(42), 32 * rng.randrange(64))
    pieces.records.insert(rng.randint(0, len(pieces.records)), record)


def _swap_records(pieces: Pieces, rng: random.Random) -> None:
    if pieces.records:
        a, b = rng.choice(pieces.records), rng.choice(pieces.records)
        which = rng.randrange(3)
        if which == 0:
            a.dims, b.dims = b.dims, a.dims
        elif which == 1:
            a.kind, b.kind = b.kind, a.kind
        else:
            a.offset, b.offset = b.offset, a.offset


_ON_PAIRS: tuple[Change, ...] = (
    _change_value, _change_value, _change_value, _new_key, _new_key, _drop_key, _repeat_key,
    _rename_key,
)  # fmt: skip
_ON_RECORDS: tuple[Change, ...] = (
    _change_dims, _change_dims, _change_kind, _change_offset, _change_name, _drop_record,
    _new_record, _swap_records,
)  # fmt: skip


# --- the rest ---------------------------------------------------------------------------------


def _header(pieces: Pieces, rng: random.Random) -> None:
    action = rng.randrange(4)
    if action == 0:
        pieces.version = rng.choice((0, 1, 2, 2, 3, 4, 0x02000000, 0x03000000, 2**32 - 1))
    elif action == 1:
        pieces.more_pairs = rng.choice((-1, 1, rng.choice(NUMBERS)))
    elif action == 2:
        pieces.more_records = rng.choice((-1, 1, rng.choice(NUMBERS)))
    else:
        pieces.more_pairs, pieces.more_records = rng.choice(((-1, 1), (1, -1)))


def _alignment(pieces: Pieces, rng: random.Random) -> int:
    """Claim another alignment, keep it or not; return how many bytes too many to put somewhere."""
    action = rng.randrange(3)
    if action == 2:
        return 1
    claimed = rng.choice((0, 1, 4, 8, 16, 32, 48, 64, 128, 4096, 65536, 131072, 2**31))
    value = Value(4, struct.pack("<I", claimed))
    pieces.pairs = [p for p in pieces.pairs if p[0] != b"general.alignment"]
    pieces.pairs.insert(rng.randint(0, len(pieces.pairs)), (b"general.alignment", value))
    if action == 0 and 8 <= claimed <= 4096:
        pieces.alignment = claimed
    return 0


def _data(pieces: Pieces, rng: random.Random) -> None:
    data = bytearray(pieces.data)
    if not data or rng.random() < 0.2:
        data += bytes(rng.choice((1, 32, 1000)))
    elif rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    else:
        at = rng.randrange(len(data))
        odd = (b"\x00\x7c", b"\xff\xff", b"\x00\x7e", b"\x00\x00\xc0\x7f", rng.randbytes(8))
        raw = rng.choice(odd)
        data[at : at + len(raw)] = raw
    pieces.data = bytes(data)


def _borrow(pieces: Pieces, other: Pieces, rng: random.Random) -> None:
    if other.pairs and rng.random() < 0.6:
        key, value = rng.choice(other.pairs)
        pieces.pairs = [p for p in pieces.pairs if p[0] != key]
        pieces.pairs.insert(rng.randint(0, len(pieces.pairs)), (key, value))
    elif other.records:
        lent = rng.choice(other.records)
        pieces.records.append(Record(lent.name, list(lent.dims), lent.kind, lent.offset))
