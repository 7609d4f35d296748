"""What encoders of checkpoints share, whatever runs the model: preparing pictures, and passes of those of one shape.

Pictures are prepared without the model, too, where something else embeds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_cli.encoders.checkpoints import find_preprocessing
from nearid_cli.encoders.files import CheckpointFiles
from nearid_cli.encoders.processors import stock_processor
from nearid_cli.encoders.settings import patch_size
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.text import printable, said

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.encoders.spec import Embeddings, Pixels


class CheckpointPreparer:
    """See `nearid_cli.encoders.spec.Preparer`.

    Args:
        spec: what it is.
        files: its checkpoint.
    """

    def __init__(self, spec: EncoderSpec, files: CheckpointFiles) -> None:
        self._spec = spec
        self._files = files
        found = find_preprocessing(files)
        self._preprocessing = found.hastened() if found is not None and spec.fast else found
        self._processor = (
            stock_processor(files.folder, files.image_processor, files.model_type)
            if self._preprocessing is None
            else None
        )

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is."""
        return self._spec

    @property
    def preparation(self) -> Hashable:
        """Encoders with equal `preparation` may share the output of `prepare`."""
        return self._preprocessing or ("transformers", self._spec.folder)

    def takes_half(self, size: tuple[int, int]) -> bool:
        """See `nearid_cli.encoders.spec.Preparer`."""
        return self._preprocessing is not None and self._preprocessing.takes_half(size)

    def prepare(self, image: Image.Image) -> Pixels:
        """An RGB picture as uint8 [H, W, 3]; as float32 [3, H, W] where the preprocessing works on floats."""
        if self._preprocessing is None:
            return self._prepare_elsewhere(image)
        if isinstance(self._preprocessing, Preprocessing):
            prepared: Pixels = self._preprocessing.to_uint8(image)
            height, width = prepared.shape[:2]
        else:
            prepared = self._preprocessing.to_float(image)
            height, width = prepared.shape[1:]
        if problem := self._lacks_a_patch(height, width):
            raise UnreadableImage(problem)
        return prepared

    def _lacks_a_patch(self, height: int, width: int) -> str | None:
        """Why a prepared picture is too small for the model; None if it is not."""
        rows, columns = patch_size(self._files.tower)
        if height >= rows and width >= columns:
            return None
        return f"it is prepared as {width}x{height} px, less than a patch of the model ({columns}x{rows} px)"

    def _prepare_elsewhere(self, image: Image.Image) -> Pixels:
        """The same with transformers' own image processor."""
        assert self._processor is not None
        try:
            pixels: Pixels = np.asarray(
                self._processor(image, return_tensors="np")["pixel_values"][0], np.float32
            )
        except MemoryError:
            raise
        except Exception as error:  # whatever a library says of settings from anywhere
            raise self._unfit(f"fails: {said(error)[:200]}") from error
        if pixels.ndim != 3 or len(pixels) != 3:
            raise self._unfit(f"makes {list(pixels.shape)} of a picture, not [3, height, width]")
        if problem := self._lacks_a_patch(*pixels.shape[1:]):
            raise self._unfit(f"makes too little of a picture: {problem}")
        return pixels

    def _unfit(self, why: str) -> ModelError:
        """How transformers' image processor is refused."""
        return ModelError(
            f'metric "{printable(self._spec.name)}": the image processor of {printable(self._files.folder)} {why}'
        )


class CheckpointEncoder(CheckpointPreparer, ABC):
    """See `nearid_cli.encoders.spec.Encoder`; arguments as of `CheckpointPreparer`."""

    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed prepared pictures; see `nearid_cli.encoders.spec.Encoder`.

        Pictures of one shape go through the model together, so a batch may mix shapes.

        Raises:
            ValueError: the batch is empty.
        """
        if not batch:
            raise ValueError("expected at least one prepared picture, found none")
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, pixels in enumerate(batch):
            groups.setdefault(pixels.shape, []).append(index)
        rows: list[Any] = [None] * len(batch)
        for indices in groups.values():
            embedded = self._embed_alike([batch[index] for index in indices])
            for index, row in zip(indices, embedded, strict=True):
                rows[index] = row
        return np.stack(rows)

    @abstractmethod
    def _embed_alike(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed pictures of one shape."""

    def _by_equal_passes(self, batch: Sequence[Pixels], together: int) -> Embeddings:
        """Embed pictures of one shape by passes of as many pictures each, the last one filled up.

        Products of another shape round differently, and an embedding shall not depend on what was embedded beside it.
        """
        rows = []
        for start in range(0, len(batch), together):
            own = batch[start : start + together]
            rows.append(self._pass([*own, *[own[-1]] * (together - len(own))])[: len(own)])
        return np.concatenate(rows)

    @abstractmethod
    def _pass(self, batch: Sequence[Pixels]) -> Embeddings:
        """One forward pass of pictures of one shape."""
