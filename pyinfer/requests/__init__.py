"""One request, from what a caller asks to what the engine runs and back to text.

The library (``llm``) and the server use the same parts. Read ``spec.py`` first: what may be asked
and which events come back; then ``prepare.py`` (a request becomes the engine's), ``prompts.py``,
``rules.py``, ``answer.py`` (token ids become text and reasoning) and ``streams.py``.

May import ``engine``, ``text``, ``model_info``, ``store`` and what lies below; knows no HTTP.
"""
