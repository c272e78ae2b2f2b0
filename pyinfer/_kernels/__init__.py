"""The compiled modules: everything that touches the C core.

May import the C headers (through ``c_api.pxd``), NumPy and :mod:`pyinfer.errors`; holds no
knowledge of models. ``kernels`` calls single kernels of any instruction set (tests, benchmarks,
conversion). Read first: ``c_api.pxd``, then the ``.pyi`` beside each module.
"""

from importlib.util import find_spec

if find_spec(f"{__name__}.runtime") is None:
    raise ImportError(
        "the compiled modules of pyinfer are missing for this Python: run `pip install .` in the "
        "checkout, or tools/build_inplace.sh to work on the sources",
        name=__name__,
    )
