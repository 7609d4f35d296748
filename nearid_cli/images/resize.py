"""Pillow's resize, to the bit, in a third of the time.

Pillow resizes bytes in two passes, along rows and along columns. Every level is a sum of levels times whole numbers,
which are weights in units of 2**-22, rounded once a pass. Whole numbers have one sum in whatever order, so vector
instructions may make it: loops compiled by Numba (extra `[exact]`). The weights are read out of Pillow itself. Which
pass comes first differs by sizes and by Pillow's version, so both orders are tried on noise, and the one that gives
Pillow's bytes is taken for pictures of these sizes. Nothing but the time depends on it.

Compiling takes 1.6 s of the processor, and 130 MB. It is done in a thread beside the work, once that is worth it. Until
then Pillow resizes, as it does wherever no way gives its bytes.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import math
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from nearid_cli.images.free import free_memory, process_limits
from nearid_cli.text import said

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    Integers = npt.NDArray[np.signedinteger[Any]]
    Levels = npt.NDArray[np.uint8]
    Pixels = npt.NDArray[np.uint32]

logger = logging.getLogger(__name__)

_BITS = 22
"""Of a weight, behind the point: Pillow's, so that 255 times all weights of a level fit into 32 bits."""

_FARTHEST = 3
"""Pixels, of the larger kind: as far from its place as the filters of our preprocessings take a level from."""

_STRIP = 512
"""Rows that are turned at a time. Pixels of 1,024 rows, one after the other, would evict each other from the cache."""

_TILE = 8
"""Pixels that are turned at a time."""

_WORTH = 2**29
"""Pixels in a process of which compiled loops would have saved about the time that compiling takes."""

_ROOM = 2**30
"""Bytes that must be free: a compiler that gets no memory ends the process, or never ends."""

_OFTEN = 8
"""Pictures of the same sizes before their way is tried, which takes as long as resizing several."""

_TELLING = 16
"""Width and height of a result from which on noise tells what is the same from what is nearly the same."""

_REMEMBERED = 10_000

_WAYS = 1_000
"""Ways that are kept, of some 50 kB each."""

_COMB = 2**24
"""Pixels by which weights are read at most, of four bytes each: long pictures that become tiny would take gigabytes."""


class _Sizes(NamedTuple):
    """A resize: width and height before and after, and the filter."""

    before: tuple[int, int]
    after: tuple[int, int]
    resample: int


class _Weights(NamedTuple):
    """How pixels become fewer along an axis: of each of these, where its sum begins [few], and its weights [few, K]."""

    begins: Integers
    weights: Integers


class _Loops(NamedTuple):
    """`_turn` and `_weigh`, compiled."""

    turn: Callable[[Pixels, Pixels], None]
    weigh: Callable[[Levels, Integers, Integers, Levels], None]


