"""Text to token ids and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import Tokenizer as Backend

from pyinfer.errors import ContextLengthError, RequestError
from pyinfer.text.byte_alphabet import piece_to_bytes
from pyinfer.text.folder_tokenizer import read_folder
from pyinfer.text.gguf_tokenizer import read_gguf
from pyinfer.text.tags import ALL_TAGS, Tag
from pyinfer.text.text_cuts import find_cut, pieces
from pyinfer.text.token_bound import TokenBound
from pyinfer.text.vocabulary import TokenizerParts

#: Texts up to this size are counted to their end also when they do not fit.
EXACT_CHARS = 1 << 20
#: A longer text without a place to cut is refused where a limit is set: it would take gigabytes.
MAX_WORD_BYTES = 4 << 20
#: Below it the other threads can wait for the interpreter's lock, which the plain call holds.
_SHORT_CHARS = 2048


class Tokenizer:
    """A byte-level BPE tokenizer.

    Made by :meth:`from_folder` or :meth:`from_gguf`; for the 152k vocabulary of Qwen2 that takes
    about half a second. Instances do not change and may be used from several threads at once;
    encoding long texts runs outside the global interpreter lock, in pieces of bounded size where
    the rule that splits words is a known one.

    Attributes
    ----------
    n_tokens : int
        One more than the last id with a meaning. A model may have more (padding) rows.
    bos_id : int or None
        Begin of sequence.
    eos_ids : tuple of int
        Every id that ends a generation.
    add_bos : bool
        Whether :meth:`encode` with ``add_special`` puts BOS in front.
    special_ids : frozenset of int
        Ids hidden from readers (``skip_special``).
    control_ids : frozenset of int
        Ids that ordinary text can never become: special ones and others such as ``<think>``.
    added_tokens : Mapping of str to int
        Tokens that are matched as whole strings.
    tags : Mapping of str to int
        Tags of reasoning and tool calls that are one token, whatever its type.
    chat_template : str or None
        Jinja source from the model.
    chat_bos : bool
        Put BOS in front of a rendered conversation that does not begin with it.
    notes : tuple of str
        Lines for the load report.

    Examples
    --------
    >>> tokenizer = Tokenizer.from_folder("DeepSeek-R1-Distill-Qwen-1.5B")  # doctest: +SKIP
    >>> tokenizer.encode("Who are you?")  # doctest: +SKIP
    [15191, 525, 498, 30]
    """

    def __init__(self, parts: TokenizerParts) -> None:
        vocabulary = parts.vocabulary
        self.n_tokens = vocabulary.n_tokens
        self.bos_id = parts.bos_id
        self.eos_ids = parts.eos_ids
        self.add_bos = parts.add_bos
        self.chat_template = parts.chat_template
        self.chat_bos = parts.chat_bos
        self.notes = parts.notes
        self.special_ids = frozenset(piece.id for piece in vocabulary.added if piece.special)
        self.control_ids = vocabulary.control
        self.added_tokens: Mapping[str, int] = MappingProxyType(
            {piece.content: piece.id for piece in vocabulary.added}
        )
        self.tags: Mapping[str, int] = MappingProxyType(
            {tag: i for tag in ALL_TAGS if (i := vocabulary.token_named(tag)) is not None}
        )
        self._tag_of = {i: Tag(tag) for tag, i in self.tags.items()}
        #: Added tokens that match text after Unicode normalization.
        self.matches_normalized = any(piece.normalized for piece in vocabulary.added)
        self._full = parts.backend
        # Both share one model object, so the second costs nothing.
        self._ordinary = Backend(parts.backend.model)
        if parts.backend.normalizer is not None:
            self._ordinary.normalizer = parts.backend.normalizer
        self._ordinary.pre_tokenizer = parts.backend.pre_tokenizer
        #: Belongs to :mod:`pyinfer.text.grammar_matcher`, which makes it for the first grammar.
        self.grammar_compiler: object = None
        self._cut = find_cut(parts.backend, vocabulary.added)
        self._takes_spaces = any(piece.lstrip or piece.rstrip for piece in vocabulary.added)
        self._bytes: list[bytes | str] = [b""] * self.n_tokens
        for piece, token_id in vocabulary.pieces.items():
            self._bytes[token_id] = piece
        for added in vocabulary.added:
            self._bytes[added.id] = added.content.encode("utf-8")

    @classmethod
    def from_folder(cls, path: str | Path) -> Tokenizer:
        """Read ``tokenizer.json`` and its companions from a Hugging Face folder.

        Raises
        ------
        ModelNotFoundError
            The folder has no ``tokenizer.json``.
        ModelFormatError, ModelUnsupportedError
            A file is damaged, or asks for something other than byte-level BPE.
        """
        return cls(read_folder(Path(path)))

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> Tokenizer:
        """Build the tokenizer from the ``tokenizer.*`` keys of a GGUF file.

        Raises
        ------
        ModelFormatError, ModelUnsupportedError
            A key is missing or wrong, or the kind of tokenizer is not supported.
        """
        return cls(read_gguf(metadata))

    def encode(
        self,
        text: str,
        add_special: bool = False,
        parse_special: bool = True,
        limit: int | None = None,
    ) -> list[int]:
        """Return the token ids of ``text``.

        Parameters
        ----------
        text : str
            Any Unicode text without lone surrogates.
        add_special : bool
            Put BOS in front if the model wants one; never a second one.
        parse_special : bool
            Read strings such as ``<think>`` as their tokens. False takes them as plain text: use
            it for text of strangers.
        limit : int, optional
            A text of more tokens is of no use. One of more than a mebi of characters is refused as
            soon as that is certain, mostly before it is tokenized; shorter ones are counted to
            their end, and returned.

        Raises
        ------
        RequestError
            ``text`` is not a string, or has a lone surrogate, or there is a limit and the text is
            one word of more than 4 MiB.
        ContextLengthError
            The text has more tokens than ``limit``; ``at_least`` is set.
        """
        ids: list[int] = []
        long = self.check_length(text, limit, add_special)
        for part in self.encode_pieces(text, add_special, parse_special, bounded=limit is not None):
            ids += part
            if long and limit is not None and len(ids) > limit:
                raise ContextLengthError.of(len(ids), limit, room=limit, at_least=True)
        return ids

    def encode_pieces(
        self,
        text: str,
        add_special: bool = False,
        parse_special: bool = True,
        *,
        bounded: bool = True,
    ) -> Iterator[list[int]]:
        """The ids of :meth:`encode`, piece by piece, in memory that does not grow with the text.

        With ``bounded``, one word of more than 4 MiB is refused; other errors as there.
        """
        if not isinstance(text, str):
            raise RequestError(f"text must be a string, found {type(text).__name__}")
        backend = self._full if parse_special else self._ordinary
        begins = add_special and self.add_bos and self.bos_id is not None
        if begins:
            yield [self.bos_id]  # type: ignore[list-item]
        for piece in pieces(text, self._cut):
            if bounded:
                _check_word(piece)
            ids: list[int] = self._run(backend, piece).ids
            if begins:
                first = next((n for n, i in enumerate(ids) if i != self.bos_id), len(ids))
                begins = first == len(ids)
                del ids[:first]
            yield ids

    def check_words(self, text: str) -> None:
        """Refuse a text with a word of more than 4 MiB, which takes too much memory.

        Raises
        ------
        RequestError
            With the length of the word.
        """
        for piece in pieces(text, self._cut):
            _check_word(piece)

    def fewest_tokens(self, text: str) -> int:
        """Tokens that ``text`` has at least, found without tokenizing it.

        Raises
        ------
        RequestError
            The text has a lone surrogate.
        """
        try:
            return self._bound.fewest(text)
        except UnicodeEncodeError:
            raise _no_unicode() from None

    @cached_property
    def _bound(self) -> TokenBound:
        return TokenBound(self._full, self._bytes, self._takes_spaces)

    def check_length(self, text: str, limit: int | None, add_special: bool = False) -> bool:
        """Refuse a long text that certainly has more than ``limit`` tokens.

        Returns
        -------
        bool
            Whether the text is one that is counted no further than needed.

        Raises
        ------
        ContextLengthError
            With the least number of tokens that it has.
        """
        if limit is None or not isinstance(text, str) or len(text) <= EXACT_CHARS:
            return False
        if add_special and self.bos_id is not None:
            # All of them become one.
            bos, begin = self.token_text(self.bos_id), 0
            while bos and text.startswith(bos, begin):
                begin += len(bos)
            text = text[begin:]
        fewest = self.fewest_tokens(text)
        if fewest > limit:
            raise ContextLengthError.of(fewest, limit, room=limit, at_least=True)
        return True

    def plain_encoder(self) -> Callable[[str], list[int]]:
        """Return ``encode`` without control tokens as a function that does not hold this object."""
        backend = self._ordinary
        return lambda text: list(backend.encode(text, add_special_tokens=False).ids)

    def control_spans(self, text: str, *, bounded: bool = False) -> Iterator[tuple[int, int, int]]:
        """Yield (id, start, end) of every added token in ``text``; ends count characters.

        For ``bounded`` see :meth:`encode_pieces`.
        """
        added = set(self.added_tokens.values())
        begin = 0
        for piece in pieces(text, self._cut):
            if bounded:
                _check_word(piece)
            found = self._run(self._full, piece, offsets=True)
            for token_id, (start, end) in zip(found.ids, found.offsets, strict=True):
                if token_id in added:
                    yield token_id, begin + start, begin + end
            begin += len(piece)

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> str:
        """Return the text of ``ids``; bytes that are no UTF-8 become U+FFFD.

        Raises
        ------
        RequestError
            An id is outside the vocabulary.
        """
        hidden: frozenset[int] = self.special_ids if skip_special else frozenset()
        data = b"".join(self.token_bytes(i) for i in ids if i not in hidden)
        return data.decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that one token stands for; empty for unused ids.

        Raises
        ------
        RequestError
            The id is outside the vocabulary.
        """
        if not 0 <= token_id < self.n_tokens:
            raise RequestError(
                f"token id {token_id} is outside the vocabulary (0 to {self.n_tokens - 1})"
            )
        found = self._bytes[token_id]
        if isinstance(found, bytes):
            return found
        data = piece_to_bytes(found)
        self._bytes[token_id] = data
        return data

    def tag(self, token_id: int) -> Tag | None:
        """Return the tag that a token is, if it is one."""
        return self._tag_of.get(token_id)

    def token_text(self, token_id: int | None) -> str:
        """Return one token as text, ``""`` for None. For names such as BOS."""
        return "" if token_id is None else self.token_bytes(token_id).decode("utf-8", "replace")

    def _run(self, backend: Backend, text: str, offsets: bool = False) -> Any:
        try:
            if len(text) <= _SHORT_CHARS:
                return backend.encode(text, add_special_tokens=False)
            run = backend.encode_batch if offsets else backend.encode_batch_fast
            return run([text], add_special_tokens=False)[0]
        except TypeError:
            raise _no_unicode() from None


def _check_word(piece: str) -> None:
    if 4 * len(piece) <= MAX_WORD_BYTES:
        return
    size = len(piece.encode("utf-8", "surrogatepass"))
    if size > MAX_WORD_BYTES:
        raise RequestError(
            f"{size} bytes of the text are one word, the limit is {MAX_WORD_BYTES}",
            hint="put spaces between words",
        )


def _no_unicode() -> RequestError:
    return RequestError("the text has a lone surrogate, which is not Unicode text")
