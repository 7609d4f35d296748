"""Metrics that compare a generation with a reference: as many numbers as there are pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.embedding.pairs import Comparing, Number
from nearid_cli.evaluate.kinds.measured import LostIdentity, Measured, Numbered, Pictures
from nearid_cli.images.reading import Masking
from nearid_cli.metrics.scalars import pair_scores
from nearid_cli.plugins import NoScore, PairwiseMetric, TextMetric
from nearid_cli.results import Metric
from nearid_cli.text import few

if TYPE_CHECKING:
    from nearid_cli.embedding.reading import Content
    from nearid_cli.evaluate.kinds.measured import Rows

PROTOCOL = "mean over all (generation, distinct reference) pairs of a subject"


class MeasuredByPairs(Measured):
    """A metric that goes pair by pair.

    Args:
        comparing: gives the numbers.
        metric: of which they are.
        every: compare generations with the references of all subjects, too.
    """

    def __init__(self, comparing: Comparing, metric: PairwiseMetric, every: bool) -> None:
        self.name = comparing.name
        self._comparing, self._plugin, self._every = comparing, metric, every
        self.has_maps = type(metric).map is not PairwiseMetric.map

    def describe(self, of_pairs: bool = False) -> Metric:
        """See `Measured.describe`."""
        protocol = "" if of_pairs else PROTOCOL
        return described(
            self._comparing, self._plugin, "pairwise", protocol, symmetric=self._plugin.symmetric
        )

    def sees(self, how: Masking) -> str:
        """See `Measured.sees`."""
        return f"{how.keep} by mask" if self._plugin.takes_masks else how.describe()

    def score(self, pictures: Pictures) -> Numbered:
        """See `Measured.score`."""
        everybody = [*pictures.subjects, *pictures.strangers]
        references = [digest for one in everybody for _, digest in one.references]
        owners = np.repeat(np.arange(len(everybody)), [len(one.references) for one in everybody])
        generations = [digest for _, digest in pictures.generations]
        subjects = pictures.generation_subjects
        pairs = [
            (generation, reference)
            for generation in range(len(generations))
            for reference in self._compared_with(int(subjects[generation]), owners.tolist())
        ]
        arranged = combinations if self._plugin.symmetric else permutations
        among = [
            pair
            for subject in range(len(everybody if self._every else pictures.subjects))
            for pair in arranged(np.flatnonzero(owners == subject).tolist(), 2)
        ]
        wanted = [(references[b], generations[a]) for a, b in pairs]
        wanted += [(references[a], references[b]) for a, b in among]
        numbers = self._numbers(wanted, pictures.contents)
        values = [value_of(one) for one in numbers]
        scores = pair_scores(
            np.array(pairs, np.intp).reshape(-1, 2),
            np.array(values[: len(pairs)]),
            np.array(among, np.intp).reshape(-1, 2),
            np.array(values[len(pairs) :]),
            subjects,
            owners,
            pictures.units,
            limits=self._plugin.range,
            higher_is_better=self._plugin.higher_is_better,
        )
        own = [
            (generation, number)
            for (generation, reference), number in zip(pairs, numbers, strict=False)
            if owners[reference] == subjects[generation] and isinstance(number, NoScore)
        ]
        reasons = dict(_reasons(own, scores.generations.tolist()))
        others = [number for generation, number in own if generation not in reasons]
        among_references = [number for number in numbers[len(pairs) :] if isinstance(number, NoScore)]
        return Numbered(scores, reasons, lacking=Counter(one.reason for one in (*others, *among_references)))

    def maps(self, pictures: Pictures) -> Iterator[LostIdentity]:
        """See `Measured.maps`; of equally good references the first."""
        sign = 1 if self._plugin.higher_is_better else -1
        place = 0
        for subject in pictures.subjects:
            for _, generation in subject.generations:
                numbers = self._numbers(
                    [(reference, generation) for _, reference in subject.references], pictures.contents
                )
                known = [
                    (number, one)
                    for number, one in zip(numbers, subject.references, strict=True)
                    if not isinstance(number, NoScore)
                ]
                if self.has_maps and known:
                    score, (picture, reference) = max(known, key=lambda one: sign * one[0])
                    grid = self._comparing.map((reference, generation), pictures.contents)
                    if grid is not None:
                        yield LostIdentity(place, picture.name, score, grid)
                place += 1

    def alike(
        self, pairs: Sequence[tuple[bytes, bytes]], rows: Rows, contents: Mapping[bytes, Content]
    ) -> list[Number]:
        """See `Measured.alike`: the first one of a pair stands for the reference."""
        return self._numbers(pairs, contents)

    def _compared_with(self, subject: int, owners: Sequence[int]) -> Iterator[int]:
        """The references with which generations of a subject are compared."""
        return (place for place, owner in enumerate(owners) if self._every or owner == subject)

    def _numbers(
        self, pairs: Sequence[tuple[bytes, bytes]], contents: Mapping[bytes, Content]
    ) -> list[Number]:
        """The numbers of pairs, some of which may be there several times."""
        keys = [self._comparing.key(pair) for pair in pairs]
        asked: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
        for key, pair in zip(keys, pairs, strict=True):
            asked.setdefault(key, pair)
        found = self._comparing.numbers(list(asked.values()), contents)
        return [found[asked[key]] for key in keys]


def described(
    comparing: Comparing,
    metric: PairwiseMetric | TextMetric,
    kind: str,
    protocol: str,
    symmetric: bool = True,
    against: str = "references",
) -> Metric:
    """What results say of a metric whose numbers are of pairs."""
    return Metric(
        name=comparing.name,
        checkpoint=metric.checkpoint,
        revision=metric.revision,
        fingerprint=comparing.fingerprint,
        readout="",
        dtype=metric.dtype,
        preprocessing=metric.preprocessing,
        protocol="; ".join(filter(None, (metric.protocol, protocol))),
        kind=kind,
        range=metric.range,
        higher_is_better=metric.higher_is_better,
        symmetric=symmetric,
        against=against,
    )


def value_of(number: Number) -> float:
    """A number for computations, NaN where there is none."""
    return np.nan if isinstance(number, NoScore) else number


def _reasons(own: Sequence[tuple[int, NoScore]], scores: Sequence[float]) -> Iterator[tuple[int, str]]:
    """Why generations have no number: what their pairs say, the most frequent reason first."""
    found: dict[int, Counter[str]] = {}
    for generation, number in own:
        if np.isnan(scores[generation]):
            found.setdefault(generation, Counter())[number.reason] += 1
    for generation, reasons in found.items():
        yield generation, few([reason for reason, _ in reasons.most_common()])
