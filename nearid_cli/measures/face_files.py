"""The two ONNX files of OpenCV's model zoo that `face` needs: where they lie, and that they are what they must be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.encoders.checkpoints import MissingCheckpointError
from nearid_cli.encoders.hub.cache import Notify, find_snapshot
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.opening import expanded, read_regular
from nearid_cli.text import printable


@dataclass(frozen=True)
class ZooFile:
    """A file of the zoo.

    Attributes:
        repository: its repository on the Hub.
        name: of the file there, and in a local folder.
        sha256: of its content, hex.
    """

    repository: str
    name: str
    sha256: str


DETECTOR = ZooFile(
    "opencv/face_detection_yunet",
    "face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
)
RECOGNISER = ZooFile(
    "opencv/face_recognition_sface",
    "face_recognition_sface_2021dec.onnx",
    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
)
_MOST_BYTES = 500_000_000
FILES = (DETECTOR, RECOGNISER)
"""What is known by name; the digests are those that the zoo's own repository states."""


@dataclass(frozen=True)
class FaceFiles:
    """Where the files are: in the Hub cache, or in a folder of the user's.

    Attributes:
        folder: the user's folder, which may hold other files of the same names; None for the zoo's on the Hub.
    """

    folder: Path | None = None

    @classmethod
    def of(cls, checkpoint: str, revision: str | None = None) -> FaceFiles:
        """Those that `face=CHECKPOINT` means.

        Raises:
            UsageError: it is neither the zoo nor a folder that holds both files.
        """
        if checkpoint == RECOGNISER.repository:
            if revision is not None:
                raise UsageError(
                    f"metric face: its files are known by their content, so there is no revision to choose, found "
                    f"{printable(revision)}"
                )
            return cls()
        folder = expanded(checkpoint)
        lacking = [file.name for file in FILES if not (folder / file.name).is_file()]
        if lacking:
            raise UsageError(
                f"metric face: expected a folder that holds {' and '.join(file.name for file in FILES)}, found "
                + (
                    f"no {' and '.join(lacking)} in {printable(folder)}"
                    if folder.is_dir()
                    else f"no folder {printable(folder)}"
                )
            )
        return cls(folder)

    def paths(self) -> tuple[Path, ...] | None:
        """Detector and recogniser, or None if one is not on this machine. Never asks the network."""
        found = tuple(self._path(file) for file in FILES)
        return None if None in found else tuple(path for path in found if path is not None)

    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each, hex; of the zoo's files what it must be, which `read` checks."""
        if self.folder is None:
            return tuple(file.sha256 for file in FILES)
        return tuple(_sha256(_content(self.folder / file.name)) for file in FILES)

    def fetch(self, notify: Notify) -> None:
        """Bring the zoo's files into the Hub cache, and check them.

        Raises:
            ModelError: one cannot be had, or is another than the one that is known.
        """
        from nearid_cli.encoders.hub.failures import HubError
        from nearid_cli.encoders.hub.fetching import download_files

        if self.folder is not None:
            return
        for file in FILES:
            try:
                path = download_files(file.repository, None, [file.name], notify) / file.name
            except HubError as error:
                raise MissingCheckpointError(
                    f"metric face: {file.name} of {file.repository} is not in the Hub cache and cannot be fetched: "
                    f"{error}",
                    [
                        "to fetch it, where there is network: nearid models pull face",
                        f"to use local copies of {' and '.join(one.name for one in FILES)}: --metric face=FOLDER",
                    ],
                ) from error
            _check(path, _content(path), file.sha256)

    def read(self, expected: tuple[str, ...]) -> tuple[bytes, ...]:
        """The content of both.

        Args:
            expected: the SHA-256 of each.

        Raises:
            ModelError: one is not here, cannot be read, or is another than expected.
        """
        paths = self.paths()
        if paths is None:
            raise MissingCheckpointError(
                "metric face: its files are not here; fetch them: nearid models pull face"
            )
        contents = []
        for path, sha256 in zip(paths, expected, strict=True):
            content = _content(path)
            _check(path, content, sha256)
            contents.append(content)
        return tuple(contents)

    def _path(self, file: ZooFile) -> Path | None:
        if self.folder is not None:
            return self.folder / file.name
        snapshot = find_snapshot(file.repository, None, lambda folder: (folder / file.name).is_file())
        return None if snapshot is None else snapshot / file.name


def _content(path: Path) -> bytes:
    """The bytes of one of the files, which are read once: what is loaded is what was looked at.

    Raises:
        ModelError: it cannot be read, or is much larger than any of them.
    """
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ModelError(f"cannot read {printable(path)}: {error.strerror}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check(path: Path, content: bytes, expected: str) -> None:
    """Refuse a file that is another than the one whose numbers are cached and published.

    Raises:
        ModelError: saying both digests.
    """
    found = _sha256(content)
    if found != expected:
        raise ModelError(
            f"{printable(path)} is not the file that is known by this name: expected SHA-256 {expected[:16]}..., found "
            f"{found[:16]}... ({len(content):,} bytes); delete it and fetch it again: nearid models pull face. To use "
            "another file, put both into a folder: --metric face=./folder"
        )
