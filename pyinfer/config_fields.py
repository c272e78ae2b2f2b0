"""Typed and range-checked reading of hyper-parameters from a mapping that a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyinfer.errors import ModelFormatError

MAX_LAYERS = 512
MAX_HEADS = 1024
MAX_VOCAB = 1 << 20
MAX_CONTEXT = 1 << 20
MAX_WIDTH = 1 << 20
MAX_HEAD_DIM = 1024
MAX_ROPE_THETA = 1e15
MAX_ROPE_FACTOR = 4096.0


def show(value: object) -> str:
    """``value`` for a message: short, whatever its size."""
    if isinstance(value, int) and not isinstance(value, bool):
        # repr() of an int of thousands of digits is slow, then refused by the interpreter.
        return (
            str(value) if value.bit_length() <= 128 else f"an integer of {value.bit_length()} bits"
        )
    if isinstance(value, float | str | bool | None):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)} entries"
    if isinstance(value, Sequence):
        return f"a list of {len(value)} entries"
    return f"a value of type {type(value).__name__}"


class Fields:
    """Reads single values out of ``data``; every refusal names ``source`` and the key.

    Parameters
    ----------
    data : Mapping[str, object]
        Parsed JSON object or GGUF metadata. Keys that nobody asks for are ignored.
    source : str
        What the messages call the origin, such as ``config.json``.
    """

    __slots__ = ("data", "source")

    def __init__(self, data: Mapping[str, Any], source: str) -> None:
        self.data = data
        self.source = source

    def present(self, key: str) -> bool:
        """Whether ``key`` is there and not null."""
        return self.data.get(key) is not None

    def fail(self, key: str, expected: str) -> ModelFormatError:
        """Build the error for a value that is not what it must be."""
        if not self.present(key):
            return ModelFormatError(f"{self.source}: {key} is missing, expected {expected}")
        return ModelFormatError(
            f"{self.source}: {key} must be {expected}, found {show(self.data[key])}"
        )

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer within [low, high]; a missing value without default is an error."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number within [low, high]."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        # The range is compared before the conversion: float() of a huge integer overflows.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise self.fail(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def above(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number within (low, high]."""
        value = self.number(key, low, high, default)
        if value == low and self.present(key):
            raise self.fail(key, f"a number above {low:g}, at most {high:g}")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(key, "a string")
        return value

    def section(self, key: str) -> Fields | None:
        """Return the reader of a nested object, or None if it is missing, null or empty."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.fail(key, "an object")
        return Fields(value, f"{self.source}: {key}") if value else None

    def token_ids(self, key: str, vocab_size: int) -> tuple[int, ...]:
        """Return one token id or a list of ids, sorted and without doubles; () if missing."""
        value = self.data.get(key)
        if value is None:
            return ()
        ids = value if isinstance(value, list) else [value]
        for id_ in ids:
            if isinstance(id_, bool) or not isinstance(id_, int) or not 0 <= id_ < vocab_size:
                raise self.fail(
                    key, f"a token id below the vocabulary size {vocab_size}, or a list"
                )
        return tuple(sorted(set(ids)))


def kv_heads(fields: Fields, key: str, n_heads: int) -> int:
    """Return the number of key/value heads, a divisor of the query heads and by default as many."""
    n_kv_heads = fields.integer(key, 1, n_heads, n_heads)
    if n_heads % n_kv_heads:
        raise fields.fail(key, f"a divisor of the {n_heads} attention heads")
    return n_kv_heads


def head_size(fields: Fields, key: str, hidden_size: int, n_heads: int) -> int:
    """Return the values per head, an even number; by default the width over the heads."""
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
