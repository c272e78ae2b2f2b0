"""A model under measurement: the model and its tokenizer, without an engine around them."""

from __future__ import annotations

from pathlib import Path

from pyinfer.checkpoint.loader import LoadedModel, Progress, load_model
from pyinfer.errors import RequestError
from pyinfer.loading import DEMO_FOLDER, read_tokenizer
from pyinfer.model.model import Model
from pyinfer.store.resolve import resolve_model
from pyinfer.text.tokenizer import Tokenizer


class Subject:
    """A loaded model that is stepped directly, by one thread; a context manager.

    Parameters
    ----------
    model : str or Path, optional
        As :func:`pyinfer.load` takes it; None is the embedded model.
    n_ctx : int
        Tokens of the longest window.
    dtype, threads, isa, progress
        As :func:`pyinfer.load`.

    Attributes
    ----------
    name : str
    loaded : LoadedModel
    tokenizer : Tokenizer or None

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError, UsageError
        As :func:`pyinfer.load`.
    InsufficientMemoryError
        The model and one window do not fit the memory.
    """

    def __init__(
        self,
        model: str | Path | None,
        n_ctx: int,
        *,
        dtype: str | None = None,
        threads: int | None = None,
        isa: str | None = None,
        kv_type: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        resolved = resolve_model(DEMO_FOLDER if model is None else model)
        self.name = resolved.name
        with resolved.reading():
            self._tokenizer, _ = read_tokenizer(resolved.path)
            self.loaded: LoadedModel = load_model(
                resolved.path,
                dtype=dtype,
                threads=threads,
                ctx_size=n_ctx,
                isa=isa,
                kv_type=kv_type,
                progress=progress,
            )

    @property
    def model(self) -> Model:
        """The model."""
        return self.loaded.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises
        ------
        RequestError
            The model has none.
        """
        return checked_tokenizer(self._tokenizer, self.name)

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *error: object) -> None:
        self.loaded.model.close()


def checked_tokenizer(tokenizer: Tokenizer | None, name: str) -> Tokenizer:
    """Return the tokenizer, or raise RequestError for a model without one."""
    if tokenizer is None:
        raise RequestError(
            f"{name} has no tokenizer, so text cannot be read",
            hint="put tokenizer.json into the model's folder",
        )
    return tokenizer


def tokenizer_of(model: str | Path | None) -> Tokenizer:
    """Return the tokenizer of a model without loading its weights; errors as :class:`Subject`."""
    resolved = resolve_model(DEMO_FOLDER if model is None else model)
    with resolved.reading():
        tokenizer, _ = read_tokenizer(resolved.path)
    return checked_tokenizer(tokenizer, resolved.name)
