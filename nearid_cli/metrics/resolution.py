"""How close two similarities are taken for equal."""

RESOLUTION = 1e-9
"""Similarities closer than this are equal. Far above the rounding of float64 sums (1e-15), which would
otherwise break ties between subjects with the same references; far below that of float32 embeddings (1e-7).
"""
