"""How much of a score is context: what the background alone gives, beside what the foreground alone gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nearid_cli.metrics.intervals import ratio_interval
from nearid_cli.metrics.retention import ERRORS
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.metrics.summary import Floats, IdentityScores


class Share(NamedTuple):
    """The context share of a metric. NaN where it does not exist.

    Attributes:
        of_all: from 0 to 1.
        ci95: [2], its interval over subjects; NaN below 3, or where it would have no end.
        within_noise: foreground and background have floors, but both together are not above them by `ERRORS` standard
            errors over subjects.
    """

    of_all: float
    ci95: Floats
    within_noise: bool


def context_share(foreground: IdentityScores, background: IdentityScores, sign: float = 1.0) -> Share:
    """(B - floor_B) / ((F - floor_F) + (B - floor_B)), a ratio of means over subjects, clipped to 0..1.

    What is above the floor is what a part says of the subject rather than of any picture: two black surrounds are alike
    whatever they surround. It does not exist with one subject, nor where both parts together say nothing.

    Args:
        foreground: the scores where pictures show the subject alone.
        background: the same where they show all but the subject.
        sign: -1 where less is better.
    """
    said = sign * (foreground.score - foreground.floor)
    context = sign * (background.score - background.floor)
    known = ~np.isnan(said + context)
    both, context = (said + context)[known], context[known]
    none = np.full(2, np.nan)
    if not known.any():
        return Share(np.nan, none, within_noise=False)
    error = float(both.std(ddof=1)) / np.sqrt(len(both)) if len(both) > 1 else 0.0
    if both.mean() <= max(ERRORS * error, RESOLUTION):
        return Share(np.nan, none, within_noise=True)
    ends = ratio_interval(context, both)
    return Share(
        float(np.clip(context.mean() / both.mean(), 0, 1)),
        none if ends is None else np.clip(ends, 0, 1),
        within_noise=False,
    )
