"""Token features of a frozen backbone, computed once and kept on disk, so that only the head runs in training.

    FOLDER/<fingerprint of the backbone and its preprocessing>/<random name>.tokens

A part holds `count` records: first their tokens, float16 [count, patches, width], then their pictures' keys, 32
bytes each. It is written aside and renamed when it is whole, and never changed: a build that was killed goes on
with what its finished parts lack, and several may run at once. Parts are memory-mapped, so the system keeps in
memory what it has room for.

A data set of them takes the place of one of pictures (`--cache-features`).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from nearid_cli.errors import BadImage, BadImagesError, CacheError
from nearid_cli.files import hold_lock, name_aside, sweep_leftovers
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.nearid_data import Identities
from nearid_cli.nearid_data.pictures import SLOTS
from nearid_cli.text import count, file_size, printable
from nearid_cli.training.dataset import Item, TrainingSet
from nearid_cli.training.model import picture_size
from nearid_cli.training.trainee import Trainee

if TYPE_CHECKING:
    from nearid_cli.encoders.nearid_model import NearIDModel
    from nearid_cli.images.preprocessing import Preprocessing

PART_BYTES = 1 << 30
"""A part is ended at this size: a killed build loses no more, and a large cache is not too many files."""

_KEY_BYTES = 32


def picture_key(content: bytes) -> bytes:
    """The key of a picture: the BLAKE3 digest of its file's bytes.

    >>> picture_key(b"").hex()[:8]
    'af1349b9'
    """
    from blake3 import blake3

    return blake3(content).digest()


class FeatureCache:
    """The patch tokens of pictures as one frozen backbone sees them, without augmentation.

    Args:
        folder: where caches are; each backbone has its own folder in it.
        model: a model whose backbone is frozen, on the device where it shall run.
        preprocessing: how its pictures are prepared.
        batch_size: pictures of one forward pass.

    Raises:
        CacheError: a part that is there is damaged.

    A copy for another process (a worker of a data loader) can read, and not build.
    """

    def __init__(
        self, folder: Path, model: NearIDModel, preprocessing: Preprocessing, batch_size: int = 64
    ) -> None:
        self._model, self._preprocessing, self._batch_size = model, preprocessing, batch_size
        self.folder = folder / _fingerprint(model, preprocessing)
        self._shape = _token_shape(model, preprocessing)
        self._open_all()

    def __getstate__(self) -> dict[str, Any]:
        """For a process that only reads: it maps the parts itself, and has no use for the model."""
        return {"folder": self.folder, "_shape": self._shape}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_all()

    def __len__(self) -> int:
        return len(self._places)

    def cost(self, pictures: int) -> int:
        """Bytes that so many pictures take on disk: pictures x tokens x width x 2, and 32 for each key."""
        return pictures * (2 * self._shape[0] * self._shape[1] + _KEY_BYTES)

    def plan(self, keys: Iterable[bytes]) -> str:
        """What a build for these pictures will cost, in one line for people, before it begins.

        Raises:
            CacheError: the disk has no room for it.
        """
        lacking = len(set(keys) - self._places.keys())
        cost, (tokens, width) = self.cost(lacking), self._shape
        existing = next(path for path in (self.folder, *self.folder.absolute().parents) if path.is_dir())
        free = shutil.disk_usage(existing).free
        size = f"{count(lacking, 'picture')} x {tokens} tokens x {width} float16 = {file_size(cost)}"
        if cost > free:
            raise CacheError(
                f"the token features take {size}, and {printable(existing)} has {file_size(free)} left; "
                f"make room, train on fewer rows, or leave out --cache-features"
            )
        return f"token features in {printable(self.folder)}: {size} to write, {file_size(free)} free"

    def build(self, pictures: Iterable[tuple[bytes, bytes]]) -> None:
        """Compute what the cache lacks. Stopped at any moment, it goes on from there the next time.

        Args:
            pictures: keys and file contents; a key that is here already costs nothing.

        Raises:
            BadImagesError: some pictures cannot be used; all others are in the cache. They are named by their keys.
            CacheError: the disk would not take it.
        """
        bad: list[BadImage] = []
        lacking = self._prepared(pictures, bad)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _Writer(self.folder, self.cost(1), self._open) as writer:
                while batch := dict(islice(lacking, self._batch_size)):
                    bad += self._embed(batch, writer)
        except OSError as error:
            raise CacheError(
                f"cannot write token features in {printable(self.folder)}: "
                f"{(error.strerror or str(error)).lower()}"
            ) from error
        if bad:
            raise BadImagesError(f"{count(len(bad), 'picture')} cannot be used for training", bad)

    def _prepared(
        self, pictures: Iterable[tuple[bytes, bytes]], bad: list[BadImage]
    ) -> Iterator[tuple[bytes, npt.NDArray[np.uint8]]]:
        """Pictures that the cache lacks, each once; those that cannot be read are added to `bad`."""
        known = set(self._places)
        for key, content in pictures:
            if key not in known:
                known.add(key)
                try:
                    yield key, self._preprocessing.to_uint8(decode(content))
                except UnreadableImage as error:
                    bad.append(BadImage(key.hex(), error.reason))

    def tokens(self, keys: Sequence[bytes]) -> torch.Tensor:
        """The tokens of pictures that are in the cache: float16 [len(keys), patches, width], a copy.

        Raises:
            KeyError: a key is not in the cache.
        """
        found = np.empty((len(keys), *self._shape), np.float16)
        for row, key in zip(found, keys, strict=True):
            part, index = self._places[key]
            row[:] = self._parts[part][index]
        return torch.from_numpy(found)

    def _embed(self, batch: dict[bytes, npt.NDArray[np.uint8]], writer: _Writer) -> list[BadImage]:
        """Write the tokens of a batch; returns the pictures whose tokens float16 cannot hold."""
        was_training = self._model.training
        try:
            with torch.inference_mode():
                values = self._preprocessing.normalise(list(batch.values()), self._model.device)
                tokens = self._model.eval().patch_tokens(values).to(torch.float16).cpu().numpy()
        finally:
            self._model.train(was_training)
        bad = []
        for key, record in zip(batch, tokens, strict=True):
            if np.isfinite(record).all():
                writer.add(key, record)
            else:
                bad.append(BadImage(key.hex(), "its token features have no finite value in float16"))
        return bad

    def _open_all(self) -> None:
        self._parts: list[npt.NDArray[np.float16]] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        for path in sorted(self.folder.glob("*.tokens")):
            self._open(path)

    def _open(self, path: Path) -> None:
        """Map a finished part."""
        records, rest = divmod(path.stat().st_size, self.cost(1))
        if rest or not records:
            raise CacheError(f"{printable(path)} is damaged: delete it, and its features are computed again")
        keys = np.memmap(
            path,
            np.uint8,
            "r",
            offset=records * (self.cost(1) - _KEY_BYTES),
            shape=(records, _KEY_BYTES),
        )
        part = len(self._parts)
        self._places |= {key.tobytes(): (part, index) for index, key in enumerate(np.array(keys))}
        self._parts.append(np.memmap(path, np.float16, "r", shape=(records, *self._shape)))


class _Writer:
    """Writes records into parts; what is written when it is left, for whatever reason, is kept.

    Args:
        folder: where the parts go.
        record_bytes: size of a record with its key.
        finished: called with each part that is in place.
    """

    def __init__(self, folder: Path, record_bytes: int, finished: Callable[[Path], None]) -> None:
        self._folder, self._finished = folder, finished
        self._token_bytes = record_bytes - _KEY_BYTES
        self._capacity = max(1, PART_BYTES // record_bytes)
        self._keys: list[bytes] = []

    def __enter__(self) -> _Writer:
        sweep_leftovers(self._folder)
        self._begin()
        return self

    def add(self, key: bytes, tokens: npt.NDArray[np.float16]) -> None:
        """Write one record."""
        self._file.write(np.ascontiguousarray(tokens).data)
        self._keys.append(key)
        if len(self._keys) == self._capacity:
            self._end()
            self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):  # a record may be there by half
            self._file.close()
            self._aside.unlink(missing_ok=True)
        else:
            self._end()

    def _begin(self) -> None:
        self._aside = name_aside(self._folder / "part")
        self._file = self._aside.open("xb")
        hold_lock(self._file.fileno())
        self._keys = []

    def _end(self) -> None:
        """Put a part in place, if there is anything in it."""
        with self._file as file:
            # An interrupt may have come in the middle of a record.
            file.seek(file.truncate(len(self._keys) * self._token_bytes))
            file.write(b"".join(self._keys))
            file.flush()
            os.fsync(file.fileno())
        if self._keys:
            self._finished(self._aside.rename(self._aside.with_name(f"{uuid.uuid4().hex}.tokens")))
        else:
            self._aside.unlink()


def _token_shape(model: NearIDModel, preprocessing: Preprocessing) -> tuple[int, int]:
    """Patch tokens of a picture, and their width."""
    size = picture_size(preprocessing)
    assert size is not None, "expected preprocessing from load_preprocessing"
    tower = model.config.vision_config
    return (size[0] // tower.patch_size) * (size[1] // tower.patch_size), tower.hidden_size


def _fingerprint(model: NearIDModel, preprocessing: Preprocessing) -> str:
    """Digest of everything that decides a picture's tokens: the tower's weights and settings, the preprocessing."""
    from blake3 import blake3

    settings = model.config.vision_config.to_dict()
    settings.pop("transformers_version", None)
    digest = blake3(json.dumps([settings, preprocessing.describe()], sort_keys=True, default=str).encode())
    for name, weight in model.tower_weights():
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)} ".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


_log = logging.getLogger(__name__)


class FeatureSet(Dataset[Item]):
    """The items of a training set with token features for pictures: float16 [6, patches, width], 0 in empty slots.

    Args:
        rows: the training set, without augmentations.
        cache: holds every picture of it.
    """

    def __init__(self, rows: TrainingSet, cache: FeatureCache) -> None:
        self._rows, self._cache = rows, cache

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of permutations and sources."""
        self._rows.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        """Look an item up."""
        contents = self._rows.contents(index)
        valid = torch.tensor([content is not None for content in contents])
        found = self._cache.tokens([picture_key(content) for content in contents if content is not None])
        tokens = found.new_zeros(len(contents), *found.shape[1:])
        tokens[valid] = found
        return {"pixels": tokens, "valid": valid, "row": int(self._rows.identities.numbers[index])}


