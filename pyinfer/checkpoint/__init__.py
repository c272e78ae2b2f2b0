"""From a path to checked tensors: checkpoint folders and GGUF files.

Read ``checkpoint.py`` first: :func:`~pyinfer.checkpoint.checkpoint.open_checkpoint` opens and
validates a model without reading a weight. ``gguf.py`` and ``safetensors.py`` are the two file
formats, ``names.py`` the tensor names, ``limits.py`` every limit on what a file may claim.
``loader.py`` and ``pack.py`` turn the bytes into packed weights.

May be imported by ``llm``, ``convert`` and ``store``; may import ``config``, ``errors``, ``quant``,
the model registry and ``_kernels``. Reading files needs no compiled module.
"""
