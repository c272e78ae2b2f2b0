"""``/api/pull``: bring a model to this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from fastapi import APIRouter, Request, Response

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import PullBody
from pyinfer.server.ollama.progress import Line, report
from pyinfer.serving.service import Service
from pyinfer.store.pull import PullEvent

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
    return await report(request, await service.pull(body.model), _renderer(), body.stream)


def _renderer() -> Callable[[PullEvent], Iterator[Line]]:
    fetched = False

    def render(event: PullEvent) -> Iterator[Line]:
        nonlocal fetched
        if event.status == "writing the manifest":
            if fetched:
                yield {"status": "verifying sha256 digest"}
            yield {"status": "writing manifest"}
        elif event.file:
            fetched = True
            yield _file_line(event)
        elif event.status == "asking":
            yield {"status": "pulling manifest"}

    return render


def _file_line(event: PullEvent) -> Line:
    digest = event.digest or event.file
    return {
        "status": f"pulling {digest.rpartition(':')[2][:12]}",
        "digest": digest,
        "total": event.size,
        "completed": min(event.size, max(0, event.done - event.before)),
    }
