"""Listing folders that change."""

from __future__ import annotations

from pathlib import Path

from pyinfer.store.folders import children, files_below, paths_at


def test_what_is_there(tmp_path: Path) -> None:
    for name in ("b/x/1", "a/y/2", "a/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [path.name for path in children(tmp_path)] == ["a", "b", "gone", "loop"]
    assert [str(path.relative_to(tmp_path)) for path in paths_at(tmp_path, 3)][:2] == [
        "a/y/2",
        "b/x/1",
    ]
    found = [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)]
    assert found == ["a/3", "a/y/2", "b/x/1"]


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        assert children(path) == []
        assert list(paths_at(path, 1)) == []
        assert list(files_below(path)) == []
