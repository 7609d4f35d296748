"""Training on the token features of a frozen backbone in place of pictures (`--cache-features`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from nearid_cli.errors import BadImage, BadImagesError
from nearid_cli.nearid_data import Identities
from nearid_cli.nearid_data.pictures import SLOTS
from nearid_cli.text import printable
from nearid_cli.training.dataset import Item, TrainingSet
from nearid_cli.training.features import FeatureCache, picture_key
from nearid_cli.training.trainee import Trainee

_log = logging.getLogger(__name__)


class FeatureSet(Dataset[Item]):
    """The items of a training set with token features for pictures: float16 [6, patches, width], 0 in empty slots.

    Args:
        rows: the training set, without augmentations.
        cache: holds every picture of it.
    """

    def __init__(self, rows: TrainingSet, cache: FeatureCache) -> None:
        self._rows, self._cache = rows, cache

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of permutations and sources."""
        self._rows.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        """Look an item up."""
        contents = self._rows.contents(index)
        valid = torch.tensor([content is not None for content in contents])
        found = self._cache.tokens([picture_key(content) for content in contents if content is not None])
        tokens = found.new_zeros(len(contents), *found.shape[1:])
        tokens[valid] = found
        return {"pixels": tokens, "valid": valid, "row": int(self._rows.identities.numbers[index])}


def cache_features(
    rows: TrainingSet, trainee: Trainee, folder: Path, accelerator: Any, batch_size: int
) -> FeatureSet:
    """Compute the token features that are not on disk yet; the processes share the work.

    Args:
        rows: the training set.
        trainee: a model whose backbone is frozen.
        folder: where features of all backbones are.
        accelerator: of the run.
        batch_size: rows of a forward pass.

    Raises:
        CacheError: the disk has no room for them.
        BadImagesError: naming every picture that cannot be used. The others are on disk.
    """
    model = trainee.model.to(accelerator.device)
    cache = FeatureCache(folder, model, rows.preprocessing, batch_size * 2 * SLOTS)
    identities = rows.identities
    if accelerator.is_main_process:
        _log.info(cache.plan(picture_key(content) for _, content in _pictures(identities)))
    accelerator.wait_for_everyone()
    mine = identities.subset(identities.numbers[accelerator.process_index :: accelerator.num_processes])
    try:
        cache.build((picture_key(content), content) for _, content in _pictures(mine))
    except BadImagesError as error:
        reasons = {image.path: image.reason for image in error.bad}
        named = ((name, picture_key(content).hex()) for name, content in _pictures(mine))
        bad = [BadImage(name, reasons[key]) for name, key in named if key in reasons]
        raise BadImagesError(error.message, bad) from error
    accelerator.wait_for_everyone()
    # What the other processes wrote is found by looking again.
    return FeatureSet(rows, FeatureCache(folder, model, rows.preprocessing))


def _pictures(identities: Identities) -> Iterator[tuple[str, bytes]]:
    """Every picture that training may ask for, with its place in words."""
    for row in np.sort(identities.numbers).tolist():
        for columns in (identities.views, *identities.distractors):
            for slot in range(SLOTS):
                content = columns.content(row, slot) if identities.views.present[row, slot] else None
                if content is not None:
                    yield f"{printable(columns.source)}, row {row}, column {columns.names[slot]}", content
