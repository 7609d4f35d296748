"""One process of two, with its share of the generations: what its metric computes, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from nearid_cli.integrations.torchmetrics import NearIDScore
from tests.looping import by_subject


def joined(rank: int, world: int, root: Path) -> None:
    """One of the processes that a test starts, which is slow: all cases one after the other."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{root}/meeting", rank=rank, world_size=world
    )
    gens = by_subject(root / "gens")
    every = [(subject, path) for subject, files in gens.items() for path in files]
    share = every[rank * 4 : 4 + rank * 5]
    shares = {"uneven": share, "empty": every if rank else [], "on step": share}
    answers = {case: _answer(root, mine, case == "on step") for case, mine in shares.items()}
    (root / f"{rank}.json").write_text(json.dumps(answers))
    torch.distributed.destroy_process_group()


def _answer(root: Path, mine: list[tuple[str, Path]], on_step: bool) -> dict[str, Any]:
    metric = NearIDScore("hog", by_subject(root / "refs"), dist_sync_on_step=on_step)
    steps = []
    for subject, path in mine[: 4 if on_step else None]:
        value = metric(path, subject=subject) if on_step else metric.update(path, subject)
        steps.append(value and value["hog"].item())
    for subject, path in mine[4:] if on_step else ():
        metric.update(path, subject)
    found = metric.compute()
    numbers = {name: None if one.isnan() else one.item() for name, one in found.items()}
    held = sum(len(one) > 0 for one in metric.generations)  # its own again, once it has computed
    return {"all": numbers, "mine": held, "steps": steps}
