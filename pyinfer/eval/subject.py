"""A model under measurement: the model and its tokenizer, without an engine around them."""

from __future__ import annotations

from pathlib import Path

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import LoadedModel, Progress, load_model
from pyinfer.errors import RequestError
from pyinfer.loading import read_tokenizer
from pyinfer.model.model import Model
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import resolve_model
from pyinfer.text.tokenizer import Tokenizer


class Subject:
    """A loaded model that is stepped directly, by one thread; a context manager.

    Parameters
    ----------
    model : str or Path, optional
        As :func:`pyinfer.load` takes it; None is the embedded model.
    options : LoadOptions
        ``ctx_size`` is the tokens of the longest window.
    progress : callable, optional
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
        options: LoadOptions,
        progress: Progress | None = None,
    ) -> None:
        resolved = resolve_model(DEMO_FOLDER if model is None else model)
        self.name = resolved.name
        with resolved.reading():
            self._tokenizer, _ = read_tokenizer(resolved.path, options.pre)
            self.loaded: LoadedModel = load_model(resolved.path, options, progress=progress)

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
