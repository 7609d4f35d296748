"""`confidence = c` in a rule: of runs that are no worse than allowed, at most 1 - c fail."""

import numpy as np
import pytest
from scipy import stats

from nearid_cli.gate.judge import judge
from nearid_cli.metrics.intervals import mean_intervals
from tests.gating import make_rule, make_run
from tests.worlds.planting import deviations

SHAPES = ["normal", "heavy", "right 1", "right 2", "left 1", "left 2"]
WORLDS = 10_000  # a share of 5 % is then known to 0.22 %


def failing(drops: np.ndarray, confidence: float = 0.95) -> float:
    """The share of worlds, one a column of true mean 0, in which a rule with max_drop = 0 fails."""
    return float((mean_intervals(drops, confidence)[:, 0] > 0).mean())


@pytest.mark.parametrize("subjects", [3, 6, 12, 20])
@pytest.mark.parametrize("shape", SHAPES)
def test_false_alarms(shape: str, subjects: int) -> None:
    share = failing(deviations(np.random.default_rng(subjects), shape, (subjects, WORLDS)))
    # As docs/explanation/statistics.md says.
    worst = {3: 0.075, 6: 0.065}.get(subjects, 0.05) if shape == "left 2" else 0.05
    assert share <= worst + 3 * 0.0022
    if shape == "normal":
        assert share <= 0.025 + 3 * 0.0016  # each end of a two-sided interval leaves out half


@pytest.mark.parametrize(("subjects", "share"), [(6, 0.025), (20, 0.011)])
def test_a_confidence_near_1_takes_many_subjects(subjects: int, share: float) -> None:
    """As docs/explanation/statistics.md says of 0.99; its error is 0.15 and 0.10 %."""
    drops = deviations(np.random.default_rng(subjects), "left 2", (subjects, WORLDS))
    assert failing(drops, 0.99) == pytest.approx(share, abs=3 * (share * (1 - share) / WORLDS) ** 0.5)


@pytest.mark.parametrize("generations", [1, 4])
@pytest.mark.parametrize("subjects", [3, 6, 20])
def test_false_alarms_of_shares(subjects: int, generations: int) -> None:
    """Identification takes few values: shares of one or four generations, nine in ten of which are identified."""
    random = np.random.default_rng(subjects)
    before, now = random.binomial(generations, 0.9, (2, subjects, WORLDS)) / generations
    assert failing(before - now) <= 0.025 + 3 * 0.0016


@pytest.mark.parametrize("shape", ["normal", "left 2"])
def test_false_alarms_of_the_gate_itself(shape: str) -> None:
    """The same through the rule; the left tail is where an interval of coverage 2c - 1, or a sign test, gives 15 %."""
    worlds = 600  # 5 % is then known to 0.9 %
    base = make_run({f"s{i}": 0.5 for i in range(6)}, spread=(0.0,))
    rule = make_rule(max_drop=0.0, confidence=0.95)
    drops = 0.05 * deviations(np.random.default_rng(1), shape, (worlds, 6))
    failed = sum(
        not judge(
            make_run({f"s{i}": 0.5 - drop for i, drop in enumerate(one)}, spread=(0.0,)),
            base,
            [rule],
            run_name="run.json",
            baseline_name="base.json",
        ).passed
        for one in drops
    )
    assert failed <= (0.05 + 3 * 0.009) * worlds


@pytest.mark.parametrize(
    ("subjects", "power"), [(6, 0.64), (12, 0.74), (20, 0.77)]
)  # as docs/guides/gate.md says
def test_power_against_the_oracle(subjects: int, power: float) -> None:
    """How often the rule sees a normal drop that the two-sided t test at 5 % sees in 80 % of worlds."""
    bar = stats.t.ppf(0.975, subjects - 1)
    centres = np.linspace(0, 8, 8001)
    centre = centres[np.searchsorted(stats.nct.sf(bar, subjects - 1, centres), 0.8)]
    noise = np.random.default_rng(subjects).standard_normal((subjects, WORLDS))
    drops = noise + centre / np.sqrt(subjects)
    t = drops.mean(axis=0) / drops.std(axis=0, ddof=1) * np.sqrt(subjects)
    assert np.mean(t > bar) == pytest.approx(0.8, abs=3 * 0.004)
    assert failing(drops) == pytest.approx(power, abs=3 * 0.005)
