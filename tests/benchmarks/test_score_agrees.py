"""`nearid score --distractors` gives the SSR and PA that NearID-Bench gives of the same pictures."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.benchmarks.nearid.bench import NearidJob, bench_nearid
from nearid_cli.cli.app import main
from nearid_cli.evaluate.score import score
from nearid_cli.metrics.margins import success
from nearid_cli.options import Options
from nearid_cli.results import ScoreResult

METRICS = ("hog", "nearid-mini")
SETS = ("distractors", "distractors-2")
IDENTITIES = 12


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same identities as a data set, and as folders in which all three views are references."""
    folder = tmp_path_factory.mktemp("rendered")
    options = ["--identities", str(IDENTITIES), "--size", "48", "--distractors", "2", "--workers", "1"]
    assert main(["synth", str(folder / "set"), "--as", "dataset", *options]) == 0
    assert main(["synth", str(folder / "made"), *options]) == 0
    shutil.copytree(folder / "made" / "generations", folder / "generations")
    shutil.copytree(folder / "made" / "references", folder / "references")
    shutil.copytree(folder / "made" / "generations", folder / "references", dirs_exist_ok=True)
    for path in (folder / "made").glob("distractors*/*/*.png"):
        kind = path.parent.parent.name
        (folder / "both" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "both" / path.parent.name / f"{path.stem}_{kind}.png")
    return folder


@pytest.fixture(scope="module")
def margins(rendered: Path) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """By metric the margins [samples, sets, 6], by hand from the similarities that the benchmark writes."""
    out = rendered / "out"
    job = NearidJob(str(rendered / "set/positives"), tuple(str(rendered / "set" / name) for name in SETS))
    bench_nearid(job, out, Options(metrics=METRICS, cache=rendered / "cache"))
    found = {}
    for metric in METRICS:
        tables = []
        for name in SETS:
            (path,) = (out / name).glob(f"*{metric}.csv")
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            tables.append(
                [
                    [
                        float(row[f"sim_{i}{j}"]) - float(row[f"cross_{end}{end}"])
                        for i, j in ((0, 1), (0, 2), (1, 2))
                        for end in (i, j)
                    ]
                    for row in rows
                ]
            )
        found[metric] = np.array(tables).transpose(1, 0, 2)
    return found


@pytest.fixture(scope="module")
def scored(rendered: Path) -> Callable[[Path], ScoreResult]:
    def run(distractors: Path) -> ScoreResult:
        options = Options(metrics=METRICS, cache=rendered / "cache")
        return score(rendered / "references", rendered / "generations", options, distractors=distractors)

    return run


def test_one_set_of_distractors(rendered: Path, margins, scored) -> None:
    result = scored(rendered / "made" / "distractors")
    assert (result.inputs.paired_subjects, result.inputs.paired_references) == (IDENTITIES, 3 * IDENTITIES)
    for metric, table in margins.items():
        won = table[:, 0] > 0
        aggregate, expected = result.aggregate[metric], success(table[:, 0])
        assert aggregate.pa == won.mean() == expected.pa
        assert aggregate.ssr == pytest.approx(won.all(axis=1).mean()) == expected.ssr
        assert (aggregate.ssr_ci95, aggregate.pa_ci95) == (expected.ssr_ci95, expected.pa_ci95)


def test_two_sets_of_distractors(rendered: Path, margins, scored) -> None:
    result = scored(rendered / "both")
    assert result.inputs.pairing.startswith("by name (01_distractors-2.png with 01.png)")
    for metric, table in margins.items():
        won = table.reshape(IDENTITIES, -1) > 0
        assert result.aggregate[metric].pa == won.mean()
        assert result.aggregate[metric].ssr == pytest.approx(won.all(axis=1).mean())


def test_backgrounds_are_flattered_by_all_pairs_alone(rendered: Path, scored) -> None:
    hog = scored(rendered / "made" / "distractors").aggregate["hog"]
    assert hog.ssr == 0.0
    assert 0 <= (hog.pa or 0.0) < 0.1
    assert (hog.all_pairs_pa or 0.0) > 0.4
    assert hog.ssr_ci95 == (0.0, pytest.approx(1 - 0.025 ** (1 / IDENTITIES)))
