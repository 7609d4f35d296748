"""`face`: which face of a picture it is, that its numbers are OpenCV's, and that no face is never a number."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.plugged import PluggedEncoder, spec_of
from nearid_cli.encoders.spec import Encoder
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.measures.face import Face, aligned, bgr, find_faces, overlap, reduced_to
from nearid_cli.measures.face_files import DETECTOR, FILES, RECOGNISER, FaceFiles
from nearid_cli.measures.face_models import OpenCVFaceModels
from tests.faces import LANDMARKS, picture, write_face_models

FACE, OTHER, THIRD = (5, 6), (2, 11), (12, 3)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face_models(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="session")
def models(folder: Path) -> OpenCVFaceModels:
    return OpenCVFaceModels(*((folder / file.name).read_bytes() for file in FILES))


def loaded(folder: Path | str, **settings: Any) -> Encoder:
    return load_encoder(spec_of("face", Face(str(folder), **settings)))


def embedded(encoder: Encoder, image: Image.Image) -> npt.NDArray[np.float32]:
    prepared = encoder.prepare(image)
    assert prepared is not None
    return encoder.embed([prepared])[0]


def by_opencv(folder: Path, image: Image.Image, which: int = 0) -> npt.NDArray[np.float32]:
    """The embedding as OpenCV's classes give it, called directly; not normalised."""
    detector = cv2.FaceDetectorYN.create(str(folder / DETECTOR.name), "", image.size)
    recogniser = cv2.FaceRecognizerSF.create(str(folder / RECOGNISER.name), "")
    pixels = np.asarray(image)[..., ::-1].copy()
    faces = sorted(detector.detect(pixels)[1], key=lambda face: -face[2] * face[3])
    return recogniser.feature(recogniser.alignCrop(pixels, faces[which])).copy()


@dataclass
class Seeing:
    """A detector that finds what it is told to find by the long side of what it sees. Notes what that was."""

    faces: Callable[[tuple[int, int]], list[list[float]]]
    seen: list[tuple[int, int]] = field(default_factory=list)
    aligned_in: list[tuple[int, int]] = field(default_factory=list)
    aligned: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def detect(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.seen.append((pixels.shape[1], pixels.shape[0]))
        return np.array(self.faces(self.seen[-1]), np.float32).reshape(-1, 15)

    def align(self, pixels: npt.NDArray[np.uint8], face: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        self.aligned_in.append((pixels.shape[1], pixels.shape[0]))
        self.aligned.append(face)
        return pixels[:112, :112]

    def feature(self, crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return crop.mean(axis=(0, 1))


def face_at(x: float, y: float, width: float, height: float, score: float = 0.95) -> list[float]:
    middle = np.array([x + width / 2, y + height / 2])
    return [x, y, width, height, *(middle + LANDMARKS * [width, height]).ravel(), score]


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height))


# What OpenCV gives


@pytest.mark.parametrize("size", [(512, 512), (640, 480), (320, 320), (257, 199)])
def test_a_picture_of_at_most_640_px_has_the_embedding_that_opencv_gives(
    folder: Path, size: tuple[int, int]
) -> None:
    image = picture(size, red=(3, 3), tint=11)
    expected = by_opencv(folder, image).ravel()
    found = embedded(loaded(folder), image)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)


def test_the_cosine_is_opencvs(folder: Path) -> None:
    a, b = picture(red=FACE, tint=11), picture(red=OTHER, tint=37)
    encoder = loaded(folder)
    recogniser = cv2.FaceRecognizerSF.create(str(folder / RECOGNISER.name), "")
    expected = recogniser.match(by_opencv(folder, a), by_opencv(folder, b), cv2.FaceRecognizerSF_FR_COSINE)
    assert abs(expected) < 0.99
    assert float(embedded(encoder, a) @ embedded(encoder, b)) == pytest.approx(expected, abs=1e-6)


def test_many_threads_give_what_one_gives(folder: Path) -> None:
    encoder = loaded(folder)
    pictures = [
        picture((256 + 32 * (i % 5), 256 + 32 * (i % 3)), red=(3, 1 + i % 5), tint=7 * i + 3)
        for i in range(40)
    ]
    alone = [encoder.prepare(image) for image in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(encoder.prepare, pictures))
    np.testing.assert_array_equal(alone, together)


