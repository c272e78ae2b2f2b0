"""The rules that keep the tree easy to read: names, lengths, layers of the Python part.

The rules of the C part are in ``test_structure_c.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .source_tree import ROOT, files, name, text

MAX_FILE_LINES = 500  # one thing stays in one file; 400 is a reason to look
MAX_FUNCTION_LINES = 60

SOURCES = files(".py", ".pyi", ".pyx", ".pxd", ".c", ".h")
PYTHON = files(".py")
MODULES = files(".py", under="pyinfer")
CYTHON = files(".pyx", under="pyinfer")
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]

# Who may import whom inside pyinfer: the first part of a module's name (or its file at the top) ->
# what it may use besides itself. What is not listed may be used by nobody.
BASE = {"errors", "config"}
MIDDLE = {
    *BASE,
    "machine",
    "_kernels",
    "model",
    "quant",
    "checkpoint",
    "engine",
    "text",
    "model_info",
}
LIBRARY = {*MIDDLE, "requests", "llm", "loading", "store", "diagnose", "convert", "eval"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "config": BASE,
    "machine": {"errors"},
    "model_info": BASE,
    "_kernels": {"errors"},
    "text": {"errors"},
    "quant": {*BASE, "_kernels"},
    "model": {*BASE, "machine", "_kernels"},
    "checkpoint": {*BASE, "machine", "_kernels", "model", "quant"},
    "engine": {*BASE, "_kernels", "model"},
    "store": {*BASE, "machine", "checkpoint"},
    "requests": {*MIDDLE, "store"},
    "llm": LIBRARY,
    "loading": LIBRARY,
    "diagnose": LIBRARY,
    "convert": LIBRARY,
    "eval": LIBRARY,
    "pyinfer": LIBRARY,
    # The programs: everything but the kernels and the models.
    "serving": {*LIBRARY, "pyinfer"} - {"_kernels", "model"},
    "server": {*LIBRARY, "pyinfer", "serving"} - {"_kernels", "model"},
    "cli": {*LIBRARY, "pyinfer", "serving", "server"} - {"_kernels", "model"},
    "generate": {"cli"},
    "__main__": {"cli"},
}

# Test files named after what they check where that is more than one module.
CROSS_TESTS = {
    "tests/cli/test_process.py",  # the program as a process: streams, exit status
    "tests/model/test_candidates.py",  # against full rows of the whole model
    "tests/model/test_equality.py",  # the same bits in every setting
    "tests/model/test_golden.py",  # against stored outputs of the reference
    "tests/model/test_poison.py",  # NaN in every kind of tensor
    "tests/server/test_every_dialect.py",  # all routes that answer
    "tests/server/test_numbers.py",  # every numeric field of every dialect
    "tests/server/page/test_browser.py",  # the scripts of the page together
    "tests/server/page/test_markdown.py",  # modules of the page that are not Python
    "tests/requests/test_same_answers.py",  # library and server
    "tests/checkpoint/test_corpus.py",  # every file of tests/corpus
    "tests/tools/test_soak.py",  # a tool, not the package
    "tests/text/test_hostile_files.py",  # tokenizer files of both kinds
    "tests/test_docs.py",
    "tests/test_examples.py",  # doctests of the public surface
    "tests/test_instruction_counts.py",  # of the compiled kernels
    "tests/test_kernel_templates.py",  # parameters of the templates of kernels
    "tests/test_packaging.py",
    "tests/test_structure.py",
    "tests/test_structure_c.py",
}


@cache
def tree(path: Path) -> ast.Module:
    """Syntax of a Python file."""
    return ast.parse(text(path))


def imports_of(path: Path) -> Iterator[str]:
    """First part below ``pyinfer`` of everything that a module imports from the package."""
    own = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(own[: len(own) - node.level])
            targets = [f"{base}.{node.module}" if node.module else base]
        elif isinstance(node, ast.ImportFrom) and node.module == "pyinfer":
            targets = [f"pyinfer.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [node.module or ""]
        else:
            continue
        for target in targets:
            parts = target.split(".")
            if parts[0] == "pyinfer":
                yield parts[1] if len(parts) > 1 else "pyinfer"


def layer(path: Path) -> str:
    """Key of MAY_IMPORT for a module of pyinfer."""
    parts = path.relative_to(ROOT / "pyinfer").with_suffix("").parts
    return layer_of_name("pyinfer" if parts == ("__init__",) else parts[0])


def layer_of_name(first: str) -> str:
    """``config_fields`` and ``config_rope`` are parts of ``config``; names are of the surface."""
    if first.startswith("config_"):
        return "config"
    known = first in MAY_IMPORT or (ROOT / "pyinfer" / first).exists()
    known = known or (ROOT / "pyinfer" / f"{first}.py").exists()
    return first if known else "pyinfer"


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    last = function.end_lineno or function.lineno
    lines = last - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def cython_functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and lines of every function of a .pyx file, by indentation."""
    lines = source.splitlines()
    for start, line in enumerate(lines):
        head = re.match(r"( *)(?:def|cdef|cpdef) (?!class)[^=]*?(\w+)\(", line)
        if head is None:
            continue
        indent, end = len(head[1]), start + 1
        for number in range(start + 1, len(lines)):
            body = lines[number]
            if body.strip() and not body.startswith(" " * (indent + 1)) and body.strip()[0] != ")":
                break
            end = number + 1 if body.strip() else end
        yield head[2], end - start


