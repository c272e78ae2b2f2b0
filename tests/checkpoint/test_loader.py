"""From a path to a model: choices, refusals, progress and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer._kernels.runtime import CancelFlag
from pyinfer.checkpoint import loader, pack
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import LoadedModel, load_model
from pyinfer.errors import (
    InsufficientMemoryError,
    StoreIOError,
    UnsupportedCPUError,
    UsageError,
)
from pyinfer.machine import ThreadChoice
from pyinfer.model.model import cache_block_bytes

from ..checkpoints import random_config, random_weights, tensor_shapes, write_folder, write_gguf
from ..model.mixed_gguf import write_mixed_gguf

CONFIG = random_config(max_position_embeddings=1000)
GIB = 1 << 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny checkpoint folder."""
    write_folder(tmp_path / "model", CONFIG, 1)
    return tmp_path / "model"


@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Memory that the machine says it has, to be changed by the test."""
    memory = {"bytes": 64 * GIB}
    monkeypatch.setattr(loader, "available_memory", lambda: memory["bytes"])
    return memory


def _logits(loaded: LoadedModel, count: int = 40) -> bytes:
    tokens = np.arange(count) * 7 % 300
    return loaded.model.logits(tokens, np.zeros(1, np.int32)).tobytes()


class TestMemory:
    def test_refusal_names_both_numbers_and_starts_nothing(
        self, folder: Path, available: dict[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def started(*_: object) -> None:
            raise AssertionError("something was allocated")

        for name in ("Runtime", "Packer", "Model"):
            monkeypatch.setattr(loader, name, started)
        available["bytes"] = 30_000_000
        with pytest.raises(InsufficientMemoryError) as caught:
            load_model(folder)
        message = str(caught.value)
        assert "needs 0.0" in message or "needs 0.1" in message
        assert "0.03 GB are available" in message
        assert "context of 64 tokens" in message
        assert "ctx_size" in message
        assert "\n" not in message

    def test_refusal_is_exact(self, folder: Path, available: dict[str, int]) -> None:
        def fits(nbytes: int) -> bool:
            available["bytes"] = nbytes
            try:
                load_model(folder, LoadOptions(ctx_size=1000, threads=1))
            except InsufficientMemoryError:
                return False
            return True

        low, high = 0, GIB
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        blocks = cache_block_bytes("f16", load_model(folder, LoadOptions(threads=1)).config) * 16
        assert blocks < high < 200_000_000

    def test_a_longer_context_needs_more(self, folder: Path, available: dict[str, int]) -> None:
        config = load_model(folder, LoadOptions(threads=1)).config
        long = json.loads((folder / "config.json").read_text())
        long["max_position_embeddings"] = 1 << 20
        (folder / "config.json").write_text(json.dumps(long))
        available["bytes"] = GIB // 4
        assert cache_block_bytes("f16", config) * (1 << 14) >= GIB // 4
        with pytest.raises(InsufficientMemoryError, match="1048576 tokens"):
            load_model(folder, LoadOptions(ctx_size=1 << 20))
        assert load_model(folder, LoadOptions(ctx_size=4096)).model.limits.context == 4096


class TestContext:
    @pytest.mark.parametrize("ctx_size", [0, -1, 1001, 1 << 40])
    def test_out_of_range(self, folder: Path, ctx_size: int) -> None:
        with pytest.raises(UsageError, match="outside 1 to 1000"):
            load_model(folder, LoadOptions(ctx_size=ctx_size))

    @pytest.mark.parametrize("ctx_size", [1, 64, 65, 1000])
    def test_as_asked(self, folder: Path, ctx_size: int) -> None:
        limits = load_model(folder, LoadOptions(ctx_size=ctx_size, threads=1)).model.limits
        assert limits.context == ctx_size
        assert limits.n_blocks >= -(-ctx_size // 64)

    @pytest.mark.parametrize(
        ("longest", "expected"), [(100, 100), (32_768, 32_768), (131_072, 32_768)]
    )
    @pytest.mark.usefixtures("available")
    def test_default(self, tmp_path: Path, longest: int, expected: int) -> None:
        write_folder(tmp_path, CONFIG | {"max_position_embeddings": longest})
        limits = load_model(tmp_path, LoadOptions(threads=1)).model.limits
        assert limits.context == expected
        assert limits.n_blocks == 4 * -(-expected // 64)

    def test_default_shrinks_to_the_memory(self, tmp_path: Path, available: dict[str, int]) -> None:
        write_folder(tmp_path, CONFIG | {"max_position_embeddings": 131_072})
        contexts = []
        for megabytes in (90, 92, 100, 200):
            available["bytes"] = megabytes << 20
            limits = load_model(tmp_path, LoadOptions(threads=1)).model.limits
            assert limits.context % 64 == 0
            assert limits.n_blocks * 64 >= limits.context
            contexts.append(limits.context)
        assert contexts == sorted(contexts)
        assert contexts[0] < contexts[-1] <= 32_768


class TestChoices:
    def test_default_format_of_a_folder(self, folder: Path) -> None:
        loaded = load_model(folder, LoadOptions(threads=1))
        assert loaded.model._weights.head.format == "q8_0"
        assert any("q8_0" in line for line in loaded.report)

    @pytest.mark.parametrize("dtype", ["q5_k", "int8", "", "F32", "q4_k_m"])
    def test_unknown_formats(self, folder: Path, dtype: str) -> None:
        with pytest.raises(UsageError, match="dtype"):
            load_model(folder, LoadOptions(dtype=dtype))

    def test_gguf_keeps_its_format(self, tmp_path: Path) -> None:
        path = tmp_path / "m.gguf"
        write_gguf(path, CONFIG, dtype="q8_0", vocabulary=False)
        assert (
            load_model(path, LoadOptions(dtype="q8_0", threads=1)).model._weights.head.format
            == "q8_0"
        )
        with pytest.raises(UsageError, match="own formats"):
            load_model(path, LoadOptions(dtype="q4_0"))

    def test_q4_0_keeps_embedding_and_head_in_q8_0(self, folder: Path) -> None:
        weights = load_model(folder, LoadOptions(dtype="q4_0", threads=1)).model._weights
        assert (weights.embedding.format, weights.head.format) == ("q8_0", "q8_0")
        assert weights.layers[0].down.format == "q4_0"

    def test_odd_sizes_stay_float_and_the_report_says_so(self, tmp_path: Path) -> None:
        config = random_config(hidden=72, heads=3, kv_heads=1, head_dim=24, intermediate=100)
        write_folder(tmp_path, config)
        loaded = load_model(tmp_path, LoadOptions(dtype="q4_0", threads=1))
        assert {loaded.model._weights.head.format} == {"bf16"}
        notes = [line for line in loaded.report if "stay in bf16" in line]
        assert any("100 inputs" in line for line in notes)
        assert any("72 inputs" in line for line in notes)

    def test_isa(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (
            load_model(folder, LoadOptions(isa="scalar", threads=1)).model.runtime.isa == "scalar"
        )
        with pytest.raises(UsageError, match="sse2"):
            load_model(folder, LoadOptions(isa="sse2"))
        monkeypatch.setenv("PYINFER_ISA", "avx1024")
        with pytest.raises((UsageError, UnsupportedCPUError), match="avx1024"):
            load_model(folder)

    def test_kv_type(self, folder: Path, tmp_path: Path) -> None:
        assert load_model(folder, LoadOptions(threads=1)).model.limits.kv_format == "f16"
        assert (
            load_model(folder, LoadOptions(dtype="f32", threads=1)).model.limits.kv_format == "f32"
        )
        with pytest.raises(UsageError, match="q5_1"):
            load_model(folder, LoadOptions(kv_type="q5_1"))
        wide = tmp_path / "wide"
        wide.mkdir()
        write_folder(wide, random_config(hidden=64, heads=4, kv_heads=2, head_dim=32))
        loaded = load_model(wide, LoadOptions(kv_type="q8_0", threads=1))
        assert loaded.model.limits.kv_format == "q8_0"
        assert any("in q8_0, pool" in line for line in loaded.report)
        config = loaded.config
        assert 32 * cache_block_bytes("q8_0", config) == 17 * cache_block_bytes("f16", config)
        narrow = tmp_path / "narrow"
        narrow.mkdir()
        write_folder(narrow, random_config(hidden=72, heads=3, kv_heads=1, head_dim=24))
        with pytest.raises(UsageError, match="multiple of 32"):
            load_model(narrow, LoadOptions(kv_type="q8_0"))

    def test_threads(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loader, "default_threads", lambda: ThreadChoice(2, "a reason"))
        loaded = load_model(folder)
        assert loaded.model.runtime.threads == 1
        assert any("1 (the model fits" in line for line in loaded.report)
        monkeypatch.setattr(loader, "SMALL_MODEL_BYTES", 0)
        loaded = load_model(folder)
        assert loaded.model.runtime.threads == 2
        assert any("2 (a reason)" in line for line in loaded.report)
        assert load_model(folder, LoadOptions(threads=1)).model.runtime.threads == 1
        with pytest.raises(UsageError, match="threads=0"):
            load_model(folder, LoadOptions(threads=0))

    def test_one_thread_computes_what_three_do(self, folder: Path) -> None:
        assert _logits(load_model(folder, LoadOptions(threads=3))) == _logits(
            load_model(folder, LoadOptions(threads=1))
        )


class TestSources:
    def test_shards_and_one_file_are_the_same_model(self, folder: Path, tmp_path: Path) -> None:
        write_folder(tmp_path / "shards", CONFIG, 1, shards=4)
        assert _logits(load_model(folder)) == _logits(load_model(tmp_path / "shards"))

    def test_folder_and_gguf_are_the_same_model(self, tmp_path: Path) -> None:
        weights = random_weights(CONFIG, 8)
        write_folder(tmp_path / "folder", CONFIG, dtype="f32", weights=weights)
        expected = _logits(load_model(tmp_path / "folder", LoadOptions(dtype="f32")))
        for version in (2, 3):
            path = tmp_path / f"v{version}.gguf"
            write_mixed_gguf(path, CONFIG, lambda _: "f32", weights=weights, version=version)
            assert path.read_bytes()[4] == version
            assert _logits(load_model(path)) == expected

    @pytest.mark.parametrize("kind", ["folder", "gguf"])
    def test_tied_embeddings_share_one_tensor(self, kind: str, tmp_path: Path) -> None:
        config = random_config(tied=True)
        path = tmp_path / "m.gguf" if kind == "gguf" else tmp_path
        if kind == "gguf":
            write_gguf(path, config, dtype="q8_0", vocabulary=False)
        else:
            write_folder(path, config)
        loaded = load_model(path, LoadOptions(threads=1))
        weights = loaded.model._weights
        assert weights.head is weights.embedding
        untied = random_config()
        write_folder(tmp_path / "untied", untied)
        weights = load_model(tmp_path / "untied", LoadOptions(threads=1)).model._weights
        assert weights.head is not weights.embedding


class TestProgress:
    @pytest.mark.parametrize("tied", [False, True])
    @pytest.mark.parametrize("kind", ["folder", "gguf"])
    def test_grows_to_the_end(
        self, kind: str, tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pack, "BATCH_BYTES", 4096)
        config = random_config(tied=tied)
        path = tmp_path / "m.gguf" if kind == "gguf" else tmp_path
        if kind == "gguf":
            write_gguf(path, config, vocabulary=False)
        else:
            write_folder(path, config, shards=2)
        calls: list[tuple[int, int]] = []
        load_model(path, LoadOptions(threads=1), progress=lambda *call: calls.append(call))
        done = [call[0] for call in calls]
        assert done == sorted(set(done))
        assert len({total for _, total in calls}) == 1
        assert calls[-1][0] == calls[-1][1]
        assert len(calls) > 5

    def test_an_error_of_the_caller_ends_the_load(self, folder: Path) -> None:
        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load_model(folder, progress=interrupt)

    def test_a_file_that_shrinks_is_reported(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pack, "BATCH_BYTES", 4096)
        weights = folder / "model.safetensors"
        size = weights.stat().st_size

        def cut(done: int, total: int) -> None:
            with weights.open("r+b") as file:
                file.truncate(size // 2)

        with pytest.raises(StoreIOError, match=r"model\.safetensors"):
            load_model(folder, progress=cut)


def test_steps_after_close_fail_cleanly(folder: Path) -> None:
    model = load_model(folder, LoadOptions(threads=2)).model
    model.close()
    with pytest.raises(AttributeError):
        model.step([], CancelFlag())


# Peak memory on a checkpoint large enough to tell one copy from two. The file is sparse: only sizes
# matter here, and zeros are packed like any other weights.
BIG = random_config(
    hidden=1536, layers=8, heads=12, kv_heads=2, head_dim=128, intermediate=4096, vocab=4096
)
PEAK = """
import sys
import numpy as np
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.model.step import Span