def _real_files() -> Path | None:
    """A folder with the zoo's own files, if one is at hand."""
    given = os.environ.get("NEARID_TEST_FACE_FILES")
    folders = [Path(given)] if given else []
    folders += [path.parent for path in FaceFiles().paths() or () if path.name == RECOGNISER.name]
    return next((folder for folder in folders if all((folder / file.name).is_file() for file in FILES)), None)


@pytest.mark.skipif(
    _real_files() is None,
    reason="the zoo's ONNX files are not at hand: NEARID_TEST_FACE_FILES names their folder",
)
def test_the_real_networks_know_the_astronaut(photographs: dict[str, Image.Image]) -> None:
    folder = _real_files()
    assert folder is not None
    encoder = loaded(folder)
    astronaut = photographs["astronaut"]
    expected = by_opencv(folder, astronaut).ravel()
    found = embedded(encoder, astronaut)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)
    assert float(found @ embedded(encoder, astronaut.rotate(8))) > 0.8
    assert encoder.prepare(photographs["coffee"]) is None


# Which face


def test_the_largest_face_counts_or_another_by_its_size(folder: Path) -> None:
    both = picture(red=FACE, green=(50, 10), tint=11)
    large, small = picture(red=FACE, tint=11), picture(green=(50, 10), tint=11)
    rows = {index: embedded(loaded(folder, face_index=index), both) for index in (0, 1)}
    np.testing.assert_allclose(rows[0], embedded(loaded(folder), large), atol=1e-6)
    np.testing.assert_allclose(rows[1], embedded(loaded(folder), small), atol=1e-6)
    assert loaded(folder, face_index=2).prepare(both) is None


def test_faces_are_ordered_by_area_and_equal_ones_as_they_were_found() -> None:
    faces = [face_at(0, 0, 20, 20), face_at(100, 0, 30, 50), face_at(200, 0, 50, 30), face_at(0, 100, 60, 60)]
    found = find_faces(Seeing(lambda size: faces), blank(300, 200))
    assert found[:, 0].tolist() == [0, 100, 200, 0]
    many = [face_at(40 * i, 0, *((20, 30), (30, 20))[i % 2]) for i in range(50)]
    assert find_faces(Seeing(lambda size: many), blank(300, 200))[:, 0].tolist() == [face[0] for face in many]
    assert found[:, 2].tolist() == [60, 30, 50, 20]


def test_no_face_is_nothing_to_embed(folder: Path, photographs: dict[str, Image.Image]) -> None:
    encoder = loaded(folder)
    assert encoder.prepare(picture()) is None
    assert encoder.prepare(photographs["coffee"]) is None
    assert encoder.prepare(blank(1, 1)) is None
    assert (encoder.spec.absent, loaded(folder, face_index=2).spec.absent) == (
        "no face",
        "fewer than 3 faces",
    )


def test_what_has_no_place_or_no_size_is_no_face() -> None:
    nan, endless, flat = face_at(0, 0, 10, 10), face_at(0, 0, 10, 10), face_at(0, 0, 10, 0)
    nan[5], endless[2] = np.nan, np.inf
    found = find_faces(Seeing(lambda size: [nan, endless, flat, face_at(1, 2, 3, 4)]), blank(300, 200))
    assert found[:, :4].tolist() == [[1, 2, 3, 4]]


# Large pictures


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((300, 200), [(300, 200)]),
        ((320, 100), [(320, 100)]),
        ((400, 600), [(400, 600), (213, 320)]),
        ((6000, 4000), [(640, 427), (320, 213)]),
        ((5000, 1), [(640, 1), (320, 1)]),
    ],
)
def test_faces_are_looked_for_in_pictures_of_two_sizes(
    size: tuple[int, int], seen: list[tuple[int, int]]
) -> None:
    models = Seeing(lambda size: [])
    assert len(find_faces(models, blank(*size))) == 0
    assert models.seen == seen


def test_places_are_in_pixels_of_the_whole_picture() -> None:
    models = Seeing(lambda size: [face_at(64, 32, 100, 120)] if max(size) == 640 else [])
    (found,) = find_faces(models, blank(1000, 333))  # 640 x 213
    factors = np.tile([1000 / 640, 333 / 213], 7)
    np.testing.assert_allclose(found, [*np.array(face_at(64, 32, 100, 120))[:14] * factors, 0.95], rtol=1e-6)


