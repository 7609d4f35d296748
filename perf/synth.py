"""`nearid synth`, the whole command, against the rates that it shall reach; and what writing adds to rendering.

On as many processes as there are cores. The start of Python and torch is in the rate: about two seconds.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from functools import partial
from pathlib import Path

from perf.measure import Row, alternate, process

# Pictures a second that two cores shall make, by size in pixels.
TARGETS = {112: 80, 64: 250}
SECONDS = 8  # how long a run at the target rate takes
PICTURES = 6  # of an identity
COUNT = 40  # identities that are rendered in this process, on one core


def measure(folder: Path) -> list[Row]:
    rows = []
    fresh = itertools.count()
    for size, rate in TARGETS.items():
        target = rate * (os.cpu_count() or 1) / 2
        identities = round(target * SECONDS / PICTURES)
        started = time.perf_counter()
        command = (sys.executable, "-m", "nearid_cli", "synth", folder / str(size), "--as", "dataset")
        process(*command, "--identities", str(identities), "--size", str(size))
        ours = identities * PICTURES / (time.perf_counter() - started)
        rows.append(
            Row(f"synth at {size} px, whole command / target", ours, target, "img/s", 1, at_least=True)
        )
        seconds = alternate(
            {"both": partial(_write, folder, fresh, size), "render": partial(_render, size)}, rounds=3
        )
        ours, peer = (1e3 * (seconds[who] / (COUNT * PICTURES)) for who in ("both", "render"))
        rows.append(Row(f"render, encode and write at {size} px / render", ours, peer, "ms/img", limit=1.2))
    return rows


def _render(size: int) -> None:
    import torch

    from nearid_cli.synth.render import render
    from nearid_cli.synth.sample import SynthOptions

    torch.set_num_threads(1)
    assert len(list(render(SynthOptions(size=size), 0, COUNT))) == COUNT


def _write(folder: Path, fresh: itertools.count[int], size: int) -> None:
    from nearid_cli.synth.dataset import write_dataset
    from nearid_cli.synth.encoding import render_identities
    from nearid_cli.synth.sample import SynthOptions

    out = folder / f"set {next(fresh)}"
    out.mkdir()
    write_dataset(out, render_identities(SynthOptions(size=size), "cpu", range(COUNT)), distractors=1, seed=0)
