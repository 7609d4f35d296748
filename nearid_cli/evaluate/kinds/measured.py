"""What a metric of any kind does for a data set: it says what must be embedded for it, and gives numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.errors import UsageError
from nearid_cli.metrics.distractors import DistractorScores
from nearid_cli.metrics.summary import IdentityScores
from nearid_cli.results import Metric
from nearid_cli.text import printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.pairs import Number
    from nearid_cli.embedding.pipeline import Embedded
    from nearid_cli.embedding.reading import Content
    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.evaluate.usable import Read, Usable


@dataclass(frozen=True)
class Numbered:
    """The numbers of one metric on one data set.

    Attributes:
        scores: with NaN where a number does not exist.
        reasons: why generations have none, by their places.
        margins: against distractors; None without.
    """

    scores: IdentityScores
    reasons: Mapping[int, str] = field(default_factory=dict)
    margins: DistractorScores | None = None


@dataclass(frozen=True)
class Pictures:
    """A data set as metrics see it.

    Attributes:
        subjects: with references and generations.
        strangers: with references only.
        embedded: all of their pictures, by the encoders that the metrics need.
        contents: the pictures by digest.
    """

    subjects: Sequence[Usable]
    strangers: Sequence[Usable]
    embedded: Embedded
    contents: Mapping[bytes, Content]

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
        if all(subject.units is None for subject in self.subjects):
            return None
        return np.concatenate(
            [np.arange(len(one.generations)) if one.units is None else one.units for one in self.subjects],
            dtype=np.intp,
        )

    @property
    def with_distractors(self) -> bool:
        """Whether any subject has look-alikes."""
        return any(subject.distractors for subject in self.subjects)


class Measured(ABC):
    """A metric that was asked for, ready to give numbers.

    Attributes:
        name: in this run.
        encoders: what must embed all pictures for it.
    """

    name: str
    encoders: tuple[EncoderSpec, ...] = ()

    @abstractmethod
    def describe(self, of_pairs: bool = False) -> Metric:
        """What makes its numbers.

        Args:
            of_pairs: those of `alike`, rather than those of data sets.
        """

    @abstractmethod
    def score(self, pictures: Pictures) -> Numbered:
        """Its numbers.

        Raises:
            NearIDError: it cannot be loaded, or fails.
        """

    def alike(
        self, pairs: Sequence[tuple[bytes, bytes]], embedded: Embedded, contents: Mapping[bytes, Content]
    ) -> list[Number]:
        """How alike the pictures of each pair are, or why the metric gives no number.

        Args:
            pairs: digests of pictures.
            embedded: all of them, by the encoders that the metric needs.
            contents: the pictures by digest.

        Raises:
            UsageError: it does not compare pictures with each other.
            NearIDError: it cannot be loaded, or fails.
        """
        raise UsageError(
            f"metric {printable(self.name)} does not compare pictures with each other, so it has no number here"
        )

    @property
    def encoder(self) -> EncoderSpec:
        """What embeds pictures, so that their vectors say all.

        Raises:
            UsageError: it is no embedding.
        """
        raise UsageError(f"metric {printable(self.name)} is no embedding, so there are no vectors of it")
