"""A metric's encoder for other programs: pictures in, vectors out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.api.arguments import check_text
from nearid_cli.embedding.devices import choose_device, choose_dtype
from nearid_cli.embedding.forward import NOT_FINITE, Forward, sound
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.errors import BadImage, BadImagesError, ModelError, UsageError
from nearid_cli.layouts.dataset import InMemory
from nearid_cli.layouts.given import is_one, is_path, read_picture
from nearid_cli.text import count, printable, storable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Encoder, EncoderSpec
    from nearid_cli.layouts.given import OnePicture


class ImageEncoder:
    """A metric's encoder, loaded. Made by `load_encoder`."""

    def __init__(self, encoder: Encoder, batch_size: int) -> None:
        self._encoder = encoder
        self._forward = Forward(encoder, batch_size)

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is: checkpoint, revision, readout, preprocessing, dtype, fingerprint."""
        return self._encoder.spec

    def embed(self, images: Iterable[OnePicture]) -> npt.NDArray[np.float32]:
        """Embed pictures, without the cache.

        Args:
            images: paths, PIL images or uint8 arrays [height, width, 3]; files and images are turned upright by
                their EXIF orientation and made RGB.

        Returns:
            Float32 array [N, D], rows of length 1: `a @ b.T` are cosine similarities.

        Raises:
            BadImagesError: naming every picture that cannot be read.
            ModelError: embeddings that are not finite, naming their pictures; or memory does not hold one picture.
            UsageError: no pictures, or something that is none.
        """
        import numpy as np

        if is_one(images):
            raise UsageError("expected several pictures, found one; write embed([picture])")
        prepared: list[Any] = []
        rows: list[Any] = []
        names: list[str] = []
        bad: list[BadImage] = []
        for number, image in enumerate(images):
            place = storable(image) if is_path(image) else f"images[{number}]"
            opened = _open(image, place, bad)
            if opened is not None:
                names.append(place)
                prepared.append(self._encoder.prepare(opened))
            if len(prepared) >= self._forward.batch_size:
                rows.append(self._forward(prepared))
                prepared = []
        if bad:
            raise BadImagesError(f"{count(len(bad), 'picture')} cannot be read", bad)
        if prepared:
            rows.append(self._forward(prepared))
        if not rows:
            raise UsageError("expected at least one picture, found none")
        embedded: npt.NDArray[np.float32] = np.concatenate(rows)
        unsound = [name for name, usable in zip(names, sound(embedded), strict=True) if not usable]
        if unsound:
            raise ModelError(
                f"embeddings that are not finite numbers, from {self.spec.name}; {NOT_FINITE}",
                [printable(name) for name in unsound],
            )
        return embedded


def _open(image: OnePicture, place: str, bad: list[BadImage]) -> Image.Image | None:
    from nearid_cli.images.decode import UnreadableImage, decode, read_held

    try:
        if is_path(image):
            return decode(Path(image))
        held = read_picture(image, place)
        return read_held(held.image).image if isinstance(held, InMemory) else None
    except UnreadableImage as error:
        bad.append(BadImage(place, error.reason))
        return None


def load_encoder(
    metric: str = "nearid",
    *,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 16,
    configured: Mapping[str, Mapping[str, str]] | None = None,
    safetensors_only: bool = False,
) -> ImageEncoder:
    """Load a metric's encoder.

    Args:
        metric: as in `--metric`: a name, `NAME=PATH_OR_ID`, a folder or a Hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (float16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        batch_size: pictures a forward pass.
        configured: metrics of your own, name -> {checkpoint, readout, revision}.
        safetensors_only: refuse weights in torch's pickle format.

    Raises:
        UsageError: an unknown metric, device or dtype, or several metrics.
        ModelError: the checkpoint cannot be had or used.
    """
    from nearid_cli.encoders.load import load_encoder as load

    check_text("metric", metric)
    requests = parse_metrics([metric], configured)
    if len(requests) != 1:
        raise UsageError(f"expected one metric, found {len(requests)}: {metric}")
    chosen = choose_device(device)
    (spec,) = resolve(requests, choose_dtype(dtype, chosen), safetensors_only=safetensors_only)
    return ImageEncoder(load(spec, chosen), batch_size)
