"""The numbers of pairs, by metrics that compare a generation with a reference or a prompt, through the cache.

    look up     the numbers that the cache has for these pairs
    load        the metric, if some are missing
    features    of each picture (and prompt) once, as long as memory or disk holds them
    compare     pair by pair; every number is kept as soon as it is there

On disk a number is known by the digests of both and the fingerprint of the metric.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from nearid_cli.activity import doing
from nearid_cli.embedding import PAIRS
from nearid_cli.embedding.cache import Cache, metadata_of
from nearid_cli.embedding.features import HELD, Features, as_read
from nearid_cli.embedding.reading import Content
from nearid_cli.embedding.settings import Settings, progress_bar
from nearid_cli.encoders.plugged import ask, plugin_fingerprint
from nearid_cli.errors import ModelError
from nearid_cli.files import digest_file
from nearid_cli.plugins import NoScore, PairwiseMetric, TextMetric
from nearid_cli.results.base import LARGEST
from nearid_cli.text import printable

if TYPE_CHECKING:
    import numpy.typing as npt


Pair = tuple[bytes, bytes]
"""The digests of a reference, or a prompt, and of a generation."""
Number = float | NoScore
"""The number of a pair, or why there is none."""

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
        self.fingerprint = as_read(plugin_fingerprint(name, metric, metric.settings, hash_file), settings)
        self._cache = cache
        self._settings = settings
        self._known: dict[Pair, Number] = {}  # by `key`
        self._limits = tuple(
            sign * LARGEST if end is None else end for end, sign in zip(metric.range, (-1, 1), strict=True)
        )
        self._features = Features(name, metric, self.fingerprint, cache, settings)
        self._loaded = False

    def key(self, pair: Pair) -> Pair:
        """What the number of a pair is known by: one of a symmetric metric's two directions stands for both."""
        symmetric = isinstance(self.metric, PairwiseMetric) and self.metric.symmetric
        return min(pair, pair[::-1]) if symmetric else pair

    def numbers(
        self, pairs: Sequence[Pair], contents: Mapping[bytes, Content], prompts: Mapping[bytes, str] = {}
    ) -> dict[Pair, Number]:
        """The numbers of pairs, each computed once and kept.

        Args:
            pairs: without repeats, by `key`.
            contents: the pictures by digest.
            prompts: by digest; of a metric that compares with prompts.

        Raises:
            ModelError: the metric cannot be loaded, fails, or gives what is no number of its range. Numbers that came
                before are kept.
        """
        keys = [self.key(pair) for pair in pairs]
        with doing("looking up what is cached"):
            self._look_up([key for key in keys if key not in self._known])
        missing = in_blocks(
            [pair for pair, key in zip(pairs, keys, strict=True) if key not in self._known], HELD // 2
        )
        known = [self._known[key] for key in keys if key in self._known]
        names = [(prompts[a] if a in prompts else contents[a].name, contents[b].name) for a, b in missing]
        self._ask("begin", lambda: self.metric.begin(known, names))
        if missing:
            self._compare(missing, contents, prompts)
        return {pair: self._known[key] for pair, key in zip(pairs, keys, strict=True)}

    def map(self, pair: Pair, contents: Mapping[bytes, Content]) -> npt.NDArray[np.float32] | None:
        """Where in the generation of a pair identity was lost, as `PairwiseMetric.map` says.

        Raises:
            ModelError: the metric cannot be loaded, fails, or gives what is no map.
        """
        metric = self.metric
        assert isinstance(metric, PairwiseMetric)
        self._load()
        first, second = (self._features.of(digest, contents[digest]) for digest in pair)
        given = self._ask("map", lambda: metric.map(first, second))
        if given is None:
            return None
        found = np.asarray(given)
        if found.dtype.kind not in "fiub" or found.ndim != 2 or not found.size or _outside(found):
            raise ModelError(
                f"{self._says} gave as a map {type(given).__name__} of {found.dtype}, shape {list(found.shape)}; "
                "expected numbers from 0 to 1, or NaN, of shape [height, width]"
            )
        return found.astype(np.float32)

    def _look_up(self, keys: Sequence[Pair]) -> None:
        """Learn what is cached; a number outside the range is of a metric that says another one now, and none."""
        if self._cache is None or not keys:
            return
        low, high = self._limits
        wanted = {b"".join(key): key for key in keys}
        parts = self._cache.parts(PAIRS, self.fingerprint)
        with self._cache.caution.reading(parts.inside):
            for table in parts.tables(wanted.keys()):
                columns = [table.column(name).to_pylist() for name in ("key", "number", "reason")]
                for key, number, reason in zip(*columns, strict=True):
                    if key in wanted and (number is None or low <= number <= high):
                        self._known[wanted[key]] = NoScore(reason) if number is None else number

    def _load(self) -> None:
        if self._loaded:
            return
        with doing(f"loading {self.name}"):
            self._ask("load", lambda: self.metric.load(self._settings.device))
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
                numbers = self._ask("scores", lambda: iter(self.metric.scores(features())))
                while True:
                    found = self._ask("scores", lambda: next(numbers, _END))
                    pair = next(done, None)
                    if pair is None and found is _END:
                        break
                    if pair is None or found is _END:
                        raise ModelError(
                            f"{self._says} gave {'fewer' if found is _END else 'more'} numbers than the "
                            f"{len(pairs):,} pairs that it was given"
                        )
                    number = self._checked(found, pair, contents, prompts)
                    self._known[self.key(pair)] = number
                    if isinstance(number, float) or number.lasting:
                        unwritten[self.key(pair)] = number
                    bar.set_postfix_str(self._ask("spent", lambda: self.metric.spent), refresh=False)
                    bar.update()
                    if len(unwritten) >= _FLUSH_NUMBERS or time.monotonic() - written > _FLUSH_SECONDS:
                        self._write(unwritten)
                        unwritten, written = {}, time.monotonic()
        finally:
            self._write(unwritten)
            self._features.trim()
        if self._cache is not None:
            self._cache.tidy()

    def _checked(
        self, found: Any, pair: Pair, contents: Mapping[bytes, Content], prompts: Mapping[bytes, str]
    ) -> Number:
        """What a metric gave, as a number of its range."""
        if found is None:
            return NoScore("the metric gave no number")
        if isinstance(found, NoScore):
            return found
        low, high = self._limits
        try:
            number = math.nan if isinstance(found, (str, bytes)) else float(found)
        except Exception:  # an array may raise anything
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

        def table() -> pa.Table:
            schema = pa.schema(
                [("key", pa.binary(64)), ("number", pa.float64()), ("reason", pa.string())],
                metadata=metadata_of(about),
            )
            values = [None if isinstance(one, NoScore) else one for one in numbers.values()]
            reasons = [one.reason if isinstance(one, NoScore) else None for one in numbers.values()]
            columns = [[b"".join(key) for key in numbers], values, reasons]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            return pa.Table.from_arrays(arrays, schema=schema)

        self._cache.mark()
        self._cache.parts(PAIRS, self.fingerprint).write(table)

    @property
    def _says(self) -> str:
        return f'metric "{printable(self.name)}"'

    def _ask(self, step: str, call: Callable[[], Any]) -> Any:
        return ask(self.name, self.metric, step, call)


_END = object()


def in_blocks(pairs: Sequence[Pair], size: int) -> list[Pair]:
    """Pairs in an order in which features are made seldom: so many pictures with so many others, then the next.

    Within a block, and where there are no more pictures, the order stays.

    >>> in_blocks([(b"a", b"x"), (b"b", b"x"), (b"c", b"x"), (b"a", b"y")], 2)
    [(b'a', b'x'), (b'b', b'x'), (b'a', b'y'), (b'c', b'x')]
    """
    first = {digest: place for place, digest in enumerate(dict.fromkeys(a for a, _ in pairs))}
    second = {digest: place for place, digest in enumerate(dict.fromkeys(b for _, b in pairs))}
    return sorted(pairs, key=lambda pair: (first[pair[0]] // size, second[pair[1]] // size))


def _outside(grid: npt.NDArray[Any]) -> bool:
    """Whether some number is neither from 0 to 1 nor NaN."""
    values = grid[~np.isnan(grid)]
    return bool(((values < 0) | (values > 1)).any())
