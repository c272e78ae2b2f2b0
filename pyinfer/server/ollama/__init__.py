"""Ollama's API: ``/``, ``/api/*``.

One file per concern; ``routes.py`` collects their routers. May import the library, ``store``,
``text`` and the rest of ``server``; imported by ``server/app.py`` only. The contract is
``ollama/ollama``, docs/api.md and api/types.go. Read ``routes.py`` first, then ``generation.py``.
"""
