"""Which generation a row of numbers is of: by its path, or by subject, prompt and seed; never by its place.

A row says where a picture is, or was: people compute on another machine, in another folder, or keep the file's name
only. So a path need not be the generation's own, but it must lead to one generation and no other, and paths that begin
elsewhere than the generations' must all begin in one way.
"""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.matching import SubjectIndex
from nearid_cli.layouts.names import composed
from nearid_cli.plugins import NoScore, Range
from nearid_cli.results.base import LARGEST
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.text import count, few, printable, shown

PATHS = ("path", "file_name", "filename", "file", "image", "image_path", "img_path")
"""What the column of paths may be called."""
KEYS = ("subject", "method", "prompt", "seed")
"""What else says which generation a row is of."""

Number = float | NoScore
Parts = tuple[str, ...]

_SHOWN = 3
_prompt = lru_cache(2**16)(compared_prompt)  # many rows of few prompts


@dataclass(frozen=True)
class Expected:
    """A generation that wants a number.

    Attributes:
        subject: whose it is.
        picture: itself.
        method: that of a comparison; empty for one method alone.
    """

    subject: str
    picture: Picture
    method: str = ""

    def __str__(self) -> str:
        shown = printable(self.picture.name)
        return f"{printable(self.method)}: {shown}" if self.method else shown

    @cached_property
    def parts(self) -> Parts:
        """Of its path below its root."""
        return _parts(self.picture.name)

    @cached_property
    def file(self) -> str:
        """Its path from the root of the disk; of a picture in memory, its name."""
        if self.picture.in_memory:
            return self.picture.name
        return composed(os.path.abspath(self.picture.path))  # noqa: PTH100 - textual: links stay

    @cached_property
    def roots(self) -> tuple[Parts, Parts]:
        """What its path has in front: the folder of its root, and the method's name."""
        folder = _parts(self.file)
        return folder[: len(folder) - len(self.parts)], (composed(self.method),) if self.method else ()


@dataclass
class Joined:
    """What rows say of generations.

    Attributes:
        numbers: of each generation in the order given; None where no row is of it.
        strangers: a line for each row that is of no generation.
        notes: how rows were read, where that is not plain.
    """

    numbers: list[Number | None]
    strangers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Found:
    """The generations that a row is of, with what its path has in front of theirs; None where it is theirs."""

    places: list[int]
    before: Parts | None = None


def join(
    what: str,
    rows: Iterable[Mapping[str, Any]],
    generations: Sequence[Expected],
    limits: Range = (None, None),
) -> Joined:
    """Join rows with generations.

    Args:
        what: whose rows they are, for messages.
        rows: as `GivenMetric.rows` gives them. What a row is called is its `where`, and paths count from its `folder`,
            where it has these.
        generations: of all methods together.
        limits: the lowest and the highest number that is possible.

    Raises:
        InputError: there are rows that may be of several generations, or contradict each other or the limits, all of
            which are named; or not one row is of a generation.
    """
    joining = _Joining(what, generations, limits)
    for number, row in enumerate(rows, 1):
        joining.take(row, str(row.get("where") or f"row {number}"))
    return joining.joined()


