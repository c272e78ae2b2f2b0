"""Packed files: the same bits as packing anew, and no way to use a wrong one."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pyinfer
from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import MAP_ALIGNMENT
from pyinfer.checkpoint import packed_cache, packed_file
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import LoadedModel, load_model
from pyinfer.checkpoint.packed_cache import PackedCache, default_folder
from pyinfer.checkpoint.packed_file import PackedFileError, PackedReader, read_description
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelNotFoundError, UsageError

from ..checkpoints import random_config, write_folder, write_gguf

YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with one layer and YaRN."""
    config = random_config(layers=1, yarn=YARN, max_position_embeddings=1024)
    write_folder(tmp_path / "model", config, 1)
    return tmp_path / "model"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where packed files go; not made yet."""
    return tmp_path / "deep" / "packed"


def _load(model: Path, cache: Path | bool, dtype: str | None = None) -> LoadedModel:
    return load_model(model, LoadOptions(dtype=dtype, threads=2, ctx_size=256, packed_cache=cache))


def _logits(loaded: LoadedModel) -> bytes:
    return loaded.model.logits(np.arange(40) * 7 % 300, np.zeros(1, np.int32)).tobytes()


def _line(loaded: LoadedModel) -> str:
    """What the report says about the cache, without the path."""
    (line,) = [line for line in loaded.report if line.startswith("packed cache")]
    return line.partition(": ")[2].partition(" /")[0]


def _mapped(model: Path, cache: Path, dtype: str | None = None) -> bool:
    return _line(_load(model, cache, dtype)).startswith("mapped")


def _file(cache: Path) -> Path:
    (path,) = cache.iterdir()
    return path


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "q8_0", "q4_0"])
def test_mapped_weights_give_the_bits_of_packed_ones(dtype: str, model: Path, cache: Path) -> None:
    first = _load(model, cache, dtype)
    again = _load(model, cache, dtype)
    assert "written to" in _line(first)
    assert _line(again) == "mapped from"
    assert _logits(again) == _logits(first) == _logits(_load(model, False, dtype))
    assert again.config == first.config
    assert again.config.rope_scaling is not None
    assert again.generation == first.generation
    assert again.report[0] == first.report[0]
    assert again.model.bytes_per_token == first.model.bytes_per_token


@pytest.mark.parametrize("tied", [False, True])
def test_a_gguf_file(tied: bool, tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, random_config(tied=tied), 3, "q4_0", pure=True)
    first, again = _load(path, cache), _load(path, cache)
    assert _line(again) == "mapped from"
    assert _logits(again) == _logits(first)
    assert again.generation == first.generation


def test_progress_reaches_the_end(model: Path, cache: Path) -> None:
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        load_model(
            model, LoadOptions(packed_cache=cache), progress=lambda *call: calls.append(call)
        )
    assert calls[-1][0] == calls[-1][1] > 0


def test_off_unless_asked_for(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home/pyinfer/packed"
    _load(model, False)
    assert not default_folder().exists()
    _load(model, True)
    assert len(list(default_folder().iterdir())) == 1
    assert not [line for line in _load(model, False).report if "packed cache" in line]


class TestDamage:
    def test_every_part_of_the_file_is_covered(self, model: Path, cache: Path) -> None:
        expected = _logits(_load(model, cache))
        clean = _file(cache).read_bytes()
        length = int.from_bytes(clean[12:16], "little")
        head = [*range(48), *range(48, 48 + length, 29), 47 + length]
        body = [*range(MAP_ALIGNMENT, len(clean), 10_007), len(clean) - 1]
        key = _file(cache).stem
        runtime = Runtime(threads=1)
        for at in [*head, *body]:
            damaged = bytearray(clean)
            damaged[at] ^= 1 << at % 8
            path = cache.parent / "damaged"
            path.write_bytes(damaged)
            file = SourceFile(path)
            with pytest.raises(PackedFileError):
                PackedReader(file, *read_description(file, key), runtime)
            file.close()
        _file(cache).unlink()
        (cache / f"{key}.packed").write_bytes(damaged)
        again = _load(model, cache)
        assert "written" in _line(again)
        assert _logits(again) == expected
        assert _mapped(model, cache)

    @pytest.mark.parametrize("size", [0, 1, 47, 48, 500, MAP_ALIGNMENT, -4096, -1])
    def test_cut_files(self, size: int, model: Path, cache: Path) -> None:
        _load(model, cache)
        path = _file(cache)
        path.chmod(0o600)
        os.truncate(path, size if size >= 0 else path.stat().st_size + size)
        assert "written" in _line(_load(model, cache))
        assert _mapped(model, cache)

    def test_longer_file(self, model: Path, cache: Path) -> None:
        _load(model, cache)
        path = _file(cache)
        path.chmod(0o600)
        os.truncate(path, path.stat().st_size + 1)
        assert not _mapped(model, cache)

    def test_a_file_of_another_model_under_this_name(
        self, model: Path, tmp_path: Path, cache: Path
    ) -> None:
        _load(model, cache)
        other = cache.parent / "other"
        write_folder(tmp_path / "second", random_config(layers=1), 2)
        _load(tmp_path / "second", other)
        path = _file(cache)
        path.unlink()
        shutil.copy(_file(other), path)
        assert not _mapped(model, cache)

    @pytest.mark.parametrize(
        "change",
        [
            {"formats": {}},
            {"formats": 7},
            {"config": {}},
            {"config": None},
            {"sums": 0},
            {"generation": {"x": 1}},
            {"key": ""},
        ],
    )
    def test_a_wrong_description_with_a_right_digest(
        self, change: dict[str, object], model: Path, cache: Path
    ) -> None:
        _load(model, cache)
        path = _file(cache)
        data = bytearray(path.read_bytes())
        length = int.from_bytes(data[12:16], "little")
        raw = json.dumps(json.loads(data[48 : 48 + length]) | change).encode()
        digest = packed_file.blake2b(raw, digest_size=32).digest()
        data[12:48] = len(raw).to_bytes(4, "little") + digest
        data[48 : 48 + len(raw)] = raw
        path.unlink()
        path.write_bytes(data)
        assert not _mapped(model, cache)

    @pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
    def test_something_else_under_this_name(self, kind: str, model: Path, cache: Path) -> None:
        expected = _logits(_load(model, cache))
        path = _file(cache)
        path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to("/nonexistent")
        assert _logits(_load(model, cache)) == expected


class TestKey:
    @pytest.mark.parametrize("what", ["content", "time", "config", "name"])
    def test_a_changed_source_is_packed_anew(self, what: str, model: Path, cache: Path) -> None:
        _load(model, cache)
        weights = model / "model.safetensors"
        status = weights.stat()
        if what == "content":
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)
            os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif what == "time":
            os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        elif what == "config":
            config = json.loads((model / "config.json").read_text())
            (model / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
        else:
            (model / "generation_config.json").write_text('{"temperature": 0.1}')
        assert not _mapped(model, cache)
        assert _mapped(model, cache)

    def test_a_copy_with_its_times_is_the_same_model(self, model: Path, cache: Path) -> None:
        _load(model, cache)
        shutil.copytree(model, model.parent / "moved")
        assert _mapped(model.parent / "moved", cache)

    def test_format_and_versions_count(
        self, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _load(model, cache, "q8_0")
        assert not _mapped(model, cache, "q4_0")
        assert _mapped(model, cache, "q8_0")
        for module, version in [
            (packed_cache, "FORMAT_VERSION"),
            (packed_cache, "CONTRACT_VERSION"),
            (packed_cache, "PANELS_VERSION"),
        ]:
            with monkeypatch.context() as patch:
                patch.setattr(module, version, 99)
                assert not _mapped(model, cache, "q8_0")

    def test_errors_of_the_model_stay_what_they_are(self, model: Path, cache: Path) -> None:
        with pytest.raises(ModelNotFoundError):
            _load(model / "nothing", cache)
        with pytest.raises(UsageError):
            _load(model, cache, "q5_k")
        (model / "config.json").write_text("{")
        with pytest.raises(ModelFormatError):
            _load(model, cache)
        assert not cache.exists()


class TestWriting:
    @pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fsync", "statvfs", "fchmod"])
    def test_a_failure_of_the_disk_costs_the_file_only(
        self, call: str, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            loaded = _load(model, cache)
            assert _line(loaded) == "not written: No space left on device"
        assert list(cache.iterdir()) == []
        assert _logits(loaded) == _logits(_load(model, cache))

    def test_a_folder_that_cannot_be_made(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        loaded = _load(model, tmp_path / "file" / "packed")
        assert _line(loaded).startswith("not written")

    def test_a_disk_is_not_filled(
        self, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packed_cache, "FREE_SHARE", 1.0)
        assert "too full" in _load(model, cache).report[-1]
        assert list(cache.iterdir()) == []

    def test_the_folder_keeps_its_limit(
        self, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _load(model, cache, "q8_0")
        size = _file(cache).stat().st_size
        old = _file(cache)
        os.utime(old, (1, 1))
        monkeypatch.setattr(packed_cache, "MAX_FOLDER_BYTES", 2 * size)
        _load(model, cache, "q4_0")
        assert {path.exists() for path in cache.iterdir()} == {True}
        _load(model, cache, "bf16")
        assert not old.exists()
        monkeypatch.setattr(packed_cache, "MAX_FOLDER_BYTES", 1000)
        assert "larger than the limit" in _line(_load(model, cache, "f16"))

    def test_a_use_counts_as_recent(self, model: Path, cache: Path) -> None:
        _load(model, cache)
        os.utime(_file(cache), (1, 1))
        assert _mapped(model, cache)
        assert _file(cache).stat().st_mtime > time.time() - 3600

    def test_only_own_files_are_listed_and_removed(self, model: Path, cache: Path) -> None:
        _load(model, cache)
        (cache / "notes.txt").touch()
        store = PackedCache(cache)
        assert len(store.entries()) == 1
        assert store.clean(1 << 40) == 0
        assert store.clean() > MAP_ALIGNMENT
        assert [path.name for path in cache.iterdir()] == ["notes.txt"]
        assert PackedCache(cache / "nothing").clean() == 0


PROGRAM = """
import sys
import numpy as np
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
loaded = load_model(sys.argv[1], LoadOptions(threads=1, ctx_size=256, packed_cache=sys.argv[2]))
logits = loaded.model.logits(np.arange(40) * 7 % 300, np.zeros(1, np.int32))
print(logits.tobytes().hex()[:4000], loaded.report[-1].split()[2])
"""


def _start(model: Path, cache: Path, code: str = PROGRAM) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(model), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_write_at_once_agree(model: Path, cache: Path) -> None:
    processes = [_start(model, cache) for _ in range(4)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len({logits for logits, _ in outputs}) == 1
    assert _file(cache).suffix == ".packed"
    assert _mapped(model, cache)


def test_a_writer_that_is_killed_leaves_nothing_in_use(model: Path, cache: Path) -> None:
    stop = (
        "import os, signal\nos.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n" + PROGRAM
    )
    process = _start(model, cache, stop)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert _file(cache).suffix == ".writing"
    assert "written" in _line(_load(model, cache))
    assert _file(cache).suffix == ".packed"


def test_a_writer_at_work_is_left_alone(model: Path, cache: Path) -> None:
    _load(model, cache)
    temporary = _file(cache).with_suffix(".writing")
    _file(cache).rename(temporary)
    with temporary.open("rb") as file:
        packed_cache.fcntl.flock(file, packed_cache.fcntl.LOCK_EX)
        assert _line(_load(model, cache)) == "another process is writing the file"
        assert PackedCache(cache).clean() == 0
        assert temporary.exists()
    assert PackedCache(cache).clean() > 0
    assert list(cache.iterdir()) == []


def test_a_removed_file_stays_usable_and_is_shared(model: Path, cache: Path) -> None:
    _load(model, cache)
    one, two = _load(model, cache), _load(model, cache)
    inode = str(_file(cache).stat().st_ino)
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    shared = [fields for fields in maps if len(fields) > 5 and fields[4] == inode]
    assert len(shared) == 2
    assert {fields[1] for fields in shared} == {"r--s"}
    PackedCache(cache).clean()
    assert _logits(one) == _logits(two)


CUT = """
import os, sys, pyinfer
from pathlib import Path
folder = Path(sys.argv[1])
greedy = pyinfer.SamplingParams(temperature=0, max_tokens=40)
with pyinfer.load(packed_cache=folder) as llm:
    expected = llm.generate("2 + 3", params=greedy).token_ids
