"""Progress of long work as lines, or its end as one object."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pyinfer.server.http.streaming import ndjson, unless_disconnected
from pyinfer.serving.jobs import Job

Line = dict[str, Any]
SUCCESS: Line = {"status": "success"}

_E = TypeVar("_E")


async def report(
    request: Request,
    job: Job[_E] | None,
    render: Callable[[_E], Iterator[Line]],
    stream: bool | None,
) -> Response:
    """Answer with a job's lines, or with the last one when it has ended; None has succeeded.

    Raises
    ------
    PyinferError
        Without a stream: the job's error.
    """
    lines = _lines(job, render)
    if stream is not False:
        return ndjson(lines, ping=lambda: {"status": ""})
    return JSONResponse(await unless_disconnected(request, _last(lines)))


async def _lines(
    job: Job[_E] | None, render: Callable[[_E], Iterator[Line]]
) -> AsyncGenerator[Line]:
    if job is not None:
        async with contextlib.aclosing(job.watch()) as events:
            async for event in events:
                for line in render(event):
                    yield line
    yield SUCCESS


async def _last(lines: AsyncGenerator[Line]) -> Line:
    last: Line = {}
    async with contextlib.aclosing(lines):
        async for line in lines:
            last = line
    return last
