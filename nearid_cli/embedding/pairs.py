"""The numbers of pairs, by metrics that compare a generation with a reference or a prompt, through the cache.

    look up     the numbers that the cache has for these pairs
    load        the metric, if some are missing
    features    of each picture (and prompt) once, as long as memory or disk holds them
    compare     pair by pair; every number is kept as soon as it is there

On disk a number is known by the digests of both and the fingerprint of the metric. Features, where the metric says that
they are worth it, are one Parquet part a picture; they may take `FEATURES_BYTES`, of which the oldest go first.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from nearid_cli.activity import doing
from nearid_cli.embedding import FEATURES, PAIRS
from nearid_cli.embedding.cache import Cache, metadata_of
from nearid_cli.embedding.reading import Content
from nearid_cli.embedding.settings import Settings, progress_bar
from nearid_cli.encoders.plugged import class_of, plugin_failure, plugin_fingerprint
from nearid_cli.errors import ModelError, NearIDError
from nearid_cli.files import digest_file
from nearid_cli.plugins import AnyMetric, NoScore, PairwiseMetric, TextMetric
from nearid_cli.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from nearid_cli.embedding.parts import PartFolder

Pair = tuple[bytes, bytes]
"""The digests of a reference, or a prompt, and of a generation."""
Number = float | NoScore
"""The number of a pair, or why there is none."""

FEATURES_BYTES = 4 * 2**30
"""What the features of all metrics may take on disk together."""

_HELD_BYTES = 2**30  # of features in memory
_HELD = 256  # features in memory, of which nobody knows the size
_TRIM_EVERY = 50  # features, so that a long run keeps the bound, too
_FLUSH_NUMBERS, _FLUSH_SECONDS = 1024, 5.0
_ROUNDING = 1e-6  # a number may be so far outside its range, and is put at its end
_PROMPT = "nearid-cli 2026 a prompt 1"


def digest_prompt(prompt: str) -> bytes:
    """What a prompt is known by, 32 bytes; in BLAKE3's key derivation mode, so that no picture has it."""
    return blake3(prompt.encode("utf-8", "surrogatepass"), derive_key_context=_PROMPT).digest()


