"""Rules at level `subject`: generations of one prompt are no independent evidence."""

import numpy as np
import pytest

from nearid_cli.gate.judge import judge
from tests.gating import make_prompted, make_rule

RULE = make_rule(level="subject", max_drop=0.0, confidence=0.95)
SEEDS = 10


def failing(drops: np.ndarray) -> float:
    """The share of subjects [subject, prompt, seed] that fail by their drops; each subject is a world of its own."""
    run, base = (
        make_prompted(
            {
                f"s{i}": {f"p{j}": group for j, group in enumerate(subject)}
                for i, subject in enumerate(values.tolist())
            },
            seeds=True,
        )
        for values in (0.5 - drops, np.full_like(drops, 0.5))
    )
    verdicts = judge(run, base, [RULE], run_name="run.json", baseline_name="base.json").verdicts
    assert len(verdicts) == len(drops)
    return sum(one.status == "failed" for one in verdicts) / len(verdicts)


@pytest.mark.parametrize(("prompts", "worlds"), [(3, 1200), (8, 450)])
def test_false_alarms_where_half_of_the_variance_is_between_prompts(prompts: int, worlds: int) -> None:
    """Pairs of generations as units give 21 %; and 26 % with an interval that leaves out 1 - c on one side."""
    random = np.random.default_rng(prompts)
    between = random.standard_normal((worlds, prompts, 1))
    within = random.standard_normal((worlds, prompts, SEEDS))
    share = failing(0.03 * (between + within))
    assert share <= 0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5  # 0.6 and 1.0 %


def test_a_drop_of_every_prompt_is_seen() -> None:
    """One of 4.8 standard deviations of prompts: no interval of the mean of 8 reaches farther than 3.5."""
    random = np.random.default_rng(0)
    drops = 0.15 + 0.03 * random.standard_normal((200, 8, 1)) + 0.03 * random.standard_normal((200, 8, SEEDS))
    assert failing(drops) > 0.98
