#!/bin/sh
# Builds the extension modules next to their sources, for work on the C and Cython code.
# Needs cmake, ninja, cython and cython-cmake in the environment of $PYTHON (default: python).
# Arguments go to cmake, e.g. -DPYINFER_WERROR=ON.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
modules=$("$python" -c 'import cython_cmake, pathlib
print(pathlib.Path(cython_cmake.__file__).parent / "cmake")')
cmake -S . -B build/inplace -G Ninja -DPYINFER_INPLACE=ON -DCMAKE_MODULE_PATH="$modules" \
    -DPython_EXECUTABLE="$(command -v "$python")" "$@" >/dev/null
cmake --build build/inplace
# Python prefers a module built for its own version: one that an older build has left would hide these.
if ls pyinfer/_kernels/*.abi3.so >/dev/null 2>&1; then
    rm -f pyinfer/_kernels/*.cpython-*.so
fi
