"""Facts about this build, this machine and their speed, for people who look for a cause.

A library without printing: the command line prints what comes from here. May import everything
below it (kernels, machine, loader); nothing but the command line and the server imports it.
Read first: :mod:`pyinfer.diagnose.build`, then ``limits``, ``roofline``, ``bench``.
"""
