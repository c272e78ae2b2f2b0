"""Serving below HTTP: which models are loaded, who waits, one engine process per model.

Read ``service.py`` first: what a dialect or a program asks. ``model_manager.py`` loads and unloads,
``admission.py`` holds the queue, ``library.py`` the models on this machine (commands use it, too),
``engine_process.py`` and ``engine_child.py`` are the two ends of
the pipe to an engine.

May import the library, ``requests``, ``engine``, ``text`` and ``store``; knows no HTTP.
"""
