"""``GET /v1/models``: what can be asked for by name."""

from __future__ import annotations

import asyncio
from typing import Any

from pyinfer.serving.library import modified, names
from pyinfer.serving.service import Service

OWNER = "pyinfer"


async def models(service: Service) -> dict[str, Any]:
    """Every model, the served ones first, then those of the stores."""
    found = await asyncio.to_thread(names, service.known())
    return {"object": "list", "data": [_model(name, made) for name, made in found]}


async def model(service: Service, name: str) -> dict[str, Any]:
    """One model by any of its names.

    Raises
    ------
    ModelNotFoundError, InvalidNameError
        There is none.
    """
    resolved = await service.resolve(name)
    return _model(resolved.name, await asyncio.to_thread(modified, resolved.path))


def _model(name: str, created: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(created), "owned_by": OWNER}
