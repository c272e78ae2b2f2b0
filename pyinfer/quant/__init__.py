"""Weight formats and which tensor is held in which.

May import ``_kernels``, ``config`` and ``errors``. Read first: ``plan.py``.
"""
