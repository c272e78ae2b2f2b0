"""Texts to vectors: the final hidden state of the last token, scaled to length 1.

Decoder models have no pooling of their own. As Ollama and vLLM do for them, the last token stands
for the text: it is the only one that has seen all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import Embedding, End, Event, Failed, Request
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import CancelledError, RequestError
from pyinfer.requests.prompts import token_ids
from pyinfer.requests.spec import ServedModel, bad_value
from pyinfer.serving.engine_process import EngineProcess
from pyinfer.text.tokenizer import Tokenizer

MAX_INPUTS = 2048

Vectors = npt.NDArray[np.float32]


def embedding_requests(
    served: ServedModel,
    inputs: Sequence[str | list[int]],
    limits: EngineLimits,
    *,
    truncate: bool,
    context: int | None,
) -> list[Request]:
    """One engine request per input.

    Parameters
    ----------
    served : ServedModel
    inputs : sequence of str or list of int
    limits : EngineLimits
    truncate : bool
        Cut the end of what is too long instead of refusing it.
    context : int, optional
        Most tokens of one input.

    Raises
    ------
    RequestError, ContextLengthError
        No or too many inputs, an empty or a too long one.
    """
    if not inputs:
        raise bad_value("input", "there is nothing to embed")
    if len(inputs) > MAX_INPUTS:
        raise bad_value("input", f"{len(inputs)} inputs, the limit is {MAX_INPUTS}")
    room = limits.context if context is None else min(context, limits.context)
    requests = []
    for item in inputs:
        given = _encode(served.tokenizer, item, room, truncate) if isinstance(item, str) else item
        tokens = token_ids(given, limits.vocabulary, "input")
        request = Request(
            request_id=0,
            tokens=tokens[:room] if truncate else tokens,
            params=SamplingParams(max_tokens=0, temperature=0, seed=0),
            context=room,
            stream=False,
            embed=True,
        )
        try:
            limits.check(request)
        except RequestError as error:
            error.param = "input"
            raise
        requests.append(request)
    return requests


def _encode(tokenizer: Tokenizer, text: str, room: int, truncate: bool) -> list[int]:
    if not truncate:
        try:
            return tokenizer.encode(text, add_special=True, limit=room)
        except RequestError as error:
            error.param = "input"
            raise
    ids: list[int] = []
    for more in tokenizer.encode_pieces(text, add_special=True):
        ids += more
        if len(ids) >= room:
            break
    return ids


async def run_embeddings(process: EngineProcess, requests: list[Request]) -> tuple[Vectors, int]:
    """Run the requests; float32 (n, D), and how many prompt tokens were known already.

    Raises
    ------
    PyinferError
        One of them failed; the others are cancelled.
    """
    loop = asyncio.get_running_loop()
    found: list[asyncio.Future[tuple[Vectors, int]]] = [loop.create_future() for _ in requests]
    vectors: dict[int, Vectors] = {}

    def take(index: int, event: Event) -> None:
        future = found[index]
        if isinstance(event, Embedding):
            vectors[index] = event.vector
        elif future.done():
            return
        elif isinstance(event, Failed):
            future.set_exception(event.error)
        elif isinstance(event, End) and index in vectors:
            future.set_result((vectors[index], event.stats.cached_tokens))
        elif isinstance(event, End):
            future.set_exception(CancelledError("the request was cancelled"))

    try:
        for index, request in enumerate(requests):
            request.request_id = process.new_id()
            process.submit(request, partial(take, index))
        results = await asyncio.gather(*found)
    except BaseException:
        for request in requests:
            process.cancel(request.request_id)
        for future in found:
            future.cancel()
        raise
    return np.stack([vector for vector, _ in results]), sum(cached for _, cached in results)


def normalised(vectors: Vectors, dimensions: int | None) -> Vectors:
    """The first ``dimensions`` values of each row (None for all), scaled to length 1.

    Raises
    ------
    RequestError
        ``dimensions`` is not within 1 and the width.
    """
    width = vectors.shape[1]
    if dimensions is not None:
        if not 1 <= dimensions <= width:
            raise bad_value("dimensions", f"dimensions must be between 1 and {width}")
        vectors = vectors[:, :dimensions]
    wide = vectors.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    scaled: Vectors = (wide / np.maximum(lengths, 1e-30)).astype(np.float32)
    return scaled
