"""`confidence = c` in a rule by group: of runs no group of which is worse than allowed, at most about 1 - c fail."""

from dataclasses import replace

import numpy as np
import pytest

from nearid_cli.gate.drops import Drop, judged_together
from nearid_cli.metrics.intervals import mean_intervals
from nearid_cli.results import ScoreResult
from tests.gating import gate, make_rule, make_run
from tests.worlds.planting import deviations

pytestmark = pytest.mark.torture  # minutes of worlds, of statistics that change seldom

WORLDS = 10_000  # a share of 5 % is then known to 0.22 %


def failing(shape: str, groups: int, subjects: int, confidence: float) -> np.ndarray:
    """Which worlds fail a rule with max_drop = 0 in which group; every true mean is 0, [groups, worlds]."""
    random = np.random.default_rng(100 * groups + subjects)
    drops = [deviations(random, shape, (subjects, WORLDS)) for _ in range(groups)]
    return np.stack([mean_intervals(one, confidence)[:, 0] > 0 for one in drops])


@pytest.mark.parametrize(("groups", "subjects"), [(4, 6), (4, 12), (10, 12)])
@pytest.mark.parametrize("shape", ["normal", "heavy", "right 2", "left 1", "left 2"])
def test_false_alarms_of_all_groups_together(shape: str, groups: int, subjects: int) -> None:
    # Where no group is found in the first round there is no second one.
    share = failing(shape, groups, subjects, 1 - 0.05 / groups).any(axis=0).mean()
    # As docs/explanation/statistics.md says.
    skewed = {"left 1": (0.05, 0.05, 0.06), "left 2": (0.11, 0.075, 0.10)}.get(shape, (0.05, 0.05, 0.05))
    worst = dict(zip([(4, 6), (4, 12), (10, 12)], skewed, strict=True))[groups, subjects]
    assert share <= worst + 3 * 0.0022
    each = failing(shape, groups, subjects, 0.95).any(axis=0).mean()
    assert each > share, "every group by itself would fail more often"
    if shape == "normal":
        assert share <= 0.025 + 3 * 0.0016
        assert each > 0.05


def labelled(run: ScoreResult) -> ScoreResult:
    return replace(run, images=tuple(replace(one, labels={"category": one.subject[0]}) for one in run.images))


def test_the_gate_itself_finds_those_that_fell_and_no_others() -> None:
    """Two groups of four fell: the others are no false alarm for it, and both are found once the first one is."""
    worlds = 400
    names = [f"{kind}{i}" for kind in "abcd" for i in range(6)]
    base = labelled(make_run(dict.fromkeys(names, 0.5), spread=(0.0,)))
    rule = make_rule(by="category", max_drop=0.0, confidence=0.95)
    noise = 0.02 * deviations(np.random.default_rng(1), "normal", (worlds, len(names)))
    fell = np.repeat([0.09, 0.07, 0.0, 0.0], 6)
    failed = []
    for drops in noise + fell:
        run = labelled(make_run(dict(zip(names, 0.5 - drops, strict=True)), spread=(0.0,)))
        failed.append([one.status == "failed" for one in gate(run, base, rule).verdicts])
    a, b, c, d = np.array(failed).T
    assert (c | d).mean() <= 0.05 + 3 * 0.011
    assert a.mean() > 0.95
    assert b.mean() > 0.85


def test_what_is_found_makes_room_for_the_rest() -> None:
    """Of many groups that all fell by as much, Holm finds more than if each were held against all."""
    random = np.random.default_rng(3)
    drops = 1.2 + deviations(random, "normal", (8, 200, 6))
    found, first = 0, 0
    for world in drops.transpose(1, 0, 2):
        units = [tuple(one) for one in world]
        alone = [tuple(mean_intervals(np.array(one)[:, None], 0.95)[0]) for one in units]
        judged = judged_together(
            [Drop(np.mean(one), ci, units=one) for one, ci in zip(units, alone, strict=True)], 0.95, 0.0
        )
        found += sum(one.ci[0] > 0 for one in judged)
        first += sum(mean_intervals(np.array(one)[:, None], 1 - 0.05 / 8)[0, 0] > 0 for one in units)
    assert found > 1.05 * first
