"""Text in and out: tokenizer, chat template, streaming detokenizer, reasoning tags, stop strings.

Everything here works on strings and token ids in plain Python; no weights, no compiled kernels.
It may import :mod:`pyinfer.errors` only, and is imported by ``pyinfer.llm``, the server and the
command line. Read first: :mod:`pyinfer.text.tokenizer`, then :mod:`pyinfer.text.chat_template`.
"""
