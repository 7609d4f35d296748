"""The preprocessing that a checkpoint asks for in its `preprocessor_config.json`, with Pillow and a table.

Does what the PIL backend of transformers 5 does, to the bit, and saves its detours: the picture stays
a Pillow picture through resize and crop, and rescaling and normalising, which map each of 256 levels of a
channel to one number, are looked up instead of computed for every pixel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nearid_cli.images import fast
from nearid_cli.images.resize import RESIZER

if TYPE_CHECKING:
    import torch
    from PIL import Image

Triple = tuple[float, float, float]


class Resampling(IntEnum):
    """Pillow's resampling filters by its numbers, so that naming a preprocessing does not import Pillow."""

    NEAREST = 0
    LANCZOS = 1
    BILINEAR = 2
    BICUBIC = 3
    BOX = 4
    HAMMING = 5


_CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_HALF: Triple = (0.5, 0.5, 0.5)

_DEFAULTS: dict[str, dict[str, Any]] = {
    name: {
        "do_resize": True,
        "size": size,
        "resample": resample,
        "do_center_crop": crop_size is not None,
        "crop_size": crop_size,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
        "default_to_square": name in ("vit", "dinov3"),
    }
    for name, size, resample, crop_size, mean, std in (
        ("clip", {"shortest_edge": 224}, Resampling.BICUBIC, 224, _CLIP_MEAN, _CLIP_STD),
        ("bit", {"shortest_edge": 224}, Resampling.BICUBIC, 224, _CLIP_MEAN, _CLIP_STD),
        ("siglip", {"height": 224, "width": 224}, Resampling.BICUBIC, None, _HALF, _HALF),
        ("vit", {"height": 224, "width": 224}, Resampling.BILINEAR, None, _HALF, _HALF),
        ("dinov3", {"height": 224, "width": 224}, Resampling.BILINEAR, None, _IMAGENET_MEAN, _IMAGENET_STD),
    )
}
"""What each image processor of transformers does where its configuration lacks a key (null is no lack)."""

_PROCESSOR_OF_MODEL = {
    "clip": "clip",
    "siglip": "siglip",
    "siglip_vision_model": "siglip",
    "nearid": "siglip",
    "clip_vision_model": "clip",
    "dinov2": "bit",
    "vit": "vit",
}
_FLOATS = 8
"""Bytes a pixel that floats take beside the picture: its levels, those of one channel, and these as floats."""
_TORCH_MODES = {Resampling.BILINEAR: "bilinear", Resampling.BICUBIC: "bicubic"}
_SIZE_KEYS = (
    {"height", "width"},
    {"shortest_edge"},
    {"shortest_edge", "longest_edge"},
    {"max_height", "max_width"},
)
# Beyond the steps below: changes nothing for a picture that is RGB already.
_SWITCHES = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"}


