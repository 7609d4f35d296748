"""The generations of a result: columns, and rows of these from when the first one is asked for.

A result of 100,000 generations is mostly written to a file and summed up in a table. Objects for each of them would
take most of the time, and of the memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class PictureMask:
    """Where the subject is in a picture.

    Attributes:
        mask: the file of its mask, from where the job ran; None without one.
        box: x, y, width and height in pixels of the upright picture; None without one.
    """

    mask: str | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Image:
    """One generation.

    Attributes:
        path: below `inputs.generations`, with `/`.
        subject: whose.
        copy_of: the reference that it copies, or None.
        scores: by metric, the mean over the references, or the number itself of a metric that needs none; None
            where there is none.
        prompt, seed: None where the layout does not say.
        margins: by metric, the score minus the largest similarity to a distractor of the subject; None where it has
            none.
        labels: whatever else the layout or manifest says about it, by name: step, category, any further column.
        reasons: by metric why it has no score, such as `no face`.
        maps: by metric the picture of where it lost identity, below `inputs.maps`.
        mask: where the subject is; None without a mask, or where masks were not asked for.
        near_copy_of: by metric the reference that it nearly copies: see `SubjectScores.near_copies`.
        near_copy_similarity: by metric how alike the two are.
    """

    path: str
    subject: str
    copy_of: str | None
    scores: Mapping[str, float | None]
    prompt: str | None = None
    seed: str | None = None
    margins: Mapping[str, float] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, str] = field(default_factory=dict)
    mask: PictureMask | None = None
    near_copy_of: Mapping[str, str] = field(default_factory=dict)
    near_copy_similarity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageColumns:
    """What `Image` says of each of N generations, field by field.

    Attributes:
        path, subject: [N].
        scores: by metric, [N]; NaN where there is none.
        others: of each further field, in the order of `Image`, by the generations' places what is not the field's
            default (None of `copy_of`).
    """

    path: Sequence[str]
    subject: Sequence[str]
    scores: Mapping[str, npt.NDArray[np.float64]]
    others: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)

    def rows(self) -> Iterable[Image]:
        """Each of them."""
        known = {name: self.known_scores(name) for name in self.scores}
        for place, (path, subject) in enumerate(zip(self.path, self.subject, strict=True)):
            others = {name: own[place] for name, own in self.others.items() if place in own}
            copied = others.pop("copy_of", None)
            yield Image(path, subject, copied, {name: own[place] for name, own in known.items()}, **others)

    def column(self, name: str) -> list[Any]:
        """A field of each."""
        if name in ("path", "subject"):
            return list(getattr(self, name))
        if name == "scores":
            return [image.scores for image in self.rows()]
        default = Image.__dataclass_fields__[name].default_factory
        made: list[Any] = [None if default is dataclasses.MISSING else default() for _ in self.path]
        for place, value in self.others.get(name, {}).items():
            made[place] = value
        return made

    def known_scores(self, metric: str) -> list[float | None]:
        """The score of each by a metric; None where there is none."""
        return [None if math.isnan(score) else score for score in self.scores[metric].tolist()]


class Images(Sequence[Image]):
    """Generations, in all like a tuple of them; equal to one of the same.

    Args:
        given: their rows, or their columns, of which rows are made once when one is asked for.
    """

    item: ClassVar[type[Image]] = Image

    def __init__(self, given: Iterable[Image] | ImageColumns = ()) -> None:
        self.columns = given if isinstance(given, ImageColumns) else None
        """None where they came as rows."""
        if not isinstance(given, ImageColumns):
            self._rows = tuple(given)
        self._made: dict[Callable[[Images], Any], Any] = {}
        self._scores: dict[str, Sequence[float | None]] = {}

    @classmethod
    def of(cls, images: Iterable[Image]) -> Images:
        """These, whichever way they come."""
        return images if isinstance(images, Images) else cls(images)

    @cached_property
    def _rows(self) -> tuple[Image, ...]:
        assert self.columns is not None  # or there are rows
        return tuple(self.columns.rows())

    def column(self, name: str) -> list[Any]:
        """A field of each, without making rows for it."""
        if self.columns is not None:
            return self.columns.column(name)
        return [getattr(image, name) for image in self._rows]

    def scores(self, metric: str) -> Sequence[float | None]:
        """The score of each by a metric, likewise; None where there is none. Made once: a run is put beside many."""
        if metric not in self._scores:
            self._scores[metric] = (
                [image.scores[metric] for image in self._rows]
                if self.columns is None
                else self.columns.known_scores(metric)
            )
        return self._scores[metric]

    def once(self, make: Callable[[Images], Thing]) -> Thing:
        """What a function makes of them, which is made once: runs are matched with many others."""
        if make not in self._made:
            self._made[make] = make(self)
        found: Thing = self._made[make]
        return found

    @overload
    def __getitem__(self, place: int) -> Image: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Image, ...]: ...

    def __getitem__(self, place: int | slice) -> Image | tuple[Image, ...]:
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows) if self.columns is None else len(self.columns.path)

    def __iter__(self) -> Iterator[Image]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Images | tuple):
            return self._rows == tuple(other)
        return NotImplemented

    def __add__(self, other: Iterable[Image]) -> tuple[Image, ...]:
        return (*self._rows, *other)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.columns or self._rows,)

    def __repr__(self) -> str:
        return repr(self._rows)
