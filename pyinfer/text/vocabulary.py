"""A byte-level BPE vocabulary: its parts, the checks on them, and the `tokenizers` object.

Both sources of a tokenizer (``tokenizer.json`` and GGUF metadata) end here. Everything that a
stranger's file can get wrong is refused before the native package sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from tokenizers import AddedToken, models
from tokenizers import Tokenizer as Backend

from pyinfer.errors import ModelFormatError
from pyinfer.text.byte_alphabet import BYTE_CHAR_SET, BYTE_CHARS, bytes_to_piece
from pyinfer.text.tags import ALL_TAGS

T = TypeVar("T")

MAX_TOKENS = 1 << 20
MAX_MERGES = 4 << 20
MAX_TOKEN_BYTES = 4096
MAX_ADDED_TOKENS = 65_536


@dataclass(frozen=True, slots=True)
class AddedPiece:
    """A token matched as a whole string before byte-pair encoding."""

    id: int
    content: str
    special: bool  # hidden in text shown to the user
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False


@dataclass(slots=True)
class Vocabulary:
    """Checked vocabulary.

    Attributes
    ----------
    where : str
        Name of the source for messages, such as ``tokenizer.json``.
    pieces : dict of str to int
        Byte-level spelling to id. Names of added tokens may be among them; no merge gives those.
    merges : list of (str, str)
        In order of priority.
    added : list of AddedPiece
        Sorted by id.
    unused : frozenset of int
        Ids with a name and no use (vocabulary padding).
    ignore_merges : bool
        A whole word found in the vocabulary is taken without merging.
    control : frozenset of int
        Added ids that ordinary text can never become.
    """

    where: str
    pieces: dict[str, int]
    merges: list[tuple[str, str]]
    added: list[AddedPiece]
    unused: frozenset[int] = frozenset()
    ignore_merges: bool = False
    control: frozenset[int] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        self.added.sort(key=lambda piece: piece.id)
        self._check_ids()
        self._check_pieces()
        self._check_merges()
        self._find_control()

    @property
    def n_tokens(self) -> int:
        """One more than the last id that stands for text."""
        last = max(max(self.pieces.values()), self.added[-1].id if self.added else 0)
        return last + 1

    def token_named(self, text: str) -> int | None:
        """The id of the token that stands for exactly ``text``, whatever its type."""
        added = next((piece.id for piece in self.added if piece.content == text), None)
        return self.pieces.get(bytes_to_piece(text.encode())) if added is None else added

    def build(self, template: Backend) -> Backend:
        """Put model and added tokens into ``template``, which has the normalizer and the rest."""
        model = package_call(
            lambda: models.BPE(self.pieces, self.merges, ignore_merges=self.ignore_merges),
            f"{self.where}: vocabulary",
        )
        template.model = model
        tokens = [
            AddedToken(
                piece.content,
                single_word=piece.single_word,
                lstrip=piece.lstrip,
                rstrip=piece.rstrip,
                normalized=piece.normalized,
                special=piece.special,
            )
            for piece in self.added
        ]
        package_call(lambda: template.add_tokens(tokens), f"{self.where}: added tokens")
        for piece in self.added:
            got = template.token_to_id(piece.content)
            if got != piece.id:
                raise ModelFormatError(
                    f"{self.where}: added token {piece.content[:80]!r} has id {piece.id}, "
                    f"but its place in the vocabulary is {got}"
                )
        return template

    def _fail(self, what: str) -> ModelFormatError:
        return ModelFormatError(f"{self.where}: {what}")

    def _check_ids(self) -> None:
        if len(self.added) > MAX_ADDED_TOKENS:
            raise self._fail(f"{len(self.added):,} added tokens, the limit is {MAX_ADDED_TOKENS:,}")
        ids = list(chain(self.pieces.values(), (piece.id for piece in self.added), self.unused))
        if not self.pieces or not ids:
            raise self._fail("the vocabulary is empty")
        if not all(type(i) is int for i in ids):
            raise self._fail("a token id is not an integer")
        low, high = min(ids), max(ids)
        if low < 0 or high >= MAX_TOKENS:
            raise self._fail(
                f"token ids go from {low} to {high}, allowed are 0 to {MAX_TOKENS - 1}"
            )
        names: dict[int, str] = {i: piece for piece, i in self.pieces.items()}
        if len(names) != len(self.pieces):
            raise self._fail("two tokens share one id")
        seen: set[str] = set()
        for piece in self.added:
            if not piece.content:
                raise self._fail(f"added token {piece.id} is empty")
            if names.setdefault(piece.id, piece.content) != piece.content or piece.content in seen:
                raise self._fail(
                    f"added token {piece.content[:80]!r} (id {piece.id}) is listed twice or "
                    f"shares its id with {names[piece.id][:80]!r}"
                )
            seen.add(piece.content)
        names.update(dict.fromkeys(self.unused, ""))
        if len(names) != high + 1:
            raise self._fail(f"ids have gaps: {len(names)} tokens, but the last id is {high}")

    def _check_pieces(self) -> None:
        contents = {piece.content for piece in self.added}
        ordinary = (
            self.pieces.keys() - contents if not contents.isdisjoint(self.pieces) else self.pieces
        )
        foreign = set("".join(ordinary)) - BYTE_CHAR_SET
        if foreign or "" in self.pieces:
            char = min(foreign, default="")
            name = next((p for p in ordinary if char in p), "") if foreign else ""
            raise self._fail(
                f"token {name[:80]!r} (id {self.pieces[name]}) is not spelled in the byte alphabet"
            )
        missing = [byte for byte, char in enumerate(BYTE_CHARS) if char not in self.pieces]
        if missing:
            raise self._fail(
                f"the byte alphabet is incomplete: {len(missing)} of 256 bytes have no token, "
                f"the first is 0x{missing[0]:02X}"
            )
        for name in chain(self.pieces, contents):
            if len(name) * 4 > MAX_TOKEN_BYTES and len(name.encode()) > MAX_TOKEN_BYTES:
                raise self._fail(
                    f"token {name[:40]!r}... has {len(name.encode()):,} bytes, "
                    f"the limit is {MAX_TOKEN_BYTES:,}"
                )

    def _check_merges(self) -> None:
        if len(self.merges) > MAX_MERGES:
            raise self._fail(f"{len(self.merges):,} merges, the limit is {MAX_MERGES:,}")
        pieces = self.pieces
        for number, (left, right) in enumerate(self.merges):
            if left not in pieces or right not in pieces or left + right not in pieces:
                unknown = next(p for p in (left, right, left + right) if p not in pieces)
                raise self._fail(
                    f"merge {number} ({left[:40]!r}, {right[:40]!r}) needs the token "
                    f"{unknown[:80]!r}, which the vocabulary does not have"
                )

    def _find_control(self) -> None:
        if self.ignore_merges:
            spelled = set(self.pieces)
        else:
            spelled = {left + right for left, right in self.merges} | BYTE_CHAR_SET
        for piece in self.added:
            if piece.special and piece.content in spelled:
                raise self._fail(
                    f"special token {piece.content[:80]!r} can be spelled by ordinary text"
                )
        self.control = frozenset(p.id for p in self.added if p.content not in spelled)


def lost_tags(tokens: Iterable[str], merges: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Tags among ``tokens`` that no text becomes, because no merge leads to them.

    A model that has them was trained with them as whole tokens, so they are read as such even
    where the file lists them as ordinary or unused ones.
    """
    found = ALL_TAGS.intersection(tokens)
    return found.difference(left + right for left, right in merges) if found else found


