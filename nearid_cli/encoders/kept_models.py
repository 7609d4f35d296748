"""Models that were converted for OpenVINO, kept beside the embeddings, so that the next run loads them without torch.

    CACHE/openvino/<key>-<digest of both files>/model.xml, model.bin
    CACHE/openvino/<key>-<version of OpenVINO>.failed       why a conversion failed, in words

The key is that of the spec (`EncoderSpec.converted`). A model is found by it, must be the user's own, and must have the
digest that its name says: one that was changed or cut is converted anew. Any number of processes may do so at once.
"""

from __future__ import annotations

import errno
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from nearid_cli.files import digest_file, flush, folder_aside, make_folder, write_whole
from nearid_cli.opening import open_regular
from nearid_cli.owners import why_not_ours
from nearid_cli.text import printable

logger = logging.getLogger(__name__)

GRAPH, WEIGHTS = "model.xml", "model.bin"
KEPT = re.compile(
    rf"[^/]+-[0-9a-f]{{64}}/(?:{re.escape(GRAPH)}|{re.escape(WEIGHTS)})?|[0-9a-f]+-[^/]*\.failed"
)
"""What lies in `openvino`: see `files.delete_named`."""
_LONGEST = 500  # of the words that say why a conversion failed


def openvino_version() -> str:
    """Of the OpenVINO that is installed. Imports nothing of it."""
    from importlib import metadata  # which imports `email`, and is of no use where torch runs or nothing does

    try:
        return metadata.version("openvino")
    except metadata.PackageNotFoundError:
        return "of unknown version"


class KeptModels:
    """The converted models of one cache.

    Args:
        cache: its folder; need not exist.
    """

    def __init__(self, cache: Path) -> None:
        self.folder = cache / "openvino"

    def has(self, key: str) -> bool:
        """Whether there is one of this name. Reads nothing of it."""
        return any(self.folder.glob(f"{key}-*/{GRAPH}"))

    def find(self, key: str) -> Path | None:
        """The graph of a model, whose weights lie beside it; None where there is none that may be used.

        What is damaged is said and deleted; what may be another user's doing is said and left alone.
        """
        for place in sorted(self.folder.glob(f"{key}-*/")):
            try:
                reason = next(filter(None, map(why_not_ours, (self.folder, place, *_files(place)))), None)
                if reason:
                    logger.warning(
                        "the converted model %s is passed over: it %s", printable(place), printable(reason)
                    )
                elif _digest(place) == place.name.rpartition("-")[2]:
                    return place / GRAPH
                else:
                    self.discard(place, "it was changed or cut since it was written")
            except OSError as error:
                self.discard(place, error.strerror or str(error))
        return None

    def discard(self, place: Path, why: str) -> None:
        """Delete a model that cannot be used, and say so."""
        logger.warning("the converted model %s is converted anew: %s", printable(place), printable(why))
        shutil.rmtree(place, ignore_errors=True)

    def keep(self, key: str, write: Callable[[Path], None]) -> Path:
        """Keep a model.

        Args:
            key: of its spec.
            write: writes its graph to a path, and its weights beside it.

        Returns:
            The graph, whole and on the disk.

        Raises:
            OSError: the disk would not take it. Nothing is left behind.
        """
        with folder_aside(self.folder / key) as aside:
            whole = aside / "whole"
            whole.mkdir(0o755)
            write(whole / GRAPH)
            for file in _files(whole):
                flush(file)
            place = self.folder / f"{key}-{_digest(whole)}"
            try:
                whole.rename(place)
            except OSError as error:
                found = self.find(key) if error.errno in (errno.ENOTEMPTY, errno.EEXIST) else None
                if found is None:
                    raise
                return found  # another process was faster
        flush(self.folder)
        return place / GRAPH

    def failed(self, key: str) -> str | None:
        """Why this version of OpenVINO could not run a model before; None where it never tried, or could."""
        try:
            if why_not_ours(self._note(key)):
                return None
            with open_regular(self._note(key)) as file:
                return file.read(_LONGEST).decode("utf-8", "replace")
        except OSError:
            return None

    def note_failure(self, key: str, why: str) -> None:
        """Remember that this version of OpenVINO cannot run a model.

        Raises:
            OSError: the disk would not take it.
        """
        make_folder(self.folder)
        write_whole(self._note(key), why.encode()[:_LONGEST])

    def _note(self, key: str) -> Path:
        return self.folder / f"{key}-{openvino_version()}.failed"


def _files(place: Path) -> tuple[Path, Path]:
    return place / GRAPH, place / WEIGHTS


def _digest(place: Path) -> str:
    """The digest of a model's files.

    Raises:
        OSError: one is not there, or cannot be read.
    """
    return blake3("".join(map(digest_file, _files(place))).encode()).hexdigest()
