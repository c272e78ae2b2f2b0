"""Thread choice and memory from made-up affinity masks, CPU topologies and cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyinfer import machine

GIB = 1 << 30


class FakeMachine:
    """Files below a temporary folder in place of /sys and /proc."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.patch = monkeypatch
        for name in ("cpu", "cgroup", "proc"):
            (root / name).mkdir()
            monkeypatch.setattr(
                machine, {"cpu": "_CPUS"}.get(name, f"_{name.upper()}"), root / name
            )
        self.cpus([{0}, {1}, {2}, {3}])
        self.write("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")

    def write(self, path: str, content: str) -> None:
        """Create a file and its folders."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def cpus(self, cores: list[set[int]], allowed: set[int] | None = None) -> None:
        """Cores as sets of sibling CPUs; the affinity mask, by default all of them."""
        every = set().union(*cores)
        for core in cores:
            for cpu in core:
                siblings = ",".join(map(str, sorted(core)))
                self.write(f"cpu/cpu{cpu}/topology/thread_siblings_list", siblings + "\n")
        self.patch.setattr(os, "sched_getaffinity", lambda _: every if allowed is None else allowed)
        self.patch.setattr(os, "cpu_count", lambda: len(every))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """Four cores without siblings, 8 GiB available, no cgroup."""
    return FakeMachine(tmp_path, monkeypatch)


def test_one_thread_per_core(fake: FakeMachine) -> None:
    assert machine.default_threads() == machine.ThreadChoice(4, "4 physical cores")
    fake.cpus([{0, 4}, {1, 5}, {2, 6}, {3, 7}])
    assert machine.default_threads().count == 4


def test_affinity_mask(fake: FakeMachine) -> None:
    fake.cpus([{0, 2}, {1, 3}], allowed={0, 2, 3})
    choice = machine.default_threads()
    assert choice.count == 2
    assert "3 allowed CPUs" in choice.reason
    fake.cpus([{0, 2}, {1, 3}], allowed={0, 2})
    assert machine.default_threads().count == 1


def test_unknown_topology_counts_cpus(fake: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CPUS", fake.root / "nowhere")
    assert machine.default_threads().count == 4


@pytest.mark.parametrize(
    ("limit", "count", "quota"),
    [
        ("max 100000", 4, None),
        ("400000 100000", 4, 4.0),
        ("250000 100000", 2, 2.5),
        ("100000 100000", 1, 1.0),
        ("50000 100000", 1, 0.5),
        ("1000000 100000", 4, 10.0),
        ("", 4, None),
        ("100000", 4, None),
        ("100000 0", 4, None),
        ("-1 100000", 4, None),
        ("nonsense here", 4, None),
    ],
)
def test_quota_of_cgroup_2(fake: FakeMachine, limit: str, count: int, quota: float | None) -> None:
    fake.write("proc/self/cgroup", "0::/app.slice/job\n")
    fake.write("cgroup/app.slice/job/cpu.max", limit + "\n")
    assert machine.cpu_quota() == quota
    choice = machine.default_threads()
    assert choice.count == count
    assert ("quota" in choice.reason) == (count < 4)


def test_quota_of_a_parent_counts(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/a/b/c\n")
    fake.write("cgroup/a/b/c/cpu.max", "max 100000")
    fake.write("cgroup/a/cpu.max", "200000 100000")
    assert machine.default_threads().count == 2


def test_quota_of_the_root_inside_a_container(fake: FakeMachine) -> None:
    # The path is the host's, the mount shows the container's own group at its root.
    fake.write("proc/self/cgroup", "0::/docker/0123456789\n")
    fake.write("cgroup/cpu.max", "100000 100000")
    assert machine.default_threads().count == 1


def test_quota_of_cgroup_1(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/x\n1:name=systemd:/x\n")
    fake.write("cgroup/cpu/x/cpu.cfs_quota_us", "-1\n")
    fake.write("cgroup/cpu/x/cpu.cfs_period_us", "100000\n")
    assert machine.cpu_quota() is None
    fake.write("cgroup/cpu/x/cpu.cfs_quota_us", "300000\n")
    assert machine.cpu_quota() == 3.0


def test_memory_without_a_limit(fake: FakeMachine) -> None:
    assert machine.available_memory() == 8 * GIB


def test_memory_of_cgroup_2(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/job\n")
    fake.write("cgroup/job/memory.max", "max\n")
    fake.write("cgroup/job/memory.current", f"{GIB}\n")
    assert machine.available_memory() == 8 * GIB
    fake.write("cgroup/job/memory.max", f"{4 * GIB}\n")
    assert machine.available_memory() == 3 * GIB
    # Pages of files that were read go when memory is needed.
    fake.write("cgroup/job/memory.stat", f"anon 5\ninactive_file {GIB // 2}\nactive_file 7\n")
    assert machine.available_memory() == 3 * GIB + GIB // 2
    fake.write("cgroup/job/memory.current", f"{5 * GIB}\n")
    assert machine.available_memory() == 0


def test_memory_of_cgroup_1(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "5:memory:/m\n")
    fake.write("cgroup/memory/m/memory.limit_in_bytes", f"{2 * GIB}\n")
    fake.write("cgroup/memory/m/memory.usage_in_bytes", f"{GIB}\n")
    assert machine.available_memory() == GIB


def test_memory_without_meminfo(fake: FakeMachine) -> None:
    (fake.root / "proc/meminfo").unlink()
    assert machine.available_memory() >= 1 << 20
