"""Model files into other model files: folder to GGUF and back, GGUF to GGUF.

Everything streams: a few slices of rows are in memory at any time, whatever the size of the model,
and a result appears under its name only when it is whole. Programs (``cli``) import this package;
it may use everything below them. Read first: :mod:`pyinfer.convert.to_gguf`.
"""
