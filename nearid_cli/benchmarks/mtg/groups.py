"""MTG by what the columns of the data set say of the samples."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.labels import SampleLabels, TakenTogether, row_labels, taken_together
from nearid_cli.benchmarks.mtg.result import MtgGroup
from nearid_cli.benchmarks.mtg.samples import PartSimilarities
from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.metrics.part_level import OF_PAIR, PartLevel, part_level
from nearid_cli.nearid_data import RowsGiven, choose_rows
from nearid_cli.nearid_data.sources import default_split, open_source

logger = logging.getLogger(__name__)


def groups_asked_for(
    by: Sequence[str], data: str, split: str, rows: RowsGiven | None
) -> tuple[list[TakenTogether], npt.NDArray[np.int64]]:
    """The groups of the rows that are measured, and these.

    Raises:
        UsageError: a label that no row has.
        InputError: the data set cannot be opened.
    """
    dataset = open_source(data, default_split(data, split), logger.info)
    chosen = [*range(len(dataset))] if rows is None else choose_rows(rows, data, dataset)
    samples = [SampleLabels.of(one) for one in row_labels(dataset, data, chosen)]
    return taken_together(by, samples), np.array(chosen, np.int64)


def mtg_groups(
    groups: Sequence[TakenTogether], rows: npt.NDArray[np.int64], tables: Mapping[str, PartSimilarities]
) -> tuple[MtgGroup, ...]:
    """The numbers of each group.

    Args:
        groups: of rows.
        rows: which ones these are.
        tables: by metric, of the same rows.
    """
    found = []
    for group in groups:
        own = rows[group.some]
        scores = {}
        for metric, table in tables.items():
            some = np.isin(table.rows, own)
            scores[metric] = _of_enough(part_level(table.similarities[some], table.oracles[some]))
        found.append(MtgGroup(group.by, group.labels, len(own), scores))
    return tuple(found)


def _of_enough(scores: PartLevel) -> PartLevel:
    """Without means of correlations that are over too few samples to be any."""

    def enough(first: int) -> bool:
        return all(not 0 < one.n < MIN_UNITS for one in scores.correlations[:first])

    if not enough(len(scores.correlations)):
        scores = replace(scores, mo=None, mo_ci95=None)
    return scores if enough(OF_PAIR) else replace(scores, mo_pair=None, mo_pair_ci95=None)