def test_files_are_short() -> None:
    lines = {name(path): len(text(path).splitlines()) for path in SOURCES}
    assert {key: n for key, n in lines.items() if n > MAX_FILE_LINES} == {}


def test_python_functions_are_short() -> None:
    lines = {
        f"{name(path)}:{node.name}": code_lines(node)
        for path in PYTHON
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {key: n for key, n in lines.items() if n > MAX_FUNCTION_LINES} == {}


def test_cython_functions_are_short() -> None:
    lines = {f"{name(path)}:{key}": n for path in CYTHON for key, n in cython_functions(text(path))}
    assert {key: n for key, n in lines.items() if n > MAX_FUNCTION_LINES} == {}


def test_the_cython_scan_sees_functions() -> None:
    source = "cdef class A:\n    def f(self,\n          x):\n        return x\n\n\n"
    source += "cdef int g():\n    pass\n"
    assert dict(cython_functions(source)) == {"f": 3, "g": 2}


def test_no_file_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc"}
    found = [name(path) for path in SOURCES if path.name.split(".")[0] in drawers]
    folders = {
        name(folder)
        for path in SOURCES
        for folder in path.parents
        if folder.is_relative_to(ROOT) and folder.name in drawers
    }
    assert found == []
    assert folders <= {"csrc/kernels/util"}  # static inline parts of kernels, each named


def test_every_module_has_a_layer() -> None:
    assert {layer(path) for path in MODULES} == set(MAY_IMPORT)


def test_imports_go_down_only() -> None:
    wrong = {}
    for path in MODULES:
        own = layer(path)
        used = {layer_of_name(first) for first in imports_of(path)}
        wrong[name(path)] = used - MAY_IMPORT.get(own, set()) - {own}
    assert {key: used for key, used in wrong.items() if used} == {}


def test_there_is_no_import_circle() -> None:
    modules = {module_name(path): path for path in MODULES}
    above = {own: imported_modules(path, modules) - {own} for own, path in modules.items()}
    while leaves := {own for own, used in above.items() if not used & above.keys()}:
        above = {own: used for own, used in above.items() if own not in leaves}
    # What is left is in a circle or imports from one.
    assert {own: sorted(used & above.keys()) for own, used in above.items()} == {}


def module_name(path: Path) -> str:
    """``pyinfer.text.stop``, or the package for its ``__init__``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of the package that a module imports anywhere, also for types only or late."""
    found = set()
    for node in ast.walk(tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for target in names:
            while target and target not in modules:
                target = target.rpartition(".")[0]  # a name in a module
            found.add(target)
    return found - {""}


def test_every_import_of_the_compiled_modules_goes_down() -> None:
    pattern = re.compile(r"^\s*(?:from|import) (pyinfer[.\w]*)", re.MULTILINE)
    for path in files(".pyx", ".pxd", ".pyi", under="pyinfer"):
        for target in pattern.findall(text(path)):
            assert target.startswith(("pyinfer._kernels", "pyinfer.errors")), name(path)


def test_engine_knows_no_text_and_no_files() -> None:
    for path in files(".py", under="pyinfer/engine"):
        assert not re.search(r"\bopen\(|pathlib|tokenizers", text(path)), name(path)


def test_serving_and_requests_know_no_http() -> None:
    pattern = re.compile(r"fastapi|starlette|uvicorn|\bhttp\b(?!\.)|\burl", re.IGNORECASE)
    for folder in ("pyinfer/serving", "pyinfer/requests"):
        for path in files(".py", under=folder):
            source = text(path).replace("knows no HTTP", "").replace("below HTTP", "")
            assert not pattern.search(source), name(path)


def test_every_compiled_module_has_types_and_a_build_line() -> None:
    build = text(ROOT / "CMakeLists.txt")
    listed = set(re.findall(r"pyinfer_extension\((\w+)\)", build))
    for group in re.findall(r"foreach\(module ([\w\s]+)\)", build):
        listed |= set(group.split())
    assert listed == {path.stem for path in CYTHON}
    assert [name(path) for path in CYTHON if not path.with_suffix(".pyi").exists()] == []


def test_packages_open_with_their_rules() -> None:
    wrong = []
    for path in PACKAGES:
        docstring = " ".join((ast.get_docstring(tree(path)) or "").lower().split())
        if "import" not in docstring or not re.search(r"\bread\b.{0,60}\bfirst\b", docstring):
            wrong.append(name(path))
    assert wrong == []


def test_packages_do_not_pass_names_on() -> None:
    surfaces = {"pyinfer/__init__.py", "pyinfer/_kernels/__init__.py"}
    full = [
        name(path)
        for path in PACKAGES
        if any(not isinstance(node, ast.Expr) for node in tree(path).body)
    ]
    assert set(full) <= surfaces


def test_names_of_tensors_are_spelled_by_the_models_alone() -> None:
    pattern = re.compile(r"(?:self_attn|mlp)\.\w+_proj|lm_head\.weight|embed_tokens\.weight")
    outside = [path for path in MODULES if layer(path) != "model"]
    allowed = {"pyinfer/checkpoint/formats.py"}  # an example in a docstring
    assert {name(path) for path in outside if pattern.search(text(path))} <= allowed
    for once in ("lm_head.weight", "embed_tokens.weight"):
        assert sum(text(path).count(once) for path in MODULES) == 1


def test_annotations_are_lazy() -> None:
    wrong = []
    for path in PYTHON:
        uses = any(
            isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree(path))
        )
        future = "from __future__ import annotations" in text(path)
        if uses and not future:
            wrong.append(name(path))
    assert wrong == []


def modules_of(folder: str) -> set[str]:
    """Names that a test in tests/<folder> may carry."""
    if folder == "kernels":
        kernels = {path.name for path in (ROOT / "csrc/kernels").iterdir() if path.is_dir()}
        kernels |= {path.stem.split("_")[0] for path in files(".c", under="csrc/kernels/formats")}
        return kernels | {path.stem for path in CYTHON}
    if folder == "bench":
        return {path.stem for path in files(".py", under="bench")}
    if folder == "runtime":
        return {path.stem for path in files(".c", under="csrc/runtime")}
    if folder == "oracle":  # whole models against the reference implementation
        return {path.stem.removeprefix("test_") for path in files(".py", under="tests/oracle")}
    if folder == "tools":
        return {path.name for path in (ROOT / "tools").iterdir()} | {"demo_folder"}
    here = ROOT / "pyinfer" / folder
    return (
        {path.stem for path in here.iterdir() if path.suffix == ".py"} if here.exists() else set()
    )


def test_tests_carry_the_name_of_their_source() -> None:
    wrong = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT / "tests").as_posix()
        folder = "" if folder == "." else folder
        subject = path.stem.removeprefix("test_")
        known = modules_of(folder)
        named = any(subject == module or subject.startswith(module + "_") for module in known)
        if not named and name(path) not in CROSS_TESTS:
            wrong.append(name(path))
    assert wrong == []


def test_the_list_of_tests_of_several_modules_is_current() -> None:
    assert [path for path in CROSS_TESTS if not (ROOT / path).exists()] == []