def cache_features(
    rows: TrainingSet, trainee: Trainee, folder: Path, accelerator: Any, batch_size: int
) -> FeatureSet:
    """Compute the token features that are not on disk yet; the processes share the work.

    Args:
        rows: the training set.
        trainee: a model whose backbone is frozen.
        folder: where features of all backbones are.
        accelerator: of the run.
        batch_size: rows of a forward pass.

    Raises:
        CacheError: the disk has no room for them.
        BadImagesError: naming every picture that cannot be used. The others are on disk.
    """
    model = trainee.model.to(accelerator.device)
    cache = FeatureCache(folder, model, rows.preprocessing, batch_size * 2 * SLOTS)
    identities = rows.identities
    if accelerator.is_main_process:
        _log.info(cache.plan(picture_key(content) for _, content in _pictures(identities)))
    accelerator.wait_for_everyone()
    mine = identities.subset(identities.numbers[accelerator.process_index :: accelerator.num_processes])
    try:
        cache.build((picture_key(content), content) for _, content in _pictures(mine))
    except BadImagesError as error:
        reasons = {image.path: image.reason for image in error.bad}
        named = ((name, picture_key(content).hex()) for name, content in _pictures(mine))
        bad = [BadImage(name, reasons[key]) for name, key in named if key in reasons]
        raise BadImagesError(error.message, bad) from error
    accelerator.wait_for_everyone()
    # What the other processes wrote is found by looking again.
    return FeatureSet(rows, FeatureCache(folder, model, rows.preprocessing))


def _pictures(identities: Identities) -> Iterator[tuple[str, bytes]]:
    """Every picture that training may ask for, with its place in words."""
    for row in np.sort(identities.numbers).tolist():
        for columns in (identities.views, *identities.distractors):
            for slot in range(SLOTS):
                content = columns.content(row, slot) if identities.views.present[row, slot] else None
                if content is not None:
                    yield printable(columns.place(row, slot)), content
