"""``/api/pull``: bring a model to this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.errors import ModelNotFoundError
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.http.streaming import ndjson
from pyinfer.server.ollama.bodies import PullBody
from pyinfer.server.ollama.jobs import Job, Line, report
from pyinfer.serving.service import Service
from pyinfer.store.names import is_hub_reference, parse_hub_reference
from pyinfer.store.pull import PullEvent, pull

log = logging.getLogger("pyinfer.server")

router = APIRouter(tags=["ollama"])


@router.post(
    "/api/pull", openapi_extra=describe_body(PullBody), responses=errors(409, 500, 502, 504, 507)
)
async def pull_model(request: Request) -> Response:
    """Pull a model of the hub; pulls of the same model share one download."""
    body = await read_body(request, PullBody)
    if not body.model:
        raise bad_value("model", "model is required")
    if body.insecure:
        log.warning("insecure has no effect: models come over verified connections only")
    service: Service = request.app.state.service
    try:
        await service.resolve(body.model)
    except ModelNotFoundError:
        if not is_hub_reference(body.model):
            raise
    else:
        return _present(body)
    name = str(parse_hub_reference(body.model))
    # Held by the application: one table for all clients.
    jobs: dict[str, Job] = request.app.state.__dict__.setdefault("pull_jobs", {})
    for key in [key for key, job in jobs.items() if job.task.done()]:
        del jobs[key]
    job = jobs.get(name.lower())
    if job is None or not job.usable:
        job = jobs[name.lower()] = Job(lambda tell: _pull(name, tell))
    return await report(request, job, body.stream)


def _present(body: PullBody) -> Response:
    line = {"status": "success"}
    if body.stream is False:
        return JSONResponse(line)

    async def lines() -> Any:
        yield line

    return ndjson(lines(), ping=lambda: {"status": ""})


def _pull(name: str, tell: Callable[[Line], None]) -> None:
    fetched = False

    def progress(event: PullEvent) -> None:
        nonlocal fetched
        if event.status == "writing the manifest":
            if fetched:
                tell({"status": "verifying sha256 digest"})
            tell({"status": "writing manifest"})
        elif event.file:
            fetched = True
            tell(_file_line(event))
        elif event.status == "asking":
            tell({"status": "pulling manifest"})

    pull(name, progress=progress)


def _file_line(event: PullEvent) -> Line:
    digest = event.digest or event.file
    return {
        "status": f"pulling {digest.rpartition(':')[2][:12]}",
        "digest": digest,
        "total": event.size,
        "completed": min(event.size, max(0, event.done - event.before)),
    }