def test_a_face_that_only_the_small_picture_shows_is_found_and_one_in_both_counts_once() -> None:
    def faces(size: tuple[int, int]) -> list[list[float]]:
        if max(size) == 640:
            return [face_at(10, 10, 40, 40)]
        return [face_at(5, 6, 20, 20), face_at(100, 40, 150, 160)]

    found = find_faces(Seeing(faces), blank(1280, 960))
    assert found[:, :4].tolist() == [[400, 160, 600, 640], [20, 20, 80, 80]]


def test_a_large_picture_has_the_face_of_the_small_one(folder: Path) -> None:
    small = picture((640, 480), red=FACE, tint=11)
    large = small.resize((2560, 1920), Image.Resampling.NEAREST)
    encoder = loaded(folder)
    assert float(embedded(encoder, small) @ embedded(encoder, large)) > 0.99


@pytest.mark.parametrize(
    ("face", "seen"), [(100, (2000, 1000)), (224, (2000, 1000)), (448, (1000, 500)), (900, (498, 249))]
)
def test_a_large_face_is_reduced_before_it_is_aligned(face: int, seen: tuple[int, int]) -> None:
    models = Seeing(lambda size: [])
    given = np.array(face_at(200, 40, face * 0.8, face), np.float32)
    aligned(models, blank(2000, 1000), given)
    assert models.aligned_in == [seen]
    share = np.array(seen) / (2000, 1000)
    np.testing.assert_allclose(models.aligned[0][:14], given[:14] * np.tile(share, 7), rtol=1e-6)
    assert given[3] == face


def test_a_fine_pattern_leaves_its_mean_wherever_it_is_sampled(models: OpenCVFaceModels) -> None:
    pixels = np.zeros((1800, 1800, 3), np.uint8)
    pixels[::2] = 255
    face = np.array(face_at(200, 200, 1400, 1400), np.float32)
    assert np.abs(models.align(pixels, face).astype(int) - 127).max() > 50
    assert np.abs(aligned(models, Image.fromarray(pixels), face).astype(int) - 127).max() < 20


# The astronaut, whose face is known to be where it is


SFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where eyes, nose and corners of the mouth lie in an aligned face."""


@pytest.mark.parametrize("degrees", [0, 25, -90])
def test_the_astronauts_face_is_upright_and_blue_comes_first(
    models: OpenCVFaceModels, photographs: dict[str, Image.Image], degrees: int
) -> None:
    astronaut = photographs["astronaut"]
    left, top, side = 148, 32, 150
    straight = np.asarray(astronaut.crop((left, top, left + side, top + side)).resize((112, 112)))
    points = SFACE * side / 112 + (left, top)
    turn = np.deg2rad(degrees)
    around = np.array(astronaut.size) / 2
    points = (points - around) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] + around
    box = [*points.min(axis=0) - 40, 100, 120]
    face = np.array([*box, *points.ravel(), 0.95], np.float32)
    crop = aligned(models, astronaut.rotate(degrees, Image.Resampling.BICUBIC), face)
    for channel in range(3):
        likeness = np.corrcoef(crop[..., channel].ravel(), straight[..., 2 - channel].ravel())[0, 1]
        assert likeness > 0.95
    assert crop[..., 2].mean() > crop[..., 0].mean() + 10  # skin is red


def test_reduced_pictures_keep_their_shape(photographs: dict[str, Image.Image]) -> None:
    astronaut = photographs["astronaut"]
    assert reduced_to(astronaut, 512) is astronaut
    assert reduced_to(astronaut, 100).size == (100, 100)
    assert bgr(astronaut).flags.c_contiguous
    np.testing.assert_array_equal(bgr(astronaut)[..., 0], np.asarray(astronaut)[..., 2])


def test_overlap_of_boxes() -> None:
    def box(*numbers: float) -> npt.NDArray[np.float32]:
        return np.array(numbers, np.float32)

    assert overlap(box(0, 0, 2, 2), box(0, 0, 2, 2)) == 1
    assert overlap(box(0, 0, 2, 2), box(5, 0, 2, 2)) == 0
    assert overlap(box(0, 0, 4, 4), box(1, 1, 2, 2)) == 0.25


# Its files


def test_what_decides_about_numbers_is_in_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    def fingerprint(place: Path | None = None, **settings: Any) -> str:
        metric = Face(str(place), **settings) if place else Face(**settings)
        return spec_of("face", metric, {"checkpoint": str(place)} if place else {}).fingerprint

    same = tmp_path / "same"
    same.mkdir()
    for file in FILES:
        (same / file.name).write_bytes((folder / file.name).read_bytes())
    other = write_face_models(tmp_path / "other", seed=1)
    assert fingerprint(folder) == fingerprint(same)
    assert (
        len({fingerprint(folder), fingerprint(other), fingerprint(), fingerprint(folder, face_index=1)}) == 4
    )


def test_the_zoos_files_are_the_zoos_wherever_they_lie(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = Face(str(folder))
    assert local.checkpoint == str(folder)
    pin(folder, monkeypatch)
    known = Face(str(folder))
    assert known.checkpoint == "opencv/face_detection_yunet, opencv/face_recognition_sface"
    assert spec_of("face", known).fingerprint == spec_of("face", Face()).fingerprint


def pin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files in a folder be those that the zoo is known for."""
    for file in FILES:
        monkeypatch.setitem(
            vars(file), "sha256", hashlib.sha256((folder / file.name).read_bytes()).hexdigest()
        )


