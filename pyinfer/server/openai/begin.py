"""Several answers that begin together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from pyinfer.requests.spec import GenerateSpec
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.service import Service


async def begin(
    service: Service, specs: Sequence[GenerateSpec], stack: AsyncExitStack
) -> list[Answer]:
    """Start a request per spec, all or none; ``stack`` ends them."""
    return [await stack.enter_async_context(await service.generate(spec)) for spec in specs]