class _UnsupportedError(Exception):
    """A configuration that means something this module does not do."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize, centre crop, rescale and normalise: the resolved steps, in this order. None leaves a step out.

    Attributes:
        size: of the resize, as pairs of a key of transformers (`height` and `width`, `shortest_edge`,
            `shortest_edge` and `longest_edge`, or `max_height` and `max_width`) and pixels, sorted.
        resample: the resampling filter.
        crop: height and width of the centre crop; a smaller picture is padded with black.
        rescale: factor from levels 0..255.
        mean, std: by channel, subtracted and divided by after rescaling.
        even_crop: whether half a pixel of the crop's margin is rounded to the even number, as torchvision does, and
            not down, as transformers does.
        fast: whether the resize is nearly that of Pillow only, and sooner done.
    """

    size: tuple[tuple[str, int], ...] | None
    resample: Resampling
    crop: tuple[int, int] | None
    rescale: float | None
    mean: Triple | None
    std: Triple | None
    even_crop: bool = False
    fast: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any], model_type: str | None) -> Preprocessing | None:
        """Resolve a `preprocessor_config.json` as transformers does.

        The processor is the one that the configuration names (`image_processor_type` or, of old,
        `feature_extractor_type`; with or without `Fast` or `Pil`); where it names none, the one that goes
        with `model_type`.

        Returns:
            None for any other processor, and for settings that are not done here (`do_pad`, odd sizes):
            use transformers' own processor then.

        >>> Preprocessing.from_config({"feature_extractor_type": "ViTFeatureExtractor"}, None).describe()
        'resize 224x224 bilinear, rescale 1/255, normalise mean 0.5 std 0.5'
        """
        processor = _processor(config, model_type)
        if processor is None:
            return None
        return cls.resolve({**_DEFAULTS[processor], **config})

    @classmethod
    def resolve(cls, settings: Mapping[str, Any]) -> Preprocessing | None:
        """The steps of settings that lack no key; None where they ask for what is not done here."""
        try:
            return cls._resolve(settings)
        except _UnsupportedError:
            return None

    @classmethod
    def _resolve(cls, settings: Mapping[str, Any]) -> Preprocessing:
        odd = {key for key in settings if key.startswith("do_")} - _SWITCHES | {"use_square_size"}
        if any(settings.get(key) for key in odd):
            raise _UnsupportedError
        size = crop = rescale = mean = std = None
        if settings["do_resize"]:
            size = _size(settings["size"], square=bool(settings["default_to_square"]))
        if settings["do_center_crop"]:
            edges = dict(_size(settings["crop_size"], square=True))
            if edges.keys() != {"height", "width"}:
                raise _UnsupportedError
            crop = (edges["height"], edges["width"])
        if settings["do_rescale"]:
            rescale = _number(settings["rescale_factor"])
        if settings["do_normalize"]:
            mean, std = _triple(settings["image_mean"]), _triple(settings["image_std"])
            if 0 in std:
                raise _UnsupportedError
        even_crop = bool(settings.get("even_crop"))
        return cls(size, _resample(settings["resample"]), crop, rescale, mean, std, even_crop)

    def to_uint8(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Resize and crop an RGB picture, beside which other threads run.

        Returns:
            Levels 0..255 of shape [H, W, 3]. H and W depend on the picture where there is neither a crop
            nor a resize to a fixed height and width.

        Raises:
            UnreadableImage: see `resized`.
        """
        if self.size is not None:
            size = self.resized(image.size)
            smaller = fast.resized(image, size, self.resample) if self.fast else None
            image = smaller or RESIZER.resized(image, size, self.resample)
        if self.crop is not None:
            height, width = self.crop
            # Floors, so that an odd margin is cut at the bottom and right, and padded at the top and left.
            left, top = (image.width - width) // 2, (image.height - height) // 2
            if self.even_crop:
                left, top = round((image.width - width) / 2), round((image.height - height) / 2)
            image = image.crop((left, top, left + width, top + height))
        return np.asarray(image)

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height that a picture of width and height `size` has after the resize.

        Raises:
            UnreadableImage: a picture so elongated that resizing would leave nothing of its short edge,
                or blow its long edge up beyond `MAX_PIXELS`.
        """
        from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage

        if self.size is None:
            return size
        width, height = _resized(size, dict(self.size))
        if not 0 < width * height <= MAX_PIXELS:
            raise UnreadableImage(
                f"{size[0]}x{size[1]} px is too elongated, it would be resized to {width}x{height} px"
            )
        return width, height

    @property
    def has_fast_way(self) -> bool:
        """Whether it can be hastened."""
        return self.size is not None and self.resample in fast.FILTERS

    def hastened(self) -> Preprocessing:
        """The same, nearly and sooner; see `nearid_cli.images.fast`."""
        return replace(self, fast=True)

    def takes_half(self, size: tuple[int, int]) -> bool:
        """Whether a picture of width and height `size` does at half of both, which `resized` makes as large as ever.

        Raises:
            UnreadableImage: see `resized`.
        """
        return self.fast and fast.takes_half(size, self.resized(size))

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Height and width of every prepared picture; None where they depend on the picture."""
        edges = dict(self.size or ())
        return self.crop or ((edges["height"], edges["width"]) if "height" in edges else None)

    def lookup(self) -> npt.NDArray[np.float32]:
        """What rescaling and normalising make of each level: shape [256, 3], level by channel.

        In the precision that transformers uses (product in float64, then float32), so the numbers are its
        own. With both steps off it holds the levels 0..255 themselves: models take floats only.
        """
        levels = np.arange(256, dtype=np.float64)
        if self.rescale is not None:
            levels = levels * self.rescale
        table: npt.NDArray[np.float32] = np.repeat(levels.astype(np.float32)[:, None], 3, axis=1)
        if self.mean is not None and self.std is not None:
            mean, std = np.array(self.mean, dtype=np.float32), np.array(self.std, dtype=np.float32)
            table = (table - mean) / std
        return table

    def normalise(self, pixels: Sequence[npt.NDArray[Any]], device: torch.device | str) -> torch.Tensor:
        """Rescale and normalise a batch, by looking levels up: exact on every device.

        Args:
            pixels: B pictures of one shape, uint8 [H, W, 3], as `to_uint8` makes them.
            device: where the result is wanted; to a GPU the pixels travel as bytes.

        Returns:
            Float32 [B, 3, H, W], contiguous.
        """
        import torch

        if torch.device(device).type == "cpu":
            return torch.from_numpy(self.normalised(pixels))
        stack = torch.from_numpy(np.stack(pixels))
        if torch.device(device).type == "cuda":
            stack = stack.pin_memory()
        table = torch.from_numpy(self.lookup().T.copy())
        return gather(table.to(device), stack.to(device, non_blocking=True))

    def normalised(self, pixels: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """The same without torch."""
        table = self.lookup().T.copy()
        # Picture by picture the work stays in the processor's cache, beside threads that decode.
        height, width, _ = pixels[0].shape
        values = np.empty((len(pixels), 3, height, width), np.float32)
        for planes, picture in zip(values, pixels, strict=True):
            for channel in range(3):
                np.take(table[channel], picture[..., channel], out=planes[channel], mode="clip")
        return values

    def describe(self) -> str:
        """The steps in one line that tells any two preprocessings apart."""
        rescale, resize, crop, normalise = self.described()
        return ", ".join(filter(None, (resize, crop, rescale, normalise))) or "none"

    def described(self) -> tuple[str, str, str, str]:
        """What rescaling, resize, crop and normalising do, each in a few words; `""` for a step that is left out."""
        rescale = resize = crop = normalise = ""
        if self.size is not None:
            edges = dict(self.size)
            fixed = edges.keys() == {"height", "width"}
            target = (
                f"{edges['height']}x{edges['width']}"
                if fixed
                else " ".join(f"{key.replace('_', ' ')} {value}" for key, value in edges.items())
            )
            resize = f"resize {target} {self.resample.name.lower()}"
        if self.crop is not None:
            crop = (
                f"centre crop {self.crop[0]}x{self.crop[1]}{' (margins to even)' if self.even_crop else ''}"
            )
        if self.rescale is not None:
            rescale = f"rescale {'1/255' if self.rescale == 1 / 255 else repr(self.rescale)}"
        if self.mean is not None and self.std is not None:
            normalise = f"normalise mean {_listed(self.mean)} std {_listed(self.std)}"
        return rescale, resize, crop, normalise


@dataclass(frozen=True)
class FloatPreprocessing:
    """The preprocessing of DINOv3: rescale, resize, centre crop and normalise, in this order, on float32.

    Transformers has it for torchvision only (`DINOv3ViTImageProcessor`, `...Fast`), whose resize calls
    `torch.nn.functional.interpolate` with antialiasing. Here the same is called, so torchvision is not needed and the
    numbers are its own. They are near those of a Pillow resize and not equal to them: no level is rounded on the way.

    Attributes:
        steps: what each step does. Its resize is bilinear or bicubic. If they are hastened, that is by smaller
            pictures to begin with.
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
        steps = Preprocessing.resolve({**_DEFAULTS["dinov3"], **config}) if known else None
        if steps is None or steps.rescale is None or steps.resample not in _TORCH_MODES:
            return None
        return cls(steps)

    @property
    def has_fast_way(self) -> bool:
        """Whether it can be hastened."""
        return self.steps.has_fast_way

    def hastened(self) -> FloatPreprocessing:
        """The same of JPEGs at half their size; see `nearid_cli.images.fast`."""
        return FloatPreprocessing(self.steps.hastened())

    def takes_half(self, size: tuple[int, int]) -> bool:
        """As `Preprocessing.takes_half`."""
        return self.steps.takes_half(size)

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

        from nearid_cli.images.memory import BUDGET

        target = self.resized(image.size)
        with BUDGET.taken(_FLOATS * image.width * image.height):
            return torch.stack(self._planes(image, target)).numpy()

    def _planes(self, image: Image.Image, target: tuple[int, int]) -> list[torch.Tensor]:
        import torch

        assert self.steps.rescale is not None  # see `from_config`
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
                    mode=_TORCH_MODES[self.steps.resample],
                    align_corners=False,
                    antialias=True,
                )
            plane = self._cropped(plane[0, 0])
            if self.steps.mean is not None:
                plane = (plane - mean[channel]) / std[channel]
            planes.append(plane)
        return planes

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


