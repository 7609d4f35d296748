"""A loaded checkpoint as an encoder: its preprocessing, the forward pass, the readout, the L2 norm."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nearid_cli.encoders.checkpoints import find_preprocessing
from nearid_cli.encoders.files import CheckpointFiles
from nearid_cli.encoders.numerics import forward_pass
from nearid_cli.encoders.processors import stock_processor
from nearid_cli.encoders.settings import patch_size
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.text import printable, said

if TYPE_CHECKING:
    from PIL import Image
    from transformers import PreTrainedModel

    from nearid_cli.encoders.spec import Embeddings, Pixels

_SMALL = 10_000_000  # parameters
_SMALL_TOGETHER = 16


class TorchEncoder:
    """See `nearid_cli.encoders.spec.Encoder`.

    Args:
        spec: what it is.
        files: its checkpoint.
        model: the loaded model.
        device: where it shall run.
    """

    def __init__(
        self, spec: EncoderSpec, files: CheckpointFiles, model: PreTrainedModel, device: str
    ) -> None:
        self._spec = spec
        self._device = torch.device(device)
        self._model = model.to(self._device)
        # Large models are as fast with one picture on a CPU; small ones spend their time between the products.
        self._together = _SMALL_TOGETHER if model.num_parameters() < _SMALL else 1
        self._prefix_tokens = files.architecture.prefix_tokens + getattr(
            model.config, "num_register_tokens", 0
        )
        self._files = files
        self._preprocessing = find_preprocessing(files)
        self._processor = (
            stock_processor(files.folder, files.image_processor, files.model_type)
            if self._preprocessing is None
            else None
        )

    @property
    def spec(self) -> EncoderSpec:
        """What this encoder is."""
        return self._spec

    @property
    def preparation(self) -> Hashable:
        """Encoders with equal `preparation` may share the output of `prepare`."""
        return self._preprocessing or ("transformers", self._spec.folder)

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

    @torch.inference_mode()
    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed prepared pictures; see `nearid_cli.encoders.spec.Encoder`.

        Pictures of one shape go through the model together, so a batch may mix shapes. On a CPU every pass is of as
        many pictures, the last one filled up: products of another shape round differently, and an embedding shall not
        depend on what was embedded beside it.

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

    def _embed_alike(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed pictures of one shape."""
        if self._device.type != "cpu":
            return self._pass(batch)
        rows = []
        for start in range(0, len(batch), self._together):
            own = batch[start : start + self._together]
            rows.append(self._pass([*own, *[own[-1]] * (self._together - len(own))])[: len(own)])
        return np.concatenate(rows)

    def _pass(self, batch: Sequence[Pixels]) -> Embeddings:
        """One forward pass of pictures of one shape."""
        if isinstance(self._preprocessing, Preprocessing):
            values = self._preprocessing.normalise(batch, self._device)
        else:
            values = torch.from_numpy(np.stack(batch)).to(self._device)
        self._check_size(values.shape)
        with forward_pass(self._device, self._files.folder):
            outputs = self._model(pixel_values=values.to(self._model.dtype))
            features = self._read_out(outputs).float()
            rows: Embeddings = (features / features.norm(dim=-1, keepdim=True)).cpu().numpy()
        return rows

    def _check_size(self, shape: Sequence[int]) -> None:
        """Refuse pictures that the model does not take, which another image processor may have made."""
        if not self._files.takes((shape[-2], shape[-1])):
            wanted = self._files.picture_size or (0, 0)
            raise self._unfit(
                f"makes pictures of {shape[-1]}x{shape[-2]} px, and the model takes {wanted[1]}x{wanted[0]} px only"
            )

    def _read_out(self, outputs: Any) -> torch.Tensor:
        """The features of the spec's readout, [B, D], not normalised."""
        readout = self._spec.readout
        features: torch.Tensor
        if readout == "projected":
            features = outputs.image_embeds
        elif readout == "pooled":
            features = outputs.pooler_output
        elif readout == "cls":
            features = outputs.last_hidden_state[:, 0]
        else:
            features = outputs.last_hidden_state[:, self._prefix_tokens :].float().mean(dim=1)
        return features
