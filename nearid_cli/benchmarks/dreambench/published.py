"""What the authors of NearID published of DreamBench++: the folders of their ratings, and the agreement of each.

The folders are found by where they lie below that of all ratings. What else lies there is named and not read:
DreamBench++ has ratings of other things than identity, such as how well a prompt was followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from nearid_cli.benchmarks.dreambench.ratings import HUMANS, named_folders, ratings_folder
from nearid_cli.benchmarks.dreambench.result import MEAN, Alignment, PublishedAgreement
from nearid_cli.errors import UsageError
from nearid_cli.layouts.names import own_name
from nearid_cli.text import printable, unknown

ROUNDING = 0.0006
"""So far apart two numbers may be that are the same but for rounding.

Published are three decimals, so 0.0005; and the published code rounds each correlation to four, which moves a mean by
less than 0.0001.
"""


@dataclass(frozen=True)
class PublishedSet:
    """Ratings that are published.

    Attributes:
        folder: where they lie below the folder of all ratings, with `/`.
        metric: what we call what made them.
        mh: the agreement by category, and by `mean` that over the four; three decimals.
    """

    folder: str
    metric: str
    mh: Mapping[str, float]


@dataclass(frozen=True)
class ScoreFolders:
    """Folders of scores.

    Attributes:
        folders: names and places.
        absent: published folders that are not where the others are.
        unknown: folders beside them that are none of the published ones; not read.
    """

    folders: tuple[tuple[str, Path], ...]
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@cache
def _file() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def published_source() -> str:
    """Where the values stand."""
    return str(_file()["source"])


@cache
def published_sets() -> tuple[PublishedSet, ...]:
    """All that are published, people first."""
    return tuple(PublishedSet(**one) for one in _file()["sets"])


def score_folders(scores: Sequence[str], ratings: Path | None) -> ScoreFolders:
    """What `--scores` says as folders of scores.

    Args:
        scores: `NAME=DIR` or `DIR`, see `named_folders`. A folder of all ratings stands for every published set in it,
            and `NAME=` in front for the one of that metric. None at all stands for the folder of the human ratings.
        ratings: that folder.

    Raises:
        UsageError: nothing is given, and nothing published lies beside the human ratings; or a folder of all ratings
            has nothing of the metric that is named.
    """
    found: list[tuple[str, Path]] = []
    absent: dict[str, None] = {}
    others: dict[str, None] = {}
    for given in scores or [str(ratings)]:
        ((name, folder),) = named_folders([given])
        root = ratings_folder(folder)
        plain = any(folder.glob("*.json"))
        there = {
            one.metric: root / one.folder for one in _scored() if not plain and (root / one.folder).is_dir()
        }
        if there and folder == Path(given):
            found += there.items()
            absent |= {one.folder: None for one in _scored() if one.metric not in there}
            others |= dict.fromkeys(_unknown(root))
        elif there and name not in there:
            raise UsageError(unknown(f"metric of {printable(folder)}", name, there))
        elif scores:
            found.append((name, there.get(name, folder)))
        else:
            what = f"such as {_scored()[-1].folder}" if root.is_dir() else "it is no folder"
            raise UsageError(
                f"no published scores in {printable(given)}, {what}: "
                "give --samples DIR, or scores in files: --scores NAME=DIR"
            )
    return ScoreFolders(tuple(found), tuple(absent), tuple(others))


def _scored() -> list[PublishedSet]:
    """The sets that are no ratings of people."""
    return [one for one in published_sets() if one.folder != HUMANS]


def _unknown(root: Path) -> Iterator[str]:
    """The folders beside published ones that are none, as paths below the root."""
    known = [one.folder for one in published_sets()]
    for parent in dict.fromkeys(folder.rpartition("/")[0] for folder in ["data", *known]):
        here = root / parent
        for child in sorted(here.iterdir()) if here.is_dir() else ():
            path = f"{parent}/{own_name(child)}".lstrip("/")
            if (
                child.is_dir()
                and child.name[0] != "."
                and not any(folder == path or folder.startswith(f"{path}/") for folder in known)
            ):
                yield path


def beside_published(alignment: Alignment, folder: str) -> tuple[PublishedAgreement, ...]:
    """The published values of the set that lies in a folder, beside ours; empty for a folder that is none of them."""
    place = f"/{Path(folder).absolute().as_posix()}"
    for one in published_sets():
        if place.endswith(f"/{one.folder}"):
            ours = {own.category: own.mh for own in alignment.categories} | {MEAN: alignment.mean}
            return tuple(
                PublishedAgreement(category, value, *_apart(ours.get(category), value))
                for category, value in one.mh.items()
            )
    return ()


def _apart(ours: float | None, published: float) -> tuple[float | None, bool | None]:
    """Ours minus the published number, and whether they are the same but for rounding."""
    if ours is None:
        return None, None
    difference = ours - published
    return difference, abs(difference) <= ROUNDING
