"""Folders whose matrices other libraries have quantized, read without those libraries.

Read ``matrix.py`` first: what a quantized matrix offers to the rest of the package. Then
``methods.py`` (which modules are quantized: those whose tensors are there, whatever lists in the
config say) and one file per family: ``gptq.py`` (GPTQ, AWQ), ``compressed.py`` (compressed-tensors,
FP8), ``bitsandbytes.py``, ``mlx.py``. ``words.py`` unpacks bits.

May import ``errors`` and ``safetensors.py`` of this package; imported by ``checkpoint.py`` only.
"""
