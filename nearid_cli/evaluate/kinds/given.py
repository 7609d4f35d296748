"""Metrics whose numbers something else computed: a number a generation, which rows say, and nothing is computed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from nearid_cli.encoders.plugged import ask, class_of, plugin_fingerprint
from nearid_cli.errors import InputError
from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures
from nearid_cli.evaluate.kinds.text import PROTOCOL, of_generations
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.measures.joining import Expected, Number, join
from nearid_cli.plugins import GivenMetric, NoScore
from nearid_cli.results import Metric
from nearid_cli.text import count, few, printable, storable

logger = logging.getLogger(__name__)


class MeasuredElsewhere(Measured):
    """A metric whose numbers are given.

    Args:
        name: in this run.
        metric: that has the numbers.
    """

    def __init__(self, name: str, metric: GivenMetric) -> None:
        self.name = name
        self._plugin = metric
        self._where = f'metric "{printable(name)}"'
        self._fingerprint = plugin_fingerprint(name, metric)
        self._numbers: dict[tuple[str, str, str], Number] = {}

    def describe(self, of_pairs: bool = False) -> Metric:
        """See `Measured.describe`."""
        metric = self._plugin
        return Metric(
            name=self.name,
            checkpoint=storable(metric.checkpoint),
            revision=metric.revision,
            fingerprint=self._fingerprint,
            readout="",
            dtype=metric.dtype,
            preprocessing=metric.preprocessing,
            protocol=f"{metric.protocol}; {PROTOCOL}",
            kind="given",
            range=metric.range,
            higher_is_better=metric.higher_is_better,
            against="",
        )

    def sees(self, how: Masking) -> str:
        """See `Measured.sees`: nothing."""
        return ""

    def look(self, datasets: Mapping[str, Dataset], allow_unmatched: bool) -> None:
        """See `Measured.look`: join the rows with the generations of all methods together."""
        keys = [
            (method, subject.name, picture)
            for method, dataset in datasets.items()
            for subject in dataset.subjects
            for picture in subject.generations
        ]
        wanted = [
            Expected(subject, picture, method or picture.method or "") for method, subject, picture in keys
        ]
        joined = join(self._where, self._rows(), wanted, self._plugin.range)
        for note in joined.notes:
            logger.info("%s: %s", self._where, note)
        if joined.strangers:
            logger.info(
                "%s: %s of no generation: %s",
                self._where,
                count(len(joined.strangers), "row is", "rows are"),
                few(joined.strangers, spelled=str),
            )
        for line in joined.strangers:
            logger.debug("%s: of no generation: %s", self._where, line)
        lacking = [str(one) for one, number in zip(wanted, joined.numbers, strict=True) if number is None]
        if lacking and not allow_unmatched:
            raise InputError(
                f"{self._where}: {count(len(lacking), 'generation')} of {len(wanted):,} in no row; add them, or go on "
                "without their numbers: --allow-unmatched",
                [
                    *(f"in no row: {line}" for line in lacking),
                    *(f"of no generation: {line}" for line in joined.strangers),
                ],
            )
        absent = NoScore(
            f"not in {self._plugin.checkpoint}" if self._plugin.checkpoint else "no number given"
        )
        self._numbers = {
            _key(*key): absent if number is None else number
            for key, number in zip(keys, joined.numbers, strict=True)
        }

    def score(self, pictures: Pictures) -> Numbered:
        """See `Measured.score`."""
        numbers = [
            self._numbers[_key(pictures.method, subject.name, picture)]
            for subject in pictures.subjects
            for picture, _ in subject.generations
        ]
        return of_generations(numbers, pictures, self._plugin.range)

    def _rows(self) -> Iterable[Mapping[str, Any]]:
        rows = ask(self.name, self._plugin, "rows", lambda: list(self._plugin.rows()))
        if wrong := [row for row in rows if not isinstance(row, Mapping)]:
            raise InputError(
                f"{self._where}: expected mappings from {class_of(self._plugin)}.rows, found {type(wrong[0]).__name__}"
            )
        return rows


def _key(method: str, subject: str, picture: Picture) -> tuple[str, str, str]:
    return method, subject, str(picture.path)
