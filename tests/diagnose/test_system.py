"""Facts of the operating system, from files laid out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyinfer.diagnose import system


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(system, "_PROC", tmp_path)
    monkeypatch.setattr(system, "_THP", tmp_path)
    return tmp_path


def test_features(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 fma f16c avx512f gfni\n")
    assert system.notable_features() == ["gfni"]
    (proc / "cpuinfo").write_text("processor : 0\nFeatures\t: fp asimd asimddp i8mm\n")
    assert system.notable_features() == ["asimddp", "i8mm"]


def test_memory(proc: Path) -> None:
    (proc / "meminfo").write_text("MemTotal: 2000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 0 kB\n")
    for mode, text in (("never", "slower"), ("madvise", "ask for them"), ("always", "used for")):
        (proc / "enabled").write_text(
            " ".join(f"[{m}]" if m == mode else m for m in ("always", "madvise", "never"))
        )
        facts = system.memory_facts()
        assert facts["huge pages"].startswith(mode)
        assert text in facts["huge pages"]
    assert facts["total"] == "2.0 GB"
    assert facts["swap in use"] == "1.0 GB"


def test_nothing_to_read(proc: Path) -> None:
    assert system.cpu_flags() == set()
    assert system.memory_facts()["huge pages"].startswith("unknown")
    assert "chosen" in system.thread_facts()
