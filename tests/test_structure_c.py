"""The rules that keep the C part easy to read: names, lengths, layers, one table of kernels."""

from __future__ import annotations

import ast
import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .source_tree import ROOT, files, name, text

MAX_FUNCTION_LINES = 60
MAX_KERNEL_LINES = 120

CSRC = ROOT / "csrc"
C_FILES = files(".c", ".h", under="csrc")
KERNELS = files(".c", under="csrc/kernels")
# Levels: rows of the tables in dispatch/, in order of preference.
ISAS = tuple(
    dict.fromkeys(
        level
        for path in files(".c", under="csrc/dispatch")
        for level in re.findall(r'\{"(\w+)", [^{}]*?\w*fill_\w+', text(path))
    )
)

# Kernel files whose kernels carry another name than the path says: one file holds a pair, or the
# operation has two words.
PAIRS = {
    "pack": ("pack", "unpack"),
    "quantize": ("quantize", "quantize_weighted", "dequantize"),
    "head": ("head_stats", "head_select"),
}
APPEND = re.compile(r"attn/kv_(\w+)_append_(\w+)$")
FORMAT_KERNEL = re.compile(r"formats/(?P<format>\w+)/(?P<op>[a-z]+)_(?P<isa>[a-z0-9]+)$")

# Which headers a folder of csrc may include, besides those of its own folder.
BASE = {"types", "panels"}
MAY_INCLUDE = {
    "kernels": {*BASE, "kernel_types"},
    "cpu": {"types", "cpu"},
    "dispatch": {"types", "cpu", "levels", "kernel_types", "kernels"},
    "quant": {*BASE, "qtype"},
    "runtime": {*BASE, "qtype", "cpu", "fpmode", "levels", "kernels", "runtime"},
    "ops": {*BASE, "qtype", "fpmode", "kernels", "runtime", "ops"},
    "program": {*BASE, "fpmode", "runtime", "ops", "program"},
}
HEADERS = {
    "formats": set(),
    "types": {"formats"},
    "panels": {"types"},
    "qtype": {"types"},
    "cpu": {"types"},
    "fpmode": {"types"},
    "kernel_types": {"types", "panels"},
    "levels": {"types", "cpu"},
    "kernels": {"types", "kernel_types", "levels"},
    "runtime": {"types", "kernels"},
    "ops": {"runtime"},
    "program": {"ops"},
}
# Calls into the operating system stay where another system would need another file.
SYSTEM_HEADERS = {
    "csrc/runtime/os.c": {
        *("errno.h", "fcntl.h", "linux/futex.h", "sched.h", "sys/mman.h", "sys/syscall.h"),
        "unistd.h",
    },
    "csrc/runtime/bus_guard.c": {"signal.h", "sys/mman.h"},
    "csrc/runtime/pool.c": {"pthread.h", "signal.h"},
    "csrc/cpu/x86.c": {"cpuid.h"},
    "csrc/cpu/arm.c": {"stdio.h", "sys/auxv.h"},
    "csrc/include/pyinfer/fpmode.h": {"xmmintrin.h"},
}
STANDARD = {
    *("assert", "math", "stdatomic", "stdbool", "stddef", "stdint", "stdlib", "string", "time"),
}

# Where a level of instructions may be named, besides the names of files and kernels themselves.
NAMES_LEVELS = {
    "csrc/cmake/isa.cmake",
    "csrc/include/pyinfer/cpu.h",
    "csrc/cpu/x86.c",
    "csrc/dispatch/arm.c",
    "csrc/dispatch/x86.c",
}


def includes(path: Path) -> Iterator[tuple[str, str]]:
    """(Opening sign, header) of every include."""
    yield from re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', text(path), re.MULTILINE)


def without_comments(source: str) -> str:
    """C source with comments and string literals blanked out, lines kept."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, source, flags=re.DOTALL)


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and lines of every function, by braces that start in the first column's statement."""
    lines = without_comments(source).splitlines()
    depth, start, title = 0, 0, ""
    for number, line in enumerate(lines):
        if depth == 0 and line and not line[0].isspace() and line[0] not in "#}":
            start, title = number, line
        elif depth == 0:
            title += line
        if line.startswith("#"):
            continue
        was = depth
        depth += line.count("{") - line.count("}")
        if was and depth == 0 and (found := re.search(r"(\w+)\s*\(", title)):
            yield found[1], number - start + 1
            title = ""


