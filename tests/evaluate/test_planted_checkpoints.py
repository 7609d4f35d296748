"""Eight rendered checkpoints with a planted best and copies from the sixth on, by metrics that look at the pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import nearid_cli
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery, to_html
from nearid_cli.reports.terminal import render
from nearid_cli.results import CompareResult
from nearid_cli.synth.render import render as rendered
from nearid_cli.synth.sample import CATEGORIES, Sample, SynthOptions

STEPS = [500 * step for step in range(1, 9)]
BEST, COPYING = STEPS[3], STEPS[5]
KEPT = [0.0, 0.3, 0.6, 1.0, 0.7]
"""How much of the subject, and how little of a look-alike, is in a generation of each step before the copies."""


@pytest.fixture(
    scope="module", params=[7, *(pytest.param(seed, marks=pytest.mark.torture) for seed in (21, 1_000_003))]
)
def samples(request: pytest.FixtureRequest) -> list[Sample]:
    return [
        next(
            rendered(
                SynthOptions(
                    views=8,
                    distractors=1,
                    size=160,
                    difficulty="easy",
                    categories=(family,),
                    seed=request.param,
                ),
                number,
                number + 1,
            )
        )
        for number, family in enumerate(CATEGORIES[:8])
    ]


def written(root: Path, samples: list[Sample], kind: str) -> Path:
    for family, one in zip(CATEGORIES, samples, strict=False):
        (root / "refs" / family).mkdir(parents=True)
        for view in range(4):
            Image.fromarray(one.views[view]).save(root / "refs" / family / f"{view}.png")
        for place, step in enumerate(STEPS):
            folder = root / "runs" / f"checkpoint-{step}" / family
            folder.mkdir(parents=True)
            for view in range(4):
                if step >= COPYING:
                    copy(Image.fromarray(one.views[view]), kind, folder / f"{view}.png")
                    continue
                own, other = one.views[4 + view].astype(float), one.distractors[0, 4 + view].astype(float)
                mixed = KEPT[place] * own + (1 - KEPT[place]) * other
                Image.fromarray(mixed.round().astype(np.uint8)).save(folder / f"{view}.png")
    return root


def copy(reference: Image.Image, kind: str, path: Path) -> None:
    if kind == "saved again":
        reference.save(path.with_suffix(".jpg"), quality=85)
    elif kind == "cropped":
        reference.crop((8, 8, 152, 152)).resize((160, 160)).save(path)
    else:
        reference.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


@pytest.mark.parametrize(
    ("metric", "kind"),
    [("hog", "saved again"), ("hog", "cropped"), ("hog", "mirrored"), ("nearid-mini", "cropped")],
)
def test_the_best_and_the_onset_are_named(
    tmp_path: Path, samples: list[Sample], metric: str, kind: str
) -> None:
    root = written(tmp_path, samples, kind)
    result = nearid_cli.compare(root / "runs", root / "refs", metrics=[metric])
    (curve,) = result.curves
    assert (curve.best, curve.copying_from) == (f"checkpoint-{BEST}", f"checkpoint-{COPYING}")
    assert [one.left_out for one in curve.points] == [step >= COPYING for step in STEPS]
    assert curve.answer.startswith(
        f"By {metric}, step {BEST} scores best of the 5 of 8 checkpoints that do not copy"
    )
    assert f"copying sets in at step {COPYING}: " in curve.answer
    shows(result, metric)


def shows(result: CompareResult, metric: str) -> None:
    """Line, table and report say the same."""
    made = document(result)
    printed = io.StringIO()
    render(made, Console(file=printed, width=120))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    assert " ".join(printed.getvalue().split()).endswith(result.curves[0].answer)
    rows = {line.split()[0]: line for line in lines if line.split()[:1] and line.split()[0].isdecimal()}
    assert rows[str(BEST)].endswith("the best")
    assert [step for step in STEPS if "copies" in rows[str(step)]] == STEPS[5:]
    page = to_html(made, Gallery((), {}, "no thumbnails"))
    assert f"<h1>Step {BEST} scores best of the 5 of 8 checkpoints that do not copy</h1>" in page
    assert f"step {BEST}: " in page
    assert page.count('class="cross"') % 3 == 0
    assert 'class="ring"' in page
