"""Joint training with the data of Mind-the-Glitch, whose distractors are edits of a part of the object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.utils.data import ConcatDataset

from nearid_cli.nearid_data import Identities, PartEdits, PictureColumns
from nearid_cli.nearid_data.sources import Notify
from nearid_cli.training.dataset import Item, TrainingSet


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
