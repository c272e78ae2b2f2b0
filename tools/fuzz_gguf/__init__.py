"""Coverage-guided fuzzing of the GGUF reader; needs ``atheris``, and the checkout as the folder.

``pieces`` takes files apart and puts them together, ``mutate`` changes them by their structure,
``target`` is what must hold for every file, ``__main__`` runs the campaign, ``coverage`` tells
which lines the found files reach, and ``native`` loads accepted files into the C code.
"""