(file,) = folder.iterdir()
llm = pyinfer.load(packed_cache=folder)
assert any("mapped" in line for line in llm.info.report), llm.info.report
file.chmod(0o600)
os.truncate(file, int(sys.argv[2]))
try:
    llm.generate("2 + 3", params=greedy)
    print("no error")
except pyinfer.PyinferError as error:
    print(type(error).__name__, error)
llm.close()
with pyinfer.load(packed_cache=folder) as llm:
    print(llm.generate("2 + 3", params=greedy).token_ids == expected)
"""


@pytest.mark.parametrize("size", [0, 4096, 1 << 21, 3 << 20])
def test_a_file_cut_short_while_it_is_mapped(tmp_path: Path, size: int) -> None:
    """A typed error in the process that uses it, not its end; the next load is whole."""
    ran = subprocess.run(
        [sys.executable, "-c", CUT, str(tmp_path / "packed"), str(size)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    error, again = ran.stdout.splitlines()
    assert "cut short while they were in use" in error
    assert error.startswith("StoreIOError")
    assert again == "True"


def test_a_file_that_others_may_write_is_not_mapped(tmp_path: Path) -> None:
    load = functools.partial(pyinfer.load, packed_cache=tmp_path / "packed", tokenizer=False)
    load().close()
    (file,) = (tmp_path / "packed").iterdir()
    for mode, mapped in ((0o400, True), (0o420, False), (0o400, True), (0o402, False)):
        file.chmod(mode)
        with load() as llm:
            assert any("mapped from" in line for line in llm.info.report) == mapped
