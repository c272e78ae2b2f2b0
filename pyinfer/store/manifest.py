"""What belongs to a stored model: names, sizes and hashes of its files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pyinfer.checkpoint.json_file import parse_json_object
from pyinfer.errors import InvalidNameError, ModelFormatError
from pyinfer.store.model_settings import ModelSettings, parse_settings
from pyinfer.store.names import check_file_name

SCHEMA = 1
MAX_MANIFEST_BYTES = 4 << 20
MAX_FILES = 1_024
MAX_FILE_BYTES = 1 << 50
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

ModelKind = Literal["folder", "gguf"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a model.

    Attributes
    ----------
    name : str
        A plain file name.
    digest : str
        ``sha256:`` and 64 hexadecimal digits.
    size : int
        Bytes.
    """

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole model.

    Attributes
    ----------
    kind : "folder" or "gguf"
    files : tuple of StoredFile
        Of a split GGUF model the first part comes first.
    source : str
        Where it came from, such as ``hf:org/repo:Q8_0``.
    commit : str
        The commit of the source; empty for files copied by hand.
    settings : ModelSettings
        Of a created model.
    """

    kind: ModelKind
    files: tuple[StoredFile, ...]
    source: str
    commit: str = ""
    settings: ModelSettings = field(default_factory=ModelSettings)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def identity(self) -> str:
        """64 hexadecimal digits that are the same for the same files."""
        lines = [f"{f.name} {f.digest} {f.size}" for f in sorted(self.files, key=lambda f: f.name)]
        return hashlib.sha256("\n".join([self.kind, *lines]).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that are the same for the same files and settings."""
        if not self.settings:
            return self.identity
        settings = json.dumps(self.settings.to_json(), sort_keys=True)
        return hashlib.sha256(f"{self.identity}\n{settings}".encode()).hexdigest()

    @property
    def main_file(self) -> str:
        """What the loader opens inside the model's folder; empty for the folder itself."""
        return self.files[0].name if self.kind == "gguf" else ""

    def to_bytes(self) -> bytes:
        """As JSON."""
        value: dict[str, Any] = {
            "schema": SCHEMA,
            "kind": self.kind,
            "source": self.source,
            "commit": self.commit,
            "files": [
                {"name": file.name, "digest": file.digest, "size": file.size} for file in self.files
            ],
        }
        if self.settings:
            value["settings"] = self.settings.to_json()
        return json.dumps(value, indent=1).encode()


def check_digest(digest: object, where: str) -> str:
    """Return ``digest`` if it has the form of a SHA-256 digest.

    Raises
    ------
    ModelFormatError
        It has not.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ModelFormatError(f"{where}: {str(digest)[:80]!r} is no sha256 digest")
    return digest


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ModelFormatError
        Damaged, or with names or digests that are not allowed.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise ModelFormatError(f"{where}: more than {MAX_MANIFEST_BYTES} bytes")
    value = parse_json_object(data, where)
    if value.get("schema") != SCHEMA:
        raise ModelFormatError(
            f"{where}: schema {str(value.get('schema'))[:20]}, expected {SCHEMA}",
            hint="it was written by another version; pull the model again",
        )
    kind, files = value.get("kind"), value.get("files")
    if kind not in ("folder", "gguf") or not isinstance(files, list):
        raise ModelFormatError(f"{where}: kind or files are missing")
    if not 1 <= len(files) <= MAX_FILES:
        raise ModelFormatError(f"{where}: {len(files)} files, expected 1 to {MAX_FILES}")
    stored = tuple(_parse_file(file, where) for file in files)
    if len({file.name for file in stored}) != len(stored):
        raise ModelFormatError(f"{where}: a file name appears twice")
    source, commit = value.get("source", ""), value.get("commit", "")
    if not isinstance(source, str) or not isinstance(commit, str):
        raise ModelFormatError(f"{where}: source and commit must be text")
    settings = parse_settings(value.get("settings", {}), where)
    return Manifest(kind, stored, source, commit, settings)


def _parse_file(value: Any, where: str) -> StoredFile:
    if not isinstance(value, dict):
        raise ModelFormatError(f"{where}: a file entry is no object")
    name, size = value.get("name"), value.get("size")
    if not isinstance(name, str):
        raise ModelFormatError(f"{where}: a file has no name")
    try:
        check_file_name(name)
    except InvalidNameError as error:
        raise ModelFormatError(f"{where}: {error.message}") from None
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_FILE_BYTES:
        raise ModelFormatError(f"{where}: {name}: the size {str(size)[:40]} is not allowed")
    return StoredFile(name, check_digest(value.get("digest"), where), size)
