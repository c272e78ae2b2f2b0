"""``GET /v1/models``: what can be asked for by name."""

from __future__ import annotations

import asyncio
from typing import Any

from pyinfer.serving.service import Service
from pyinfer.store.listing import list_models
from pyinfer.store.resolve import ResolvedModel

OWNER = "pyinfer"


async def models(service: Service) -> dict[str, Any]:
    """Every model, the served ones first, then those of the stores."""
    stored = await asyncio.to_thread(list_models)
    found = {model.name: _created(model) for model in service.known()}
    for entry in stored:
        found.setdefault(entry.name, int(entry.modified))
    return {"object": "list", "data": [_model(name, made) for name, made in found.items()]}


async def model(service: Service, name: str) -> dict[str, Any]:
    """One model by any of its names.

    Raises
    ------
    ModelNotFoundError, InvalidNameError
        There is none.
    """
    resolved = await service.resolve(name)
    return _model(resolved.name, await asyncio.to_thread(_created, resolved))


def _created(resolved: ResolvedModel) -> int:
    try:
        return int(resolved.path.stat().st_mtime)
    except OSError:
        return 0


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}
