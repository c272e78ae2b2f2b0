"""Templates of kernels: one prefix for all parameters, each of them checked, none left behind.

A template is a file ``csrc/kernels/<folder>/*.inc.h``. A kernel defines its parameters, most of
them by including ``formats/<format>/<isa>.h``, and includes it last. ``csrc/kernels/README.md``
explains every parameter.
"""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from .source_tree import ROOT, files, text

CSRC = ROOT / "csrc"
PARAMETER = re.compile(r"\bPARAM_\w+")
INCLUDE = re.compile(r'^#include "(kernels/\w+/\w+\.inc\.h)"$', re.MULTILINE)
CHECK = re.compile(r'^#ifndef (PARAM_\w+)\n#error "(\S+) needs (PARAM_\w+)"\n#endif$', re.MULTILINE)

TEMPLATES = [path for path in files(".h", under="csrc/kernels") if path.name.endswith(".inc.h")]
KERNELS = files(".c", under="csrc/kernels")


def key(path: Path) -> str:
    """A template as includes write it."""
    return path.relative_to(CSRC).as_posix()


@cache
def parts(template: Path) -> tuple[Path, ...]:
    """The template and what it includes of others, in the order of their checks."""
    inside = [CSRC / header for header in INCLUDE.findall(text(template))]
    return (template, *(part for first in inside for part in parts(first)))


@cache
def users(template: Path) -> tuple[Path, ...]:
    """Kernels made from a template, or from one that it is a part of."""
    return tuple(
        path
        for path in KERNELS
        for header in INCLUDE.findall(text(path))
        if template in parts(CSRC / header)
    )


@cache
def intrinsics() -> Path:
    """Empty headers in place of the compiler's, which are long and those of one architecture."""
    folder = Path(tempfile.mkdtemp(prefix="pyinfer-intrinsics-"))
    atexit.register(shutil.rmtree, folder)
    for header in ("immintrin.h", "arm_neon.h"):
        (folder / header).touch()
    return folder


def preprocess(source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the preprocessor over C text."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to check templates with")
    command = [compiler, "-E", *options]
    for folder in (intrinsics(), CSRC, CSRC / "include"):
        command += ["-I", str(folder)]
    return subprocess.run([*command, "-x", "c", "-"], input=source, capture_output=True, text=True)


@cache
def defined(kernel: Path) -> frozenset[str]:
    """Parameters that a kernel defines before it includes its template."""
    before = INCLUDE.split(text(kernel))[0]
    return frozenset(re.findall(r"#define (PARAM_\w+)", preprocess(before, "-dM").stdout))


def checked(template: Path) -> set[str]:
    """Parameters without which a template stops the compiler."""
    return {name for name, _, _ in CHECK.findall(text(template))}


def test_the_scan_sees_templates() -> None:
    assert len(TEMPLATES) > 20
    assert checked(CSRC / "kernels/gemv/quant_avx2.inc.h") == {"PARAM_KERNEL"}
    assert users(CSRC / "kernels/dot/quant_avx2.inc.h")


@pytest.mark.parametrize("template", TEMPLATES, ids=key)
def test_every_parameter_is_checked_by_its_name(template: Path) -> None:
    for name, where, needed in CHECK.findall(text(template)):
        assert (where, needed) == (key(template).removeprefix("kernels/"), name)
    own = set().union(*(checked(part) for part in parts(template)))
    if template.parent.name == "dot" or template.stem.startswith("variants"):
        own |= set(PARAMETER.findall(text(template))) & {"PARAM_KERNEL"}
    assert set(PARAMETER.findall(text(template))) <= own
    assert users(template)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        pytest.param(template, name, id=f"{key(template)}-{name}")
        for template in TEMPLATES
        for name in sorted(checked(template))
    ],
)
def test_a_missing_parameter_stops_the_compiler(template: Path, name: str) -> None:
    where = key(template).removeprefix("kernels/")
    if name == "PARAM_RUN":  # of a part; the template defines it
        source = f'#define PARAM_KERNEL k\n#include "{key(template)}"\n'
    else:
        kernel = next(path for path in users(template) if name in defined(path))
        last = f'#undef {name}\n#include "{INCLUDE.findall(text(kernel))[0]}"\n'
        source = INCLUDE.sub(lambda _: last, text(kernel))
    result = preprocess(source)
    assert result.returncode != 0
    assert f"{where} needs {name}" in result.stderr


@pytest.mark.parametrize("template", [t for t in TEMPLATES if t.parent.name != "dot"], ids=key)
def test_no_parameter_outlives_a_template(template: Path) -> None:
    if template.stem.startswith("variants"):
        template = CSRC / "kernels/gemv/quant_avx512vnni.inc.h"
    for kernel in users(template)[:2]:
        assert preprocess(text(kernel)).returncode == 0
        assert PARAMETER.findall(preprocess(text(kernel), "-dM").stdout) == []


def test_all_parameters_are_ended_and_explained() -> None:
    sources = files(".c", ".h", under="csrc/kernels")
    used = set().union(*(PARAMETER.findall(text(path)) for path in sources))
    ended = re.findall(r"^#undef (PARAM_\w+)$", text(CSRC / "kernels/undef_params.h"), re.MULTILINE)
    assert set(ended) == used
    assert len(ended) == len(used)
    explained = re.findall(r"^\| `(PARAM_\w+)", text(CSRC / "kernels/README.md"), re.MULTILINE)
    assert sorted(explained) == sorted(used)


def test_kernels_end_with_their_template() -> None:
    for path in KERNELS:
        if headers := INCLUDE.findall(text(path)):
            assert len(headers) == 1
            assert text(path).endswith(f'#include "{headers[0]}"\n'), path
