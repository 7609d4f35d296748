"""Run all measurements, or the named ones, and print a table."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

from perf.measure import Row

NAMES = (
    "startup",
    "warm",
    "large",
    "compare",
    "hashing",
    "decoding",
    "preprocessing",
    "cold",
    "engines",
    "trials",
    "memory",
    "growth",
    "scaling",
    "synth",
    "report",
    "gpu",
)


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no measurement {', '.join(unknown)}; known: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    os.environ["NEARID_ENGINE"] = "torch"  # caches are filled as by torch; `engines` names the others itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does; the peers have it too
    print(f"{'':50} {'ours':>9} {'peer':>9} {'unit':7} {'ratio':>6}  target", flush=True)
    for name in names or NAMES:
        with tempfile.TemporaryDirectory(prefix=f"nearid-perf-{name}-") as folder:
            # Each says its own lines; a measurement that cannot run here says why and gives none.
            rows: list[Row] = importlib.import_module(f"perf.{name}").measure(Path(folder))
        for row in rows:
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