class Comparing:
    """A metric that gives numbers of pairs, with the cache.

    Args:
        name: of the metric in this run.
        metric: made, not loaded.
        cache: None to neither read nor keep anything.
        settings: device, how pictures are read, progress.
    """

    def __init__(
        self, name: str, metric: PairwiseMetric | TextMetric, cache: Cache | None, settings: Settings
    ) -> None:
        self.name, self.metric = name, metric
        hash_file = cache.memo.digest_file if cache else digest_file
        self.fingerprint = _as_read(plugin_fingerprint(name, metric, metric.settings, hash_file), settings)
        self._cache = cache
        self._settings = settings
        self._known: dict[Pair, Number] = {}
        self._features = _Features(self, cache, settings)
        self._loaded = False

    def numbers(
        self, pairs: Sequence[Pair], contents: Mapping[bytes, Content], prompts: Mapping[bytes, str] = {}
    ) -> dict[Pair, Number]:
        """The numbers of pairs, each computed once and kept.

        Args:
            pairs: without repeats; neighbours that share a picture share its features most surely.
            contents: the pictures by digest.
            prompts: by digest; of a metric that compares with prompts.

        Raises:
            ModelError: the metric cannot be loaded, fails, or gives what is no number of its range. Numbers that came
                before are kept.
        """
        with doing("looking up what is cached"):
            self._look_up([pair for pair in pairs if pair not in self._known])
        missing = [pair for pair in pairs if pair not in self._known]
        known = [self._known[pair] for pair in pairs if pair in self._known]
        names = [(prompts[a] if a in prompts else contents[a].name, contents[b].name) for a, b in missing]
        self._guarded("begin", lambda: self.metric.begin(known, names))
        if missing:
            self._compare(missing, contents, prompts)
        return {pair: self._known[pair] for pair in pairs}

    def map(self, pair: Pair, contents: Mapping[bytes, Content]) -> npt.NDArray[np.float32] | None:
        """Where in the generation of a pair identity was lost, as `PairwiseMetric.map` says.

        Raises:
            ModelError: the metric cannot be loaded, fails, or gives what is no map.
        """
        metric = self.metric
        assert isinstance(metric, PairwiseMetric)
        self._load()
        first, second = (self._features.of(digest, contents[digest]) for digest in pair)
        given = self._guarded("map", lambda: metric.map(first, second))
        if given is None:
            return None
        found = np.asarray(given)
        if found.dtype.kind not in "fiub" or found.ndim != 2 or not found.size or _outside(found):
            raise ModelError(
                f"{self._says} gave as a map {type(given).__name__} of {found.dtype}, shape {list(found.shape)}; "
                "expected numbers from 0 to 1, or NaN, of shape [height, width]"
            )
        return found.astype(np.float32)

    def _look_up(self, pairs: Sequence[Pair]) -> None:
        if self._cache is None or not pairs:
            return
        wanted = {b"".join(pair): pair for pair in pairs}
        for table in self._cache.parts(PAIRS, self.fingerprint).tables(wanted.keys()):
            columns = [table.column(name).to_pylist() for name in ("key", "number", "reason")]
            for key, number, reason in zip(*columns, strict=True):
                if key in wanted:
                    self._known[wanted[key]] = NoScore(reason) if number is None else number

    def _load(self) -> None:
        if self._loaded:
            return
        with doing(f"loading {self.name}"):
            self._guarded("load", lambda: self.metric.load(self._settings.device))
        self._loaded = True

    def _compare(
        self, pairs: Sequence[Pair], contents: Mapping[bytes, Content], prompts: Mapping[bytes, str]
    ) -> None:
        self._load()
        done = iter(pairs)
        unwritten: dict[Pair, Number] = {}
        written = time.monotonic()

        def features() -> Iterator[tuple[Any, Any]]:
            for first, second in pairs:
                yield (
                    self._features.of_prompt(first, prompts[first])
                    if first in prompts
                    else self._features.of(first, contents[first]),
                    self._features.of(second, contents[second]),
                )

        try:
            with progress_bar(self._settings, len(pairs), self.name, unit="pair") as bar:
                numbers = self._guarded("scores", lambda: self.metric.scores(features()))
                while True:
                    found = self._guarded("scores", lambda: next(numbers, _END))
                    pair = next(done, None)
                    if pair is None and found is _END:
                        break
                    if pair is None or found is _END:
                        raise ModelError(
                            f"{self._says} gave {'fewer' if found is _END else 'more'} numbers than the "
                            f"{len(pairs):,} pairs that it was given"
                        )
                    number = self._checked(found, pair, contents, prompts)
                    self._known[pair] = number
                    if isinstance(number, float) or number.lasting:
                        unwritten[pair] = number
                    bar.set_postfix_str(self._guarded("spent", lambda: self.metric.spent), refresh=False)
                    bar.update()
                    if len(unwritten) >= _FLUSH_NUMBERS or time.monotonic() - written > _FLUSH_SECONDS:
                        self._write(unwritten)
                        unwritten, written = {}, time.monotonic()
        finally:
            self._write(unwritten)
            self._features.trim()
        if self._cache is not None:
            with doing("tidying the cache"), suppress(OSError):
                self._cache.parts(PAIRS, self.fingerprint).compact()

    def _checked(
        self, found: Any, pair: Pair, contents: Mapping[bytes, Content], prompts: Mapping[bytes, str]
    ) -> Number:
        """What a metric gave, as a number of its range."""
        if found is None:
            return NoScore("the metric gave no number")
        if isinstance(found, NoScore):
            return found
        low, high = (
            math.copysign(math.inf, sign) if end is None else end
            for end, sign in zip(self.metric.range, (-1, 1), strict=True)
        )
        try:
            number = float(found)
        except (TypeError, ValueError):
            number = math.nan
        if not low - _ROUNDING <= number <= high + _ROUNDING:
            first = prompts.get(pair[0]) or contents[pair[0]].name
            raise ModelError(
                f"{self._says} gave {printable(repr(found))[:80]} for {printable(first)} and "
                f"{printable(contents[pair[1]].name)}; expected a number from {low:g} to {high:g}, or NoScore"
            )
        return min(max(number, low), high)

    def _write(self, numbers: Mapping[Pair, Number]) -> None:
        import pyarrow as pa

        if self._cache is None or not numbers:
            return
        about = {"metric": self.name, "checkpoint": self.metric.checkpoint, "dtype": self.metric.dtype}
        schema = pa.schema(
            [("key", pa.binary(64)), ("number", pa.float64()), ("reason", pa.string())],
            metadata=metadata_of(about),
        )
        values = [None if isinstance(one, NoScore) else one for one in numbers.values()]
        reasons = [one.reason if isinstance(one, NoScore) else None for one in numbers.values()]
        columns = [[b"".join(pair) for pair in numbers], values, reasons]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        self._cache.mark()
        self._cache.parts(PAIRS, self.fingerprint).write(pa.Table.from_arrays(arrays, schema=schema))

    @property
    def _says(self) -> str:
        return f'metric "{printable(self.name)}"'

    def _guarded(self, step: str, call: Callable[[], Any]) -> Any:
        """Run other people's code, whose exceptions are one line."""
        try:
            return call()
        except NearIDError:
            raise
        except Exception as error:
            raise plugin_failure(self.name, self.metric, step, error) from error


_END = object()


def _outside(grid: npt.NDArray[Any]) -> bool:
    """Whether some number is neither from 0 to 1 nor NaN."""
    values = grid[~np.isnan(grid)]
    return bool(((values < 0) | (values > 1)).any())