def gather(table: torch.Tensor, stack: torch.Tensor) -> torch.Tensor:
    """Look levels up on the device that both are on: table [3, 256], uint8 [B, H, W, 3] -> [B, 3, H, W]."""
    import torch

    channels = [
        levels.index_select(0, channel.reshape(-1).int()).view(channel.shape)
        for levels, channel in zip(table, stack.unbind(-1), strict=True)
    ]
    return torch.stack(channels, dim=1)


def named_processor(config: Mapping[str, Any]) -> str | None:
    """The image processor that a `preprocessor_config.json` names, or None."""
    named = config.get("image_processor_type") or config.get("feature_extractor_type")
    return None if named is None else str(named)


def _processor(config: Mapping[str, Any], model_type: str | None) -> str | None:
    """The key into `_DEFAULTS`, or None for an unknown processor."""
    named = named_processor(config)
    if named is None:
        return _PROCESSOR_OF_MODEL.get(model_type or "")
    match = re.fullmatch(r"(CLIP|Bit|Siglip|ViT)(ImageProcessor(Fast|Pil)?|FeatureExtractor)", named)
    return match[1].lower() if match else None


def _size(value: object, *, square: bool) -> tuple[tuple[str, int], ...]:
    """A `size` or `crop_size` in any of the forms that transformers takes, as sorted pairs."""
    if isinstance(value, int):
        value = {"height": value, "width": value} if square else {"shortest_edge": value}
    elif isinstance(value, (list, tuple)) and len(value) == 2:
        value = {"height": value[0], "width": value[1]}
    if not isinstance(value, Mapping) or set(value) not in _SIZE_KEYS:
        raise _UnsupportedError
    if not all(type(edge) is int and edge > 0 for edge in value.values()):
        raise _UnsupportedError
    return tuple(sorted(value.items()))


