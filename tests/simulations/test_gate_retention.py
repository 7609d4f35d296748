"""The drop of retention, a ratio of means, and its interval over subjects."""

from dataclasses import replace

import numpy as np
import pytest

from nearid_cli.gate.judge import judge
from tests.gating import make_rule, make_run

WORLDS = 300  # a share of 5 % is then known to 1.3 %
RULE = make_rule(statistic="retention", max_drop=0.0, confidence=0.95)


def make(score: np.ndarray, ceiling: np.ndarray, floor: np.ndarray):
    """A run without pictures of subjects with these numbers."""
    run = make_run({f"s{i}": value for i, value in enumerate(score)}, spread=(0.0,))
    rows = tuple(
        replace(row, scores={"nearid": replace(row.scores["nearid"], ceiling=c, floor=f)})
        for row, c, f in zip(run.subjects, ceiling.tolist(), floor.tolist(), strict=True)
    )
    ratio = float((score - floor).mean() / (ceiling - floor).mean())
    return replace(
        run, subjects=rows, images=(), aggregate={"nearid": replace(run.aggregate["nearid"], retention=ratio)}
    )


@pytest.mark.parametrize("subjects", [6, 12])
@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "far left"])
def test_false_alarms(subjects: int, skewed: bool) -> None:
    """Rooms from nearly none to most of the scale, scores that hang on them, and a fall of 0 in the mean."""
    random = np.random.default_rng(subjects)
    failed = 0
    for _ in range(WORLDS):
        floor = random.uniform(0.1, 0.3, subjects)
        ceiling = floor + random.uniform(0.02, 0.7, subjects)
        score = floor + 0.8 * (ceiling - floor) + 0.05 * random.standard_normal(subjects)
        moved = -(random.exponential(size=subjects) - 1) if skewed else random.standard_normal(subjects)
        base, run = make(score, ceiling, floor), make(score - 0.05 * moved, ceiling, floor)
        failed += not judge(run, base, [RULE], run_name="run.json", baseline_name="base.json").passed
    assert failed <= (0.05 + 3 * 0.013) * WORLDS


def test_a_fall_is_seen() -> None:
    """Of a tenth of every subject's room, with noise that six subjects can be seen through."""
    random = np.random.default_rng(0)
    floor = random.uniform(0.1, 0.3, 6)
    ceiling = floor + random.uniform(0.3, 0.7, 6)
    score = floor + 0.8 * (ceiling - floor)
    noise = 0.01 * random.standard_normal(6)
    base, run = make(score, ceiling, floor), make(score - 0.1 * (ceiling - floor) + noise, ceiling, floor)
    (found,) = judge(run, base, [RULE], run_name="run.json", baseline_name="base.json").verdicts
    assert found.status == "failed"
    assert found.ci[0] < found.drop < found.ci[1]
    assert found.drop == pytest.approx(0.1, abs=0.02)
