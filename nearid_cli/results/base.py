"""What all results have in common: what made them, and how they become a line, JSON, a table and files.

Results lie below the parts that make tables and files, and import none of these. They ask the package itself, which
may know all of its parts.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, SupportsIndex, TypeVar, cast, overload

import nearid_cli
from nearid_cli.remote.stores import as_path
from nearid_cli.text import few, printable, unknown

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]

_NAMED = 4  # so many of a list are named; the rest is counted

LARGEST = 1e60
"""What a score can be at most: variances of variances of much larger ones are no numbers any more."""


@dataclass(frozen=True)
class Tool:
    """The program that made a result.

    Attributes:
        name: `nearid-cli`.
        version: its release.
    """

    name: str
    version: str


def this_tool() -> Tool:
    """This program."""
    return Tool("nearid-cli", nearid_cli.__version__)


def timestamp() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Views(Protocol):
    """What shows and writes results: `nearid_cli.reports.views`."""

    def html(self, result: Any) -> str:
        """The table that a terminal shows."""

    def frame(self, result: Any, images: bool) -> pd.DataFrame:
        """The table of a CSV file."""

    def save(self, result: Any, paths: Sequence[Path]) -> None:
        """Write files, each in the format of its extension."""


class Trackers(Protocol):
    """What logs results: `nearid_cli.trackers`."""

    def log(self, result: Any, *trackers: str, step: int | None) -> None:
        """Log a result to trackers of experiments."""


class OneLine:
    """A result whose `repr` is one line."""

    def _line(self) -> str:
        """What is most worth knowing."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {printable(self._line())}>"


class Plain(OneLine):
    """A result that JSON can hold; `schema` says which keys it has, and what they mean."""

    schema: str

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready dictionaries and lists, keys as in docs/reference/json.md."""
        return {"schema": self.schema, **plain(self)}


class Shown(Plain):
    """A result that notebooks show as the table that a terminal shows."""

    def _repr_html_(self) -> str:
        return _views().html(self)


class Saved(Shown):
    """A result that can be written to files."""

    @overload
    def save(self, path: PathLike, /) -> Path: ...

    @overload
    def save(self, path: PathLike, another: PathLike, /, *more: PathLike) -> tuple[Path, ...]: ...

    def save(self, *paths: PathLike) -> Path | tuple[Path, ...]:
        """Write the result as `-o` of the command does, in the format of the file's extension.

        Args:
            *paths: files, such as `run.json` or `report.html`; older ones are replaced. All are checked before the
                first is written.

        Returns:
            Where it was written: the path, or several in a tuple.

        Raises:
            UsageError: an extension is unknown, or the result has no form with it.
            InputError: a file cannot be written.
        """
        files = tuple(map(as_path, paths))
        _views().save(self, files)
        return files[0] if len(files) == 1 else files

    def log(self, *trackers: str, step: int | None = None) -> None:
        """Log the result as `--log` of the command does, to the run that is open or to one of its own.

        Args:
            *trackers: `wandb`, `tensorboard`, `mlflow` or `trackio`, or `NAME=PLACE`, which is a run of its own.
            step: of a training that the result belongs to; by default the step that all of its generations have, if
                they have one.

        Raises:
            UsageError: no tracker, or one that is unknown.
            TrackingError: a package is missing, or a tracker did not take all of it; all others have the result.
        """
        logging: Trackers = nearid_cli._result_trackers()
        logging.log(self, *trackers, step=step)


class Tabular(Saved):
    """A result that is a table.

    Attributes:
        command: what makes such results.
    """

    command: ClassVar[str]

    @property
    def outdated(self) -> bool:
        """Whether an older release made it, in which some numbers of the same names meant something else."""
        return self.schema != type(self).schema

    def to_pandas(self, *, images: bool = False) -> pd.DataFrame:
        """The table that `-o FILE.csv` writes as a data frame: the same columns, rows and numbers.

        Args:
            images: the table that `--images FILE.csv` writes instead, one row a generation.

        Returns:
            Numbers that do not exist are NaN (`<NA>` in columns of whole numbers). Names are as in the JSON, without
            the escapes that keep spreadsheets safe.
        """
        return _views().frame(self, images)


def listed(items: Sequence[str]) -> str:
    """The first items of a list, and how many more there are.

    >>> listed(["cat", "dog"]), listed(["cat", "dog", "mug", "car", "hat", "bag"])
    ('cat, dog', 'cat, dog, mug, car and 2 more')
    """
    return few(items, _NAMED, str)


def known_figure(name: str, value: float | None, places: int = 3) -> str:
    """A named number with so many decimals.

    >>> known_figure("MO", 0.41236), known_figure("MO", None)
    ('MO 0.412', 'MO unknown')
    """
    return f"{name} {'unknown' if value is None else f'{value:.{places}f}'}"


def _views() -> Views:
    views: Views = nearid_cli._result_views()
    return views


# Most of what there is; a call for each of them would take most of the time.
_PLAIN = {str, float, int, bool, type(None)}


def plain(value: Any) -> Any:
    """Dataclasses, mappings and tuples as dictionaries and lists; `asdict` takes four times as long.

    A field that has a default is left out where it holds just that: it belongs to a part of the job that was not
    asked for, such as margins without distractors, or says nothing, such as no labels.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [item if type(item) in _PLAIN else plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: item if type(item) in _PLAIN else plain(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    defaults = _defaults(cast("Any", type(value)))
    return {
        name: item if type(item) in _PLAIN else plain(item)
        for name, item in vars(value).items()
        if name not in defaults or item != defaults[name]
    }


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    made = {
        field.name: field.default_factory()
        for field in fields
        if field.default_factory is not dataclasses.MISSING
    }
    return made | {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


Item = TypeVar("Item")


class Named(tuple[Item, ...]):
    """A tuple that also takes the name of an item: equal to the plain tuple, and like it in all else.

    A kind of items has a subclass, which says of which type they are, what they are called, and
    which attribute holds their names.
    """

    __slots__ = ()
    item: ClassVar[type[Any]]
    noun: ClassVar[str]
    attribute: ClassVar[str]

    def __init_subclass__(cls, item: type[Any], noun: str, attribute: str) -> None:
        cls.item, cls.noun, cls.attribute = item, noun, attribute

    @overload
    def __getitem__(self, key: SupportsIndex) -> Item: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Item, ...]: ...

    @overload
    def __getitem__(self, key: str) -> Item: ...

    def __getitem__(self, key: SupportsIndex | slice | str) -> Item | tuple[Item, ...]:
        """An item by its name or place, or a slice.

        Raises:
            KeyError: no item has this name; the nearest are named.
            IndexError: there is no such place.
        """
        if not isinstance(key, str):
            return super().__getitem__(key)
        for item, name in zip(self, self.names(), strict=True):
            if name == key:
                return item
        raise KeyError(unknown(self.noun, key, self.names()))

    def __contains__(self, item: object) -> bool:
        return item in self.names() if isinstance(item, str) else super().__contains__(item)

    def names(self) -> list[str]:
        """The names of all items, in their order."""
        return [getattr(item, self.attribute) for item in self]
