"""What the operating system says about processor, memory and this process's share of them."""

from __future__ import annotations

import os
from pathlib import Path

from pyinfer import machine

_PROC = Path("/proc")
_THP = Path("/sys/kernel/mm/transparent_hugepage")

# Of x86-64, then of aarch64.
_NOTABLE = (
    *("avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "gfni"),
    *("asimddp", "i8mm", "bf16", "sve", "sve2"),
)


def cpu_flags() -> set[str]:
    """Flags of the first CPU."""
    for line in _text(_PROC / "cpuinfo").splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


def notable_features() -> list[str]:
    """CPU features that matter for matrix arithmetic."""
    flags = cpu_flags()
    return [flag for flag in _NOTABLE if flag in flags]


def thread_facts() -> dict[str, str]:
    """How many threads are chosen, and what was looked at."""
    choice = machine.default_threads()
    quota = machine.cpu_quota()
    return {
        "chosen": f"{choice.count}, because of {choice.reason}",
        "allowed CPUs": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "CPU quota": "none" if quota is None else f"{quota:g} CPUs",
        "load now": f"{os.getloadavg()[0]:.1f} runnable threads (1 minute)",
    }


def memory_facts() -> dict[str, str]:
    """Memory, swap and huge pages."""
    info = {}
    for line in _text(_PROC / "meminfo").splitlines():
        name, _, value = line.partition(":")
        info[name] = int(value.split()[0]) * 1024 if value.split() else 0
    mode = _text(_THP / "enabled")
    chosen = mode[mode.find("[") + 1 : mode.find("]")] if "[" in mode else "unknown"
    advice = {
        "always": "used for the weights",
        "madvise": "used for the weights, which ask for them",
        "never": "switched off: decode is slower; "
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    }
    return {
        "total": _gb(info.get("MemTotal", 0)),
        "available to this process": _gb(machine.available_memory()),
        "swap in use": _gb(info.get("SwapTotal", 0) - info.get("SwapFree", 0)),
        "huge pages": f"{chosen} ({advice.get(chosen, 'not known to this system')})",
    }


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
