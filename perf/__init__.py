"""Measurements of nearid against its peers, as ratios in one run: `python -m perf [NAME...]` (docs/performance.md).

They are no tests: a machine that is busy with something else makes every number here worthless.
"""
