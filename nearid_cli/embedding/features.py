"""What metrics that go pair by pair compute of each picture: once, as long as memory or disk holds it.

On disk, where a metric says that its features are worth it, they are one Parquet part a picture. They may take
`FEATURES_BYTES`, of which the oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from nearid_cli.embedding import FEATURES
from nearid_cli.embedding.cache import Cache, metadata_of
from nearid_cli.embedding.reading import Content
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.plugged import ask, class_of
from nearid_cli.errors import ModelError
from nearid_cli.plugins import PairwiseMetric, TextMetric
from nearid_cli.text import printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.parts import PartFolder
    from nearid_cli.embedding.storage import StoredPart

FEATURES_BYTES = 4 * 2**30
"""What the features of all metrics may take on disk together."""

HELD = 256
"""Of how many pictures features stay in memory, at most."""

_HELD_BYTES = 2**30  # of features in memory
_TRIM_EVERY = 50  # features, so that a long run keeps the bound, too


class Features:
    """The features of one metric.

    Args:
        name: of the metric in this run.
        metric: which one; it must be loaded before features are asked for.
        fingerprint: of its numbers, by which its features are known, too, unless it says otherwise.
        cache: None to keep none on disk.
        settings: how pictures are read.
    """

    def __init__(
        self,
        name: str,
        metric: PairwiseMetric | TextMetric,
        fingerprint: str,
        cache: Cache | None,
        settings: Settings,
    ) -> None:
        self._name, self._metric = name, metric
        self._settings = settings
        self._held: OrderedDict[bytes, Any] = OrderedDict()
        self._bytes = self._kept = 0
        self._cache = cache
        self._parts: PartFolder | None = None
        self._kept_in: dict[bytes, StoredPart] | None = None
        if cache is not None and isinstance(metric, PairwiseMetric) and metric.keeps_features:
            known_by = metric.features_version and f"{class_of(metric)} {metric.features_version}"
            own = blake3(known_by.encode()).hexdigest() if known_by else None
            self._parts = cache.parts(FEATURES, as_read(own, settings) if own else fingerprint)

    def of_prompt(self, digest: bytes, prompt: str) -> Any:
        """What the metric takes of a prompt."""
        metric = self._metric
        assert isinstance(metric, TextMetric)
        return self._hold(
            digest, lambda: ask(self._name, metric, "text", lambda: metric.text(prompt), prompt)
        )

    def of(self, digest: bytes, content: Content) -> Any:
        """What the metric takes of a picture.

        Raises:
            ModelError: it cannot be read any more.
        """

        def find() -> Any:
            found = self._stored(digest)
            return self._made(digest, content) if found is None else found

        return self._hold(digest, find)

    def _hold(self, digest: bytes, make: Callable[[], Any]) -> Any:
        if digest in self._held:
            self._held.move_to_end(digest)
            return self._held[digest]
        found = self._held[digest] = make()
        self._bytes += _bytes_of(found)
        # The two of the pair at hand stay, however large they are.
        while len(self._held) > 2 and (len(self._held) > HELD or self._bytes > _HELD_BYTES):
            _, old = self._held.popitem(last=False)
            self._bytes -= _bytes_of(old)
        return found

    def _made(self, digest: bytes, content: Content) -> Any:
        from nearid_cli.images.decode import UnreadableImage

        metric = self._metric
        how = self._settings.max_pixels, self._settings.reading
        try:
            if isinstance(metric, PairwiseMetric) and metric.takes_masks:
                whole, mask = content.open_apart(*how)
                find = partial(metric.features, whole.image, mask)
            else:
                find = partial(metric.features, content.open(*how).image)
        except UnreadableImage as error:
            raise ModelError(f"{printable(content.name)} cannot be read any more: {error.reason}") from error
        if self._parts is None:
            return ask(self._name, metric, "features", find, content.name)
        found = ask(
            self._name, metric, "features", lambda: np.ascontiguousarray(find(), np.float32), content.name
        )
        self._keep(digest, found)
        return found

    def _stored(self, digest: bytes) -> npt.NDArray[np.float32] | None:
        """The features on disk, where they are there; looks once at what is there."""
        if self._parts is None:
            return None
        if self._kept_in is None:
            self._kept_in = {}
            for part, outcome in self._parts.each(self._parts.keys, self._parts.listing()):
                with suppress(FileNotFoundError):  # swept for room by another process
                    if found := outcome():
                        self._kept_in[found[0]] = part
                    else:  # which says what is wrong with it
                        self._parts.read(part)
        if digest not in self._kept_in:
            return None
        with suppress(FileNotFoundError):  # swept for room by another process
            table = self._parts.read(self._kept_in[digest])
            if table is not None:
                shape, values = table.column("shape")[0].as_py(), table.column("values")[0].as_buffer()
                return np.frombuffer(values, np.float32).reshape(shape)
        del self._kept_in[digest]
        return None

    def _keep(self, digest: bytes, features: npt.NDArray[np.float32]) -> None:
        import pyarrow as pa

        assert self._cache is not None
        assert self._parts is not None
        about = {"metric": self._name, "checkpoint": self._metric.checkpoint, "dtype": self._metric.dtype}

        def table() -> pa.Table:
            fields = [
                ("digest", pa.binary(32)),
                ("shape", pa.list_(pa.int32())),
                ("values", pa.large_binary()),
            ]
            schema = pa.schema(fields, metadata=metadata_of(about))
            row = [[digest], [list(features.shape)], [features.tobytes()]]
            arrays = [pa.array(value, field.type) for value, field in zip(row, schema, strict=True)]
            return pa.Table.from_arrays(arrays, schema=schema)

        self._cache.mark()
        self._parts.write(table)
        self._kept += 1
        if self._kept % _TRIM_EVERY == 0:
            self.trim()

    def trim(self) -> None:
        """Delete the oldest features of all metrics where they take too much room."""
        if self._cache is None or self._parts is None:
            return
        with self._cache.caution.reading(FEATURES):
            kept = self._cache.listing(FEATURES)
            room = sum(part.size for part in kept) - FEATURES_BYTES
            for part in sorted(kept, key=lambda part: part.written):
                if room <= 0:
                    break
                with suppress(OSError):
                    self._cache.storage.remove(part)
                    room -= part.size


def _bytes_of(found: Any) -> int:
    """What features take in memory, as far as one can tell: arrays, tensors, pictures, and some of these together."""
    from PIL import Image

    if isinstance(found, Image.Image):
        return found.width * found.height * len(found.getbands())
    if isinstance(found, Mapping):
        return sum(map(_bytes_of, found.values()))
    if isinstance(found, (tuple, list)):
        return sum(map(_bytes_of, found))
    size = getattr(found, "nbytes", 0)
    return size if isinstance(size, int) else 0


def as_read(fingerprint: str, settings: Settings) -> str:
    """The fingerprint of a metric whose pictures are read otherwise than by default."""
    words = settings.reading.describe()
    return blake3(f"{fingerprint}\n{words}".encode()).hexdigest() if words else fingerprint
