"""What a metric is: the base classes of the four kinds, of which other people's packages make their own.

    EmbeddingMetric   a picture -> a vector; scores are cosines, and the result has everything
    PairwiseMetric    a reference and a generation -> a number; a ceiling, too, and on request a floor
    TextMetric        a prompt and a generation -> a number
    GivenMetric       numbers of generations that something else computed

A metric is found by the entry point group `nearid.metrics`, or named in the configuration:

    [tool.nearid.metrics.mine]
    plugin = "my_module:MyMetric"     # a subclass of one of these
    weights = "./weights.pt"          # any other key is a keyword of its constructor

docs/guides/extending.md has an example of each. A module that only names its class is imported whenever the metric is
asked for, so what is heavy (torch, say) belongs into `load`, which is called once, and not at all where every number
is in the cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from nearid_cli.text import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

Range = tuple[float | None, float | None]
"""The lowest and the highest number that a metric may give; None where there is no end."""


@dataclass(frozen=True)
class NoScore:
    """In place of a number: that there is none, and why. Results have `null` and name the reason.

    Attributes:
        reason: such as `no face`; a few words.
        lasting: whether it is kept, as numbers are. A reason that may be gone in the next run, such as a server that
            did not answer, is not.
    """

    reason: str
    lasting: bool = True

    def __post_init__(self) -> None:
        """Keep the reason one line that any file can hold."""
        if not (isinstance(self.reason, str) and self.reason.strip()):
            raise TypeError(f"expected a few words as the reason of NoScore, found {self.reason!r}")
        object.__setattr__(self, "reason", storable(" ".join(self.reason.split())))


class AnyMetric(ABC):
    """What all kinds have in common. Settings of a subclass are keywords of its constructor.

    Attributes:
        version: a name and a number, such as `dreamsim/0.2`; whoever changes what numbers come out changes it, because
            with the settings it is what cached numbers are known by.
        protocol: how a number comes about, in one sentence; part of every result.
        range: what numbers are possible; one outside is an error of the metric.
        higher_is_better: False for distances.
        checkpoint: where its weights are from, such as a Hub id; empty without weights.
        revision: which version of these, such as a commit.
        preprocessing: how pictures are prepared, in one line.
        dtype: the numbers that it computes with.
        options: the names of fields of `nearid_cli.options.Options` that its constructor takes, too. What of them
            decides about numbers belongs into `version`.
        hashes_files: its constructor takes `hash_file`, too: from a path to the hex digest of that file, which is not
            read again where the cache knows it. For a `version` that names the content of large files.
        settings: the other keywords that its constructor was given. Set by whoever makes it.
        known_by_settings: whether numbers of other settings, or of another checkpoint, are other numbers.
    """

    version: str
    protocol: str
    range: Range = (None, None)
    higher_is_better: bool = True
    checkpoint: str = ""
    revision: str | None = None
    preprocessing: str = ""
    dtype: str = "float32"
    options: ClassVar[tuple[str, ...]] = ()
    hashes_files: ClassVar[bool] = False
    settings: Mapping[str, Any] = MappingProxyType({})
    known_by_settings: ClassVar[bool] = True

    @classmethod
    def files(cls, checkpoint: str, revision: str | None) -> Sequence[Path] | None:
        """What such a metric reads besides its code, for `nearid models`; None if some of it is not on this machine.

        Never asks the network.

        Args:
            checkpoint: as `NAME=CHECKPOINT` says; the default one where only the name is said.
            revision: as `CHECKPOINT@REVISION` says.
        """
        return ()

    @classmethod  # noqa: B027 - most have nothing to fetch
    def pull(cls, checkpoint: str, revision: str | None, notify: Callable[[str], None]) -> None:
        """Fetch what `files` names, for `nearid models pull`.

        Args:
            checkpoint: as for `files`.
            revision: as for `files`.
            notify: called with a line before something is downloaded.

        Raises:
            ModelError: it cannot be had.
        """

    def load(self, device: str) -> None:  # noqa: B027 - most have something to load, not all
        """Make ready to compute: import what is heavy, read weights. Called once, before the first picture.

        Args:
            device: `cpu`, `cuda`, `cuda:N` or `mps`.
        """

    def begin(  # noqa: B027 - few need to know
        self, known: Sequence[float | NoScore], missing: Sequence[tuple[str, str]]
    ) -> None:
        """Numbers of pairs are wanted. Called before `scores` is, even if it will not be because all of them are known.

        Args:
            known: what is known of some pairs already.
            missing: what the two of each pair are called that `scores` will be given, in the same order.
        """

    @property
    def spent(self) -> str:
        """What its numbers have cost so far, such as `1,200 tokens`, for the progress bar; empty for nothing."""
        return ""


class EmbeddingMetric(AnyMetric):
    """A picture becomes a vector, and the score of two pictures is the cosine of theirs.

    Attributes:
        absent: why a picture has no vector, such as `no face`; where `prepare` gave None.
    """

    range = (-1.0, 1.0)
    absent: str = "nothing to embed"

    def prepare(self, image: Image.Image) -> npt.NDArray[np.generic] | None:
        """An upright RGB picture as `embed` takes it; None if it shows nothing to embed. Runs in several threads."""
        import numpy as np

        return np.asarray(image)

    @abstractmethod
    def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
        """Embed prepared pictures: [len(batch), D], of any length but zero."""


class PairwiseMetric(AnyMetric):
    """A number for a reference and a generation, from features of each or from the pictures themselves.

    Attributes:
        symmetric: whether the two may be exchanged. Where not, a ceiling takes both directions.
        takes_masks: `features` is given masks; otherwise it is given pictures with what is outside painted over.
        keeps_features: features are arrays of float32 that are worth a place on disk.
        features_version: what these are known by in place of `version` and settings, where those are about pairs, too;
            with all that decides about features.
    """

    symmetric: bool = True
    takes_masks: bool = False
    keeps_features: bool = False
    features_version: str = ""

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        """What `compare` takes of an upright RGB picture; the picture itself by default.

        Args:
            image: the picture.
            mask: mode L and of the picture's size, 255 where it counts; None without masks, or if `takes_masks` is not
                set.
        """
        return image

    @abstractmethod
    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        """The number of a pair, from the features of both."""

    def scores(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[float | NoScore | None]:
        """The numbers of pairs of features, in their order; override it to compute several at once.

        Each number that was yielded is kept, whatever happens afterwards.
        """
        return (self.compare(*pair) for pair in pairs)

    def map(self, reference: Any, generation: Any) -> npt.NDArray[np.floating] | None:
        """Where in the generation identity was lost: [H, W] from 0 to 1, NaN where nothing is said; None for no map."""
        return None


class TextMetric(AnyMetric):
    """A number for a prompt and a generation: whether the picture shows what was asked for."""

    def text(self, prompt: str) -> Any:
        """What `compare` takes of a prompt; the prompt itself by default."""
        return prompt

    def features(self, image: Image.Image) -> Any:
        """What `compare` takes of an upright RGB picture; the picture itself by default."""
        return image

    @abstractmethod
    def compare(self, text: Any, generation: Any) -> float | NoScore | None:
        """The number of a pair."""

    def scores(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[float | NoScore | None]:
        """The numbers of pairs, in their order, as for `PairwiseMetric.scores`."""
        return (self.compare(*pair) for pair in pairs)


class GivenMetric(AnyMetric):
    """Numbers that something else computed.

    Those of two runs are of other pictures, and yet to be compared. So they are known by name, class, version, range
    and direction, and not by settings that say where they are.
    """

    known_by_settings = False

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """A mapping a generation, in any order.

        Its keys are `score`, a number, or None, NaN or a `NoScore` for none; `path`, any that ends like the
        generation's own; or in its place, or besides where that is not enough, `subject`, `prompt`, `seed`, and in
        comparisons `method`. `where` is what to call the row where it is wrong, by default its number.
        """


KINDS = (EmbeddingMetric, PairwiseMetric, TextMetric, GivenMetric)
"""A metric is of one of these."""
