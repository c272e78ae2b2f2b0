"""Names of models, checked before any path or address is made from them.

``name[:tag]``, ``namespace/name[:tag]`` or ``host/namespace/name[:tag]``. A model of the hub is
``hf:org/repo[:file-or-quant][@revision]``; ``hf.co/`` and ``huggingface.co/`` mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyinfer.errors import InvalidNameError

LOCAL_HOST = "local"
LOCAL_NAMESPACE = "library"
HUB_HOST = "hf.co"
DEFAULT_TAG = "latest"
DEFAULT_REVISION = "main"

MAX_NAME_CHARS = 512
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_+=-]|\.(?!\.)){0,199}", re.ASCII)
_HUB_PREFIXES = ("hf:", "hf.co/", "huggingface.co/", "https://huggingface.co/", "https://hf.co/")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A checked name. Names are compared without case.

    Attributes
    ----------
    host, namespace, name : str
        Plain words: letters, digits, ``_ . -``; no dot at the start or the end, no two in a row.
    tag : str
        Empty when none was given.
    """

    host: str
    namespace: str
    name: str
    tag: str

    def __str__(self) -> str:
        parts = [self.host, self.namespace, self.name]
        if parts[0] == LOCAL_HOST:
            parts = parts[1:]
            if parts[0] == LOCAL_NAMESPACE:
                parts = parts[1:]
        return "/".join(parts) + (f":{self.tag}" if self.tag else "")

    @property
    def key(self) -> tuple[str, str, str]:
        """What two equal names without their tags have in common."""
        return self.host.lower(), self.namespace.lower(), self.name.lower()

    def with_tag(self, tag: str) -> ModelName:
        """The same name with another tag."""
        return ModelName(self.host, self.namespace, self.name, tag)


@dataclass(frozen=True, slots=True)
class HubReference:
    """A model of the hub.

    Attributes
    ----------
    org, repo : str
    selector : str
        Name of a file (it ends in ``.gguf``), a quantization such as ``Q4_K_M``, or empty.
    revision : str
        Branch, tag or commit.
    """

    org: str
    repo: str
    selector: str
    revision: str

    @property
    def repo_id(self) -> str:
        """``org/repo``."""
        return f"{self.org}/{self.repo}"

    def __str__(self) -> str:
        selector = f":{self.selector}" if self.selector else ""
        revision = f"@{self.revision}" if self.revision != DEFAULT_REVISION else ""
        return f"hf:{self.repo_id}{selector}{revision}"

    def stored_name(self, label: str) -> ModelName:
        """The name under which the store keeps it; ``label`` is what was selected."""
        tag = label if _TAG.fullmatch(label) else DEFAULT_TAG
        return ModelName(HUB_HOST, self.org, self.repo, tag)


def is_hub_reference(text: str) -> bool:
    """Whether ``text`` begins as a reference to the hub."""
    return text.startswith(_HUB_PREFIXES)


def parse_hub_reference(text: str) -> HubReference:
    """Read ``hf:org/repo[:file-or-quant][@revision]``.

    Raises
    ------
    InvalidNameError
        Anything else, above all what could leave its folder or address.

    Examples
    --------
    >>> parse_hub_reference("hf:org/repo:Q4_K_M").selector
    'Q4_K_M'
    """
    rest = text
    for prefix in _HUB_PREFIXES:
        if rest.startswith(prefix):
            rest = rest[len(prefix) :]
            break
    rest, has_revision, revision = rest.partition("@")
    repo_id, has_selector, selector = rest.partition(":")
    org, slash, repo = repo_id.partition("/")
    if not slash or len(text) > MAX_NAME_CHARS:
        raise _invalid(text, "expected hf:org/repo[:file-or-quant]")
    for part in (org, repo):
        _check(_PART, part, text)
    if has_selector:
        for part in selector.split("/"):
            _check(_FILE if selector.endswith(".gguf") else _TAG, part, text)
        if "/" in selector and not selector.endswith(".gguf"):
            raise _invalid(text, "the part after ':' is neither a .gguf file nor a quantization")
    if has_revision:
        for part in revision.split("/"):
            _check(_TAG, part, text)
    return HubReference(org, repo, selector, revision or DEFAULT_REVISION)


def parse_name(text: str) -> ModelName:
    """Read a name of the store.

    Raises
    ------
    InvalidNameError
        Empty or foreign parts, or too many of them.

    Examples
    --------
    >>> str(parse_name("deepseek-r1")), parse_name("deepseek-r1:1.5b").tag
    ('deepseek-r1', '1.5b')
    """
    if is_hub_reference(text):
        reference = parse_hub_reference(text)
        return ModelName(HUB_HOST, reference.org, reference.repo, tag_of(reference.selector))
    if len(text) > MAX_NAME_CHARS:
        raise _invalid(text[:80] + "...", f"longer than {MAX_NAME_CHARS} characters")
    path, has_tag, tag = text.partition(":")
    parts = path.split("/")
    if len(parts) > 3:
        raise _invalid(text, "more than three parts")
    for part in parts:
        _check(_PART, part, text)
    if has_tag:
        _check(_TAG, tag, text)
    host, namespace, name = ([LOCAL_HOST, LOCAL_NAMESPACE][: 3 - len(parts)] + parts)[-3:]
    return ModelName(host, namespace, name, tag)


def tag_of(selector: str) -> str:
    """The tag for a selector: a file name without its folder and its ending."""
    return selector.rpartition("/")[2].removesuffix(".gguf")[:128]


def check_file_name(name: str) -> str:
    """Return ``name`` if it is a plain file name that may stand in the store.

    Raises
    ------
    InvalidNameError
        It has separators, control characters, a leading dot and the like.
    """
    _check(_FILE, name, name)
    return name


def _check(pattern: re.Pattern[str], part: str, whole: str) -> None:
    if not pattern.fullmatch(part) or part.endswith("."):
        raise _invalid(
            whole, f"the part {part[:80]!r} is not allowed" if part else "a part is empty"
        )


def _invalid(text: str, reason: str) -> InvalidNameError:
    return InvalidNameError(
        f"{text[:200]!r} is not the name of a model: {reason}",
        hint="names are made of letters, digits and _ . -, as in name:tag or hf:org/repo:Q8_0",
    )
