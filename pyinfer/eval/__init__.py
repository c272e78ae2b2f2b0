"""Measures of quality: perplexity, divergence between models, importance of inputs, golden answers.

Programs (``cli``) import this package; it may use everything below them. Read first:
:mod:`pyinfer.eval.perplexity`.
"""
