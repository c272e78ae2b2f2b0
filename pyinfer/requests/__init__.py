"""One request, from what a caller asks to what the engine runs and back to text.

The library (``llm``) and the server use the same parts. Read ``spec.py`` first: what may be asked;
then ``prepare.py`` (a request becomes the engine's), ``prompts.py``, ``rules.py``, ``reader.py``
(token ids become text, reasoning and tool calls), ``answer.py`` (what comes back) and
``streams.py``.

May import ``engine``, ``text``, ``model_info``, ``store`` and what lies below; knows no HTTP.
"""
