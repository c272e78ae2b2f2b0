"""What a model on this machine is, from its headers; no weight is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path

from pyinfer.checkpoint.checkpoint import GgufTokenizer, open_checkpoint
from pyinfer.config import GenerationDefaults, ModelConfig

_MAX_LICENSE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """Facts about a model.

    Attributes
    ----------
    kind : "folder" or "gguf"
    config : ModelConfig
    generation : GenerationDefaults
    parameters : int
        Number of weights.
    formats : dict of str to int
        Bytes held in each format, the largest first.
    template : str
        Chat template of a GGUF file; empty for a folder or if there is none.
    license : str
    """

    kind: str
    config: ModelConfig
    generation: GenerationDefaults
    parameters: int
    formats: dict[str, int]
    template: str
    license: str

    @property
    def main_format(self) -> str:
        """The format that most bytes are in."""
        return next(iter(self.formats))


def read_details(path: Path) -> ModelDetails:
    """Read the headers of a model.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError
        As :func:`pyinfer.checkpoint.checkpoint.open_checkpoint`.
    """
    with open_checkpoint(path) as checkpoint:
        formats: Counter[str] = Counter()
        for info in checkpoint.tensors.values():
            formats[info.dtype] += info.rows * info.row_bytes
        source = checkpoint.tokenizer_source()
        template = ""
        if isinstance(source, GgufTokenizer):
            template = str(source.metadata.get("tokenizer.chat_template", ""))
        return ModelDetails(
            checkpoint.kind,
            checkpoint.config,
            checkpoint.generation,
            sum(prod(info.shape) for info in checkpoint.tensors.values()),
            dict(formats.most_common()),
            template,
            _license(path) if checkpoint.kind == "folder" else "",
        )


def _license(folder: Path) -> str:
    try:
        with (folder / "LICENSE").open("rb") as file:
            return file.read(_MAX_LICENSE_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""
