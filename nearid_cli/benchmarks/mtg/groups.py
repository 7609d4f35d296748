"""MTG by what the columns of the data set say of the samples."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.differences import compared_in_groups
from nearid_cli.benchmarks.labels import SampleLabels, TakenTogether, row_labels, taken_together
from nearid_cli.benchmarks.mtg.result import MtgGroup
from nearid_cli.benchmarks.mtg.samples import PartSimilarities
from nearid_cli.breakdown.labels import told
from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.metrics.margins import rate_differences
from nearid_cli.metrics.part_level import OF_PAIR, PartLevel, part_level, part_margins
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
    of_rows = next(iter(tables.values())).rows  # the same for all metrics
    found, compared = [], []
    for group in groups:
        own = rows[group.some]
        some = np.isin(of_rows, own)
        scores = {
            metric: _of_enough(part_level(table.similarities[some], table.oracles[some]))
            for metric, table in tables.items()
        }
        found.append(MtgGroup(group.by, group.labels, len(own), scores))
        first, *others = (part_margins(table.similarities[some]) for table in tables.values())
        apart = {
            metric: rate_differences(margins, first)
            for metric, margins in zip([*tables][1:], others, strict=True)
        }
        compared.append((group.by, told(group.labels), apart))
    differences = compared_in_groups(next(iter(tables)), compared)
    return tuple(replace(group, differences=own) for group, own in zip(found, differences, strict=True))


def _of_enough(scores: PartLevel) -> PartLevel:
    """Without means of correlations that are over too few samples to be any."""

    def enough(first: int) -> bool:
        return all(not 0 < one.n < MIN_UNITS for one in scores.correlations[:first])

    if not enough(len(scores.correlations)):
        scores = replace(scores, mo=None, mo_ci95=None)
    return scores if enough(OF_PAIR) else replace(scores, mo_pair=None, mo_pair_ci95=None)
