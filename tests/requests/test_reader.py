"""Token events to pieces of an answer: which tokens belong to them, and who decodes."""

from __future__ import annotations

import pytest

from pyinfer import SamplingParams
from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import End, Stats, Tokens
from pyinfer.loading import read_tokenizer
from pyinfer.model_info import ModelInfo
from pyinfer.requests.answer import AnswerEvent, Chunk, Finished
from pyinfer.requests.prepare import prepare
from pyinfer.requests.preset import Preset
from pyinfer.requests.reader import AnswerReader
from pyinfer.requests.spec import GenerateSpec, TextModel
from pyinfer.store.details import read_details
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.detokenizer import Detokenizer

STATS = Stats(5, 0, 3, 1, 1, 1, 1, 0)
TEXT = "well</think>\n\nIt says 🙂 STOP and more"


@pytest.fixture(scope="module")
def model() -> TextModel:
    """The text side of the embedded model."""
    tokenizer, _ = read_tokenizer(DEMO_FOLDER)
    details = read_details(DEMO_FOLDER)
    assert tokenizer is not None
    return TextModel(
        info=ModelInfo("demo", details.config, 2048, 1, "none", 1, 1, 1, 1, ()),
        tokenizer=tokenizer,
        template=ChatTemplate(tokenizer),
        defaults=details.generation,
        preset=Preset(),
    )


def read(
    model: TextModel, ids: list[int], size: int, decoded: bool, stop: str = "", **spec: object
) -> list[AnswerEvent]:
    """Events for ids that come ``size`` at a time, decoded by rules or not."""
    limits = EngineLimits(model.info.config.vocab_size, model.text.n_tokens, 2048)
    params = SamplingParams(stop=stop or (), logprobs=0)
    asked = GenerateSpec(messages="hi", params=params, **spec)  # type: ignore[arg-type]
    reader = AnswerReader(prepare(model, asked, limits))
    detokenizer = Detokenizer(model.text)
    events: list[AnswerEvent] = []
    for start in range(0, len(ids), size):
        some = ids[start : start + size]
        texts = [detokenizer.decode(i) for i in some] if decoded else None
        events += reader.tokens(Tokens(1, some, [(-1.0, [])] * len(some), texts))
    return events + reader.end(End(1, "stop", "eos", STATS))


def joined(events: list[AnswerEvent]) -> dict[str, str]:
    found = {"reasoning": "", "content": ""}
    for event in events:
        if isinstance(event, Chunk):
            found[event.kind] += event.text
            assert event.logprobs is not None
            assert len(event.logprobs) == len(event.token_ids)
    return found


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("stop", ["", "STOP"])
def test_pieces_do_not_depend_on_who_decodes(
    model: TextModel, size: int, decoded: bool, stop: str
) -> None:
    ids = [*model.text.encode(TEXT), *model.text.eos_ids]
    events = read(model, ids, size, decoded, stop)
    assert joined(events) == {
        "reasoning": "well",
        "content": "It says 🙂 " + ("" if stop else "STOP and more"),
    }
    assert events == read(model, ids, size, not decoded, stop)[:-1] + events[-1:]
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.generation.text, last.generation.stop) == (joined(events)["content"], stop or None)
    assert last.generation.token_ids == ids


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("stop", "content"), [("42", "so "), ("\n\n", "so 42"), ("is 42</think>", "so 42\n\nend")]
)
@pytest.mark.parametrize("split", [True, False])
def test_stop_strings_count_from_the_content_on(
    model: TextModel, size: int, decoded: bool, stop: str, content: str, split: bool
) -> None:
    """The reasoning holds them, and so does the white space behind it."""
    ids = model.text.encode("it is 42</think>\n\nso 42\n\nend")
    events = read(model, ids, size, decoded, stop, split_reasoning=split)
    found = joined(events)
    if split:
        assert found == {"reasoning": "it is 42", "content": content}
    else:
        assert found["content"] == f"<think>\nit is 42</think>\n\n{content}"
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.generation.stop == (None if "think" in stop else stop)
    assert last.generation.text == found["content"]


def test_stop_strings_of_raw_prompts_count_everywhere(model: TextModel) -> None:
    limits = EngineLimits(model.info.config.vocab_size, model.text.n_tokens, 2048)
    params = SamplingParams(stop="42")
    for prompt in ("a", "a<think>\n"):
        reader = AnswerReader(prepare(model, GenerateSpec(prompt=prompt, params=params), limits))
        ids = model.text.encode("it is 42</think>\n\nso 42")
        events = reader.tokens(Tokens(1, ids, None)) + reader.end(End(1, "stop", "hook", STATS))
        assert "".join(event.text for event in events if isinstance(event, Chunk)) == "it is "


def test_text_that_travels_is_not_decoded_again(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = model.text.encode("a b c")
    texts = [Detokenizer(model.text).decode(i) for i in ids]
    limits = EngineLimits(model.info.config.vocab_size, model.text.n_tokens, 2048)
    reader = AnswerReader(prepare(model, GenerateSpec(prompt="x"), limits))

    def never(self: object, token: int) -> str:
        raise AssertionError("decoded twice")

    monkeypatch.setattr(Detokenizer, "push", never)
    (chunk,) = reader.tokens(Tokens(1, ids, None, texts))
    assert isinstance(chunk, Chunk)
    assert chunk.text == "a b c"


@pytest.mark.parametrize("decoded", [False, True])
def test_an_end_inside_a_character_shows_it(model: TextModel, decoded: bool) -> None:
    ids = model.text.encode("</think>a🙂")
    assert joined(read(model, ids[:-1], 1, decoded))["content"] == "a\ufffd"


def test_end_tokens_are_in_no_piece(model: TextModel) -> None:
    ids = [*model.text.encode("</think>so S"), *model.text.eos_ids]
    chunks = [e for e in read(model, ids, 1, False, "STOP") if isinstance(e, Chunk)]
    assert "".join(chunk.text for chunk in chunks) == "so S"
    assert not set(model.text.eos_ids) & {i for chunk in chunks for i in chunk.token_ids}
