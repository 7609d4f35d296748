"""What the model is trained on: three views and three distractors of an identity, prepared and augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.images.decode import UnreadableImage
from nearid_cli.images.preprocessing import Preprocessing, Resampling
from nearid_cli.nearid_data import Identities, PictureColumns
from nearid_cli.text import count
from nearid_cli.training.augment import DRAWS, Augmentations, augment, backgrounds

VIEWS = 3


class Item(TypedDict):
    """A row.

    pixels: uint8 [6, 3, H, W], three views and then their three distractors in the same order; empty slots are 0.
    valid: bool [6], which slots hold a picture.
    row: the row's position in its data set.
    """

    pixels: torch.Tensor
    valid: torch.Tensor
    row: int


class Batch(TypedDict):
    """B rows: pixels uint8 [B, 6, 3, H, W], valid bool [B, 6], row int64 [B]."""

    pixels: torch.Tensor
    valid: torch.Tensor
    row: torch.Tensor


class TrainingSet(Dataset[Item]):
    """Rows of identities as items for the model. Picklable, for the workers of a DataLoader.

    The views of a row are permuted, those that exist first; the first is the anchor. Distractors follow the same
    permutation. A distractor slot is taken from one of the sources that have a picture there, chosen for each slot,
    and stays empty where the view is missing. All of this, and every augmentation, follows from seed, stream,
    epoch and row.

    Args:
        identities: rows to train on. Rows with fewer than two views are left out.
        preprocessing: of the checkpoint; pictures are resized and cropped, not normalised.
        augmentations: what is done to the pictures then.
        seed: of all that is random, 0 or more.
        permute: False keeps the views in their slots, for evaluation.
        stream: another number draws other permutations and augmentations for the same rows.

    Attributes:
        identities: the rows that are used.
        left_out: how many rows were not.

    Raises:
        InputError: no row has two views.
        ModelError: the preprocessing makes pictures of different sizes.
        UsageError: an augmentation needs masks that the data set does not have.
    """

    def __init__(
        self,
        identities: Identities,
        preprocessing: Preprocessing,
        augmentations: Augmentations,
        seed: int,
        *,
        permute: bool = True,
        stream: int = 0,
    ) -> None:
        enough = identities.views.present[identities.numbers].sum(axis=1) >= 2
        if not enough.any():
            raise InputError(
                f"{identities.views.source}: expected rows with two views or more, "
                f"found none in {count(len(identities), 'row')}"
            )
        _refuse_missing_masks(identities, augmentations)
        self.identities = identities.subset(identities.numbers[enough])
        self.left_out = len(identities) - len(self.identities)
        self.preprocessing = preprocessing
        self.augmentations = augmentations
        self.seed = seed
        self.size = output_size(preprocessing)
        self._mask_preprocessing = replace(preprocessing, resample=Resampling.NEAREST)
        self._permute = permute
        self._stream = stream
        self._epoch = 0
        how = augmentations
        self._mask_probabilities = np.array(
            [how.mask_anchor, *[how.mask_positive] * (VIEWS - 1), *[how.mask_distractor] * VIEWS]
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of permutations, sources and augmentations.

        Counts in this process: a worker of a DataLoader holds a copy, and must be told by itself.
        """
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self.identities)

    def __getitem__(self, index: int) -> Item:
        """Make an item.

        Raises:
            BadRowError: a picture of the row cannot be read. It is never skipped.
            IndexError: there is no such row.
        """
        row = int(self.identities.numbers[index])
        random = np.random.default_rng((self.seed, self._stream, self._epoch, row))
        # All that an option may leave undrawn comes last, so that no option changes what another one draws.
        order = self._order(row, random.random(VIEWS))
        sources = self._sources(row, random.random(VIEWS))
        draws = random.random((2 * VIEWS, DRAWS))
        masked = random.random(2 * VIEWS) < self._mask_probabilities
        new_background = random.random() < self.augmentations.background

        pixels = np.zeros((2 * VIEWS, 3, *self.size), np.uint8)
        valid = np.zeros(2 * VIEWS, bool)
        masks: list[NDArray[np.bool_] | None] = [None] * VIEWS
        own_masks: list[NDArray[np.bool_] | None] = [None] * VIEWS
        for place, slot in enumerate(order):
            if not self.identities.views.present[row, slot]:
                continue
            size = self._read(self.identities.views, row, slot, pixels[place])
            valid[place] = True
            if new_background or masked[place] or masked[place + VIEWS]:
                masks[place] = self._mask(self.identities.masks, row, slot, size)
            source = sources[slot]
            if source is None:
                continue
            size = self._read(self.identities.distractors[source], row, slot, pixels[place + VIEWS])
            valid[place + VIEWS] = True
            if new_background:
                own_masks[place] = self._mask(self.identities.distractor_masks[source], row, slot, size)

        if new_background:
            for place, scene in enumerate(backgrounds(random, VIEWS, *self.size)):
                mask, own = masks[place], own_masks[place]
                # Where the distractor's outline is not known, its background cannot be made the view's.
                if mask is None or (valid[place + VIEWS] and own is None):
                    continue
                np.copyto(pixels[place], scene, where=~mask)
                if own is not None:
                    np.copyto(pixels[place + VIEWS], scene, where=~own)
        for place in np.flatnonzero(masked & valid).tolist():
            if (mask := masks[place % VIEWS]) is not None:
                pixels[place] *= mask

        draws[~valid] = 1.0  # no probability is above it
        return {
            "pixels": augment(torch.from_numpy(pixels), draws, self.augmentations),
            "valid": torch.from_numpy(valid),
            "row": row,
        }

    def _order(self, row: int, draws: NDArray[np.float64]) -> list[int]:
        """The original slot at each place: those with a view in random order, then the others."""
        if not self._permute:
            return list(range(VIEWS))
        return [int(slot) for slot in np.argsort(draws + ~self.identities.views.present[row])]

    def _sources(self, row: int, draws: NDArray[np.float64]) -> list[int | None]:
        """For each original slot, one of the distractor sets that have a picture there."""
        having = [
            [i for i, columns in enumerate(self.identities.distractors) if columns.present[row, slot]]
            for slot in range(VIEWS)
        ]
        return [
            sources[int(draw * len(sources))] if sources else None
            for sources, draw in zip(having, draws, strict=True)
        ]

    def _read(self, columns: PictureColumns, row: int, slot: int, out: NDArray[np.uint8]) -> tuple[int, int]:
        """Put a prepared picture into `out` [3, H, W]; its own width and height."""
        picture = columns.picture(row, slot)
        try:
            out[:] = self.preprocessing.to_uint8(picture).transpose(2, 0, 1)
        except UnreadableImage as error:
            raise columns.unreadable(row, slot, error) from error
        return picture.size

    def _mask(
        self, columns: PictureColumns, row: int, slot: int, size: tuple[int, int]
    ) -> NDArray[np.bool_] | None:
        """Where the object is in a prepared picture, bool [H, W], or None where no mask says so."""
        if not columns.present[row, slot]:
            return None
        mask = columns.picture(row, slot).convert("L")
        if mask.size != size:
            mask = mask.resize(size, Image.Resampling.NEAREST)
        return self._mask_preprocessing.to_uint8(mask) > 0


