"""What finding pictures yields: subjects with their references and generations, and what was left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nearid_cli.elsewhere import shown
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.text import few, printable

_HOLDING = (".zip", ".tar", ".tar.gz", ".tgz", ".parquet")  # what pictures are packed into

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, eq=False)
class InMemory:
    """A picture that a Python program holds, and the place where it gave it, such as `references["cat"][0]`."""

    place: str
    image: Image.Image


class LetGo(NamedTuple):
    """A picture that was embedded and is not kept.

    Attributes:
        place: where it was.
        digest: what it is known by; None where it cannot be used.
        reason: why it cannot.
    """

    place: str
    digest: bytes | None
    reason: str = ""


Whole = Path | InMemory | LetGo
"""Where the pixels of a picture are, or were."""

Box = tuple[int, int, int, int]
"""The left and upper edge of a rectangle, its width and its height, in pixels of the upright picture."""


@dataclass(frozen=True)
class Masked:
    """A part of a picture, the rest being painted over.

    Attributes:
        source: the picture.
        mask: the file of its mask; None for none.
        box: where the part is, besides; None for anywhere.
        how: which part, and what the rest becomes.
    """

    source: Whole
    mask: Path | None
    box: Box | None
    how: Masking


Source = Whole | Masked
"""What is embedded: a picture, or a part of it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a data set.

    `name` is its path relative to the root that it was found under, with `/`; it names the
    picture in results. `method`, `prompt` and `seed` are None where the layout does not say. `labels` is
    whatever else it says: step, category, any further column of a manifest. `context` is what a reference and its
    distractors have in common but for the subject, None where nothing says it. A picture in memory, or one that
    was let go, is no file, and its `path` need lead nowhere. `mask` and `box` say where the subject is, None where that
    is not known or not asked for.
    `prompt_from` is the place that says the prompt, empty for its name, and `other_prompt` what another place says
    instead; see `layouts/prompts.py`.
    """

    path: Path
    name: str
    method: str | None = None
    prompt: str | None = None
    seed: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    in_memory: InMemory | LetGo | None = None
    context: str | None = None
    mask: Path | None = None
    box: Box | None = None
    prompt_from: str = ""
    other_prompt: str | None = None

    @classmethod
    def at(
        cls,
        root: Path,
        name: str,
        method: str | None = None,
        prompt: str | None = None,
        seed: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Picture:
        """The picture `name` below `root`."""
        # One string for Path to parse: joining Path objects takes twice as long, and there are thousands.
        return cls(Path(f"{root}/{name}"), name, method, prompt, seed, labels or {})

    @property
    def source(self) -> Whole:
        """Where its pixels are."""
        return self.in_memory or self.path

    @property
    def has_mask(self) -> bool:
        """Whether it is known where the subject is."""
        return self.mask is not None or self.box is not None

    def part(self, how: Masking) -> Source:
        """What counts of it by its mask and box; all of it where there is neither."""
        return Masked(self.source, self.mask, self.box, how) if self.has_mask else self.source

    @property
    def place(self) -> str:
        """What it is called where something is wrong with it: its path, or where the program gave it."""
        return self.in_memory.place if self.in_memory else shown(str(self.path))


@dataclass
class LeftOutFiles:
    """Names of files and folders that were not taken, by reason. A folder's name ends with `/`.

    >>> left_out = LeftOutFiles()
    >>> left_out.add("masks", "cat/0_mask.png")
    >>> left_out.counts()
    {'masks': 1}
    """

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was left out."""
        return bool(self.by_reason)

    def add(self, reason: str, *names: str) -> None:
        """Record some more."""
        if names:
            self.by_reason.setdefault(reason, []).extend(names)

    def copy(self) -> LeftOutFiles:
        """The same, to which more may be added."""
        return LeftOutFiles({reason: list(names) for reason, names in self.by_reason.items()})

    def extend(self, other: LeftOutFiles) -> None:
        """Record what another place left out, too."""
        for reason, names in other.by_reason.items():
            self.add(reason, *names)

    def without(self, reason: str, names: Collection[str]) -> LeftOutFiles:
        """The same but for some names, which were taken after all."""
        kept = {
            own: [name for name in found if own != reason or name not in names]
            for own, found in self.by_reason.items()
        }
        return LeftOutFiles({own: found for own, found in kept.items() if found})

    def counts(self) -> dict[str, int]:
        """How many, by reason, the most first."""
        counts = {reason: len(names) for reason, names in self.by_reason.items()}
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def told(self) -> str:
        """Reasons with counts, where nothing was taken.

        >>> LeftOutFiles({"masks": ["a_mask.png"]}).told(), LeftOutFiles().told()
        ('1 masks', 'nothing')
        """
        return ", ".join(f"{number:,} {reason}" for reason, number in self.counts().items()) or "nothing"

    def hint(self) -> str:
        """What else can be given, where what was left out may hold pictures; empty where it does not.

        >>> LeftOutFiles({"other files": ["README.md", "cats/train-0.parquet"]}).hint()
        '; cats/train-0.parquet may hold some: give it or its folder'
        """
        found = [name for name in self.by_reason.get("other files", ()) if name.lower().endswith(_HOLDING)]
        return f"; {printable(min(found))} may hold some: give it or its folder" if found else ""

    def summary(self) -> str:
        """Reasons with counts and a few names: `masks (4: a_mask.png, b_mask.png, ... )`.

        >>> LeftOutFiles({"grids": ["grid.png"], "other files": ["a", "b", "c", "d"]}).summary()
        'other files (4: a, b, c and 1 more), grids (1: grid.png)'
        """
        return ", ".join(
            f"{reason} ({number:,}: {few(self.by_reason[reason])})"
            for reason, number in self.counts().items()
        )

    def lines(self) -> list[str]:
        """Every name on a line of its own, with its reason."""
        return [
            f"left out: {printable(name)} ({reason})"
            for reason in self.counts()
            for name in self.by_reason[reason]
        ]


