"""The rows to train on and those to evaluate on, opened and told apart; edited parts from Mind-the-Glitch."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset

from nearid_cli.errors import UsageError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import Identities, PartEdits, PictureColumns, read_rows
from nearid_cli.nearid_data.sources import Notify
from nearid_cli.text import count
from nearid_cli.training.dataset import Item, TrainingSet
from nearid_cli.training.evaluation import ValidationSet
from nearid_cli.training.options import TrainOptions


def open_mtg(source: str, split: str = "train", notify: Notify = lambda line: None) -> Identities:
    """Open a data set with columns image_1_original, image_1_inpainted, image_1_object_mask, and so for image_2.

    The originals are views 1 and 2 of an identity, the inpainted pictures their distractors, the object masks
    their masks. There is no third view. The part masks are not used.

    Args:
        source: as for `open_source`.
        split: which split of it.
        notify: called with one line before something may be downloaded.

    Raises:
        InputError: it cannot be opened, or lacks originals or inpainted pictures.
    """
    found = PartEdits.open(source, split, notify)
    return Identities(
        found.dataset,
        found.originals,
        found.object_masks,
        (found.inpainted,),
        (PictureColumns(source, found.dataset),),
        np.arange(len(found.dataset)),
    )


class JointSet(ConcatDataset[Item]):
    """A training set, and then the rows of MTG data as often as they are to count in an epoch.

    Each repetition draws its own permutations and augmentations. Nobody knows where the object of an inpainted
    picture is, so MTG rows never get a new background; and they are never masked where they have no masks.

    Args:
        first: gives the preprocessing, the augmentations and the seed for all.
        mtg: from `open_mtg`.
        repeat: 1 or more.
    """

    def __init__(self, first: TrainingSet, mtg: Identities, repeat: int = 1) -> None:
        how = replace(first.augmentations, background=0.0)
        if not mtg.masks.exist:
            how = replace(how, mask_anchor=0.0, mask_positive=0.0, mask_distractor=0.0)
        repeated = [
            TrainingSet(mtg, first.preprocessing, how, first.seed, stream=stream + 1)
            for stream in range(repeat)
        ]
        super().__init__([first, *repeated])
        self.left_out = first.left_out + repeated[0].left_out

    def set_epoch(self, epoch: int) -> None:
        """Tell all of them."""
        for part in self.datasets:
            assert isinstance(part, TrainingSet)
            part.set_epoch(epoch)


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
