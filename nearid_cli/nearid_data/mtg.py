"""The data of Mind-the-Glitch: two pictures of an object, each with a twin in which a part of the object was edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearid_cli.errors import InputError
from nearid_cli.nearid_data.pictures import PictureColumns
from nearid_cli.nearid_data.sources import Notify, open_source
from nearid_cli.text import printable

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class PartEdits:
    """A data set with columns image_K_original, image_K_inpainted, image_K_object_mask, image_K_part_mask, K = 1, 2.

    Picture K is in slot K - 1 of each of these; there is no third.

    Attributes:
        dataset: all of it.
        originals: the object, in two surroundings.
        inpainted: the same pictures with a part of the object edited.
        object_masks: where the object is, in picture and twin.
        part_masks: what was edited.
    """

    dataset: Dataset
    originals: PictureColumns
    inpainted: PictureColumns
    object_masks: PictureColumns
    part_masks: PictureColumns

    @classmethod
    def open(cls, source: str, split: str, notify: Notify = lambda line: None) -> PartEdits:
        """Open such a data set; columns of masks may be missing.

        Args:
            source: as for `open_source`.
            split: which split of it.
            notify: called with one line before something may be downloaded.

        Raises:
            InputError: it cannot be opened, or lacks originals or inpainted pictures.
        """
        dataset = open_source(source, split, notify)
        kinds = ("original", "inpainted", "object_mask", "part_mask")  # in the order of the attributes
        names = {kind: [f"image_{number}_{kind}" for number in (1, 2)] for kind in kinds}
        needed = names["original"] + names["inpainted"]
        missing = [name for name in needed if name not in dataset.column_names]
        if missing:
            raise InputError(
                f"{printable(source)} is not in the form of Mind-the-Glitch: "
                f"expected columns {', '.join(missing)}, found {', '.join(map(printable, dataset.column_names))}"
            )
        return cls(dataset, *(PictureColumns(source, dataset, [*own, None]) for own in names.values()))
