"""What this machine grants to the process: CPUs, quota, memory. Imports nothing of the package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """How many threads to run, and why."""

    count: int
    reason: str


def default_threads() -> ThreadChoice:
    """Choose one thread per physical core of the affinity mask, at most the cgroup's CPU quota.

    Sibling hyperthreads share the multipliers and the load ports that the kernels saturate, so a
    second thread per core only adds contention.
    """
    allowed = os.sched_getaffinity(0)
    cores = _physical_cores(allowed)
    count, reason = cores, f"{cores} physical cores"
    if len(allowed) != (os.cpu_count() or len(allowed)):
        reason += f" among the {len(allowed)} allowed CPUs"
    quota = cpu_quota()
    if quota is not None and int(quota) < count:
        count, reason = max(1, int(quota)), f"a CPU quota of {quota:g}"
    return ThreadChoice(max(1, count), reason)


def _physical_cores(allowed: set[int]) -> int:
    cores = set()
    for cpu in allowed:
        siblings = _read(_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list")
        cores.add(siblings or str(cpu))
    return len(cores)


def cpu_quota() -> float | None:
    """Return the CPU time per second that the cgroup grants (v2 or v1), None if unlimited."""
    limits = []
    for folder in _cgroup_folders("cpu"):
        limit, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        if limit.isdigit() and period.isdigit() and int(period):
            limits.append(int(limit) / int(period))
        quota = _read(folder / "cpu.cfs_quota_us") or "-1"
        period = _read(folder / "cpu.cfs_period_us") or "0"
        if quota.isdigit() and period.isdigit() and int(period):
            limits.append(int(quota) / int(period))
    return min(limits) if limits else None


def available_memory() -> int:
    """Return the bytes that can be allocated without swapping, the cgroup limit respected."""
    available = []
    for line in (_read(_PROC / "meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            available.append(int(line.split()[1]) * 1024)
    for folder in _cgroup_folders("memory"):
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, usage = _read(folder / limit_name), _read(folder / usage_name)
            if limit and usage and limit.isdigit() and usage.isdigit():
                available.append(max(0, int(limit) - int(usage) + _reclaimable(folder)))
    return min(available) if available else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _reclaimable(folder: Path) -> int:
    """Return the file pages that count as used in the cgroup but go when memory is needed."""
    for line in (_read(folder / "memory.stat") or "").splitlines():
        if line.startswith(("inactive_file ", "total_inactive_file ")):
            return int(line.split()[1])
    return 0


def _cgroup_folders(controller: str) -> list[Path]:
    """Return the folders of the process's cgroup and its parents, where limits may stand."""
    folders = []
    for line in (_read(_PROC / "self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _CGROUP / controller if controllers else _CGROUP
        inside = root / path.lstrip("/")
        folders += [inside, *(p for p in inside.parents if p == root or root in p.parents)]
    return [folder for folder in folders if folder.is_dir()]


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
