"""The command line: one file per subcommand, parsing and printing only.

Everything that a command does is one call into the library. Nothing heavy (NumPy, the kernels,
the tokenizer) is imported before it is needed, so that ``pyinfer --help`` answers at once.
Nobody imports this package. Read first: :mod:`pyinfer.cli.main`.
"""
