"""Finding and recognising faces with OpenCV: YuNet and SFace behind three functions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nearid_cli.errors import ModelError
from nearid_cli.text import said

Faces = npt.NDArray[np.float32]
"""[N, 15]: x, y, width, height, five landmarks (eyes, nose, corners of the mouth; x, y of each), score; in pixels."""

Bgr = npt.NDArray[np.uint8]
"""[H, W, 3], blue first."""


_MUTING = threading.Lock()  # the level is the process's, and every thread makes a detector


class FaceModels(Protocol):
    """What `face` is made of. `detect` and `align` run in many threads at once, `feature` in one at a time."""

    def detect(self, pixels: Bgr) -> Faces:
        """The faces of a picture, in no particular order."""

    def align(self, pixels: Bgr, face: npt.NDArray[np.float32]) -> Bgr:
        """A face [15] upright and in its place, 112x112 pixels."""

    def feature(self, crop: Bgr) -> npt.NDArray[np.float32]:
        """The embedding [D] of an aligned face."""


class OpenCVFaceModels:
    """YuNet and SFace, by OpenCV's own classes with its own thresholds: score 0.9, overlap 0.3.

    Args:
        detector: YuNet's ONNX file.
        recogniser: SFace's.

    Raises:
        ModelError: OpenCV is not installed, or makes no network of the files.
    """

    def __init__(self, detector: bytes, recogniser: bytes) -> None:
        self._cv2 = opencv()
        self._detector = np.frombuffer(detector, np.uint8)
        self._own = threading.local()
        self._recogniser = self._made("recogniser (SFace)", recogniser, "FaceRecognizerSF")
        self._detector_of_this_thread()

    def detect(self, pixels: Bgr) -> Faces:
        """See `FaceModels.detect`."""
        detector = self._detector_of_this_thread()
        height, width = pixels.shape[:2]
        detector.setInputSize((width, height))
        faces = detector.detect(pixels)[1]
        return np.zeros((0, 15), np.float32) if faces is None else faces

    def align(self, pixels: Bgr, face: npt.NDArray[np.float32]) -> Bgr:
        """See `FaceModels.align`."""
        aligned: Bgr = self._recogniser.alignCrop(pixels, face[None])
        return aligned

    def feature(self, crop: Bgr) -> npt.NDArray[np.float32]:
        """See `FaceModels.feature`."""
        vector: npt.NDArray[np.float32] = self._recogniser.feature(crop)
        return vector.ravel()

    def _detector_of_this_thread(self) -> Any:
        # A detector remembers the size of the picture that it looks at, so that two threads cannot share one.
        if not hasattr(self._own, "detector"):
            self._own.detector = self._made("detector (YuNet)", self._detector, "FaceDetectorYN", (320, 320))
        return self._own.detector

    def _made(self, what: str, content: Any, kind: str, *arguments: Any) -> Any:
        with _quiet(self._cv2):
            try:
                return getattr(self._cv2, kind).create(
                    "onnx", np.frombuffer(content, np.uint8), np.zeros(0, np.uint8), *arguments
                )
            except (self._cv2.error, AttributeError) as error:  # one of before 4.10 has less
                raise ModelError(
                    f"OpenCV {self._cv2.__version__} (4.10 is needed) makes no {what} of its ONNX file: {said(error)}"
                ) from error


def opencv() -> Any:
    """OpenCV.

    Raises:
        ModelError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ModelError(f'metric face needs OpenCV: pip install "nearid-cli[face]" ({error})') from error
    return cv2


@contextmanager
def _quiet(cv2: Any) -> Iterator[None]:
    """Without OpenCV 5's remarks on its own insides."""
    logging = getattr(cv2.utils, "logging", None)
    if logging is None:
        yield
        return
    with _MUTING:
        before = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        try:
            yield
        finally:
            logging.setLogLevel(before)
