"""Several answers that begin together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from pyinfer.server.running_answer import Answer
from pyinfer.server.service import Service
from pyinfer.server.spec import GenerateSpec


async def begin(
    service: Service, specs: Sequence[GenerateSpec], stack: AsyncExitStack
) -> list[Answer]:
    """Start a request per spec, all or none; ``stack`` ends them."""
    return [await stack.enter_async_context(await service.generate(spec)) for spec in specs]
