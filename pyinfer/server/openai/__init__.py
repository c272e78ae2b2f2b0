"""The OpenAI dialect: ``/v1/chat/completions``, ``/v1/completions``, embeddings, models.

``routes.py`` has the paths. A request goes schema (``*_schema.py``) -> ``GenerateSpec`` (with
``sampling.py`` and ``output_format.py``) -> events of the service -> rendering (``chat_answer.py``,
``completion_answer.py``, ``logprobs.py``, ``usage.py``). No scheduling, template or sampling logic.
"""
