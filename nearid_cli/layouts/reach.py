"""How far from what somebody gives pictures may lie.

A tree or a table that comes from elsewhere may point anywhere: links lead to other folders, and paths in tables do.
Both are followed within what was given, and beyond it only where the user lets them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.text import count, few, natural_key, printable

FOLLOW, OUTSIDE = "--follow-symlinks", "--allow-outside"
"""The options that let links, and paths in tables, lead beyond."""

_LONGEST = 300  # characters of a path that are shown
_HUB = re.compile(r"(.*/(?:models|datasets|spaces)--[^/]+)/snapshots/")


@dataclass(frozen=True)
class Reach:
    """Where links and paths may lead.

    Attributes:
        roots: the real paths of folders that were given, each with `/` at its end.
        follow_symlinks: whether links may lead anywhere.
        allow_outside: whether paths in tables may.
    """

    roots: tuple[str, ...] = ()
    follow_symlinks: bool = False
    allow_outside: bool = False

    def including(self, *places: object) -> Reach:
        """As far, and below these places besides: folders, or the folders of files. What is no path is none."""
        own = (_folder_of(place) for place in places if isinstance(place, Path))
        return replace(self, roots=tuple(dict.fromkeys((*self.roots, *own))))

    def links_to(self, real: str) -> bool:
        """Whether a link may lead to a real path.

        The stores in which caches and version control keep the files of a repository belong to it: there, every file is
        a link into one.
        """
        return self.follow_symlinks or self._holds(real) or any(map(real.startswith, _stores(self.roots)))

    def names(self, real: str) -> bool:
        """Whether a path in a table may lead to a real path: the current folder holds nothing foreign, either."""
        return self.allow_outside or self.links_to(real) or real.startswith(with_slash(os.path.realpath(".")))

    def opens(self, file: str | os.PathLike[str]) -> bool:
        """Whether a file that lies where it may is not a link to one that does not."""
        return not os.path.islink(file) or self.links_to(os.path.realpath(file))  # noqa: PTH114

    def _holds(self, real: str) -> bool:
        return any(real.startswith(root) or real == root[:-1] for root in self.roots)


WITHIN = Reach()
"""Nowhere but below the roots."""


def refuse_links(root: Path, links: Iterable[str]) -> None:
    """Raise InputError for links that lead beyond, if there are any; each is a line `name -> target`."""
    if links := sorted(links, key=natural_key):
        raise InputError(
            f"{count(len(links), 'link')} lead{'s' if len(links) == 1 else ''} out of {printable(root)} "
            f"({few(links)}); {FOLLOW} follows {'it' if len(links) == 1 else 'them'}"
        )


def _folder_of(place: Path) -> str:
    real = os.path.realpath(place)
    if os.path.isdir(real):  # noqa: PTH112
        return with_slash(real)
    # Paths in a table count from the folder that it seems to lie in.
    return with_slash(os.path.realpath(place.parent))


def shown_path(path: str) -> str:
    """A path in a message; of one that goes on for lines, the beginning."""
    text = printable(path.strip())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({count(len(text), 'character')})"


def real_path(path: str | os.PathLike[str]) -> str:
    """Where a path leads, with all links followed; itself where it is none, since it holds a zero byte, say."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return os.fspath(path)


def with_slash(folder: str) -> str:
    """A folder's path with `/` at its end."""
    return folder if folder.endswith("/") else folder + "/"


@cache
def _stores(roots: tuple[str, ...]) -> tuple[str, ...]:
    """Where the repositories that the roots lie in keep the content of their files, under its digests."""
    found: dict[str, None] = {}
    for root in roots:
        if hub := _HUB.match(root):
            found[f"{hub[1]}/blobs/"] = None
        for folder in Path(root, "x").parents:
            git = folder / ".git"
            if os.path.lexists(git):
                found[os.path.realpath(git) + "/annex/objects/"] = None
                break
        for folder in Path(root, "x").parents:
            if (folder / ".dvc").is_dir():
                found[os.path.realpath(folder) + "/.dvc/cache/"] = None
                break
    return tuple(found)