def collate(items: Sequence[Item]) -> Batch:
    """Stack items."""
    return {
        "pixels": torch.stack([item["pixels"] for item in items]),
        "valid": torch.stack([item["valid"] for item in items]),
        "row": torch.tensor([item["row"] for item in items]),
    }


def output_size(preprocessing: Preprocessing) -> tuple[int, int]:
    """Height and width of every prepared picture.

    Raises:
        ModelError: they depend on the picture.
    """
    if preprocessing.crop is not None:
        return preprocessing.crop
    edges = dict(preprocessing.size or ())
    if "height" not in edges:
        raise ModelError(
            "training takes pictures of one size: expected a preprocessor_config.json with a centre crop, or with "
            f"a height and width to resize to, found: {preprocessing.describe()}"
        )
    return edges["height"], edges["width"]


def _refuse_missing_masks(identities: Identities, how: Augmentations) -> None:
    source = identities.masks.source
    if (
        how.mask_anchor or how.mask_positive or how.mask_distractor or how.background
    ) and not identities.masks.exist:
        raise UsageError(
            f"masking and new backgrounds need to know where the object is: {source} has no columns masks1 to masks3"
        )
    own = identities.distractor_masks
    if how.background and own and not any(columns.exist for columns in own):
        raise UsageError(
            "new backgrounds need to know where the distractor is: no distractor set has columns nmasks1 to nmasks3 "
            "(those of nearid synth have)"
        )
