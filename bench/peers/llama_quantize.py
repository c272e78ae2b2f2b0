"""Lets llama.cpp's quantizer write a GGUF file in another type.

    python -m bench.peers.llama_quantize IN.gguf OUT.gguf NUMBER

``NUMBER`` is that of ``enum llama_ftype``. Needs llama-cpp-python only.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Quantize one file."""
    import llama_cpp

    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = int(sys.argv[3])
    source, out = sys.argv[1].encode(), sys.argv[2].encode()
    if llama_cpp.llama_model_quantize(source, out, parameters) != 0:
        raise SystemExit(f"llama.cpp cannot write {sys.argv[2]}")


if __name__ == "__main__":
    main()