def test_a_file_that_changes_before_it_is_read_is_refused(tmp_path: Path) -> None:
    folder = write_face_models(tmp_path / "faces")
    metric = Face(str(folder))
    (folder / RECOGNISER.name).write_bytes(b"other")
    with pytest.raises(ModelError, match=r"recognition_sface_2021dec.onnx is not the file .*\(5 bytes\)"):
        metric.load("cpu")


def test_a_file_that_is_no_network_is_one_line(tmp_path: Path) -> None:
    for file, what in ((RECOGNISER, r"recogniser \(SFace\)"), (DETECTOR, r"detector \(YuNet\)")):
        folder = write_face_models(tmp_path / "faces")
        (folder / file.name).write_bytes(b"no network")
        with pytest.raises(
            ModelError, match=rf"^OpenCV [0-9.]+ \(4.10 is needed\) makes no {what} of its ONNX file: "
        ) as caught:
            Face(str(folder)).load("cpu")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lacking", [[DETECTOR.name], [RECOGNISER.name], [DETECTOR.name, RECOGNISER.name]])
def test_a_folder_without_the_files_says_which(tmp_path: Path, lacking: list[str]) -> None:
    for file in FILES:
        if file.name not in lacking:
            (tmp_path / file.name).touch()
    with pytest.raises(UsageError) as caught:
        Face(str(tmp_path))
    assert str(caught.value) == (
        f"metric face: expected a folder that holds {DETECTOR.name} and {RECOGNISER.name}, found no "
        f"{' and '.join(lacking)} in {tmp_path}"
    )


def test_what_is_no_folder_and_a_revision_are_refused() -> None:
    with pytest.raises(UsageError, match="found no folder org/other"):
        Face("org/other")
    with pytest.raises(UsageError, match="no revision to choose, found main"):
        Face(revision="main")


def test_without_opencv_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ModelError, match=r'^metric face needs OpenCV: pip install "nearid-cli\[face\]"'):
        Face(str(folder)).load("cpu")


def test_opencv_says_nothing_and_nothing_else_is_imported(folder: Path) -> None:
    code = (
        "import sys; from PIL import Image; from nearid_cli.measures.face import Face; "
        f"metric = Face({str(folder)!r}); assert 'cv2' not in sys.modules; metric.load('cpu'); "
        "assert metric.prepare(Image.new('RGB', (50, 50))) is None; "
        "print([name for name in ('torch', 'transformers', 'pandas', 'skimage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.skipif(
    not hasattr(cv2.utils, "logging"), reason="OpenCV 4 has nothing to say that must be muted"
)
def test_opencv_is_as_talkative_as_before(models: OpenCVFaceModels) -> None:
    before = cv2.utils.logging.getLogLevel()
    pixels = np.zeros((64, 64, 3), np.uint8)
    for _ in range(10):
        with ThreadPoolExecutor(8) as pool:  # each thread makes a detector of its own
            list(pool.map(models.detect, [pixels] * 16))
        assert cv2.utils.logging.getLogLevel() == before


def test_an_encoder_of_it_is_a_plugged_one(folder: Path) -> None:
    encoder = loaded(folder)
    assert isinstance(encoder, PluggedEncoder)
    assert (encoder.spec.checkpoint, encoder.spec.dtype) == (str(folder), "float32")
    assert encoder.spec.revision == "+".join(
        hashlib.sha256((folder / file.name).read_bytes()).hexdigest()[:16] for file in FILES
    )
