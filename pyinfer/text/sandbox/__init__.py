"""Work on what strangers wrote, in processes with hard limits: templates and grammars.

A fork server loads what a worker needs once; every job then runs in a fork of it that has limits of
time and memory, no files, no environment, and no memory of earlier jobs. The fork server and the
workers are scripts: they import nothing of pyinfer but what their own heads name. The rest may
import :mod:`pyinfer.errors` and :mod:`pyinfer.text`. Read first: :mod:`pyinfer.text.sandbox.pool`,
then :mod:`pyinfer.text.sandbox.fork_server`.
"""
