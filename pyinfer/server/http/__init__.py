"""Transport: framing, deadlines, access rules, bodies, streams, the log and the server's life.

Read ``run.py`` first, then ``protocol.py``. May import ``serving`` and ``requests``; knows no
dialect's rules beyond the shape of its errors.
"""
