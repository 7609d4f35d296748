"""The command line: parse, call one function, render."""

GATE_FAILED = 1
FAILED = 2  # the job could not be done
INTERRUPTED = 130
"""Exit codes besides 0."""
