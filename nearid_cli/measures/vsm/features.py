"""From a picture to vectors: the VAE's latent, the decoder of the diffusion model, the aggregation networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from nearid_cli.encoders.numerics import own_numerics
from nearid_cli.measures.vsm.recipe import SIZE

_SCALE = 0.18215


class DiffusionFeatures:
    """The networks.

    Args:
        vae: of the latent.
        unet: whose decoder is tapped.
        aggregation: from taps to vectors.
        timestep: [], at which the noise-free latent is looked at.
        prompt: the embedding of the empty prompt, [1, tokens, width].
        taps: the UNet's modules whose outputs are used, in the order of the aggregation networks.
        side: cells along each edge of the grid.
    """

    def __init__(
        self,
        vae: Any,
        unet: Any,
        aggregation: nn.Module,
        timestep: torch.Tensor,
        prompt: torch.Tensor,
        taps: Sequence[str],
        side: int,
    ) -> None:
        self._vae, self._unet, self._aggregation = vae, unet, aggregation
        self._timestep, self._prompt = timestep, prompt
        self._side = side
        self._tapped: dict[str, torch.Tensor] = {}
        self._taps = taps
        for name in taps:
            unet.get_submodule(name).register_forward_hook(self._keeper(name))

    @torch.inference_mode()
    def __call__(self, image: Image.Image, seed: int | None) -> npt.NDArray[np.float32]:
        """The vectors of a picture, of length 1, float32 [2, side * side, width]: semantic, visual.

        Args:
            image: RGB, of any size.
            seed: of the latent's sample; None for the latent's mean.
        """
        device, dtype = self._prompt.device, self._prompt.dtype
        pixels = squashed(image).to(device, dtype)[None]
        with own_numerics(device):
            posterior = self._vae.encode(pixels).latent_dist
            # On the CPU, so that every device draws alike.
            latent = (
                posterior.mode()
                if seed is None
                else posterior.sample(torch.Generator("cpu").manual_seed(seed))
            )
            self._unet(_SCALE * latent, self._timestep, encoder_hidden_states=self._prompt, return_dict=False)
            size = (self._side, self._side)
            maps = [
                functional.interpolate(self._tapped.pop(name), size, mode="bilinear") for name in self._taps
            ]
            vectors: torch.Tensor = self._aggregation(maps)
        found: npt.NDArray[np.float32] = vectors.cpu().numpy()
        return found

    def _keeper(self, name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            self._tapped[name] = output[0] if isinstance(output, tuple) else output

        return keep


def squashed(image: Image.Image) -> torch.Tensor:
    """A picture as float32 [3, SIZE, SIZE] from -1 to 1, whatever its proportions."""
    levels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)
    # Contiguous: where channels come last, torch's group norm of maps this large is off by 1e-3 in float32.
    return torch.from_numpy(levels).permute(2, 0, 1).contiguous() / 255 * 2 - 1
