"""Pictures that a program holds as numbers: NumPy arrays [height, width, 3] and torch tensors [3, height, width].

Neither library is imported for this: whoever has an array or a tensor has imported it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image


def holds_pixels(value: object) -> bool:
    """Whether a value is an array or a tensor, of whatever."""
    return _is_array(value) or _is_tensor(value)


def is_several(value: Any) -> bool:
    """Whether an array or a tensor holds several pictures, if any: one has two or three dimensions."""
    return value.ndim not in (2, 3) and not _is_nested(value)


def pixel_problem(value: Any) -> str:
    """Why an array or a tensor is no picture: what was found, and how it may become one; empty for a picture.

    A picture is a NumPy array of uint8 [H, W, 3], or a tensor [3, H, W] of uint8, or of floats from 0 to 1.
    """
    if _is_nested(value):
        return "a nested torch tensor; give it as tensor.unbind()"
    found = described_pixels(value)
    if not _is_tensor(value):
        return _array_problem(value, found)
    if value.ndim == 3 and value.shape[0] != 3 and value.shape[2] == 3:
        return f"{found}; give it as tensor.permute(2, 0, 1)"
    if value.ndim != 3 or value.shape[0] != 3:
        return f"{found}{_channels(value.shape[0]) if value.ndim == 3 else ''}"
    if value.is_sparse or value.is_quantized or value.device.type == "meta":
        return f"{found}, without plain numbers in it"
    if value.dtype == sys.modules["torch"].uint8:
        return ""
    if not value.is_floating_point():
        return found
    return _level_problem(_numbers(value), found)


def image_of(value: Any) -> Image.Image:
    """The picture that an array or a tensor without a `pixel_problem` holds.

    Floats x become the nearest whole number to 255 x; float16 and bfloat16 are taken as float32 before.
    """
    import numpy as np
    from PIL import Image

    if not _is_tensor(value):
        return Image.fromarray(value)
    levels = _numbers(value)
    if levels.dtype != np.uint8:
        levels = np.rint(levels * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))


def described_pixels(value: Any) -> str:
    """An array or a tensor in words."""
    kind = "torch tensor" if _is_tensor(value) else "NumPy array"
    return f"a {kind} of {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _array_problem(value: Any, found: str) -> str:
    if value.ndim == 3 and value.shape[2] != 3 and value.shape[0] == 3:
        return f"{found}; give it as array.transpose(1, 2, 0)"
    if value.ndim != 3 or value.shape[2] != 3:
        return f"{found}{_channels(value.shape[2]) if value.ndim == 3 else ''}"
    if value.dtype == "uint8":
        return ""
    if value.dtype.kind == "f" and not _level_problem(value, ""):
        return f"{found}; if these are levels from 0 to 1, give (array * 255).round().astype('uint8')"
    return found


def _channels(number: int) -> str:
    return "; of RGBA give the first three channels, and latents decoded" if number == 4 else ""


def _level_problem(numbers: npt.NDArray[Any], found: str) -> str:
    """What keeps floats from being levels from 0 to 1."""
    import numpy as np

    if not numbers.size:
        return ""  # which reading refuses, as it does an image without pixels
    if not np.isfinite(numbers).all():
        return f"{found} with values that are not finite"
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and high <= 1:
        return ""
    if low >= 0:
        hint = "if they are from 0 to 255, give x / 255" if high > 2 else "give x.clamp(0, 1)"
    elif low >= -1 and high <= 1:
        hint = "if they are from -1 to 1, give (x + 1) / 2"
    else:
        hint = "bring them to [0, 1]: (x + 1) / 2 if they are meant from -1 to 1, then .clamp(0, 1)"
    return f"{found} with values from {low:.4g} to {high:.4g}, not from 0 to 1; {hint}"


def _numbers(tensor: Any) -> npt.NDArray[Any]:
    """A tensor's numbers, whatever its device, whether gradients follow it or not; of half precision as float32."""
    if tensor.is_floating_point() and tensor.itemsize < 4:
        tensor = tensor.detach().float()
    numbers: npt.NDArray[np.generic] = tensor.numpy(force=True)
    return numbers


def _is_array(value: object) -> bool:
    module = sys.modules.get("numpy")
    return module is not None and isinstance(value, module.ndarray)


def _is_nested(value: Any) -> bool:
    """Whether a tensor holds some of different sizes, and so has no size itself."""
    return _is_tensor(value) and bool(value.is_nested)


def _is_tensor(value: object) -> bool:
    module = sys.modules.get("torch")
    return module is not None and isinstance(value, module.Tensor)
