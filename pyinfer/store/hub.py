"""What a repository of the Hugging Face hub holds.

``huggingface_hub`` finds the token and writes the headers. The listing itself is read here, with
limits: the library would unpack an answer of any size into memory.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyinfer.errors import RegistryError, UsageError
from pyinfer.store.manifest import MAX_FILE_BYTES
from pyinfer.store.names import HubReference
from pyinfer.store.transport import TransientError, Transport, check_endpoint

ENDPOINT = "https://huggingface.co"
MAX_LISTING_BYTES = 16 << 20
MAX_LISTED_FILES = 100_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository; it has at least one of the two hashes."""

    path: str
    size: int
    sha256: str
    git_sha1: str


@dataclass(frozen=True, slots=True)
class HubListing:
    """A repository at one commit."""

    commit: str
    files: Mapping[str, HubFile]


def hub_endpoint() -> str:
    """``HF_ENDPOINT``, else the public hub.

    Raises
    ------
    UsageError
        It is no address.
    """
    return check_endpoint(os.environ.get("HF_ENDPOINT") or ENDPOINT)


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` (or ``TRANSFORMERS_OFFLINE``) forbids the network."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in _TRUE


def hub_headers() -> dict[str, str]:
    """User agent and, if the user has one, the token.

    Raises
    ------
    UsageError
        The extra ``[hub]`` is not installed, or the token has characters that no header takes.
    """
    try:
        import httpx2  # noqa: F401  (the transport needs it)
        from huggingface_hub import get_token
        from huggingface_hub.utils import build_hf_headers
    except ImportError:
        raise UsageError(
            "pulling from the hub needs the extra [hub]",
            hint="install it with: pip install 'huggingface_hub>=1,<3', or copy the files by hand "
            "and use --from",
        ) from None
    token = get_token()
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UsageError("HF_TOKEN holds characters that no token has")
    headers = build_hf_headers(token=token or False, library_name="pyinfer")
    return {str(key): str(value) for key, value in headers.items()}


def list_repository(transport: Transport, reference: HubReference) -> HubListing:
    """Ask for commit, names, sizes and hashes.

    Raises
    ------
    RegistryError, RegistryTimeout
        No such repository, no access, or an answer that makes no sense.
    """
    url = (
        f"{transport.endpoint}/api/models/{reference.repo_id}"
        f"/revision/{quote(reference.revision, safe='')}?blobs=true"
    )
    settings = transport.settings
    for attempt in range(settings.attempts):
        try:
            return _parse(transport.get_json(url, MAX_LISTING_BYTES), str(reference))
        except TransientError as trouble:
            if attempt + 1 == settings.attempts:
                raise trouble.error from None
            pause = min(settings.backoff_seconds * 2**attempt, settings.max_backoff_seconds)
            time.sleep(max(pause, trouble.retry_after))
    raise AssertionError("unreachable")


def file_url(transport: Transport, reference: HubReference, commit: str, path: str) -> str:
    """Address of one file at a commit."""
    return f"{transport.endpoint}/{reference.repo_id}/resolve/{commit}/{quote(path)}"


def _parse(value: Any, where: str) -> HubListing:
    if not isinstance(value, dict):
        raise RegistryError(f"{where}: the hub's answer is no object")
    commit, siblings = value.get("sha"), value.get("siblings")
    if not isinstance(commit, str) or not _SHA1.fullmatch(commit):
        raise RegistryError(f"{where}: the hub's answer names no commit")
    if not isinstance(siblings, list) or len(siblings) > MAX_LISTED_FILES:
        raise RegistryError(f"{where}: the hub's answer lists no files")
    files = {}
    for entry in siblings:
        file = _file(entry)
        if file is not None:
            files[file.path] = file
    return HubListing(commit, files)


def _file(entry: Any) -> HubFile | None:
    """A file of the listing; None for one without a usable name, size and hash."""
    if not isinstance(entry, dict):
        return None
    path, lfs = entry.get("rfilename"), entry.get("lfs")
    size: Any = entry.get("size")
    sha256: Any = ""
    sha1: Any = entry.get("blobId")
    if isinstance(lfs, dict):
        # The git object of such a file is only a pointer.
        size, sha256, sha1 = lfs.get("size", size), lfs.get("sha256", lfs.get("oid")), ""
    known = (isinstance(sha256, str) and _SHA256.fullmatch(sha256)) or (
        isinstance(sha1, str) and _SHA1.fullmatch(sha1)
    )
    if not isinstance(path, str) or isinstance(size, bool) or not isinstance(size, int):
        return None
    if not known or not 0 <= size <= MAX_FILE_BYTES:
        return None
    return HubFile(path, size, str(sha256 or ""), str(sha1 or ""))