def expanded(path: Path) -> str:
    """A dispatch file as the compiler sees it, with every level built."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to expand the lists of kernels with")
    levels = [f"-DPI_BUILD_{isa.upper()}" for isa in ISAS]
    command = [compiler, "-E", "-P", *levels, "-I", str(CSRC / "include"), str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def kernel_names(path: Path) -> set[str]:
    """What a kernel file may export, by its path."""
    stem = path.relative_to(CSRC / "kernels").with_suffix("").as_posix()
    if found := APPEND.match(stem):
        return {f"pi_kv_append_{found[1]}_{found[2]}"}
    if found := FORMAT_KERNEL.match(stem):
        op, rest = found["op"], f"{found['format']}_{found['isa']}"
    else:
        op, rest = stem.split("/")
    if op == "act":
        return {f"pi_act_{rest}"}
    return {f"pi_{verb}_{rest}" for verb in PAIRS.get(op, (op,))}


def exported(path: Path) -> set[str]:
    """Kernels that a kernel file defines or names for its template."""
    pattern = rf"\bpi_\w+_(?:{'|'.join(ISAS)})\b"
    return set(re.findall(pattern, without_comments(text(path))))


def built() -> set[str]:
    """Sources that csrc/CMakeLists.txt lists, for every architecture, and the kernels of levels."""
    listed = re.findall(r"[\w/.${}]+\.c\b", text(CSRC / "CMakeLists.txt"))
    architectures = re.findall(r"set\(PI_ARCHITECTURE (\w+)\)", text(CSRC / "cmake/isa.cmake"))
    sources = {
        source.replace("${PI_ARCHITECTURE}", architecture)
        for source in listed
        for architecture in architectures
    }
    kernels = (path for path in KERNELS if path.stem.rsplit("_", 1)[1] in ISAS)
    return sources.union(path.relative_to(CSRC).as_posix() for path in kernels)


def test_functions_are_short() -> None:
    long = {}
    for path in [*C_FILES, *files(".c", ".h", under="tests/c")]:
        limit = MAX_KERNEL_LINES if "kernels" in path.parts else MAX_FUNCTION_LINES
        found = {f"{name(path)}:{key}": n for key, n in functions(text(path)) if n > limit}
        long.update(found)
    assert long == {}


def test_the_scan_sees_functions() -> None:
    source = "static int f(int a,\n             int b) {\n    if (a) {\n    }\n    return b;\n}\n"
    source += "struct s {\n    int a;\n};\nvoid g(void) { }\n"
    assert dict(functions(text(CSRC / "quant/qtype.c"))) != {}
    assert dict(functions(source)) == {"f": 6}


def test_every_kernel_file_is_named_after_its_kernels() -> None:
    wrong = {}
    for path in KERNELS:
        found, allowed = exported(path), kernel_names(path)
        if not found or not found <= allowed:
            wrong[name(path)] = (found, allowed)
    assert wrong == {}


def test_every_kernel_is_in_the_table_and_every_entry_has_its_file() -> None:
    table = " ".join(expanded(path) for path in files(".c", under="csrc/dispatch"))
    pattern = rf"= (pi_\w+_(?:{'|'.join(ISAS)}));"
    assert set(re.findall(pattern, table)) == set().union(*map(exported, KERNELS))


def test_every_source_is_built() -> None:
    assert {path.relative_to(CSRC).as_posix() for path in files(".c", under="csrc")} == built()


def test_every_level_has_a_row_of_its_table_and_a_line_of_flags() -> None:
    lines = re.findall(r"pi_add_(?:level\(\$\{target\} )?(\w+)[ (]", text(CSRC / "cmake/isa.cmake"))
    assert {*ISAS} - {"scalar"} == {*lines} - {"level", "levels"}


def test_every_kernel_has_a_scalar_form() -> None:
    stems = {path.relative_to(CSRC).as_posix().rsplit("_", 1)[0] for path in KERNELS}
    assert [stem for stem in stems if not (CSRC / f"{stem}_scalar.c").exists()] == []


def kernels_may_include(path: Path, header: str) -> bool:
    """Whether a file below ``kernels/`` may include another file of it.

    Everybody takes real helpers and files of the own folder. A kernel of a format takes a template
    of its operation, and layout and codes of the format whose blocks it writes. Templates take
    parts of templates, and end all parameters.
    """
    folder = header.removeprefix("kernels/").rsplit("/", 1)[0]
    own = path.parent.relative_to(CSRC / "kernels").as_posix()
    if header.endswith(".c") or not header.startswith("kernels/"):
        return False
    if folder in ("util", own):
        return True
    if path.name.endswith(".inc.h"):
        return folder == "dot" or header == "kernels/undef_params.h"
    if own.startswith("formats/") and folder.startswith("formats/"):
        return header.endswith(("/layout.h", "/codes.h"))
    return own.startswith("formats/") and folder == path.stem.split("_")[0]


def test_includes_go_down_only() -> None:
    wrong = []
    for path, (sign, header) in itertools.chain.from_iterable(
        zip(itertools.repeat(path), includes(path)) for path in C_FILES
    ):
        folder = path.relative_to(CSRC).parts[0]
        home, _, rest = header.partition("/")
        if sign == "<":
            system = SYSTEM_HEADERS.get(name(path), set())
            simd = folder == "kernels" and header in ("immintrin.h", "arm_neon.h")
            fine = header.removesuffix(".h") in STANDARD or header in system or simd
        elif home == "pyinfer":
            own = HEADERS.get(path.stem, set()) if folder == "include" else MAY_INCLUDE[folder]
            fine = rest.removesuffix(".h") in own
        elif folder == "kernels":
            fine = kernels_may_include(path, header)
        else:
            fine = home == folder or (folder, header) == ("ops", "kernels/util/exp.h")
        if not fine:
            wrong.append(f"{name(path)}: {header}")
    assert wrong == []


def test_modules_do_not_include_each_other_in_a_circle() -> None:
    """A module is a .c file with its .h; kernels are templates and excepted."""
    paths = [path for path in C_FILES if "kernels" not in path.parts]
    module = {
        path.relative_to(CSRC).as_posix(): path.relative_to(CSRC).with_suffix("").as_posix()
        for path in paths
    }
    uses: dict[str, set[str]] = {name: set() for name in module.values()}
    for path in paths:
        own = module[path.relative_to(CSRC).as_posix()]
        headers = (header for sign, header in includes(path) if sign == '"')
        found = {module.get(h) or module.get(f"include/{h}") for h in headers}
        uses[own] |= {name for name in found if name} - {own}
    while leaves := {name for name, used in uses.items() if not used & uses.keys()}:
        uses = {name: used for name, used in uses.items() if name not in leaves}
    assert uses == {}


def test_only_kernels_use_intrinsics() -> None:
    outside = [path for path in C_FILES if "kernels" not in path.parts]
    found = [name(path) for path in outside if re.search(r"\b_mm\d*_\w+", text(path))]
    assert found == ["csrc/include/pyinfer/fpmode.h"]


def test_levels_are_named_in_few_places() -> None:
    levels = re.compile(
        r"(?<!\w)(?:\w*_)?(?:avx2|avx512\w*|vnni|neon\w*)(?:_\w*)?(?!\w)", re.IGNORECASE
    )
    sources = [*files(".pyx", ".pxd", under="pyinfer"), *files(".txt", ".cmake", under="csrc")]
    sources += [path for path in C_FILES if "kernels" not in path.parts]
    found = {name(path) for path in sources if levels.search(without_comments(text(path)))}
    assert found <= NAMES_LEVELS
    for path in files(".py", under="pyinfer"):
        constants = (
            node for node in ast.walk(ast.parse(text(path))) if isinstance(node, ast.Constant)
        )
        if name(path) not in NAMES_LEVELS:
            assert not {node.value for node in constants} & {*ISAS} - {"scalar"}, name(path)


def test_kernels_do_not_choose_by_level_inside() -> None:
    found = [
        f"{name(path)}: {line.strip()}"
        for path in C_FILES
        if "kernels" in path.parts
        for line in text(path).splitlines()
        if re.match(r"\s*#\s*(?:if|ifdef|elif)\b.*__(?:AVX|SSE|FMA|F16C|ARM)", line)
    ]
    assert found == []


def test_kernels_are_pure() -> None:
    calls = re.compile(r"\b(?:malloc|calloc|free|printf|fprintf|abort|exit|pthread_\w+)\s*\(")
    for path in C_FILES:
        if "kernels" in path.parts:
            assert not calls.search(without_comments(text(path))), name(path)


def test_the_c_core_has_no_variables_of_its_own() -> None:
    variable = re.compile(r"^(?:static )?(?!const|typedef|struct \w+(?: \{|;)|enum \w+ \{|extern)"
                          r"[a-z_][\w ]*[ *](\w+)(?:\[[^\]]*\])*(?: = [^;]*)?;", re.M)  # fmt: skip
    for path in C_FILES:
        lines = [
            found[0]
            for found in variable.finditer(without_comments(text(path)))
            if "const" not in found[0] and "_fn " not in found[0] and "return" not in found[0]
        ]
        # A signal handler gets no argument of ours.
        assert lines == [] or name(path) == "csrc/runtime/bus_guard.c", name(path)


def test_the_core_does_not_know_python() -> None:
    assert [name(path) for path in C_FILES if "Python.h" in text(path)] == []


def test_the_build_has_no_flags_that_bind_it_to_a_machine_or_change_arithmetic() -> None:
    scripts = [ROOT / "CMakeLists.txt", *files(".txt", ".cmake", under="csrc")]
    scripts += files(".cmake", under="cmake")
    for path in scripts:
        assert not re.search(r"-march=native|-mtune=native|fast-math|-flto", text(path)), name(path)
