"""What a metric of any kind does for a data set: it says what must be embedded for it, and gives numbers."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearid_cli.errors import UsageError
from nearid_cli.images.reading import Masking
from nearid_cli.metrics.distractors import DistractorScores
from nearid_cli.metrics.summary import IdentityScores
from nearid_cli.plugins import NoScore
from nearid_cli.results import Metric
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding import rows
    from nearid_cli.embedding.pairs import Number
    from nearid_cli.embedding.pipeline import Embedded
    from nearid_cli.embedding.reading import Content
    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.evaluate.usable import Read, Usable
    from nearid_cli.layouts.dataset import Dataset

    Rows = Mapping[str, rows.Rows]

logger = logging.getLogger(__name__)


Likeness = Callable[["npt.NDArray[np.integer]", "npt.NDArray[np.integer]"], "npt.NDArray[np.float64]"]
"""From the places of pictures [N], and of as many others, to how alike each two are [N]; NaN where nobody knows."""


@dataclass(frozen=True)
class Numbered:
    """The numbers of one metric on one data set.

    Attributes:
        scores: with NaN where a number does not exist. In their `closeness` references are all those of the subjects,
            whether they count or not.
        reasons: why generations have none, by their places.
        margins: against distractors; None without.
        uncounted: why references do not count, by the place of their subject and their name.
        lacking: why single pairs have no number, of generations that have one from others and of references among
            themselves: how many by reason.
    """

    scores: IdentityScores
    reasons: Mapping[int, str] = field(default_factory=dict)
    margins: DistractorScores | None = None
    uncounted: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    lacking: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pictures:
    """A data set as metrics see it.

    Attributes:
        subjects: with references and generations.
        strangers: with references only.
        embedded: all of their pictures, by the encoders that the metrics need.
        contents: the pictures by digest.
        method: whose generations they are; empty for those of one that is not compared with others.
    """

    subjects: Sequence[Usable]
    strangers: Sequence[Usable]
    embedded: Embedded
    contents: Mapping[bytes, Content]
    method: str = ""

    @property
    def generations(self) -> list[Read]:
        """All of them, in the order of the subjects."""
        return [one for subject in self.subjects for one in subject.generations]

    @property
    def generation_subjects(self) -> npt.NDArray[np.intp]:
        """[G], the number of the subject of each."""
        return np.repeat(np.arange(len(self.subjects)), [len(one.generations) for one in self.subjects])

    @property
    def units(self) -> npt.NDArray[np.intp] | None:
        """[G], which generations are one unit of their subject's intervals; None where each is one."""
        return units_of(self.subjects)

    @property
    def prompts(self) -> npt.NDArray[np.intp]:
        """[G], the prompt of each, with numbers that no other subject has; -1 where none is known."""
        numbers: dict[tuple[int, str], int] = {}
        return np.array(
            [
                -1
                if one.prompt is None
                else numbers.setdefault((place, compared_prompt(one.prompt)), len(numbers))
                for place, subject in enumerate(self.subjects)
                for one, _ in subject.generations
            ],
            np.intp,
        )

    @property
    def with_distractors(self) -> bool:
        """Whether any subject has look-alikes."""
        return any(subject.distractors for subject in self.subjects)


def units_of(subjects: Sequence[Usable]) -> npt.NDArray[np.intp] | None:
    """Which of the G generations of subjects, in their order, are one unit of an interval; None where each is one."""
    if all(subject.units is None for subject in subjects):
        return None
    return np.concatenate(
        [np.arange(len(one.generations)) if one.units is None else one.units for one in subjects],
        dtype=np.intp,
    )


class LostIdentity(NamedTuple):
    """Where a generation looks unlike the reference that it is most like.

    Attributes:
        generation: its place among the generations.
        reference: the name of the reference.
        score: the number of the two.
        grid: from 0 to 1, NaN where nothing is said, [H, W].
    """

    generation: int
    reference: str
    score: float
    grid: npt.NDArray[np.float32]