def _resample(value: object) -> Resampling:
    if not isinstance(value, int) or isinstance(value, bool) or value not in list(Resampling):
        raise _UnsupportedError
    return Resampling(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _UnsupportedError
    return float(value)


def _triple(value: object) -> Triple:
    values = value if isinstance(value, (list, tuple)) else (value,) * 3
    if len(values) != 3:
        raise _UnsupportedError
    first, second, third = map(_number, values)
    return first, second, third


def _resized(size: tuple[int, int], edges: Mapping[str, int]) -> tuple[int, int]:
    """Width and height after resizing, with the rounding of transformers."""
    width, height = size
    short, long = min(size), max(size)
    if "height" in edges:
        return edges["width"], edges["height"]
    if "max_height" in edges:
        scale = min(edges["max_height"] / height, edges["max_width"] / width)
        return int(width * scale), int(height * scale)
    new_short: int = edges["shortest_edge"]
    scaled: float = new_short
    limit = edges.get("longest_edge")
    if limit is not None:
        if long / short * new_short > limit:
            scaled = limit * short / long
            new_short = round(scaled)
        if short == new_short:
            return size
    new_long = int(scaled * long / short)
    return (new_short, new_long) if width <= height else (new_long, new_short)


def _listed(values: Triple) -> str:
    """Three numbers, or one where they are equal.

    >>> _listed((0.5, 0.5, 0.5)), _listed((0.1, 0.2, 0.25))
    ('0.5', '[0.1, 0.2, 0.25]')
    """
    return repr(values[0]) if len(set(values)) == 1 else repr(list(values))
