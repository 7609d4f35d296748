"""What the model is trained on: three views and three distractors of an identity, prepared and augmented.

Edited parts of Mind-the-Glitch count as distractors, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset

from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.images.decode import UnreadableImage
from nearid_cli.images.preprocessing import Preprocessing, Resampling
from nearid_cli.nearid_data import Identities, PartEdits, PictureColumns
from nearid_cli.nearid_data.sources import Notify
from nearid_cli.text import count
from nearid_cli.training.augment import DRAWS, augment, backgrounds
from nearid_cli.training.model import picture_size
from nearid_cli.training.options import Augmentations

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


class _Cell(NamedTuple):
    """Where a picture is in its row, and the columns that say where the object is in it."""

    pictures: PictureColumns
    masks: PictureColumns
    slot: int


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
        stream: int = 0,
    ) -> None:
        enough = identities.views.present[identities.numbers].sum(axis=1) >= 2
        if not enough.any():
            raise InputError(
                f"{identities.views.source}: expected rows with two views or more, "
                f"found none in {count(len(identities), 'row')}"
            )
        size = picture_size(preprocessing)
        if size is None:
            raise ModelError(
                "training takes pictures of one size: expected a preprocessor_config.json with a centre crop, or "
                f"with a height and width to resize to, found: {preprocessing.describe()}"
            )
        _refuse_missing_masks(identities, augmentations)
        self.identities = identities.subset(identities.numbers[enough])
        self.left_out = len(identities) - len(self.identities)
        self.preprocessing = preprocessing
        self.augmentations = augmentations
        self.seed = seed
        self.size = size
        self._mask_preprocessing = replace(preprocessing, resample=Resampling.NEAREST)
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
        row, random, cells = self._draw(index)
        draws = random.random((2 * VIEWS, DRAWS))
        masked = random.random(2 * VIEWS) < self._mask_probabilities
        new_background = random.random() < self.augmentations.background

        pixels = np.zeros((2 * VIEWS, 3, *self.size), np.uint8)
        valid = np.array([cell is not None for cell in cells])
        sizes = {place: self._read(cell, row, pixels[place]) for place, cell in enumerate(cells) if cell}

        masked &= valid
        wanted = (
            set(sizes) if new_background else {place % VIEWS for place in np.flatnonzero(masked).tolist()}
        )
        outlines = {
            place: outline
            for place in wanted
            if (cell := cells[place]) and (outline := self._outline(cell, row, sizes[place])) is not None
        }
        if new_background:
            for place, scene in enumerate(backgrounds(random, VIEWS, *self.size)):
                pair = [one for one in (place, place + VIEWS) if valid[one]]
                # Where one outline is not known, the two could not have the same background.
                if outlines.keys() >= set(pair):
                    for one in pair:
                        np.copyto(pixels[one], scene, where=~outlines[one])
        for place in np.flatnonzero(masked).tolist():
            # Distractor sets but those of nearid synth have no masks: the view's serves both.
            if (outline := outlines.get(place % VIEWS)) is not None:
                pixels[place] *= outline

        draws[~valid] = 1.0  # above every probability
        return {
            "pixels": augment(torch.from_numpy(pixels), draws, self.augmentations),
            "valid": torch.from_numpy(valid),
            "row": row,
        }

    def contents(self, index: int) -> tuple[bytes | None, ...]:
        """The six pictures of an item as the files they were stored as, None for an empty slot."""
        row, _, cells = self._draw(index)
        return tuple(cell and cell.pictures.content(row, cell.slot) for cell in cells)

    def _draw(self, index: int) -> tuple[int, np.random.Generator, list[_Cell | None]]:
        """The row, what decides all that is random about it, and where the six pictures are."""
        identities = self.identities
        row = int(identities.numbers[index])
        random = np.random.default_rng((self.seed, self._stream, self._epoch, row))
        present = identities.views.present[row]
        # Views that exist come first: a draw is below 1.
        order = np.argsort(random.random(VIEWS) + ~present).tolist()
        chosen = random.random(VIEWS)
        views: list[_Cell | None] = []
        distractors: list[_Cell | None] = []
        for slot in order:
            views.append(_Cell(identities.views, identities.masks, slot) if present[slot] else None)
            sources = [
                _Cell(pictures, masks, slot)
                for pictures, masks in zip(identities.distractors, identities.distractor_masks, strict=True)
                if present[slot] and pictures.present[row, slot]
            ]
            distractors.append(sources[int(chosen[slot] * len(sources))] if sources else None)
        return row, random, views + distractors

    def _read(self, cell: _Cell, row: int, out: NDArray[np.uint8]) -> tuple[int, int]:
        """Put a prepared picture into `out` [3, H, W]; its width and height before that."""
        picture = cell.pictures.picture(row, cell.slot)
        assert picture is not None
        try:
            out[:] = self.preprocessing.to_uint8(picture).transpose(2, 0, 1)
        except UnreadableImage as error:
            raise cell.pictures.unreadable(row, cell.slot, error) from error
        return picture.size

    def _outline(self, cell: _Cell, row: int, size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Where the object is in a prepared picture, bool [H, W], or None where no mask says so."""
        picture = cell.masks.picture(row, cell.slot)
        if picture is None:
            return None
        mask = picture.convert("L")
        if mask.size != size:
            mask = mask.resize(size, Image.Resampling.NEAREST)
        return self._mask_preprocessing.to_uint8(mask) > 0


def open_mtg(source: str, notify: Notify = lambda line: None) -> Identities:
    """Open a data set with columns image_1_original, image_1_inpainted, image_1_object_mask, and so for image_2.

    The originals are views 1 and 2 of an identity, the inpainted pictures their distractors, the object masks
    their masks. There is no third view. The part masks are not used.

    Args:
        source: as for `open_source`.
        notify: called with one line before something may be downloaded.

    Raises:
        InputError: it cannot be opened, or lacks originals or inpainted pictures.
    """
    found = PartEdits.open(source, "train", notify)
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


def collate(items: Sequence[Item]) -> Batch:
    """Stack items."""
    return {
        "pixels": torch.stack([item["pixels"] for item in items]),
        "valid": torch.stack([item["valid"] for item in items]),
        "row": torch.tensor([item["row"] for item in items]),
    }


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
