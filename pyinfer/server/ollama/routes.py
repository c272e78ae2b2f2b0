"""All routes of Ollama's API."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from pyinfer.server.ollama import blobs, chat, create, embed, generate, listing, manage, pull, show
from pyinfer.server.page.routes import page_for_browser

#: Programs and scripts look for this sentence.
GREETING = "Ollama is running"

router = APIRouter()
for part in (generate, chat, embed, listing, show, pull, create, manage, blobs):
    router.include_router(part.router)


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def root(request: Request) -> Response:
    """Say that the server runs; a browser gets the page."""
    return page_for_browser(request) or PlainTextResponse(GREETING, headers={"Vary": "Accept"})


@router.api_route("/api/version", methods=["GET", "HEAD"], tags=["ollama"])
async def version(request: Request) -> Response:
    """Return the version of Ollama's API that is spoken."""
    return JSONResponse({"version": request.app.state.http.ollama_version})
