"""The preprocessing of DINOv3: levels become floats first, and these are resized, by torch.

Transformers has it for torchvision only (`DINOv3ViTImageProcessor`, `...Fast`), whose resize calls
`torch.nn.functional.interpolate` with antialiasing. This module calls the same, so torchvision is not needed and the
numbers are its own. They are near those of a Pillow resize and not equal to them: no level is rounded on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nearid_cli.images.preprocessing import Preprocessing, Resampling, named_processor

if TYPE_CHECKING:
    import torch
    from PIL import Image

_MODES = {Resampling.BILINEAR: "bilinear", Resampling.BICUBIC: "bicubic"}
_DEFAULTS = {
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": Resampling.BILINEAR,
    "do_center_crop": None,
    "crop_size": None,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "default_to_square": True,
}


@dataclass(frozen=True)
class FloatPreprocessing:
    """Rescale, resize, centre crop and normalise, in this order, on float32.

    Attributes:
        steps: what each step does. Its resize is bilinear or bicubic.
    """

    steps: Preprocessing

    @classmethod
    def from_config(cls, config: Mapping[str, Any], model_type: str | None) -> FloatPreprocessing | None:
        """Resolve a `preprocessor_config.json`; None if it is of another processor, or asks for what is not done here.

        >>> FloatPreprocessing.from_config({"image_processor_type": "DINOv3ViTImageProcessorFast"}, None).picture_size
        (224, 224)
        """
        named = named_processor(config)
        known = re.fullmatch("DINOv3ViTImageProcessor(Fast)?", named) if named else model_type == "dinov3_vit"
        steps = Preprocessing.resolve({**_DEFAULTS, **config}) if known else None
        if steps is None or steps.rescale is None or steps.resample not in _MODES:
            return None
        return cls(steps)

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Height and width of every prepared picture; None where they depend on the picture."""
        return self.steps.picture_size

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height that a picture of width and height `size` has after the resize; see `Preprocessing`."""
        return self.steps.resized(size)

    def to_float(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """Prepare an RGB picture: float32 [3, H, W], contiguous.

        Raises:
            UnreadableImage: see `Preprocessing.resized`.
        """
        import torch

        assert self.steps.rescale is not None  # see `from_config`
        target = self.resized(image.size)
        levels = np.asarray(image)
        mean, std = self.steps.mean or (0.0,) * 3, self.steps.std or (1.0,) * 3
        planes = []
        for channel in range(3):  # one by one, because floats of a large picture take four times its memory
            plane = torch.from_numpy(np.ascontiguousarray(levels[..., channel])).to(torch.float32)
            plane = plane.mul_(self.steps.rescale)[None, None]
            if target != image.size:
                plane = torch.nn.functional.interpolate(
                    plane,
                    size=(target[1], target[0]),
                    mode=_MODES[self.steps.resample],
                    align_corners=False,
                    antialias=True,
                )
            plane = self._cropped(plane[0, 0])
            if self.steps.mean is not None:
                plane = (plane - mean[channel]) / std[channel]
            planes.append(plane)
        prepared: npt.NDArray[np.float32] = torch.stack(planes).numpy()
        return prepared

    def _cropped(self, plane: torch.Tensor) -> torch.Tensor:
        """The centre of a plane, padded with zeros where it is too small: as torchvision rounds."""
        import torch

        if self.steps.crop is None:
            return plane
        for axis, edge in enumerate(self.steps.crop):
            lack = max(edge - plane.shape[axis], 0)
            before_after = (lack // 2, lack - lack // 2)
            padding = (0, 0, *before_after) if axis == 0 else (*before_after, 0, 0)
            plane = torch.nn.functional.pad(plane, padding)
            plane = plane.narrow(axis, (plane.shape[axis] - edge) // 2, edge)
        return plane

    def describe(self) -> str:
        """The steps in one line that tells any two preprocessings apart."""
        rescale, resize, crop, normalise = self.steps.described()
        return ", ".join(filter(None, (rescale, resize and f"{resize} of floats by torch", crop, normalise)))
