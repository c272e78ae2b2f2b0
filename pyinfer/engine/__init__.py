"""The engine: sequences of token ids in, sampled token ids out.

May import ``model``, ``_kernels``, ``config`` and ``errors``; knows nothing of text or files. Used
by ``llm.py`` and the server. Read first: ``messages.py`` (what goes in and out), ``scheduler.py``
(what runs in a step), ``engine.py`` (one step), ``worker.py`` (the thread around it) and
``sampler.py``.
"""
