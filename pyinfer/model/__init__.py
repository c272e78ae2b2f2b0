"""Model graphs, the paged key/value cache and the step interface.

May import ``_kernels``, ``config`` and ``errors``. Read first: ``qwen2.py`` (the graph),
``step.py`` (what one step takes and returns), ``cache.py`` (who owns which cache block).
"""
