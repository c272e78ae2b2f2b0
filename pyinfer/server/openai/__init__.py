"""The OpenAI dialect: ``/v1/chat/completions``, ``/v1/completions``, embeddings, models.

A request goes schema (``*_schema.py``) -> ``GenerateSpec`` (with ``sampling.py`` and
``output_format.py``) -> events of the service -> rendering (``*_answer.py``, ``logprobs.py``,
``usage.py``). No scheduling, template or sampling logic. It may import the service's interface
(``requests/spec.py``), :mod:`pyinfer.text` and what all dialects share; nothing but the application
imports it. Read first: ``routes.py``.
"""
