"""The OpenAPI document: what routes say of their errors, and corrections to what FastAPI writes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_MEANINGS = {
    499: "The client closed the connection",
    507: "No space is left where models are kept",
}
#: What every route may answer before it runs: malformed or foreign requests, missing keys, limits,
#: the end of the server. 500 is not among them: it would be a bug.
_EVERYWHERE = (400, 401, 403, 404, 405, 408, 413, 431, 503)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` of a route that may fail with these statuses."""
    return {status: {"description": _meaning(status)} for status in statuses}


def _meaning(status: int) -> str:
    return _MEANINGS.get(status) or HTTPStatus(status).phrase


def install_document(app: FastAPI) -> None:
    """Make ``app.openapi()`` tell the statuses that are really answered."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            app.openapi_schema = _corrected(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _corrected(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation.setdefault("responses", {})
            responses.pop("422", None)  # wrong values are 400 here
            for status in _EVERYWHERE:
                responses.setdefault(str(status), {"description": _meaning(status)})
            body = operation.get("requestBody", {}).get("content", {})
            for content in body.values():
                schemas |= content.get("schema", {}).pop("$defs", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
