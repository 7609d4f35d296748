"""SSR and PA of the model at hand on the validation rows: every picture as it is, no augmentation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import Dataset, Subset

from nearid_cli.images.decode import UnreadableImage
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.metrics.margins import sample_margins, success
from nearid_cli.nearid_data import Identities
from nearid_cli.nearid_data.pictures import SLOTS
from nearid_cli.training.batches import batched
from nearid_cli.training.model import picture_size

Item = tuple[torch.Tensor, torch.Tensor]


class ValidationSet(Dataset[Item]):
    """The views of identities and the distractors of every source, in their slots.

    An item is uint8 [3 + 3 * sources, 3, H, W], zeros where there is no picture, and bool [3 + 3 * sources].
    """

    def __init__(self, identities: Identities, preprocessing: Preprocessing) -> None:
        size = picture_size(preprocessing)
        assert size is not None, "expected preprocessing from load_preprocessing"
        self._identities, self._preprocessing, self._size = identities, preprocessing, size
        self.sources = identities.sources

    def __len__(self) -> int:
        return len(self._identities)

    def __getitem__(self, position: int) -> Item:
        row = int(self._identities.numbers[position])
        columns = (self._identities.views, *self._identities.distractors)
        pictures = [self._prepared(source, row, slot) for source in columns for slot in range(SLOTS)]
        pixels = np.zeros((len(pictures), *self._size, 3), np.uint8)
        for place, picture in zip(pixels, pictures, strict=True):
            if picture is not None:
                place[:] = picture
        valid = torch.tensor([picture is not None for picture in pictures])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2), valid

    def _prepared(self, source: Any, row: int, slot: int) -> npt.NDArray[np.uint8] | None:
        picture = source.picture(row, slot)
        try:
            return None if picture is None else self._preprocessing.to_uint8(picture)
        except UnreadableImage as error:
            raise source.unreadable(row, slot, error) from error


def evaluate(
    accelerator: Any, trainee: nn.Module, data: ValidationSet, batch_size: int, workers: int
) -> dict[str, Any]:
    """Measure SSR and PA; the processes share the rows and all get the result.

    Args:
        accelerator: runs the model.
        trainee: embeds uint8 [B, S, 3, H, W] as [B, S, D].
        data: the validation rows.
        batch_size: training rows that fit at once on this process.
        workers: processes that decode.

    Returns:
        The fields of `metrics.margins.Success`, where every (row, source of distractors) is a sample; and with
        several sources those of each under `sources`.
    """
    from accelerate.utils import gather_object

    mine = range(accelerator.process_index, len(data), accelerator.num_processes)
    rows = max(1, batch_size * 2 // (1 + len(data.sources)))
    margins = []
    with torch.no_grad():
        for pixels, valid in batched(Subset(data, mine), workers, batch_size=rows):
            with accelerator.autocast():
                embeddings = trainee(pixels.to(accelerator.device)).float().cpu().numpy()
            margins.append(_margins(embeddings, valid.numpy()))
    parts = gather_object(list(zip(mine, np.concatenate(margins), strict=True) if margins else []))
    table = np.stack([row for _, row in sorted(parts, key=lambda part: int(part[0]))])
    # The rows of one identity share its views.
    identities = np.repeat(np.arange(len(table)), table.shape[1])
    result = _rounded(success(table.reshape(-1, table.shape[-1]), identities))
    if len(data.sources) > 1:
        result["sources"] = {
            name: _rounded(success(table[:, place])) for place, name in enumerate(data.sources)
        }
    return result


def _margins(embeddings: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Margins against every source, [B, sources, 6]."""
    views, present = embeddings[:, :SLOTS], valid[:, :SLOTS]
    starts = range(SLOTS, embeddings.shape[1], SLOTS)
    return np.stack(
        [
            sample_margins(
                views, embeddings[:, start : start + SLOTS], present, valid[:, start : start + SLOTS]
            )
            for start in starts
        ],
        axis=1,
    )


def _rounded(found: Any) -> dict[str, Any]:
    """A `Success` as JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(found).items()}
