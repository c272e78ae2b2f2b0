# Tasks of a contributor. `just` lists them; they run in the Python environment that is active.
# Set-up, once: pip install '.[dev,test]' && just build

python := "python"

[private]
default:
    @just --list

# Build the extension modules next to their sources (seconds after the first time).
build *cmake_options:
    tools/build_inplace.sh {{ cmake_options }}

# The whole suite on the build next to the sources; arguments go to pytest.
test *arguments:
    {{ python }} -m pytest {{ arguments }}

# What catches most mistakes in half a minute: structure, documents, kernels of one format, text.
fast:
    {{ python }} -m pytest -q tests/test_structure.py tests/test_structure_c.py tests/test_docs.py tests/test_config.py tests/text tests/kernels -k "q4_0 or not kernels"

# Formatters.
format:
    ruff check --fix-only -q . && ruff format .
    git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

# Linters and types.
lint:
    ruff check . && ruff format --check .
    cython-lint pyinfer
    git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run -Werror
    mypy

# C tests under the address and undefined-behaviour sanitizers.
sanitize:
    cmake -S . -B build/asan -G Ninja -DPYINFER_PYTHON=OFF -DPYINFER_TESTS=ON -DPYINFER_SANITIZE=address,undefined
    cmake --build build/asan && ctest --test-dir build/asan --output-on-failure

# Benchmarks by pytest-benchmark; arguments go to pytest.
bench *arguments:
    {{ python }} -m pytest bench {{ arguments }}

# Everything that must hold for a change, or some sections of it: just ci lint types
ci *sections:
    .ci/run {{ sections }}
