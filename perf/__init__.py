"""Measurements of docs/explanation/performance.md, as ratios to peers in one run: `python -m perf [NAME...]`.

They are no tests: a machine that is busy with something else makes every number here worthless.
"""
