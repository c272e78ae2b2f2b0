"""Where models live: the own store, the Hugging Face cache, an Ollama store; getting more of them.

Files of others are read in place and never changed. In the own store nothing is visible before it
is whole and its hash is right. May import everything below it (errors, machine, load); the command
line, the server and ``pyinfer.loading`` use it. Network libraries are imported only when a model
is pulled. Read first: :mod:`pyinfer.store.resolve`, then :mod:`pyinfer.store.local`.
"""
