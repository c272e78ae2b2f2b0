"""Which files of a repository make the model that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyinfer.checkpoint.model_files import ModelFiles
from pyinfer.errors import ModelNotFoundError, ModelUnsupportedError
from pyinfer.store.manifest import ModelKind

FOLDER_LABEL = "latest"
_QUANT = re.compile(
    r"(?:^|[-._/])((?:I?Q[1-8](?:_[0-9A-Z]+)*|B?F16|FP16|F32))(?=$|[-._/])", re.IGNORECASE
)
_SPLIT = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})")
# Without a choice of the user: small and good enough first.
_PREFERRED = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_K_S", "Q5_K_S", "Q4_0", "BF16", "F16")
_FOLDER_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "LICENSE",
)
_WEIGHTS = re.compile(r"model(?:-[0-9]{5}-of-[0-9]{5})?\.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, slots=True)
class Selection:
    """Files of one model.

    Attributes
    ----------
    kind : "folder" or "gguf"
    files : tuple of str
        Paths inside the repository; of a split GGUF model in the order of its parts.
    label : str
        What tells it from the other models of the repository, such as ``Q4_K_M``.
    """

    kind: ModelKind
    files: tuple[str, ...]
    label: str


def select_files(names: Iterable[str], selector: str, where: str) -> Selection:
    """Choose among the files of a repository.

    Parameters
    ----------
    names : iterable of str
        Paths inside the repository.
    selector : str
        A ``.gguf`` file, a quantization, ``latest`` or empty for the default: the checkpoint
        folder if there is one, else the usual quantization.
    where : str
        The repository, for messages.

    Raises
    ------
    ModelNotFoundError
        Nothing matches; the message lists what there is.
    ModelUnsupportedError
        Only files that are never opened.
    """
    files = sorted(names)
    models = _gguf_models(files)
    if selector.endswith(".gguf"):
        return _by_file(models, selector, where)
    wanted = "" if selector.lower() == FOLDER_LABEL else selector
    if not wanted:
        folder = _folder_files(files)
        if folder:
            return Selection("folder", folder, FOLDER_LABEL)
        return _default(models, files, where)
    found = [model for model in models if model.label.lower() == wanted.lower()]
    found = found or [m for m in models if wanted.lower() == _stem(m.files[0]).lower()]
    return _only(found, models, wanted, where)


def select_local(found: ModelFiles) -> Selection:
    """The files of a model on this machine, which the loader has found."""
    if found.kind == "gguf":
        return Selection("gguf", tuple(found.weights), _label(found.path.name))
    beside = (name for name in _FOLDER_FILES if (found.path / name).is_file())
    return Selection("folder", (*beside, *found.weights), FOLDER_LABEL)


def stored_name(selection: Selection, name: str) -> str:
    """What a file is called in the store: a GGUF file of any name is found there by its ending."""
    whole = selection.kind == "gguf" and len(selection.files) == 1
    return "model.gguf" if whole and not name.endswith(".gguf") else name


def _folder_files(files: Sequence[str]) -> tuple[str, ...]:
    weights = [name for name in files if _WEIGHTS.fullmatch(name)]
    if "config.json" not in files or not weights:
        return ()
    if "model.safetensors" in weights and "model.safetensors.index.json" not in files:
        weights = ["model.safetensors"]
    # Small files first: what cannot run is seen before the weights are fetched.
    return (*(name for name in _FOLDER_FILES if name in files), *weights)


def _gguf_models(files: Sequence[str]) -> list[Selection]:
    parts: dict[str, list[str]] = {}
    for name in files:
        if not name.endswith(".gguf") or "mmproj" in name.lower():
            continue
        split = _SPLIT.fullmatch(name.removesuffix(".gguf"))
        parts.setdefault(f"{split[1]}-of-{split[3]}" if split else name, []).append(name)
    return [Selection("gguf", tuple(group), _label(group[0])) for group in parts.values()]


def _label(name: str) -> str:
    for text in (_stem(name), name.rpartition("/")[0]):
        found = _QUANT.findall(text)
        if found:
            return str(found[-1]).upper()
    return _stem(name)


def _stem(name: str) -> str:
    stem = name.rpartition("/")[2].removesuffix(".gguf")
    split = _SPLIT.fullmatch(stem)
    return split[1] if split else stem


def _by_file(models: Sequence[Selection], selector: str, where: str) -> Selection:
    for model in models:
        if any(selector in (name, name.rpartition("/")[2]) for name in model.files):
            return model
    raise ModelNotFoundError(f"{where} has no file {selector}", hint=_choices(models))


def _default(models: Sequence[Selection], files: Sequence[str], where: str) -> Selection:
    if not models:
        if any(name.endswith(_PICKLES) for name in files):
            raise ModelUnsupportedError(
                f"{where} holds pickle files, which can run any code when they are read",
                hint="look for a repository with safetensors or GGUF files",
            )
        raise ModelNotFoundError(f"{where} holds neither safetensors with a config nor GGUF files")
    for label in _PREFERRED:
        found = [model for model in models if model.label == label]
        if found:
            return _only(found, models, label, where)
    return _only(list(models), models, "", where)


def _only(
    found: Sequence[Selection], models: Sequence[Selection], wanted: str, where: str
) -> Selection:
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(model.files[0] for model in found[:20])
        raise ModelNotFoundError(f"{where} has several such models", hint=f"name the file: {names}")
    raise ModelNotFoundError(f"{where} has no {wanted}", hint=_choices(models))


def _choices(models: Sequence[Selection]) -> str:
    labels = sorted({model.label for model in models})
    return f"there are: {', '.join(labels[:40])}" if labels else "it has no GGUF files"
