"""What an encoder is: a spec that names it exactly (cheap, without torch) and the loaded thing that embeds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nearid_cli.errors import ModelError
from nearid_cli.images.fast import VERSION
from nearid_cli.text import printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.plugins import EmbeddingMetric

    Pixels = npt.NDArray[np.generic]
    Embeddings = npt.NDArray[np.float32]


class ChangedCheckpointError(ModelError):
    """A checkpoint's files are not those that its fingerprint was made of: what they give belongs under another one."""


class EngineError(ModelError):
    """OpenVINO cannot run a checkpoint, which torch may."""


def check_digest(file: Path, found: str, expected: str | None) -> None:
    """Refuse a file that was read and is not the one that was looked up.

    Args:
        file: its path.
        found: the digest of what was read.
        expected: what it must be; None for anything.

    Raises:
        ChangedCheckpointError: it is another.
    """
    if expected is not None and found != expected:
        raise ChangedCheckpointError(f"{printable(file)} {CHANGED}")


CHANGED = (
    "changed after its checkpoint was looked up, by which embeddings are known; nothing of it was used; run again "
    "(if nothing writes it, with --verify-content)"
)


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder that is known exactly and not loaded yet.

    Attributes:
        name: the metric's name, a key in results.
        checkpoint: Hub id, local path or the name of the one that ships with nearid-cli; `""` for an encoder
            without weights.
        folder: where the checkpoint's files lie, or None without weights.
        revision: the Hub commit, or the digest of the local files; None for what ships with nearid-cli.
        readout: `projected`, `pooled`, `cls` or `mean`.
        dtype: `float32`, `float16` or `bfloat16`.
        preprocessing: the preprocessing in one line.
        fingerprint: hex digest of everything that decides an embedding besides the picture:
            checkpoint content or revision, readout, preprocessing, dtype, engine. The cache's key.
        image_processor: settings that count in place of the checkpoint's `preprocessor_config.json`, or None.
        absent: why a picture may have no embedding, such as `no face`; empty if every picture has one.
        plugin: what embeds, made and not loaded, where that is no checkpoint of ours.
        digests: the files of the checkpoint that the fingerprint was made of: by name the BLAKE3 digest, hex, that each
            must have when it is loaded; None for weights in the Hub cache, which are known by their commit.
        engine: `openvino` where that runs the checkpoint; empty for torch, and for what has no checkpoint.
        converted: hex digest of all that decides about the model that OpenVINO runs, or would; empty where it cannot,
            because pictures are prepared to many sizes, and for what has no checkpoint.
        fast: whether pictures are prepared the fast way; None where there is none.
    """

    name: str
    checkpoint: str
    folder: Path | None
    revision: str | None
    readout: str
    dtype: str
    preprocessing: str
    fingerprint: str
    image_processor: Mapping[str, Any] | None = field(default=None, hash=False)
    absent: str = ""
    plugin: EmbeddingMetric | None = field(default=None, compare=False)
    digests: Mapping[str, str | None] = field(default_factory=dict, compare=False)
    engine: str = ""
    converted: str = ""
    fast: bool | None = None

    def hastened(self) -> EncoderSpec:
        """The encoder that prepares pictures the fast way, another one by its fingerprint; itself if there is none."""
        from blake3 import blake3

        if self.fast is None:
            return self
        fingerprint = blake3(f"{self.fingerprint}\n{VERSION}".encode()).hexdigest()
        return replace(self, fast=True, preprocessing=f"fast: {self.preprocessing}", fingerprint=fingerprint)


class Preparer(Protocol):
    """What prepares pictures for an encoder. `prepare` runs in many threads at once."""

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is."""

    @property
    def preparation(self) -> Hashable:
        """Encoders with equal `preparation` may share the output of `prepare`."""

    def takes_half(self, size: tuple[int, int]) -> bool:
        """Whether `prepare` may be given a JPEG of width and height `size` at half of both.

        Only where the spec is `fast`. By nothing but the size: an embedding shall not depend on what else is embedded.
        """

    def prepare(self, image: Image.Image) -> Pixels | None:
        """An RGB picture as the array that `embed` takes, by the checkpoint's own preprocessing.

        None for a picture that has no embedding, for the reason that the spec gives as `absent`.
        """


class Encoder(Preparer, Protocol):
    """A loaded encoder. `embed` runs in one thread at a time."""

    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed prepared pictures.

        Returns:
            Float32 array [len(batch), D], rows of L2 norm 1. A non-finite row stays non-finite:
            the pipeline names its picture.
        """
