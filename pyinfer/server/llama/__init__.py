"""The dialect of llama.cpp's server: completion, tokenize, props, slots, health, timings.

May import what :mod:`pyinfer.server` may. Read ``routes.py`` first.
"""
