from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import BadRowError, Identities
from nearid_cli.training.evaluation import ValidationSet, evaluate
from tests.nearid_data.making import encoded, png, saved, slots, table

SIZE = 8
PREPROCESSING = Preprocessing.from_config(
    {"image_processor_type": "SiglipImageProcessor", "size": {"height": SIZE, "width": SIZE}}, None
)
assert PREPROCESSING is not None


class Colours(nn.Module):
    """Embeds a picture as its mean colour: uint8 [B, S, 3, H, W] to [B, S, 3]."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        assert pixels.dtype == torch.uint8
        return nn.functional.normalize(pixels.float().mean(dim=(-1, -2)) + 1e-3, dim=-1)


def noise(random: np.random.Generator) -> bytes:
    colour = random.integers(1, 256, 3, np.uint8)
    return encoded(np.broadcast_to(colour, (SIZE, SIZE, 3)).copy())


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    """Nine rows, two sources of distractors, a third of all slots empty."""
    random = np.random.default_rng(5)

    def cells() -> list[list[bytes | None]]:
        rows = [[noise(random) if random.random() < 0.7 else None for _ in range(3)] for _ in range(9)]
        rows[3] = [None, None, None]
        return rows

    views = saved(table(slots("images", cells())), tmp_path / "views")
    others = [saved(table(slots("nimg", cells())), tmp_path / name) for name in ("one", "two")]
    return Identities.open(views, others)


def by_hand(identities: Identities, source: int) -> tuple[int, int, float, float]:
    """Samples, trials, SSR and PA, spelled out from the pictures."""
    from io import BytesIO

    from PIL import Image

    def unit(content: bytes) -> np.ndarray:
        colour = np.asarray(Image.open(BytesIO(content)).convert("RGB"), float).mean((0, 1)) + 1e-3
        return colour / np.linalg.norm(colour)

    outcomes = []
    for position in range(len(identities)):
        row = identities[position]
        won = []
        for i, j in itertools.combinations(range(3), 2):
            if row.views[i] is None or row.views[j] is None:
                continue
            for own in (i, j):
                distractor = row.distractors[source][own]
                if distractor is not None:
                    same = unit(row.views[i]) @ unit(row.views[j])  # type: ignore[arg-type]
                    won.append(same > unit(row.views[own]) @ unit(distractor))  # type: ignore[arg-type]
        if won:
            outcomes.append(won)
    trials = sum(map(len, outcomes))
    return len(outcomes), trials, float(np.mean([all(w) for w in outcomes])), sum(map(sum, outcomes)) / trials


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("workers", [0, 1])
def test_it_equals_a_count_by_hand(identities: Identities, batch_size: int, workers: int) -> None:
    found = evaluate(
        Accelerator(cpu=True), Colours(), ValidationSet(identities, PREPROCESSING), batch_size, workers
    )
    assert found["sources"].keys() == set(identities.sources)
    counted = [by_hand(identities, source) for source in range(2)]
    for name, expected in zip(identities.sources, counted, strict=True):
        part = found["sources"][name]
        assert (part["samples"], part["trials"]) == expected[:2]
        assert (part["ssr"], part["pa"]) == pytest.approx(expected[2:])
    samples, trials = (sum(count[which] for count in counted) for which in (0, 1))
    assert (found["samples"], found["trials"]) == (samples, trials)
    assert found["ssr"] == pytest.approx(sum(count[0] * count[2] for count in counted) / samples)
    assert found["pa"] == pytest.approx(sum(count[1] * count[3] for count in counted) / trials)


def test_one_source_is_not_told_twice(identities: Identities) -> None:
    from dataclasses import replace

    from nearid_cli.metrics.margins import Success

    single = replace(identities, distractors=identities.distractors[:1])
    found = evaluate(Accelerator(cpu=True), Colours(), ValidationSet(single, PREPROCESSING), 4, 0)
    assert found.keys() == set(asdict(Success(0, 0, None, None, None, None, None)))


def test_items(identities: Identities) -> None:
    data = ValidationSet(identities, PREPROCESSING)
    for position in range(len(identities)):
        pixels, valid = data[position]
        row = identities[position]
        contents = [*row.views, *row.distractors[0], *row.distractors[1]]
        assert valid.tolist() == [content is not None for content in contents]
        assert (pixels.shape, pixels.dtype) == ((9, 3, SIZE, SIZE), torch.uint8)
        assert not pixels[~valid].any()


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    views = saved(table(slots("images", [[png(1), b"no picture", None]])), tmp_path / "views")
    others = saved(table(slots("nimg", [[png(1), None, None]])), tmp_path / "others")
    data = ValidationSet(Identities.open(views, [others]), PREPROCESSING)
    with pytest.raises(BadRowError, match=f"{views}, row 0, column images2: "):
        evaluate(Accelerator(cpu=True), Colours(), data, 4, 0)
