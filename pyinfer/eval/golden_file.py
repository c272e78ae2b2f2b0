"""Published answers of models, kept as small files: which model, prompts, tokens.

The files of this package lie in ``pyinfer/eval/golden``; a model's folder may bring its own
``golden-generation.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_INDEX_BYTES
from pyinfer.config import ModelConfig
from pyinfer.errors import ModelFormatError, ModelNotFoundError

OWN_NAME = "golden-generation.json"
SHIPPED = Path(__file__).parent / "golden"

_MATCHED = ("hidden_size", "n_layers", "vocab_size", "rope_theta", "tie_embeddings")


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One prompt and what follows it.

    Attributes
    ----------
    name : str
    prompt : str
        Text of the prompt, or empty.
    prompt_ids : tuple of int
    answer : tuple of int
        The greedy tokens, or the first ones of them.
    logprobs : tuple of float
        Of the first tokens of the answer, in nats; may be empty.
    """

    name: str
    prompt: str
    prompt_ids: tuple[int, ...]
    answer: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """A file of published answers.

    Attributes
    ----------
    model : str
        What published them.
    cases : tuple of GoldenCase
    texts : tuple of (str, tuple of int)
        Texts and their tokens.
    match : Mapping[str, object]
        Hyper-parameters of that model; empty if the file does not say.
    """

    model: str
    cases: tuple[GoldenCase, ...]
    texts: tuple[tuple[str, tuple[int, ...]], ...]
    match: Mapping[str, Any]

    def fits(self, config: ModelConfig) -> bool:
        """Whether a model has the shape of the one that published the answers."""
        return bool(self.match) and all(getattr(config, k) == v for k, v in self.match.items())


def read_golden(path: Path) -> Golden:
    """Read a file.

    Raises
    ------
    ModelFormatError
        Not JSON, or not of this form.
    ModelNotFoundError, StoreIOError
        Not there or not readable.
    """
    data = read_json_object(path, MAX_INDEX_BYTES)
    cases = _objects(data, "cases", path.name)
    texts = _objects(data, "tokenization_only", path.name)
    match = data.get("match", {})
    if not isinstance(match, dict) or not match.keys() <= set(_MATCHED):
        raise ModelFormatError(f"{path.name}: match may hold {', '.join(_MATCHED)}")
    return Golden(
        model=str(data.get("model", path.stem)),
        cases=tuple(_case(entry, f"{path.name}: case {i}") for i, entry in enumerate(cases)),
        texts=tuple(
            (_text(entry, "text", path.name), _ids(entry, "ids", path.name)) for entry in texts
        ),
        match=match,
    )


def find_golden(folder: Path, config: ModelConfig) -> Golden:
    """Return the answers for a model: those in its folder, or the shipped ones that fit.

    Raises
    ------
    ModelNotFoundError
        There are none.
    """
    own = folder / OWN_NAME
    if own.is_file():
        return read_golden(own)
    for path in sorted(SHIPPED.glob("*.json")):
        golden = read_golden(path)
        if golden.fits(config):
            return golden
    raise ModelNotFoundError(
        f"no published answers of a model like {config.name} are known",
        hint="name a file of them with --golden",
    )


def _objects(data: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ModelFormatError(f"{where}: {key} must be a list of objects")
    return found


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise ModelFormatError(f"{where}: {key} must be a string")
    return value


def _ids(entry: Mapping[str, Any], key: str, where: str) -> tuple[int, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(type(i) is int and i >= 0 for i in value):
        raise ModelFormatError(f"{where}: {key} must be a list of token ids")
    return tuple(value)


def _case(entry: Mapping[str, Any], where: str) -> GoldenCase:
    prompt_ids = _ids(entry, "prompt_ids", where)
    answer = _ids(entry, "generated_ids", where) or _ids(entry, "generated_ids_prefix", where)
    if not prompt_ids or not answer:
        raise ModelFormatError(f"{where}: prompt_ids and generated_ids are needed")
    key = next((k for k in entry if k.startswith("logprobs_bf16") or k == "logprobs"), "")
    logprobs = entry.get(key, [])
    if not isinstance(logprobs, list) or not all(isinstance(v, int | float) for v in logprobs):
        raise ModelFormatError(f"{where}: {key} must be a list of numbers")
    return GoldenCase(
        name=_text(entry, "name", where) or where,
        prompt=_text(entry, "prompt", where),
        prompt_ids=prompt_ids,
        answer=answer,
        logprobs=tuple(float(v) for v in logprobs[: len(answer)]),
    )
