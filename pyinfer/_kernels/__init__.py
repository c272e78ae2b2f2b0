"""The compiled modules: everything that touches the C core.

May import the C headers (through ``c_api.pxd``), NumPy and :mod:`pyinfer.errors`; holds no
knowledge of models. ``kernels`` calls single kernels of any instruction set (tests, benchmarks,
conversion). Read first: ``c_api.pxd``, then the ``.pyi`` beside each module.
"""