class _Way(NamedTuple):
    """How a resize is done as Pillow does it, along rows and along columns."""

    loops: _Loops
    along: _Weights
    down: _Weights
    down_first: bool

    def made(self, pixels: Pixels) -> Image.Image:
        """The RGB picture that becomes of pixels [H, W]."""
        from PIL import Image

        for down in (self.down_first, not self.down_first):
            pixels = self._down(pixels) if down else self._along(pixels)
        height, width = pixels.shape
        return Image.frombytes("RGB", (width, height), pixels.data, "raw", "RGBX")

    def _down(self, pixels: Pixels) -> Pixels:
        fewer = np.empty((len(self.down.begins), pixels.shape[1]), np.uint32)
        self.loops.weigh(pixels.view(np.uint8), *self.down, fewer.view(np.uint8))
        return fewer

    def _along(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape
        fewer = np.empty((height, len(self.along.begins)), np.uint32)
        # Pixels of one column lie side by side in what is turned, so that here, too, rows are added to rows.
        strip = min(_STRIP, height)
        turned = np.empty((width, strip), np.uint32)
        summed = np.empty((fewer.shape[1], strip), np.uint32)
        for start in range(0, height, strip):
            top = min(start, height - strip)
            self.loops.turn(pixels[top : top + strip], turned)
            self.loops.weigh(turned.view(np.uint8), *self.along, summed.view(np.uint8))
            self.loops.turn(summed, fewer[top : top + strip])
        return fewer


class Resizer:
    """Makes pictures smaller as Pillow does, by Pillow or by what was compiled. Threads may share it."""

    def __init__(self) -> None:
        self._resized = 0  # pixels; a count that two threads raise at once may come out a picture short
        self._begun = threading.Lock()
        self._loops: _Loops | None = None
        self._seen: Counter[_Sizes] = Counter()
        self._ways: dict[_Sizes, _Way | None] = {}

    def resized(self, image: Image.Image, size: tuple[int, int], resample: int) -> Image.Image:
        """A picture as one of width and height `size`: what `image.resize(size, resample)` returns.

        >>> from PIL import Image
        >>> Resizer().resized(Image.new("RGB", (8, 8), "red"), (2, 4), Image.Resampling.BILINEAR).getpixel((1, 3))
        (255, 0, 0)
        """
        # Enlarging is not where time goes, and what lies between both passes is no larger than the picture so.
        smaller = all(_TELLING <= few <= many for few, many in zip(size, image.size, strict=True))
        if image.mode == "RGB" and smaller and image.size != size:
            if self._loops is None:
                self._count(image.width * image.height)
            elif (pixels := _pixels(image)) is not None:
                way = self._way(_Sizes(image.size, size, resample), self._loops)
                if way is not None:
                    return way.made(pixels)
        return image.resize(size, cast("Image.Resampling", resample))

    def compile(self) -> None:
        """Have what is resized from now on done by compiled loops, if they can be had and do as Pillow does."""
        try:
            loops = _compiled()
            works = _tried(_Sizes((83, 131), (31, 29), 2), loops) is not None
        except Exception as error:  # whatever a compiler says on a machine that nobody has seen
            problem = said(error)[:200]
        else:
            problem = "" if works else "this Pillow keeps or resizes pictures in another way"
        if problem:
            logger.warning(
                "Numba is not used to resize pictures, which takes longer and gives the same: %s", problem
            )
        else:
            self._loops = loops

    def _count(self, pixels: int) -> None:
        self._resized += pixels
        if (
            self._resized >= _WORTH
            and self._begun.acquire(blocking=False)  # never given back: once in a process
            and importlib.util.find_spec("numba")
            and free_memory() >= _ROOM
            and not any(process_limits())  # of which it is not known how much is left
        ):
            threading.Thread(target=self.compile, name="compile", daemon=True).start()

    def _way(self, sizes: _Sizes, loops: _Loops) -> _Way | None:
        """How to resize so, once it was often wanted; None where that is left to Pillow."""
        ways = self._ways
        if sizes in ways:
            return ways[sizes]
        self._seen[sizes] += 1
        if self._seen[sizes] < _OFTEN:
            if len(self._seen) > _REMEMBERED:
                self._seen.clear()
            return None
        if len(ways) >= _WAYS:
            self._ways = {}  # and not cleared: another thread may just look into the old one
        self._ways[sizes] = way = _tried(sizes, loops)
        return way


RESIZER = Resizer()
"""The one of this process."""


def _pixels(image: Image.Image) -> Pixels | None:
    """The memory of an RGB picture [H, W], four bytes a pixel; None where it is in several pieces, as beyond 16 MiB.

    None, too, where Pillow is told to align rows (`PILLOW_ALIGNMENT`): until version 13 it hands them out as if they
    were not.
    """
    import pyarrow as pa
    from PIL import _imaging

    if _imaging.get_alignment() != 1:
        return None
    try:
        column = pa.array(image)
    except ValueError:
        return None
    return np.frombuffer(column.values.buffers()[1], np.uint32).reshape(image.height, image.width)


def _tried(sizes: _Sizes, loops: _Loops) -> _Way | None:
    """The way that makes of noise what Pillow makes; None if none does, or if noise does not tell which."""
    from PIL import Image

    (width, height), (few_columns, few_rows), resample = sizes
    if any(many * _period(many, few) > _COMB for many, few in ((width, few_columns), (height, few_rows))):
        return None
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    pixels = _pixels(noise)
    if pixels is None:
        return None
    wanted = noise.resize(sizes.after, cast("Image.Resampling", resample))
    along, down = _weights(width, few_columns, resample), _weights(height, few_rows, resample)
    ways = [
        way
        for way in (_Way(loops, along, down, down_first) for down_first in (False, True))
        if way.made(pixels).tobytes() == wanted.tobytes()
    ]
    same = width == few_columns or height == few_rows  # whichever pass is first, when one changes nothing
    return ways[0] if len(ways) == 1 or (ways and same) else None


@functools.lru_cache(64)
def _weights(many: int, few: int, resample: int) -> _Weights:
    """Pillow's own weights of so many pixels that become so few, or as many.

    Of whole numbers of 32 bits Pillow makes the same sums by weights that are not rounded, and rounds these sums. Where
    one pixel is 2**22 and all others within reach are 0, that is the weight of this one as it is for bytes.
    """
    from PIL import Image

    scale, period = many / few, _period(many, few)
    # Row by row another pixel of each period: no sum reaches two of one row.
    comb = (np.arange(many) % period == np.arange(period)[:, None]).astype(np.int32) << _BITS
    smaller = Image.fromarray(comb).resize((few, period), cast("Image.Resampling", resample))
    of_period = np.asarray(smaller).T
    places = ((np.arange(few) + 0.5) * scale).astype(np.int64)[:, None] + np.arange(period) - period // 2
    taken = np.take_along_axis(of_period, places % period, axis=1) != 0
    first = places[np.arange(few), taken.argmax(axis=1)]
    last = places[np.arange(few), period - 1 - taken[:, ::-1].argmax(axis=1)]
    taps = min(int((last - first).max()) + 1, many)
    begins = np.clip(first, 0, many - taps)
    weights = np.take_along_axis(of_period, (begins[:, None] + np.arange(taps)) % period, axis=1)
    return _Weights(begins, np.ascontiguousarray(weights))


def _period(many: int, few: int) -> int:
    """From one pixel to the next that no sum has in common with it."""
    return 2 * math.ceil(_FARTHEST * many / few) + 2


def _compiled() -> _Loops:
    """Both loops as code for this processor, beside which other threads run."""
    from numba import config, njit, types

    if config.DISABLE_JIT:  # under which the loops would be run as they are written, a thousand times slower
        raise RuntimeError("NUMBA_DISABLE_JIT is set")
    rows, bytes_ = (types.Array(kind, 2, "C", readonly=True) for kind in (types.uint32, types.uint8))
    turn = njit(types.void(rows, types.uint32[:, ::1]), nogil=True)
    weigh = njit(types.void(bytes_, types.int64[::1], types.int32[:, ::1], types.uint8[:, ::1]), nogil=True)
    return _Loops(turn(_turn), weigh(_weigh))


def _turn(pixels: Pixels, turned: Pixels) -> None:
    """Rows as columns, tile by tile; the last ones overlap those before them, so that each is a whole one."""
    rows, columns = pixels.shape
    for upper in range(0, rows, _TILE):
        top = min(upper, rows - _TILE)
        for first in range(0, columns, _TILE):
            left = min(first, columns - _TILE)
            for row in range(_TILE):
                for column in range(_TILE):
                    turned[left + column, top + row] = pixels[top + row, left + column]


def _weigh(rows: Levels, begins: Integers, weights: Integers, fewer: Levels) -> None:
    """Each row of `fewer` as a weighted sum of rows, rounded as Pillow rounds."""
    sums = np.empty(rows.shape[1], np.int32)
    for one in range(len(begins)):
        sums[:] = 1 << (_BITS - 1)
        for tap in range(weights.shape[1]):
            weight, row = weights[one, tap], rows[begins[one] + tap]
            for place in range(len(sums)):
                sums[place] += np.int32(row[place]) * weight
        for place in range(len(sums)):
            fewer[one, place] = min(max(sums[place] >> _BITS, 0), 255)
