"""Measurements of running servers: many streams at once, on one HTTP client for every server.

May import the standard library only, so that other engines are measured by the same client.
Imported by ``tools/soak.py``. Read ``load.py`` first.
"""
