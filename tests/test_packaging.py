"""What is installed: whole, nothing too much, and runnable on any x86-64."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import pyinfer._kernels

from .disassembly import objdump
from .source_tree import ROOT, files, text

PACKAGE = Path(pyinfer._kernels.__path__[0]).parent
LIBRARIES = sorted((PACKAGE / "_kernels").glob("*.so"))

MAX_WHEEL_BYTES = 16 << 20  # the embedded model takes half of it

# Instructions of the levels above the baseline: anything with a VEX or EVEX prefix, and BMI.
ABOVE_BASELINE = re.compile(
    r"\t(v[a-z0-9]+|andn|bextr|bls[ir]|mulx|pdep|pext|rorx|sarx|shlx|shrx|bzhi)\s"
)


@pytest.fixture(scope="module")
def installed() -> list[Path]:
    """Files of the installed distribution, relative to site-packages."""
    try:
        distribution = metadata.distribution("pyinfer")
    except metadata.PackageNotFoundError:
        pytest.skip("pyinfer is not installed here: built in place")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("pyinfer is installed in editable mode")
    return [Path(str(file)) for file in distribution.files or []]


def test_every_module_is_installed(installed: list[Path]) -> None:
    names = {path.as_posix() for path in installed}
    sources = {path.relative_to(ROOT).as_posix() for path in files(".py", ".pyi", under="pyinfer")}
    assert sources <= names
    assert "pyinfer/py.typed" in names
    compiled = {path.name.split(".")[0] for path in installed if path.suffix == ".so"}
    assert compiled == {path.stem for path in files(".pyx", under="pyinfer")}


def test_the_embedded_model_is_installed(installed: list[Path]) -> None:
    names = {path.name for path in installed if path.parent.as_posix() == "pyinfer/demo"}
    assert {"config.json", "generation_config.json", "model.safetensors"} <= names
    assert {"tokenizer.json", "tokenizer_config.json"} <= names


def test_nothing_else_is_installed(installed: list[Path]) -> None:
    assert {path.suffix for path in installed} & {
        ".pyx",
        ".pxd",
        ".c",
        ".h",
        ".a",
        ".cmake",
    } == set()
    folders = {path.parts[0] for path in installed if path.parts[0] != ".."}
    assert len(folders) == 2  # the package and its metadata
    assert any(path.name == "LICENSE" for path in installed)
    assert {path.name for path in installed if path.parts[0] == ".."} == {
        "pyinfer",
        "pyinfer-llama-server",
    }


def test_the_installed_size_is_small(installed: list[Path]) -> None:
    located = [metadata.distribution("pyinfer").locate_file(path) for path in installed]
    sizes = [Path(str(path)).stat().st_size for path in located if Path(str(path)).suffix != ".pyc"]
    assert sum(sizes) < MAX_WHEEL_BYTES


def test_the_version_is_written_once_in_each_place() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    assert project["version"] == pyinfer.__version__


def test_the_core_needs_no_torch(installed: list[Path]) -> None:
    needed = metadata.requires("pyinfer") or []
    base = {re.split(r"[^\w-]", line)[0] for line in needed if "extra ==" not in line}
    assert base == {"numpy", "safetensors", "tokenizers", "jinja2", "rich"}


def homes(library: Path) -> dict[int, str]:
    """Address of every function -> its symbol and the source file the symbol table gives for it."""
    found, source = {}, ""
    for line in objdump("-t", str(library)).splitlines():
        parts = line.split()
        if len(parts) >= 5 and "df" in parts:
            source = parts[-1]
        elif len(parts) >= 5 and " F " in line:
            found[int(parts[0], 16)] = f"{source} {parts[-1]}"
    return found


def functions_above_baseline(library: Path) -> Iterator[str]:
    """Home of every function that holds an instruction that not every x86-64 has."""
    table, home, reported = homes(library), "a stripped library", False
    for line in objdump("-d", "--no-show-raw-insn", str(library)).splitlines():
        if head := re.match(r"([0-9a-f]+) <(.*)>:$", line):
            home, reported = table.get(int(head[1], 16), head[2]), False
        elif not reported and ABOVE_BASELINE.search(line):
            reported = True
            yield home


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name.split(".")[0])
def test_instructions_above_the_baseline_stay_in_their_kernels(library: Path) -> None:
    level = re.compile(r"_(avx2|avx2vnni|avx2vnni_evex|avx512vnni)\b")
    assert [home for home in functions_above_baseline(library) if not level.search(home)] == []


def test_the_disassembly_sees_the_kernels() -> None:
    library = next(path for path in LIBRARIES if path.name.startswith("matrix_kernels."))
    found = " ".join(functions_above_baseline(library))
    assert "pi_gemv_q4_0_avx2" in found
    assert "pi_gemm_q8_0_avx512vnni" in found


@pytest.fixture
def uncompiled(tmp_path: Path) -> Path:
    """A checkout whose modules are not compiled."""
    shutil.copytree(
        PACKAGE, tmp_path / "pyinfer", ignore=shutil.ignore_patterns("*.so", "__pycache__", "demo")
    )
    return tmp_path


def run(folder: Path, code: str, *flags: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, which comes first on its path."""
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_a_checkout_without_compiled_modules_says_what_to_run(uncompiled: Path) -> None:
    result = run(uncompiled, "import pyinfer._kernels.runtime", "-S")  # without site-packages
    assert result.returncode == 1
    assert "ImportError: the compiled modules of pyinfer are missing" in result.stderr
    assert "pip install ." in result.stderr


def test_inside_a_checkout_the_installed_package_runs(uncompiled: Path) -> None:
    code = "import pyinfer, pyinfer._kernels.runtime as r, pyinfer.errors as e; "
    code += "print(r.__file__); print(e.__file__)"
    result = run(uncompiled, code, path=str(PACKAGE.parent))
    assert result.stderr == ""
    assert [Path(line).is_relative_to(PACKAGE) for line in result.stdout.split()] == [True, True]