def package_call(call: Callable[[], T], what: str) -> T:
    """Call the native package; its failures, panics included, become ModelFormatError."""
    try:
        return call()
    except Exception as error:
        raise ModelFormatError(f"{what}: {error}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ModelFormatError(f"{what}: the tokenizers package failed on it") from None


def require_text(value: object, what: str) -> str:
    """Return ``value`` if it is a string that UTF-8 can hold, else raise ModelFormatError."""
    if not isinstance(value, str):
        raise ModelFormatError(f"{what} must be a string, found {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ModelFormatError(f"{what} has a lone surrogate") from None
    return value


@dataclass(frozen=True, slots=True)
class TokenizerParts:
    """What a source of a tokenizer gives: the vocabulary and the rules around it.

    ``chat_bos`` puts BOS in front of a rendered conversation that does not begin with it, as
    llama.cpp does; ``notes`` are for the load report.
    """

    backend: Backend
    vocabulary: Vocabulary
    bos_id: int | None
    eos_ids: tuple[int, ...]
    add_bos: bool
    chat_template: str | None
    chat_bos: bool = False
    notes: tuple[str, ...] = ()

    @staticmethod
    def union(ids: Iterable[int | None]) -> tuple[int, ...]:
        """Ids in the order of their first appearance, without repeats and None."""
        return tuple(dict.fromkeys(i for i in ids if i is not None))


def check_token_id(value: object, n_tokens: int, what: str) -> int:
    """Return ``value`` if it is an id below ``n_tokens``, else raise ModelFormatError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelFormatError(f"{what} must be an integer, found {type(value).__name__}")
    if not 0 <= value < n_tokens:
        raise ModelFormatError(f"{what} is not an id below {n_tokens:,}")
    return value