class Measured(ABC):
    """A metric that was asked for, ready to give numbers.

    Attributes:
        name: in this run.
        encoders: what must embed all pictures for it.
        has_maps: whether it says where in a generation identity was lost.
        by_vectors: whether its numbers need nothing of pictures but what `encoders` make of each, so that pictures
            may be let go before they are scored.
    """

    name: str
    encoders: tuple[EncoderSpec, ...] = ()
    has_maps: bool = False
    by_vectors: bool = False

    @abstractmethod
    def describe(self, of_pairs: bool = False) -> Metric:
        """What makes its numbers.

        Args:
            of_pairs: those of `alike`, rather than those of data sets.

        Raises:
            UsageError: the metric has no such numbers.
        """

    def look(self, datasets: Mapping[str, Dataset], allow_unmatched: bool) -> None:  # noqa: B027 - most need not
        """Learn of all data sets, before any of their pictures is read.

        Args:
            datasets: by method, as for `nearid_cli.evaluate.score.score_datasets`.
            allow_unmatched: go on without what has no counterpart.

        Raises:
            NearIDError: the metric can be of no use for them.
        """

    def sees(self, how: Masking) -> str:
        """What it sees of pictures with masks, in words; empty for what sees no picture."""
        return how.describe()

    @abstractmethod
    def score(self, pictures: Pictures) -> Numbered:
        """Its numbers.

        Raises:
            NearIDError: it cannot be loaded, or fails.
        """

    def maps(self, pictures: Pictures) -> Iterator[LostIdentity]:
        """Where generations lost identity, of those that have a number.

        Raises:
            NearIDError: it cannot be loaded, or fails.
        """
        yield from ()

    def alike(
        self, pairs: Sequence[tuple[bytes, bytes]], rows: Rows, contents: Mapping[bytes, Content]
    ) -> list[Number]:
        """How alike the pictures of each pair are, or why the metric gives no number.

        Args:
            pairs: digests of pictures.
            rows: for each encoder that the metric needs the embedding [D] of each digest.
            contents: the pictures by digest.

        Raises:
            UsageError: it does not compare pictures with each other.
            NearIDError: it cannot be loaded, or fails.
        """
        raise not_of_pairs(self.name)

    def likeness(
        self,
        digests: Sequence[bytes],
        rows: Rows,
        contents: Mapping[bytes, Content],
        both_ways: bool = True,
    ) -> Likeness:
        """How alike pictures are, told by their places among these, so that more is more alike.

        Args:
            digests: of the pictures.
            rows: as for `alike`.
            contents: likewise.
            both_ways: of a metric for which it matters which picture is the reference, take the mean of both
                directions; otherwise the first picture is.

        Raises:
            UsageError, NearIDError: as for `alike`.
        """
        said = self.describe(of_pairs=True)

        def numbers(left: npt.NDArray[np.integer], right: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
            pairs = [(digests[a], digests[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
            turned = [pair[::-1] for pair in pairs] if both_ways and not said.symmetric else []
            found = self.alike([*pairs, *turned], rows, contents)
            _warn_of_lacking(self.name, found)
            values = np.array([np.nan if isinstance(one, NoScore) else one for one in found], np.float64)
            mean: npt.NDArray[np.float64] = values.reshape(-1, len(pairs)).mean(axis=0)
            return said.sign * mean

        return numbers

    @property
    def encoder(self) -> EncoderSpec:
        """What embeds pictures, so that their vectors say all.

        Raises:
            UsageError: it is no embedding.
        """
        raise UsageError(f"metric {printable(self.name)} is no embedding, so there are no vectors of it")


def not_of_pairs(metric: str) -> UsageError:
    """The error of a metric that is asked for what it has not: to be raised."""
    return UsageError(
        f"metric {printable(metric)} does not compare pictures with each other, so it has no number here"
    )


def _warn_of_lacking(name: str, found: Sequence[Number]) -> None:
    reasons = Counter(one.reason for one in found if isinstance(one, NoScore))
    if reasons:
        logger.warning(
            "%s: %s of %s without a number: %s",
            printable(name),
            f"{reasons.total():,}",
            count(len(found), "pair"),
            few([f"{printable(reason)} ({number:,})" for reason, number in reasons.most_common()]),
        )
