"""The own store: adding, finding, copying, removing, and what must never happen."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import ModelFormatError, ModelNotFoundError, StoreIOError
from pyinfer.store.durable import temporary_name
from pyinfer.store.local import STALE_SECONDS, Store, StoredModel
from pyinfer.store.manifest import Manifest, StoredFile
from pyinfer.store.names import ModelName, parse_name

from .stores import add_model, digest_of, put_blob


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


def names(store: Store) -> list[str]:
    return sorted(str(model.name) for model in store.models())


def blobs(store: Store) -> int:
    return len(list(store.blobs.iterdir()))


def test_a_store_that_does_not_exist_is_empty(store: Store) -> None:
    assert store.models() == []
    assert store.find(parse_name("x")) is None
    assert store.collect() == 0
    assert not store.root.exists()


def test_gguf_and_folder(store: Store) -> None:
    add_model(store, "small:q4_0", {"m.gguf": b"weights"})
    add_model(store, "big", {"config.json": b"{}", "model.safetensors": b"w"}, "folder")
    small, big = (store.find(parse_name(name)) for name in ("small", "big"))
    assert small is not None
    assert big is not None
    assert store.path_of(small).read_bytes() == b"weights"
    assert store.path_of(small).name == "m.gguf"
    assert (store.path_of(big) / "model.safetensors").read_bytes() == b"w"
    assert names(store) == ["big:latest", "small:q4_0"]


def test_tags_and_case(store: Store) -> None:
    add_model(store, "R1:Q8_0", {"a.gguf": b"a"})
    assert store.find(parse_name("r1:q8_0")) == store.find(parse_name("R1"))
    add_model(store, "r1:q8_0", {"a.gguf": b"newer"})  # the same name
    assert names(store) == ["R1:Q8_0"]
    add_model(store, "r1:Q4_0", {"b.gguf": b"b"})
    with pytest.raises(ModelNotFoundError, match="Q4_0, Q8_0"):
        store.find(parse_name("r1"))
    add_model(store, "r1", {"c.gguf": b"c"})
    found = store.find(parse_name("r1"))
    assert found is not None
    assert found.name.tag == "latest"


def test_copy_shares_and_remove_keeps_what_is_needed(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    store.copy(parse_name("one"), parse_name("two:x"))
    assert blobs(store) == 1
    assert store.remove(parse_name("one")) == 0
    assert names(store) == ["two:x"]
    two = store.find(parse_name("two"))
    assert two is not None
    assert store.path_of(two).read_bytes() == b"12345"
    assert store.remove(parse_name("two")) == 5
    assert names(store) == []
    assert blobs(store) == 0
    for action in (store.remove, lambda name: store.copy(name, parse_name("x"))):
        with pytest.raises(ModelNotFoundError):
            action(parse_name("two"))


def test_remove_does_not_break_a_reader(store: Store) -> None:
    manifest = add_model(store, "one", {"m.gguf": b"12345"})
    model = store.find(parse_name("one"))
    assert model is not None
    path = store.path_of(model)
    with store.reading(manifest):
        assert store.remove(parse_name("one")) == 0
        assert path.read_bytes() == b"12345"
    assert store.collect() == 5
    with pytest.raises(ModelNotFoundError), store.reading(manifest):
        pass


def test_remove_does_not_break_a_pull(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    with store.adding():
        digest = put_blob(store, b"new")
        assert store.remove(parse_name("one")) == 0
        manifest = Manifest("gguf", (StoredFile("n.gguf", digest, 3),), "test")
        store.add(parse_name("two"), manifest)
    assert store.collect() == 5
    assert names(store) == ["two:latest"]


def test_nothing_is_added_without_its_files(store: Store) -> None:
    manifest = Manifest("gguf", (StoredFile("m.gguf", digest_of(b"x"), 1),), "test")
    with store.adding(), pytest.raises(ModelFormatError, match="missing"):
        store.add(parse_name("one"), manifest)
    assert names(store) == []


@pytest.mark.parametrize("damage", ["gone", "short", "link"])
def test_changed_blob_is_seen(store: Store, tmp_path: Path, damage: str) -> None:
    manifest = add_model(store, "one", {"m.gguf": b"12345"})
    blob = store.blob(manifest.files[0].digest)
    blob.unlink()
    if damage == "short":
        blob.write_bytes(b"123")
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(b"12345")
        blob.symlink_to(tmp_path / "elsewhere")
    model = store.find(parse_name("one"))
    assert model is not None
    with pytest.raises(ModelFormatError, match="pull it again"):
        store.path_of(model)


def test_damaged_manifest_hides_only_itself(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    add_model(store, "two", {"n.gguf": b"67"})
    (path,) = (path for name, path in store.entries() if name.name == "one")
    path.write_bytes(b"{")
    assert names(store) == ["two:latest"]
    with pytest.raises(ModelFormatError):
        store.find(parse_name("one"))
    store.remove(parse_name("two"))
    assert blobs(store) == 2  # nobody knows what the damaged one needs


def test_snapshots_are_made_again(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    model = store.find(parse_name("one"))
    assert model is not None
    link = store.path_of(model)
    link.unlink()
    assert store.path_of(model).read_bytes() == b"12345"
    link.unlink()
    link.symlink_to("/etc/passwd")
    assert store.path_of(model).read_bytes() == b"12345"


def test_left_overs_are_cleaned(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    (path,) = (path for _, path in store.entries())
    temporary_name(path.parent).write_bytes(b"x")
    old, new = store.partial / "old.data", store.partial / "new.data"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    past = old.stat().st_mtime - STALE_SECONDS - 5
    os.utime(old, (past, past))
    put_blob(store, b"nobody's")
    assert store.collect() == 3 + len(b"nobody's")
    assert [p.name for p in store.partial.iterdir()] == ["new.data"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert names(store) == ["one:latest"]


def test_foreign_files_are_passed_over(store: Store) -> None:
    add_model(store, "one", {"m.gguf": b"12345"})
    folder = store.root / "manifests" / "local" / "library"
    (folder / "..x").mkdir()
    (folder / "..x" / "latest.json").write_bytes(b"{}")
    (folder / "one" / "note.txt").write_bytes(b"")
    assert names(store) == ["one:latest"]


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreIOError):
        Store(tmp_path / "file" / "models").prepare()


def test_a_model_that_disappears_between_the_listing_and_the_reading(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(store, "one", {"a.gguf": b"GGUF1"})
    read = Store._read

    def late(self: Store, name: ModelName, path: Path) -> StoredModel:
        shutil.rmtree(store.root / "manifests" / "local", ignore_errors=True)
        return read(self, name, path)

    monkeypatch.setattr(Store, "_read", late)
    assert store.find(parse_name("one")) is None
    assert store.locate(parse_name("one")) is None
    assert store.models() == []


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_folders_that_disappear_while_they_are_listed(
    store: Store, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    add_model(store, "one", {"a.gguf": b"GGUF1"})
    add_model(store, "two", {"a.gguf": b"GGUF1"})
    manifests, scan = store.root / "manifests", os.scandir

    def late(folder: Any) -> Iterator[os.DirEntry[str]]:
        within = isinstance(folder, Path) and folder.is_relative_to(manifests)
        if within and len(folder.relative_to(manifests).parts) == depth - 1:
            shutil.rmtree(folder, ignore_errors=True)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", late)
    assert list(store.entries()) == []
    assert store.models() == []
    assert store.find(parse_name("one")) is None


def test_a_blob_removed_with_its_model_is_no_damage(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = add_model(store, "one", {"a.gguf": b"GGUF1"})
    check = Store.check_files

    def late(self: Store, name: ModelName, manifest: Manifest) -> None:
        store.remove(parse_name("one"))
        check(self, name, manifest)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "check_files", late)
        assert store.locate(parse_name("one")) is None
    add_model(store, "one", {"a.gguf": b"GGUF1"})
    store.blob(manifest.files[0].digest).unlink()
    with pytest.raises(ModelFormatError, match="missing or was changed"):
        store.locate(parse_name("one"))


def test_many_who_list_add_and_remove_at_once(store: Store) -> None:
    """Whatever comes in between: a model, none, or a typed error."""
    add_model(store, "kept", {"a.gguf": b"GGUF1"})

    def work(number: int) -> None:
        name = parse_name(f"m{number % 2}")
        for _ in range(25):
            with contextlib.suppress(ModelNotFoundError):
                store.copy(parse_name("kept"), name)
                store.remove(name)
            store.locate(name)
            assert [m.name.name for m in store.models()].count("kept") == 1
            assert store.locate(parse_name("kept")) is not None

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result()
