"""Names: what they mean, and that none of them leaves its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinfer.errors import InvalidNameError
from pyinfer.store.local import Store
from pyinfer.store.names import (
    MAX_NAME_CHARS,
    check_file_name,
    parse_hub_reference,
    parse_name,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("r1", ("local", "library", "r1", "")),
        ("r1:1.5b", ("local", "library", "r1", "1.5b")),
        ("me/r1:x", ("local", "me", "r1", "x")),
        ("hf.co/org/repo:Q8_0", ("hf.co", "org", "repo", "Q8_0")),
        ("hf:org/repo", ("hf.co", "org", "repo", "")),
        ("hf:org/repo:sub/m-Q8_0.gguf", ("hf.co", "org", "repo", "m-Q8_0")),
        ("huggingface.co/org/repo", ("hf.co", "org", "repo", "")),
    ],
)
def test_forms(text: str, parts: tuple[str, str, str, str]) -> None:
    name = parse_name(text)
    assert (name.host, name.namespace, name.name, name.tag) == parts


def test_names_are_written_as_short_as_they_can_be_read() -> None:
    for text in ("r1", "r1:1.5b", "me/r1:x", "hf.co/org/repo:Q8_0", "host.example/a/b"):
        assert str(parse_name(text)) == text


def test_case_does_not_distinguish() -> None:
    assert parse_name("DeepSeek-R1").key == parse_name("deepseek-r1").key


def test_hub_references() -> None:
    reference = parse_hub_reference("hf:org/repo:a/b-Q4_0.gguf@v1.0")
    assert reference.repo_id == "org/repo"
    assert (reference.selector, reference.revision) == ("a/b-Q4_0.gguf", "v1.0")
    assert str(reference) == "hf:org/repo:a/b-Q4_0.gguf@v1.0"
    assert str(parse_hub_reference("https://huggingface.co/org/repo")) == "hf:org/repo"


HOSTILE = [
    "", ":", "a:", ":a", "/", "a/", "/a", "a//b", "..", "a/..", "../a", "a/../../b", "a..b", "a.",
    ".a", "-a", "a b", "a\n", "a\0", "a\\b", "a:b:c", "a:b/c", "a/b/c/d", "é", "a" * 97, "~", "%2e",
    "a:" + "b" * 129, "a/" * 300, "C:\\x", "a?b", "a#b", "a@b", "a:..", "\u202ea", "a\u2215b",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        parse_name(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "hf:", "hf:a", "hf:a/", "hf:/b", "hf:a/b/c", "hf:a/..", "hf:../b", "hf:a/b:", "hf:a/b:..",
        "hf:a/b:../x.gguf", "hf:a/b:/x.gguf", "hf:a/b:x/..gguf", "hf:a/b@", "hf:a/b@..",
        "hf:a/b@x/../y", "hf:a/b:x/y", "hf:a/b?c", "hf:a/b:.gguf", "hf:a/b@-x",
    ],
)  # fmt: skip
def test_hostile_references_are_refused(text: str) -> None:
    with pytest.raises(InvalidNameError):
        parse_hub_reference(text)


def test_limits() -> None:
    assert parse_name("a" * 96).name == "a" * 96
    assert parse_name("a:" + "b" * 128).tag == "b" * 128
    with pytest.raises(InvalidNameError, match=str(MAX_NAME_CHARS)):
        parse_name("a" * (MAX_NAME_CHARS + 1))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a\0", "a b", "x" * 201, "a."])
def test_file_names(name: str) -> None:
    with pytest.raises(InvalidNameError):
        check_file_name(name)
    assert check_file_name("model-00001-of-00002.safetensors")


@settings(max_examples=1000)
@given(
    st.lists(
        st.sampled_from([*"aZ09_.-:/\\@~% \n\0é", "..", "hf:", "hf.co/", "/../"]), max_size=12
    ).map("".join)
)
def test_every_accepted_name_stays_inside_the_store(text: str) -> None:
    root = Path("/store")
    try:
        name = parse_name(text)
    except InvalidNameError:
        return
    path = Store(root)._manifest_path(name.with_tag(name.tag or "latest"))
    assert ".." not in path.parts
    assert len(path.relative_to(root).parts) == 5
    assert not any(part.startswith((".", "-")) for part in path.relative_to(root).parts)
    assert parse_name(str(name)) == name
