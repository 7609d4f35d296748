"""NearID-Bench by what the data say of the samples: `--by source`, `category` or any column of the positives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.differences import compared_in_groups
from nearid_cli.benchmarks.labels import SampleLabels, asks_for_more, row_labels, taken_together
from nearid_cli.benchmarks.nearid.result import NearidGroup
from nearid_cli.benchmarks.tables.similarities import Similarities
from nearid_cli.breakdown.labels import told
from nearid_cli.metrics.margins import ShareDifference, outcome, rate_differences, trial_margins
from nearid_cli.nearid_data import RowsGiven

logger = logging.getLogger(__name__)

SOURCE, CATEGORY = "source", "category"

_Rows = dict[tuple[str, str], npt.NDArray[np.float64]]
"""Margins of samples, by source and id."""

Columns = Mapping[str, Mapping[str, str | None]]
"""What the columns of the positives say of each sample, by its id."""


def columns_asked_for(
    by: Sequence[str],
    positives: str,
    rows: RowsGiven | None,
    split: str,
    max_samples: int | None,
    sources: Sequence[str],
) -> Columns:
    """What the positives say of their rows, if `--by` asks for more than the files of similarities hold.

    Raises:
        UsageError: a label that no row has.
        NearIDError: the data set cannot be used.
    """
    if not by or not asks_for_more(by, (SOURCE, CATEGORY)):
        return {}
    from nearid_cli.benchmarks.nearid.samples import ids_of
    from nearid_cli.nearid_data import Identities

    identities = Identities.open(positives, (), rows, split, logger.info)
    numbers = identities.numbers[:max_samples].tolist()
    labels = row_labels(identities.dataset, positives, numbers)
    samples = [SampleLabels.of({**one, SOURCE: source}) for source in sources for one in labels]
    taken_together(by, samples)  # before anything is embedded
    return dict(zip(ids_of(identities, numbers), labels, strict=True))


def nearid_groups(
    by: Sequence[str], files: Mapping[tuple[str, str], Similarities], columns: Columns
) -> tuple[NearidGroup, ...]:
    """SSR, PA and their relatives by group, of all sources together, and each metric minus the first.

    Args:
        by: what was asked for.
        files: by metric and tag of the source, its similarities.
        columns: from `columns_asked_for`.

    Raises:
        UsageError: a label that no sample has.
    """
    of_metrics: dict[str, dict[str, Similarities]] = {}
    for (metric, source), found in files.items():
        of_metrics.setdefault(metric, {})[source] = found
    groups: dict[tuple[str, tuple[tuple[str, str | None], ...]], dict[str, _Rows]] = {}
    for metric, own in of_metrics.items():
        places = [(source, sample) for source, one in own.items() for sample in one.sample_ids]
        categories = [category for one in own.values() for category in one.categories]
        said = [
            SampleLabels.of({**columns.get(sample, {}), CATEGORY: category or None, SOURCE: source})
            for (source, sample), category in zip(places, categories, strict=True)
        ]
        margins = np.concatenate(
            [trial_margins(one.sim, np.diagonal(one.cross, axis1=1, axis2=2)) for one in own.values()]
        )
        for taken in taken_together(by, said):
            key = taken.by, tuple(taken.labels.items())
            groups.setdefault(key, {})[metric] = {
                places[row]: margins[row] for row in np.flatnonzero(taken.some).tolist()
            }
    first = next(iter(of_metrics))
    differences = compared_in_groups(
        first,
        [
            (breakdown, told(dict(labels)), _differences(own, first))
            for (breakdown, labels), own in groups.items()
        ],
    )
    return tuple(
        NearidGroup(
            by=key[0],
            labels=dict(key[1]),
            samples=len({sample for rows in own.values() for _, sample in rows}),
            scores={
                metric: outcome([*rows.values()], [sample for _, sample in rows])
                for metric, rows in own.items()
            },
            differences=found,
        )
        for (key, own), found in zip(groups.items(), differences, strict=True)
    )


def _differences(own: Mapping[str, _Rows], first: str) -> dict[str, dict[str, ShareDifference]]:
    """Each metric minus the first one, over the samples that both have."""
    theirs = own.get(first, {})
    found = {}
    for metric, ours in own.items():
        if metric != first and (both := [key for key in ours if key in theirs]):
            found[metric] = rate_differences(
                [ours[key] for key in both], [theirs[key] for key in both], [sample for _, sample in both]
            )
    return found
