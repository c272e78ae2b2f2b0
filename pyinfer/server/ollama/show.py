"""``/api/show``: everything that the files say of a model."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.checkpoint.checkpoint import Checkpoint, FolderTokenizer, open_checkpoint
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.convert.gguf_writer import Pair, metadata_pairs
from pyinfer.convert.model_pairs import architecture_pairs, general_pairs
from pyinfer.convert.to_gguf import stored_float
from pyinfer.convert.vocabulary_pairs import vocabulary_pairs
from pyinfer.errors import StoreIOError
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import ShowBody
from pyinfer.server.ollama.catalog import facts_of
from pyinfer.server.ollama.generation import timestamp
from pyinfer.serving.service import Service
from pyinfer.store.modelfile import parameter_lines, write_modelfile
from pyinfer.store.resolve import ResolvedModel

router = APIRouter(tags=["ollama"])


@router.post("/api/show", openapi_extra=describe_body(ShowBody), responses=errors(500))
async def show(request: Request) -> Response:
    """Describe a model."""
    body = await read_body(request, ShowBody)
    service: Service = request.app.state.service
    model = await service.resolve(body.model)
    return JSONResponse(await asyncio.to_thread(_describe, model, bool(body.verbose)))


def _describe(model: ResolvedModel, verbose: bool) -> dict[str, Any]:
    settings = model.settings
    try:
        facts = facts_of(model.path, settings, model.digest)
    except OSError as error:
        raise StoreIOError(f"{model.name} cannot be read: {error.strerror}") from None
    answer: dict[str, Any] = {
        "modelfile": write_modelfile(settings, model.name),
        "template": facts.template,
        "details": facts.summary(settings),
        "capabilities": facts.capabilities(),
        "modified_at": timestamp(facts.modified),
    }
    licenses = [*settings.licenses, facts.details.license]
    optional = {
        "license": "\n\n".join(text for text in licenses if text),
        "parameters": "\n".join(
            f"{name:<30} {value}" for name, value in parameter_lines(settings.parameters)
        ),
        "system": settings.system,
        "messages": [dict(message) for message in settings.messages],
    }
    answer |= {name: value for name, value in optional.items() if value}
    with open_checkpoint(model.path) as checkpoint:
        answer["model_info"] = {
            pair.key: _value(pair.value, verbose)
            for pair in _pairs(checkpoint, facts.details.parameters)
        } | {"general.parameter_count": facts.details.parameters}
        if verbose:
            answer["tensors"] = [
                {"name": name, "type": info.dtype.upper(), "shape": list(info.shape)}
                for name, info in checkpoint.tensors.items()
            ]
    return answer


def _pairs(checkpoint: Checkpoint, n_parameters: int) -> list[Pair]:
    """Metadata of a GGUF file; of a folder, what its GGUF file would have."""
    path = checkpoint.path
    if checkpoint.kind == "gguf":
        parts = open_gguf(path)
        for part in parts:
            part.close()
        return metadata_pairs(parts[0])
    config = checkpoint.config
    pairs = general_pairs(path, config, config.name, n_parameters, stored_float(checkpoint))
    pairs += architecture_pairs(path, config)
    if isinstance(checkpoint.tokenizer_source(), FolderTokenizer):
        pairs += vocabulary_pairs(path, config.vocab_size)
    return pairs


def _value(value: Any, verbose: bool) -> Any:
    """A value for JSON; arrays only where they are asked for."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | bool | int | float):
        return value
    if not verbose:
        return None
    return value.tolist() if isinstance(value, np.ndarray) else list(value)
