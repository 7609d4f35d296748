"""The rows to train on and those to evaluate on, opened and told apart."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearid_cli.errors import UsageError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import Identities, read_rows
from nearid_cli.text import count
from nearid_cli.training.dataset import TrainingSet
from nearid_cli.training.evaluation import ValidationSet
from nearid_cli.training.mtg import JointSet, open_mtg
from nearid_cli.training.options import TrainOptions

# Rows whose pictures stand for all in the fingerprint of a data set.
_LOOKED_AT = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """What a run learns from.

    Attributes:
        rows: the training rows.
        validation: the validation rows; None for no evaluation.
        fingerprint: what tells these data from others, as JSON.
    """

    rows: TrainingSet | JointSet
    validation: ValidationSet | None
    fingerprint: dict[str, Any]


def open_data(options: TrainOptions, preprocessing: Preprocessing) -> Data:
    """Open the data sets of a run.

    Raises:
        InputError: a source or a list of rows is not as it should be.
        UsageError: rows are both for training and for validation.
    """
    everything = Identities.open(options.positives, options.distractors, notify=_log.info)
    training, validation = _split(options, everything)
    fingerprint = {"training": _fingerprint(training)}
    if validation is not None:
        fingerprint["validation"] = _fingerprint(validation)
    own = TrainingSet(training, preprocessing, options.augmentations, options.seed)
    rows: TrainingSet | JointSet = own
    if options.mtg is not None:
        mtg = open_mtg(options.mtg, notify=_log.info)
        fingerprint["mtg"] = _fingerprint(mtg)
        rows = JointSet(own, mtg, options.mtg_repeat)
    if rows.left_out:
        _log.info(f"{count(rows.left_out, 'row')} with fewer than two views left out")
    return Data(rows, ValidationSet(validation, preprocessing) if validation else None, fingerprint)


def _split(options: TrainOptions, everything: Identities) -> tuple[Identities, Identities | None]:
    """The rows to train on and those to evaluate on."""
    if options.validation_positives is not None:
        validation = Identities.open(
            options.validation_positives, options.validation_distractors, options.validation_rows
        )
        return _chosen(options, everything), validation
    if options.validation_rows is None:
        return _chosen(options, everything), None
    held_out = read_rows(options.validation_rows, len(everything))
    validation = everything.subset(held_out)
    if options.validation_distractors:
        validation = Identities.open(
            options.positives, options.validation_distractors, options.validation_rows
        )
    if options.rows is None:
        return everything.subset(np.setdiff1d(everything.numbers, held_out)), validation
    training = _chosen(options, everything)
    both = np.intersect1d(training.numbers, held_out)
    if len(both):
        raise UsageError(
            f"{count(len(both), 'row')} of --validation-rows {'is' if len(both) == 1 else 'are'} in --rows too: "
            f"{', '.join(map(str, both[:5]))}{' ...' if len(both) > 5 else ''}"
        )
    return training, validation


def _chosen(options: TrainOptions, everything: Identities) -> Identities:
    if options.rows is None:
        return everything
    return everything.subset(read_rows(options.rows, len(everything)))


def _fingerprint(identities: Identities) -> dict[str, Any]:
    """What tells data from others wherever they lie: which rows, and the pictures of a few of them."""
    from blake3 import blake3

    pictures = blake3()
    for position in np.linspace(0, len(identities) - 1, min(_LOOKED_AT, len(identities))).astype(int):
        row = identities[position]
        for content in (*row.views, *(picture for source in row.distractors for picture in source)):
            pictures.update(content or b"")
            pictures.update(b"|")
    numbers = np.ascontiguousarray(identities.numbers, np.int64).tobytes()
    return {
        "rows": len(identities),
        "sources": len(identities.sources),
        "numbers": blake3(numbers).hexdigest()[:16],
        "pictures": pictures.hexdigest()[:16],
    }
