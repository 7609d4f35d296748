"""One process of two, with its share of the generations: what its metric computes, as a file."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from nearid_cli.integrations.torchmetrics import NearIDScore
from tests.looping import by_subject


def joined(rank: int, world: int, root: Path, case: str) -> None:
    """One of the processes that a test starts."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{root}/meeting", rank=rank, world_size=world
    )
    gens = by_subject(root / "gens")
    every = [(subject, path) for subject, files in gens.items() for path in files]
    mine = every if case == "empty" and rank else [] if case == "empty" else every[rank * 4 : 4 + rank * 5]
    metric = NearIDScore("hog", by_subject(root / "refs"), dist_sync_on_step=case == "on step")
    steps = []
    for subject, path in mine[: 4 if case == "on step" else None]:
        value = metric(path, subject=subject) if case == "on step" else metric.update(path, subject)
        steps.append(value and value["hog"].item())
    for subject, path in mine[4:] if case == "on step" else ():
        metric.update(path, subject)
    found = metric.compute()
    numbers = {name: None if one.isnan() else one.item() for name, one in found.items()}
    held = sum(len(one) > 0 for one in metric.generations)  # its own again, once it has computed
    (root / f"{rank}.json").write_text(json.dumps({"all": numbers, "mine": held, "steps": steps}))
    torch.distributed.destroy_process_group()
