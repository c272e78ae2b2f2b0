"""The HTTP server: three dialects (Ollama, OpenAI, llama-server) on one port.

Dialect code parses requests and renders answers; sampling, templates and scheduling are elsewhere.
Transport lies in ``http/``. May import ``serving``, ``requests`` and the library; imported by
``cli`` only.
Needs the extra ``[server]``. Read ``app.py`` first.
"""
