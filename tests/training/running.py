"""Small data that can be learned from, a tiny backbone, and training runs on them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from nearid_cli.training.options import TrainOptions
from tests.nearid_data.making import encoded, saved, slots, table
from tests.tiny import SIZE, VISION, write_json

ROWS = 20
VALIDATION = 4
TAIL = ("--validation-rows", "validation.json", "--batch-size", "4", "--from-scratch", "--unfreeze")
ARGUMENTS = ("--positives", "positives", "--distractors", "distractors", "--backbone", "scratch", *TAIL)


def make_data(folder: Path, rows: int = ROWS, empty: bool = False) -> Path:
    """`positives` and `distractors` (an object's colour on noise), `validation.json` and the backbone `scratch`.

    Args:
        folder: where to write them; returned.
        rows: how many identities.
        empty: leave a slot of some rows empty.
    """
    random = np.random.default_rng(0)
    views, others = [], []
    for row in range(rows):
        colours = random.integers(0, 256, (2, 3), np.uint8)
        pictures: tuple[list[bytes | None], list[bytes | None]] = ([], [])
        for _ in range(3):
            background = random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
            for colour, column in zip(colours, pictures, strict=True):
                picture = background.copy()
                picture[8:24, 8:24] = colour
                column.append(encoded(picture))
        if empty and row % 3 == 0:
            pictures[row % 2][row % 3] = None
        views.append(pictures[0])
        others.append(pictures[1])
    saved(table(slots("images", views), id=list(range(rows))), folder / "positives")
    saved(table(slots("nimg", others), id=list(range(rows))), folder / "distractors")
    (folder / "validation.json").write_text(json.dumps(list(range(VALIDATION))))
    write_json(folder / "scratch", "config.json", VISION | {"model_type": "siglip_vision_model"})
    settings = {"image_processor_type": "SiglipImageProcessor", "size": {"height": SIZE, "width": SIZE}}
    write_json(folder / "scratch", "preprocessor_config.json", settings)
    return folder


def options(data: Path, output: Path, **changes: Any) -> TrainOptions:
    """Six steps of four rows on `make_data`, saved and evaluated every two."""
    usual = TrainOptions(
        positives=str(data / "positives"),
        distractors=(str(data / "distractors"),),
        backbone=str(data / "scratch"),
        validation_rows=str(data / "validation.json"),
        output=output,
        from_scratch=True,
        unfreeze=True,
        batch_size=4,
        lr=1e-3,
        warmup_steps=2,
        max_steps=6,
        save_steps=2,
        keep=9,
    )
    return replace(usual, **changes)


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The model's weights."""
    return load_file(checkpoint / "model" / "model.safetensors")


def journal(output: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without the timings."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def assert_same_run(one: Path, other: Path, step: int = 6) -> None:
    """Equal to the bit: weights, everything that a resume needs, and what was recorded."""
    assert journal(one) == journal(other)
    name = f"checkpoint-{step}"
    ours, theirs = weights(one / name), weights(other / name)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    states = [torch.load(run / name / "state.pt", weights_only=True) for run in (one, other)]
    assert _plain(states[0]) == _plain(states[1])


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
