"""One process of several, with its share of the generations: what each of them computes, as a file.

Started with `nothing` it is a program of `accelerate launch`, which joins the processes; else it joins them itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

import nearid_cli
from tests.looping import by_subject, tensor


def joined(rank: int, world: int, root: Path, cases: Iterable[str]) -> None:
    """One of the processes that a test starts, which is slow: all cases one after the other."""
    torch.set_num_threads(1)
    for case in cases:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{root}/meeting-{case}", rank=rank, world_size=world
        )
        try:
            work(root, case)
        finally:
            torch.distributed.destroy_process_group()


def work(root: Path, case: str) -> None:
    """Give a scorer, or the adapter, the share of this process, and write what it computes."""
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    refs, gens = by_subject(root / "refs"), by_subject(root / "gens")
    every = [(subject, path) for subject, files in gens.items() for path in files]
    shares = {
        "even": every[rank::world],
        "uneven": every[:1] if rank else every[1:],
        "empty": every if rank else [],
        "repeated": [*every, *every][rank : len(every) + 1 : world],  # as a sampler fills the last batch
        "none": [],
    }
    if case == "different":
        refs = refs | ({"cat": gens["cat"]} if rank else {})
    mine = shares.get(case, every[rank::world])
    answer: dict[str, Any] = {}
    scorer = nearid_cli.Scorer("nearid-mini", refs, use_cache=False, engine="torch")
    for subject, path in mine:
        scorer.update(path if case != "memory" else tensor(path) / 255, subject, prompt=path.stem)
    try:
        result = scorer.compute().to_dict()
        del result["created"]
        answer["result"] = result
    except nearid_cli.NearIDError as error:
        answer["error"] = str(error)
    if mine and case == "even":
        alone = nearid_cli.Scorer("nearid-mini", refs, use_cache=False, engine="torch", allow_unmatched=True)
        alone.merge(scorer)
        answer["alone"] = alone.compute(gather=False).inputs.generation_images
    (root / f"{case}-{rank}.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    work(Path(sys.argv[1]), sys.argv[2])
    accelerator.wait_for_everyone()
    torch.distributed.destroy_process_group()