class _Joining:
    """Takes rows one by one."""

    def __init__(self, what: str, generations: Sequence[Expected], limits: Range) -> None:
        self._what = what
        self._generations = generations
        self._limits = limits
        self._problems: list[str] = []
        self._methods_unclear = False
        self._strangers: list[str] = []
        self._taken: list[tuple[str, str, _Found, Number]] = []  # where, what it says, which, number

        self._files: dict[str, list[int]] = defaultdict(list)
        self._names: dict[Parts, list[int]] = defaultdict(list)  # with extensions and without
        self._endings: dict[Parts, list[int]] = defaultdict(list)
        for place, one in enumerate(generations):
            self._files[one.file].append(place)
            for parts in {one.parts, _without_extension(one.parts)}:
                self._names[parts].append(place)
                for start in range(len(parts)):
                    self._endings[parts[start:]].append(place)
        self._subjects = SubjectIndex(one.subject for one in generations)
        self._methods = SubjectIndex(one.method for one in generations if one.method)
        self._by_keys: dict[tuple[str, ...], dict[tuple[str | None, ...], list[int]]] = {}
        # What no generation has tells none from another: a row must lead to one without it.
        self._keys = [key for key in KEYS if any(_key_of(one, key) is not None for one in generations)]

    def take(self, row: Mapping[str, Any], where: str) -> None:
        """Take a row."""
        said = {key: text for key in ("path", *self._keys) if (text := _text(row.get(key)))}
        if not said:
            self._problems.append(
                f"{where}: says nothing of {', '.join(('path', *self._keys))}, so it is of no generation"
            )
            return
        number = self._number(row.get("score"), where)
        if number is None:
            return
        shown = _shown(said)
        # Where a picture lies may be told otherwise elsewhere, but whose it is must be one of ours.
        if foreign := [
            key for key in ("subject", "method") if key in said and not self._alike(key, said[key])
        ]:
            key = foreign[0]
            beside = f" (there is no {key} {printable(said[key])})" if "path" in said else ""
            self._strangers.append(f"{where}: {shown}{beside}")
            return
        found = self._at(said, str(row.get("folder") or "")) if "path" in said else self._keyed(said)
        if not found.places:
            self._strangers.append(f"{where}: {shown}{self._hint(said)}")
        elif (contradiction := self._contradiction(said, found.places)) is not None:
            self._problems.append(f"{where}: {contradiction}")
        elif len(found.places) > 1 and not self._one_picture(found.places):
            several = [str(self._generations[place]) for place in found.places]
            self._methods_unclear |= len({self._generations[place].method for place in found.places}) > 1
            self._problems.append(f"{where}: {shown} may be {few(several, spelled=str)}")
        else:
            self._taken.append((where, shown, found, number))

    def joined(self) -> Joined:
        """What comes of all rows."""
        said: dict[int, tuple[Number, str]] = {}
        repeated = 0
        moved = self._moved()
        for where, name, found, number in self._taken:
            for place in found.places:
                if found.before is not None and moved.get(self._generations[place].method) != found.before:
                    self._strangers.append(f"{where}: {name}")
                    continue
                if place not in said:
                    said[place] = number, where
                    continue
                earlier, first = said[place]
                if earlier == number:
                    repeated += 1
                else:
                    self._problems.append(
                        f"{where}: {self._generations[place]} is {_figure(number)}, and {_figure(earlier)} in {first}"
                    )
        if self._problems:
            raise InputError(
                f"{self._what}: {count(len(self._problems), 'row')} cannot be joined with generations; "
                + (
                    "tell methods apart by a column method, by their folders in paths, or by files such as "
                    "scores/{method}.csv"
                    if self._methods_unclear
                    else "correct or remove them"
                ),
                self._problems,
            )
        if not said:
            raise InputError(
                f"{self._what}: not one row is of a generation; rows say which by path, or by subject, prompt and "
                "seed",
                [
                    *(f"a row: {one}" for one in self._strangers[:_SHOWN]),
                    *(f"a generation: {_described(one)}" for one in self._generations[:_SHOWN]),
                ],
            )
        notes = [f"{count(repeated, 'row')} that say the same again count once"] if repeated else []
        return Joined(
            [said[place][0] if place in said else None for place in range(len(self._generations))],
            self._strangers,
            notes + [self._said_of_moved(method, before) for method, before in moved.items()],
        )

    def _number(self, given: Any, where: str) -> Number | None:
        """The number of a row; None if it is wrong."""
        if isinstance(given, NoScore):
            return given
        try:
            number = math.nan if given is None else float(given)
        except (TypeError, ValueError, OverflowError):
            self._problems.append(f"{where}: expected a number, found {shown(given, 60)}")
            return None
        if not math.isfinite(number):
            return NoScore("no number given")
        low, high = self._limits
        if abs(number) > LARGEST:
            self._problems.append(f"{where}: {number:g} is too large a number to compute with")
            return None
        if (low is not None and number < low) or (high is not None and number > high):
            ends = f"from {'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'}"
            self._problems.append(f"{where}: {number:g} is outside the range of the metric, {ends}")
            return None
        return number

    def _at(self, said: Mapping[str, str], folder: str) -> _Found:
        """The generations at a path."""
        written = said["path"]
        parts: Parts = ()
        for name in dict.fromkeys((composed(written), composed(written.replace("\\", "/")))):
            file = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118
            parts = _parts(name)
            if found := self._files.get(file) or self._names.get(parts) or self._endings.get(parts):
                return _Found(self._narrowed(found, said))
        for start in range(1, len(parts)):
            if known := self._names.get(parts[start:]):
                return self._beginning_elsewhere(parts, start, self._narrowed(known, said))
        return _Found([])

    def _beginning_elsewhere(self, parts: Parts, start: int, known: Sequence[int]) -> _Found:
        """Of generations whose paths end a longer one, those that have most of it; and what it begins with."""
        if not known:
            return _Found([])
        before = parts[:start]
        shared = {
            place: max(_common_end(before, root) for root in self._generations[place].roots)
            for place in known
        }
        most = max(shared.values())
        best = [place for place in known if shared[place] == most]
        return _Found(best, None if most == start else before)

    def _keyed(self, said: Mapping[str, str]) -> _Found:
        """The generations of a subject, method, prompt and seed, of those that a row says."""
        names = tuple(key for key in KEYS if key in said)
        if names not in self._by_keys:
            index: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
            for place, one in enumerate(self._generations):
                index[tuple(_key_of(one, key) for key in names)].append(place)
            self._by_keys[names] = index
        values = [self._alike(key, said[key]) for key in names]
        found = [place for wanted in _every(values) for place in self._by_keys[names].get(wanted, ())]
        return _Found(sorted(found))

    def _alike(self, key: str, text: str) -> list[str]:
        """What a cell may mean, as `_key_of` spells it."""
        if key in ("subject", "method"):
            return (self._subjects if key == "subject" else self._methods).alike(text)
        return [_prompt(text) if key == "prompt" else _seed(text)]

    def _narrowed(self, places: Sequence[int], said: Mapping[str, str]) -> list[int]:
        """Of generations that a path may mean those that are of what else the row says, too."""
        found = list(places)
        for key in KEYS:
            if len(found) > 1 and key in said:
                wanted = self._alike(key, said[key])
                found = [place for place in found if _key_of(self._generations[place], key) in wanted]
        return found

    def _contradiction(self, said: Mapping[str, str], places: Sequence[int]) -> str | None:
        """How a row that names a subject or method of the data set contradicts its own path."""
        for key in ("subject", "method"):
            wanted = self._alike(key, said[key]) if "path" in said and key in said else []
            own = {_key_of(self._generations[place], key) for place in places}
            if wanted and own.isdisjoint(wanted):
                return (
                    f"{printable(said['path'])} is of the {key} {few(sorted(map(str, own)))}, and the row says "
                    f"{printable(said[key])}"
                )
        return None

    def _one_picture(self, places: Sequence[int]) -> bool:
        """Whether methods share one picture of one subject."""
        return (
            len({(self._generations[place].file, self._generations[place].subject) for place in places}) == 1
        )

    def _moved(self) -> dict[str, Parts]:
        """By method what paths have in front of those of its generations, where they all begin elsewhere."""
        at_home: set[str] = set()
        elsewhere: dict[str, Counter[Parts]] = defaultdict(Counter)
        for _, _, found, _ in self._taken:
            for place in found.places:
                method = self._generations[place].method
                if found.before is None:
                    at_home.add(method)
                else:
                    elsewhere[method][found.before] += 1
        moved = {}
        for method, begun in elsewhere.items():
            if method in at_home:
                continue
            roots = self._any_of(method).roots
            shared = {before: max(_common_end(before, root) for root in roots) for before in begun}
            best = [before for before in begun if shared[before] == max(shared.values())]
            if len(best) > 1:
                raise InputError(
                    f"{self._what}: paths begin in several ways, none of which leads to the generations"
                    + (f" of {printable(method)}" if method else ""),
                    [
                        f"{printable('/'.join(before))}/ ({count(number, 'row')})"
                        for before, number in begun.most_common()
                    ],
                )
            (moved[method],) = best
        return moved

    def _any_of(self, method: str) -> Expected:
        return next(one for one in self._generations if one.method == method)

    def _said_of_moved(self, method: str, before: Parts) -> str:
        root = printable("/".join(self._any_of(method).roots[0]))
        return f"paths with {printable('/'.join(before))}/ in front are taken for those in /{root}"

    def _hint(self, said: Mapping[str, str]) -> str:
        """What there is in place of a path that is of no generation."""
        parts = _parts(said.get("path", ""))
        near = () if parts in self._endings else self._endings.get(_without_extension(parts), ())
        return f" (there is {self._generations[near[0]]})" if near else ""