@dataclass(frozen=True)
class SubjectPictures:
    """One identity with its references, generations and distractors, in natural order."""

    name: str
    references: tuple[Picture, ...]
    generations: tuple[Picture, ...]
    distractors: tuple[Picture, ...] = ()

    def pictures(self) -> Iterator[Picture]:
        """All of them."""
        yield from self.references
        yield from self.generations
        yield from self.distractors


@dataclass(frozen=True)
class Dataset:
    """Subjects matched by name.

    Attributes:
        layout: how the pictures were found; `a + b` when references and generations differ.
        references, generations: the roots that were searched, as given.
        distractors: the root of the distractors, as given; None without any.
        subjects: those with at least one reference and one generation, in natural order.
        unmatched: names of subjects with only generations or only references, with their lack
            (`"cat: 3 generations, no references"`), and generations that no subject claims.
        ungenerated: those of `unmatched` that have references and no generations.
        strangers: the same as subjects, with these references.
        left_out: files that were not taken, by reason.
        how, how_generations: in words, how the names of references and generations were read; empty where files
            say it.
        pairing: in words, how distractors are paired with references by their contexts; empty where they are not.
        notes: lines for people about that, and about prompts.
        reach: where links and paths may lead from what was given.
    """

    layout: str
    references: str
    generations: str
    subjects: tuple[SubjectPictures, ...]
    distractors: str | None = None
    unmatched: tuple[str, ...] = ()
    ungenerated: tuple[str, ...] = ()
    strangers: tuple[SubjectPictures, ...] = ()
    left_out: LeftOutFiles = field(default_factory=LeftOutFiles)
    how: str = ""
    how_generations: str = ""
    pairing: str = ""
    notes: tuple[str, ...] = ()
    reach: Reach = WITHIN
