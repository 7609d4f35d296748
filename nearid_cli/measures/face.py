"""The metric `face`, for people: the cosine of two faces, found by YuNet and recognised by SFace.

    find        upright picture, its long side at most 640 px, and again at most 320 px     YuNet, in threads
    choose      the largest by area, or another by `--face-index`
    align       eyes, nose and mouth to their places in 112x112 px; a face of more than 224 px is reduced to that
                before, because what aligns it takes the mean of four pixels only
    embed       128 numbers                                                                SFace

YuNet was trained on faces of 10 to 300 px, so that one pass alone misses either small faces or those that fill a large
picture. What the second pass finds counts only where the first found nothing, so that a picture of at most 640 px with
one face has exactly the embedding that OpenCV's classes give.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nearid_cli.measures.face_files import FILES, RECOGNISER, FaceFiles
from nearid_cli.plugins import EmbeddingMetric

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.measures.face_models import Bgr, FaceModels, Faces

logger = logging.getLogger(__name__)

LONG_SIDES = (640, 320)
"""Of the pictures in which faces are looked for."""

LARGEST_FACE = 224
"""Pixels of the longer side of a face that is aligned as it is: twice what it becomes."""

_SAME = 0.3  # share of overlap from which two boxes are one face, as in OpenCV's own suppression


class Face(EmbeddingMetric):
    """Faces as vectors.

    Args:
        checkpoint: the zoo's recogniser on the Hub, which stands for both files, or a folder that holds both.
        revision: none; files are known by their content.
        face_index: which face by size, 0 for the largest.

    Raises:
        UsageError: a folder without these files, or a revision.
    """

    preprocessing = (
        f"faces found at {LONG_SIDES[0]} and {LONG_SIDES[1]} px of the long side, reduced to {LARGEST_FACE} px, "
        "aligned to 112x112 px by five landmarks"
    )
    options = ("face_index",)

    def __init__(
        self, checkpoint: str = RECOGNISER.repository, revision: str | None = None, face_index: int = 0
    ) -> None:
        self._files = FaceFiles.of(checkpoint, revision)
        self._digests = self._files.digests()
        self._index = face_index
        self._models: FaceModels | None = None
        self.version = f"face/1 index {face_index}"
        which = "the largest face" if face_index == 0 else f"face {face_index} by size"
        self.protocol = f"{which} of a picture, found by YuNet and embedded by SFace; null without one"
        self.absent = "no face" if face_index == 0 else f"fewer than {face_index + 1} faces"
        # The same files are the same metric, wherever they lie.
        from_zoo = self._digests == tuple(file.sha256 for file in FILES)
        self.checkpoint = ", ".join(file.repository for file in FILES) if from_zoo else str(checkpoint)
        self.revision = "+".join(digest[:16] for digest in self._digests)

    @classmethod
    def files(cls, checkpoint: str, revision: str | None) -> tuple[Path, ...] | None:
        """See `AnyMetric.files`."""
        return FaceFiles.of(checkpoint, revision).paths()

    @classmethod
    def pull(cls, checkpoint: str, revision: str | None, notify: Callable[[str], None]) -> None:
        """See `AnyMetric.pull`."""
        FaceFiles.of(checkpoint, revision).fetch(notify)

    def load(self, device: str) -> None:
        """Read both networks, which always run on the CPU; fetch what is missing first.

        Raises:
            ModelError: OpenCV or the files are not here, or the files are others than they were.
        """
        from nearid_cli.measures.face_models import OpenCVFaceModels, opencv

        opencv()  # before anything is fetched that could not be used
        if self._files.paths() is None:
            self._files.fetch(logger.info)
        self._models = OpenCVFaceModels(*self._files.read(self._digests))

    def prepare(self, image: Image.Image) -> npt.NDArray[np.generic] | None:
        """The face of an upright RGB picture, aligned: uint8 [112, 112, 3], blue first. None without one."""
        faces = find_faces(self._loaded, image)
        if len(faces) <= self._index:
            return None
        return aligned(self._loaded, image, faces[self._index])

    def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
        """Embed aligned faces: [len(batch), 128]."""
        crops: Any = batch
        return np.stack([self._loaded.feature(crop) for crop in crops])

    @property
    def _loaded(self) -> FaceModels:
        assert self._models is not None, "not loaded"
        return self._models


def find_faces(models: FaceModels, image: Image.Image) -> Faces:
    """The faces of a picture, the largest first; of equal ones the surer, if one pass found both.

    Returns:
        See `Faces`; in pixels of the picture.
    """
    found = np.zeros((0, 15), np.float32)
    for side in LONG_SIDES if max(image.size) > LONG_SIDES[-1] else LONG_SIDES[:1]:
        small = reduced_to(image, side)
        faces = models.detect(bgr(small)).astype(np.float32)
        faces = faces[np.isfinite(faces).all(axis=1) & (faces[:, 2:4] > 0).all(axis=1)]
        faces[:, 0:14:2] *= image.width / small.width
        faces[:, 1:14:2] *= image.height / small.height
        new = [face for face in faces if not any(overlap(face, other) > _SAME for other in found)]
        found = np.concatenate([found, np.array(new, np.float32).reshape(-1, 15)])
    return found[np.argsort(-found[:, 2] * found[:, 3], kind="stable")]


def aligned(models: FaceModels, image: Image.Image, face: npt.NDArray[np.float32]) -> Bgr:
    """A face in its place: uint8 [112, 112, 3], blue first.

    Args:
        models: align it.
        image: the picture.
        face: [15], in its pixels.
    """
    small = reduced_to(image, max(image.size) * LARGEST_FACE / float(max(face[2:4])))
    moved = face.copy()
    moved[0:14:2] *= small.width / image.width
    moved[1:14:2] *= small.height / image.height
    return models.align(bgr(small), moved)


def reduced_to(image: Image.Image, long_side: float) -> Image.Image:
    """A picture whose long side is at most so many pixels; the picture itself if it already is."""
    from PIL import Image

    share = long_side / max(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def bgr(image: Image.Image) -> Bgr:
    """The pixels of an RGB picture as OpenCV takes them: [H, W, 3], blue first."""
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def overlap(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Intersection over union of the boxes of two faces.

    >>> overlap(np.array([0, 0, 2, 2]), np.array([1, 0, 2, 2]))
    0.3333333333333333
    """
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:4], other[:2] + other[2:4])
    common = float(np.prod(np.maximum(high - low, 0)))
    return common / (float(np.prod(one[2:4])) + float(np.prod(other[2:4])) - common)
