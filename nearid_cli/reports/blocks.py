"""What a document is made of: tables, sentences and findings, in the order of a page.

A renderer decides how a block looks, never what is in it. In a terminal findings come last, where one looks; on a page
what folds away does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nearid_cli.reports.table import Table
from nearid_cli.text import few

if TYPE_CHECKING:
    from nearid_cli.reports.scalars import Scalar
    from nearid_cli.results import CompareResult


class Topic(Enum):
    """What a block is about: the parts of a page that has more to show than a document says."""

    STEPS = auto()
    SCORES = auto()
    DIFFERENCES = auto()
    GROUPS = auto()
    SUBJECTS = auto()
    AGREEMENT = auto()
    ORIGIN = auto()


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a document.

    Attributes:
        topic: what it is about.
        where: who alone shows it: a `terminal`, or a `page` such as Markdown; empty for both.
        folded: on a page it is folded away under these words.
        rank: where a page must be short, the pieces with the lowest ranks get room first.
    """

    topic: Topic = Topic.SCORES
    where: Literal["", "terminal", "page"] = ""
    folded: str = ""
    rank: int = 0


@dataclass(frozen=True)
class Prose(Block):
    """Sentences, a line each, under a title where there is one; a list if they are `listed`."""

    lines: Sequence[str]
    title: str = ""
    listed: bool = False


def origin(facts: Sequence[str]) -> Prose:
    """What made the numbers, a line a fact."""
    return Prose(facts, topic=Topic.ORIGIN, folded="What made it", listed=True, where="page", rank=1)


@dataclass(frozen=True)
class Panel(Block):
    """A table. A terminal shows a `few` of its rows where they are given; a paper has it if it says so."""

    table: Table
    few: Sequence[int] | None = None
    paper: bool = False


@dataclass(frozen=True)
class Finding:
    """Something that a reader of the numbers must not miss, and what it is about.

    Attributes:
        text: a sentence, up to the names.
        names: of pictures or subjects; the first ones are named, the rest is counted.
        more: the rest of the sentence.
    """

    text: str
    names: tuple[str, ...] = ()
    more: str = ""

    def line(self, most: int = 3) -> str:
        """The sentence, with so many names.

        >>> Finding("skipped: ", ("a", "b", "c"), "; see above").line(2)
        'skipped: a, b and 1 more; see above'
        """
        return f"{self.text}{few(self.names, most) if self.names else ''}{self.more}"


@dataclass(frozen=True)
class FindingList(Block):
    """What a reader must not miss, a line each, and at last what it all comes to.

    Where that is a verdict, its `state` is `failed` or `passed`.
    """

    found: Sequence[Finding]
    conclusion: str = ""
    state: str = ""

    def lines(self, most: int = 3) -> list[str]:
        """Everything, with so many names a finding."""
        return [*(one.line(most) for one in self.found), *filter(None, [self.conclusion])]


class Entry(NamedTuple):
    """Something that is told under its name.

    Attributes:
        name: of what.
        lines: what is told of it, a sentence each.
        numbers: in a line, for a terminal; a page has them in a table.
    """

    name: str
    lines: Sequence[str]
    numbers: str


@dataclass(frozen=True)
class Entries(Block):
    """What is told one by one, all of one state: `failed`, `warned` or `passed`."""

    entries: Sequence[Entry]
    title: str
    state: str


class Draft(NamedTuple):
    """What a document says, in every format that is not made of the result itself.

    Attributes:
        title: of a page.
        blocks: for people, in order.
        table: for data files, and for a paper.
        made_by: what made the numbers, a line a fact, for comments.
    """

    title: str = ""
    blocks: tuple[Block, ...] = ()
    table: Table | None = None
    made_by: tuple[str, ...] = ()

    @property
    def in_papers(self) -> list[Table]:
        """The tables of a paper besides the document's own."""
        return [block.table for block in self.blocks if isinstance(block, Panel) and block.paper]

    @property
    def on_pages(self) -> list[Block]:
        """The blocks that a page shows, what folds away last."""
        shown = (block for block in self.blocks if block.where != "terminal")
        return sorted(shown, key=lambda block: bool(block.folded))


class Story(NamedTuple):
    """What the HTML report tells before any number, as plain text, and what it is about.

    Attributes:
        heading: the title of the page.
        lead: the sentences below it.
        result: the comparison, best method first; a score result is one of a single method, named after the folder of
            its generations.
    """

    heading: str
    lead: list[str]
    result: CompareResult


@dataclass(frozen=True)
class Document:
    """All that formats make files of.

    Attributes:
        kind: of what: `score`, `compare`, `gate`, `images` and so on; a format says which it holds.
        result: what JSON and the HTML report are made of.
        make: what it says; called once, and only by who wants it.
        facts: what a data file with room for it says of how its numbers were made.
        tell: its story; None for a document that has neither plots nor pictures.
        scalars: its single numbers, for trackers of experiments.
        tables: all that it has for data files, where these are several.
        judged: the verdicts of a gate on this result.
        thumbnails: how many pictures an HTML report holds at most; None for none.
        progress: whether to show how far the pictures are.
    """

    kind: str
    result: Any
    make: Callable[[], Draft]
    facts: Callable[[], Mapping[str, Any]] = dict
    tell: Callable[[], Story] | None = None
    scalars: Callable[[], Iterable[Scalar]] = tuple
    tables: Sequence[Table] = ()
    judged: Document | None = None
    thumbnails: int | None = None
    progress: bool = False

    @cached_property
    def draft(self) -> Draft:
        """What it says."""
        return self.make()

    @property
    def findings(self) -> list[str]:
        """What a reader of the numbers must not miss, a line each; no conclusion."""
        blocks = [block for block in self.draft.blocks if isinstance(block, FindingList)]
        return [one.line() for block in blocks for one in block.found]

    @property
    def table(self) -> Table:
        """For data files, and for a paper.

        Raises:
            ValueError: it has none. No format that needs one holds such a document.
        """
        if self.draft.table is None:
            raise ValueError(f"a document of the kind {self.kind} has no table")
        return self.draft.table

    @property
    def story(self) -> Story:
        """For a page with plots and pictures.

        Raises:
            ValueError: it has none.
        """
        if self.tell is None:
            raise ValueError(f"a document of the kind {self.kind} has no plots and no pictures")
        return self.tell()