class _Features:
    """Features by digest: the last ones in memory, and on disk where the metric keeps them."""

    def __init__(self, owner: Comparing, cache: Cache | None, settings: Settings) -> None:
        self._metric: AnyMetric = owner.metric
        self._name = owner.name
        self._settings = settings
        self._held: OrderedDict[bytes, Any] = OrderedDict()
        self._bytes = self._kept = 0
        self._cache = cache
        self._parts: PartFolder | None = None
        self._paths: dict[bytes, Path] | None = None
        if cache is not None and isinstance(owner.metric, PairwiseMetric) and owner.metric.keeps_features:
            known_by = (
                owner.metric.features_version and f"{class_of(owner.metric)} {owner.metric.features_version}"
            )
            own = blake3(known_by.encode()).hexdigest() if known_by else None
            self._parts = cache.parts(FEATURES, _as_read(own, settings) if own else owner.fingerprint)

    def of_prompt(self, digest: bytes, prompt: str) -> Any:
        metric = self._metric
        assert isinstance(metric, TextMetric)
        return self._hold(digest, lambda: metric.text(prompt))

    def of(self, digest: bytes, content: Content) -> Any:
        def find() -> Any:
            found = self._stored(digest)
            return self._made(digest, content) if found is None else found

        return self._hold(digest, find)

    def _hold(self, digest: bytes, make: Callable[[], Any]) -> Any:
        if digest in self._held:
            self._held.move_to_end(digest)
            return self._held[digest]
        found = self._held[digest] = make()
        self._bytes += getattr(found, "nbytes", 0)
        # The two of the pair at hand stay, however large they are.
        while len(self._held) > 2 and (len(self._held) > _HELD or self._bytes > _HELD_BYTES):
            _, old = self._held.popitem(last=False)
            self._bytes -= getattr(old, "nbytes", 0)
        return found

    def _made(self, digest: bytes, content: Content) -> Any:
        from nearid_cli.images.decode import UnreadableImage

        metric = self._metric
        how = self._settings.max_pixels, self._settings.reading
        try:
            if isinstance(metric, PairwiseMetric) and metric.takes_masks:
                whole, mask = content.open_apart(*how)
                found = metric.features(whole.image, mask)
            else:
                assert isinstance(metric, PairwiseMetric | TextMetric)
                found = metric.features(content.open(*how).image)
        except UnreadableImage as error:
            raise ModelError(f"{printable(content.name)} cannot be read any more: {error.reason}") from error
        if self._parts is not None:
            found = np.ascontiguousarray(found, np.float32)
            self._keep(digest, found)
        return found

    def _stored(self, digest: bytes) -> npt.NDArray[np.float32] | None:
        """The features on disk, where they are there; looks once at what is there."""
        import pyarrow.parquet as pq

        if self._parts is None:
            return None
        if self._paths is None:
            self._paths = {}
            for path in self._parts.paths():
                with suppress(OSError, ValueError):
                    found = pq.ParquetFile(path).read(["digest"], use_threads=False).column(0)
                    self._paths[found[0].as_py()] = path
        if digest not in self._paths:
            return None
        with suppress(FileNotFoundError):  # swept for room by another process
            table = self._parts.read(self._paths[digest])
            if table is not None:
                shape, values = table.column("shape")[0].as_py(), table.column("values")[0].as_buffer()
                return np.frombuffer(values, np.float32).reshape(shape)
        del self._paths[digest]
        return None

    def _keep(self, digest: bytes, features: npt.NDArray[np.float32]) -> None:
        import pyarrow as pa

        assert self._cache is not None
        assert self._parts is not None
        about = {"metric": self._name, "checkpoint": self._metric.checkpoint, "dtype": self._metric.dtype}
        fields = [("digest", pa.binary(32)), ("shape", pa.list_(pa.int32())), ("values", pa.large_binary())]
        schema = pa.schema(fields, metadata=metadata_of(about))
        row = [[digest], [list(features.shape)], [features.tobytes()]]
        arrays = [pa.array(value, field.type) for value, field in zip(row, schema, strict=True)]
        self._cache.mark()
        self._parts.write(pa.Table.from_arrays(arrays, schema=schema))
        self._kept += 1
        if self._kept % _TRIM_EVERY == 0:
            self.trim()

    def trim(self) -> None:
        """Delete the oldest features of all metrics where they take too much room."""
        if self._cache is None or self._parts is None:
            return
        sizes = []
        for path in self._parts.folder.parent.glob("*/*.parquet"):
            with suppress(OSError):
                status = path.stat()
                sizes.append((status.st_mtime_ns, status.st_size, path))
        room = sum(size for _, size, _ in sizes) - FEATURES_BYTES
        for _, size, path in sorted(sizes):
            if room <= 0:
                break
            with suppress(OSError):
                path.unlink()
                room -= size


def _as_read(fingerprint: str, settings: Settings) -> str:
    """The fingerprint of a metric whose pictures are read otherwise than by default."""
    words = settings.reading.describe()
    return blake3(f"{fingerprint}\n{words}".encode()).hexdigest() if words else fingerprint
