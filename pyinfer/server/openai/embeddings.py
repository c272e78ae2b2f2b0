"""``POST /v1/embeddings``: texts to vectors of length 1."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import Body
from pyinfer.server.openai.completion_schema import split_prompts
from pyinfer.serving.service import Service

MAX_INPUTS = 2048


class EmbeddingBody(Body):
    """Texts, or their token ids."""

    model: str = ""
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None
    num_ctx: Annotated[int, Field(ge=1)] | None = None


async def embed(service: Service, body: EmbeddingBody, request_id: str) -> dict[str, Any]:
    """The answer to a body.

    Raises
    ------
    RequestError, ContextLengthError, ModelNotFoundError
        Also of the service; ``param`` names the field.
    """
    inputs = split_prompts(body.input, "input", MAX_INPUTS)
    found = await service.embed(
        body.model,
        inputs,
        dimensions=body.dimensions,
        truncate=False,
        context=body.num_ctx,
        request_id=request_id,
    )
    if len(found.vectors) != len(inputs):
        raise bad_value("input", "an input has no tokens")
    encode = _base64 if body.encoding_format == "base64" else _floats
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(vector)}
            for index, vector in enumerate(found.vectors)
        ],
        "model": body.model or found.model.name,
        "usage": {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens},
    }


def _floats(vector: npt.NDArray[np.float32]) -> list[float]:
    return [float(value) for value in vector]


def _base64(vector: npt.NDArray[np.float32]) -> str:
    """Little-endian 32-bit floats, as the official clients ask for."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
