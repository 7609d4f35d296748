"""Metrics that compare a generation with its prompt: a number a generation, and no references."""

from __future__ import annotations

import numpy as np

from nearid_cli.embedding.pairs import Comparing, Number, digest_prompt
from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures, not_of_pairs
from nearid_cli.evaluate.kinds.pairwise import described, value_of
from nearid_cli.metrics.scalars import scalar_scores
from nearid_cli.plugins import NoScore, TextMetric
from nearid_cli.results import Metric

PROTOCOL = "mean over the generations of a subject"
NO_PROMPT = NoScore("no prompt")


class MeasuredByText(Measured):
    """A metric that takes prompts.

    Args:
        comparing: gives the numbers.
        metric: of which they are.
    """

    def __init__(self, comparing: Comparing, metric: TextMetric) -> None:
        self.name = comparing.name
        self._comparing, self._plugin = comparing, metric

    def describe(self, of_pairs: bool = False) -> Metric:
        """See `Measured.describe`."""
        if of_pairs:
            raise not_of_pairs(self.name)
        return described(self._comparing, self._plugin, "text", PROTOCOL, against="prompts")

    def score(self, pictures: Pictures) -> Numbered:
        """See `Measured.score`."""
        prompts = {digest_prompt(one.prompt): one.prompt for one, _ in pictures.generations if one.prompt}
        pairs = [
            (digest_prompt(one.prompt), digest) if one.prompt else None
            for one, digest in pictures.generations
        ]
        wanted = [pair for pair in dict.fromkeys(pairs) if pair is not None]
        found = self._comparing.numbers(wanted, pictures.contents, prompts)
        return of_generations(
            [NO_PROMPT if pair is None else found[pair] for pair in pairs], pictures, self._plugin.range
        )


def of_generations(
    numbers: list[Number], pictures: Pictures, limits: tuple[float | None, float | None]
) -> Numbered:
    """The numbers of a data set by those of its generations, in their order; no reference has part in them."""
    scores = scalar_scores(
        np.array([value_of(one) for one in numbers]), pictures.generation_subjects, pictures.units, limits
    )
    reasons = {place: one.reason for place, one in enumerate(numbers) if isinstance(one, NoScore)}
    return Numbered(scores, reasons)
