"""Pictures in data sets, whole or masked, as what the embedding pipeline and its cache take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nearid_cli.benchmarks.slots import PROTOCOL
from nearid_cli.embedding.cache import digest_bytes
from nearid_cli.embedding.settings import Settings, ahead, progress_bar
from nearid_cli.encoders.descriptors import PERCEPTUAL_HASH
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import BadImage
from nearid_cli.evaluate.embedding import Job
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.evaluate.kinds.embedding import OF_PAIRS
from nearid_cli.evaluate.kinds.measured import Likeness, Measured
from nearid_cli.images.reading import DEFAULT_READING, Masking, Reading
from nearid_cli.nearid_data import PictureColumns
from nearid_cli.options import Options
from nearid_cli.results import Metric
from nearid_cli.text import storable

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.images.decode import Decoded, Halve

# Part of the digest of a masked picture. Change the number when masks.py or images/masking.py changes pixels.
_MASKED = "masked by nearid bench, 1: "


@dataclass(frozen=True)
class _HeldColumns:
    """One cell of `PictureColumns`, as far as pictures ask for it."""

    called: str
    held: bytes | None

    def place(self, row: int, slot: int) -> str:
        return self.called

    def content(self, row: int, slot: int) -> bytes | None:
        return self.held


@dataclass(frozen=True)
class StoredPicture:
    """A picture in a data set, which is read when it is needed.

    Attributes:
        columns: where it is stored.
        row, slot: which of them.
        masks: where its mask is stored, in the same row and slot.
        keep: `none` for the whole picture, or what `masks.fitted` keeps.
    """

    columns: PictureColumns
    row: int
    slot: int
    masks: PictureColumns
    keep: str

    def for_travel(self) -> StoredPicture:
        """With its bytes, and without the data set; see `embedding.reading.Content`."""
        held: list[Any] = [  # which do for what is asked of them there
            _HeldColumns(columns.place(self.row, self.slot), columns.content(self.row, self.slot))
            for columns in (self.columns, self.masks)
        ]
        return replace(self, columns=held[0], masks=held[1])

    @property
    def name(self) -> str:
        """Data set, row and column."""
        return self.columns.place(self.row, self.slot)

    def digest(self) -> bytes:
        """BLAKE3 of the picture's bytes; of a masked one, of its bytes, what is kept, and the mask's bytes."""
        content = self._content(self.columns)
        if self.keep == "none":
            return digest_bytes(content)
        mask = self._content(self.masks)
        return digest_bytes(b"\0".join((content, f"{_MASKED}{self.keep}".encode(), mask)))

    def open(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING, halve: Halve | None = None
    ) -> Decoded:
        """Decode it to RGB, upright, and mask it; see `embedding.reading.Content`.

        Raises:
            UnreadableImage: the picture or its mask cannot be used.
        """
        from nearid_cli.images.masking import painted

        picture, mask = self._apart(max_pixels, reading, halve if self.keep == "none" else None)
        return picture if mask is None else replace(picture, image=painted(picture.image, mask, Masking()))

    def open_apart(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING
    ) -> tuple[Decoded, Image.Image | None]:
        """The whole picture, and its mask; see `embedding.reading.Content`."""
        return self._apart(max_pixels, reading, None)

    def _apart(
        self, max_pixels: int | None, reading: Reading, halve: Halve | None
    ) -> tuple[Decoded, Image.Image | None]:
        from nearid_cli.benchmarks.masks import fitted
        from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, decode, read_picture

        limit = max_pixels or MAX_PIXELS
        picture = read_picture(self._content(self.columns), limit, reading=reading, halve=halve)
        if self.keep == "none":
            return picture, None
        try:
            mask = decode(self._content(self.masks), limit)
        except UnreadableImage as error:
            place = self.masks.place(self.row, self.slot)
            raise UnreadableImage(f"its mask ({place}): {error.reason}") from error
        return picture, fitted(mask, picture.image.size, self.keep)

    def _content(self, columns: PictureColumns) -> bytes:
        content = columns.content(self.row, self.slot)
        if content is None:
            raise ValueError(f"no picture in {columns.place(self.row, self.slot)}")
        return content


@dataclass(frozen=True)
class Compared:
    """How alike pictures are by several metrics.

    Attributes:
        likeness: for each metric, of pictures by their places.
        places: of each picture that can be used; pictures of the same bytes share one.
        bad: the pictures that cannot be used, in the order given.
    """

    likeness: Mapping[str, Likeness]
    places: Mapping[StoredPicture, int]
    bad: Mapping[StoredPicture, BadImage]


def find_metrics(requests: Sequence[MetricRequest], options: Options) -> list[Measured]:
    """The metrics, which must be able to compare pictures.

    Raises:
        UsageError: one of them is not.
        NearIDError: wrong options, missing checkpoints, an unusable cache.
    """
    metrics = measured(requests, Job(options))
    for metric in metrics:
        metric.describe(of_pairs=True)
    return metrics


def describe(metric: Measured) -> Metric:
    """What makes the similarities of a metric."""
    said = metric.describe(of_pairs=True)
    if metric.encoders:
        return replace(said, protocol=said.protocol.replace(OF_PAIRS, PROTOCOL))
    turned = [] if said.symmetric else ["mean of both directions"]
    negated = [] if said.higher_is_better else ["negated"]
    return replace(said, protocol="; ".join([said.protocol, *turned, *negated]))


def compare_pictures(
    pictures: Sequence[StoredPicture], requests: Sequence[MetricRequest], options: Options
) -> Compared:
    """Compare pictures by each metric, through the cache.

    Raises:
        NearIDError: the metrics or options cannot be used.
    """
    digests = _digests(pictures, Settings(workers=options.workers, progress=options.progress))
    # The first of each kind: of pictures that are equal, one is decoded.
    contents = dict(reversed(list(zip(digests, pictures, strict=True))))
    job = Job(options)
    metrics = measured(requests, job)
    # The hash opens every picture, so that it is known which can be used, whatever the metrics do.
    encoders = [spec for metric in metrics for spec in metric.encoders] or [job.as_read(PERCEPTUAL_HASH)]
    rows, bad = job.embed_contents(contents, encoders)
    good = [digest for digest in contents if digest not in bad]
    places = {digest: place for place, digest in enumerate(good)}
    identified = list(zip(pictures, digests, strict=True))
    return Compared(
        {metric.name: metric.likeness(good, rows, contents) for metric in metrics if good},
        {picture: places[digest] for picture, digest in identified if digest in places},
        {
            picture: BadImage(storable(picture.name), bad[digest])
            for picture, digest in identified
            if digest in bad
        },
    )


def _digests(pictures: Sequence[StoredPicture], settings: Settings) -> list[bytes]:
    """The digest of each picture; reads them all, and keeps none in memory."""
    found = []
    with (
        ThreadPoolExecutor(settings.threads) as pool,
        progress_bar(settings, len(pictures), "reading") as bar,
    ):
        jobs = ((picture, picture) for picture in pictures)
        for _, digest in ahead(pool, jobs, StoredPicture.digest, window=4 * settings.threads):
            found.append(digest)
            bar.update()
    return found