loaded = load_model(sys.argv[1], LoadOptions(dtype=sys.argv[2], ctx_size=2048))
model = loaded.model
blocks = np.arange(32, dtype=np.int32)
model.step([Span(np.arange(512, dtype=np.int32), 0, blocks, 1)])
assert model.step([Span(np.zeros(1, np.int32), 512, blocks, 1)])[0].finite
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM:"))
matrices = [m for x in model._weights.layers for m in (x.q, x.k, x.v, x.o, x.gate, x.up, x.down)]
packed = sum(m.nbytes for m in [*matrices, model._weights.embedding, model._weights.head])
print(int(peak.split()[1]) * 1024, packed)
"""


@pytest.fixture(scope="module")
def big_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 400 MB of bf16 zeros."""
    path = tmp_path_factory.mktemp("big")
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in tensor_shapes(BIG).items():
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with (path / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    (path / "config.json").write_text(json.dumps(BIG))
    return path


@pytest.mark.parametrize("dtype", ["bf16", "q8_0"])
def test_peak_memory(big_folder: Path, dtype: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(big_folder), dtype],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak, packed = map(int, done.stdout.split())
    file_bytes = (big_folder / "model.safetensors").stat().st_size
    assert packed > 200_000_000
    assert packed + file_bytes > packed * 1.12 + 250e6  # two copies would be noticed
    assert peak <= packed * 1.12 + 250e6