def _text(value: Any) -> str:
    """A cell that says which generation a row is of; whole numbers without `.0`."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _parts(path: str) -> Parts:
    """A path without what leads nowhere.

    >>> _parts("./gens//cat/0.png"), _parts("../cat/0.png")
    (('gens', 'cat', '0.png'), ('cat', '0.png'))
    """
    return tuple(part for part in composed(path).split("/") if part not in ("", ".", ".."))


def _without_extension(parts: Parts) -> Parts:
    return (*parts[:-1], os.path.splitext(parts[-1])[0]) if parts else parts  # noqa: PTH122 - a tenth of the time


@lru_cache(2**16)  # many rows of few folders
def _common_end(a: Parts, b: Parts) -> int:
    """How many parts two paths share at their ends."""
    shared = 0
    while shared < min(len(a), len(b)) and a[-1 - shared] == b[-1 - shared]:
        shared += 1
    return shared


def _key_of(one: Expected, key: str) -> str | None:
    """What a generation is by one of `KEYS`, as keys are compared; None where nothing says it."""
    if key == "subject":
        return one.subject
    if key == "method":
        return one.method or None
    if key == "prompt":
        return None if one.picture.prompt is None else _prompt(one.picture.prompt)
    return None if one.picture.seed is None else _seed(one.picture.seed)


def _seed(text: str) -> str:
    """A seed as seeds are compared.

    >>> _seed("0007"), _seed("7"), _seed("a")
    ('7', '7', 'a')
    """
    return (text.lstrip("0") or "0") if text.isdecimal() else text


def _every(values: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """All combinations."""
    found: list[tuple[str, ...]] = [()]
    for some in values:
        found = [(*begun, one) for begun in found for one in some]
    return found


def _figure(number: Number) -> str:
    return "without a number" if isinstance(number, NoScore) else f"{number!r}"


def _shown(said: Mapping[str, str]) -> str:
    if "path" in said:
        return printable(said["path"])
    return ", ".join(f"{key} {printable(text)}" for key, text in said.items())


def _described(one: Expected) -> str:
    """A generation with all that a row may say of it."""
    known = {"subject": one.subject, "prompt": one.picture.prompt, "seed": one.picture.seed}
    words = [f"{key} {printable(text)}" if text else f"no {key}" for key, text in known.items()]
    return f"{one} ({', '.join(words)})"
