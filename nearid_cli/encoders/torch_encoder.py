"""A loaded checkpoint as an encoder: its preprocessing, the forward pass by torch, the readout, the L2 norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nearid_cli.encoders.checkpoint_encoder import CheckpointEncoder
from nearid_cli.encoders.files import CheckpointFiles
from nearid_cli.encoders.numerics import forward_pass
from nearid_cli.encoders.settings import patch_size
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.images.preprocessing import Preprocessing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from nearid_cli.encoders.spec import Embeddings, Pixels

_SMALL = 10_000_000  # parameters
_SMALL_TOGETHER = 16

_LIGHT = 2**27
"""Multiplications a picture, some milliseconds of a core: so light a pass is best left to one thread. Others would
have to be woken for products of microseconds, on cores that decode meanwhile."""


def pictures_a_pass(parameters: int) -> int:
    """How many pictures a pass on a CPU takes, of a model with so many parameters.

    Large models are as fast with one picture; small ones spend their time between the products.
    """
    return _SMALL_TOGETHER if parameters < _SMALL else 1


@contextmanager
def _by_one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class ReadModel(torch.nn.Module):
    """A model and a readout of it: prepared pictures [B, 3, H, W] to features [B, D], not normalised.

    Args:
        model: of a checkpoint.
        files: the checkpoint.
        readout: one of its readouts.
    """

    def __init__(self, model: PreTrainedModel, files: CheckpointFiles, readout: str) -> None:
        super().__init__()
        self.model = model
        self._readout = readout
        self._prefix_tokens = files.architecture.prefix_tokens + getattr(
            model.config, "num_register_tokens", 0
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """The features."""
        return self._read_out(self.model(pixel_values=pixel_values))

    def _read_out(self, outputs: Any) -> torch.Tensor:
        features: torch.Tensor
        if self._readout == "projected":
            features = outputs.image_embeds
        elif self._readout == "pooled":
            features = outputs.pooler_output
        elif self._readout == "cls":
            features = outputs.last_hidden_state[:, 0]
        else:
            features = outputs.last_hidden_state[:, self._prefix_tokens :].float().mean(dim=1)
        return features


class TorchEncoder(CheckpointEncoder):
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
        self._device = torch.device(device)
        self._model = ReadModel(model.to(self._device), files, spec.readout)
        self._parameters: int = model.num_parameters()
        self._together = pictures_a_pass(self._parameters)
        super().__init__(spec, files)

    @torch.inference_mode()
    def _embed_alike(self, batch: Sequence[Pixels]) -> Embeddings:
        if self._device.type != "cpu":
            return self._pass(batch)
        with _by_one_thread() if self._is_light(batch[0]) else nullcontext():
            return self._by_equal_passes(batch, self._together)

    def _is_light(self, pixels: Pixels) -> bool:
        rows, columns = patch_size(self._files.tower)
        return self._parameters * (pixels.size // (3 * rows * columns)) < _LIGHT

    def _pass(self, batch: Sequence[Pixels]) -> Embeddings:
        if isinstance(self._preprocessing, Preprocessing):
            values = self._preprocessing.normalise(batch, self._device)
        else:
            values = torch.from_numpy(np.stack(batch)).to(self._device)
        self._check_size(values.shape)
        with forward_pass(self._device, self._files.folder):
            features = self._model(values.to(self._model.model.dtype)).float()
            rows: Embeddings = (features / features.norm(dim=-1, keepdim=True)).cpu().numpy()
        return rows

    def _check_size(self, shape: Sequence[int]) -> None:
        """Refuse pictures that the model does not take, which another image processor may have made."""
        if not self._files.takes((shape[-2], shape[-1])):
            wanted = self._files.picture_size or (0, 0)
            raise self._unfit(
                f"makes pictures of {shape[-1]}x{shape[-2]} px, and the model takes {wanted[1]}x{wanted[0]} px only"
            )
