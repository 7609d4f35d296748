"""Metrics compared on NearID-Bench: equally good ones are rarely called different; intervals hold the difference."""

import numpy as np
import pytest

from nearid_cli.metrics.margins import rate_differences

SETS = 200
# Monte-Carlo error over 200 data sets: 1.5 %, of a coverage of 95 % and of an error rate of 5 %.
ERROR = 0.015


def margins(random, samples, shift, shared, of_sample):
    """Margins [samples, 6] of variance 1; so much of it is between samples, and half of that all metrics share."""
    own = np.sqrt(0.5) * shared + np.sqrt(0.5) * random.standard_normal((samples, 1))
    return shift + np.sqrt(of_sample) * own + np.sqrt(1 - of_sample) * random.standard_normal((samples, 6))


@pytest.mark.parametrize(
    ("samples", "shifts", "of_sample"),
    [
        (12, (0.5, 0.5), (0.5, 0.5)),
        (12, (-1.5, -1.5), (0.5, 0.5)),
        (20, (1.0, 1.0), (0.5, 0.1)),  # equal PA; one fails on whole samples, the other on single trials
        (12, (2.0, 1.5), (0.5, 0.5)),
        (12, (-1.0, 1.0), (0.5, 0.5)),
    ],
)
def test_differences_of_rates(samples, shifts, of_sample):
    random = np.random.default_rng(samples)

    def world(samples):
        shared = random.standard_normal((samples, 1))
        return [
            margins(random, samples, shift, shared, share)
            for shift, share in zip(shifts, of_sample, strict=True)
        ]

    won = [one > 0 for one in world(100_000)]
    truth = {
        "ssr": won[0].all(axis=1).mean() - won[1].all(axis=1).mean(),
        "pa": won[0].mean() - won[1].mean(),
    }
    if shifts[0] == shifts[1]:
        truth["pa"] = 0.0
        if of_sample[0] == of_sample[1]:
            truth["ssr"] = 0.0
    held, called = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for _ in range(SETS):
        for number, one in rate_differences(*world(samples)).items():
            held[number] += one.ci95[0] <= truth[number] <= one.ci95[1]
            called[number] += max(one.p, one.p_studentised) <= 0.05
    for number, delta in truth.items():
        assert held[number] / SETS >= 0.95 - 3 * ERROR
        assert delta != 0 or called[number] / SETS <= 0.05 + 3 * ERROR
