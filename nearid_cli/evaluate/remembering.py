"""A job that pictures come to one after the other: it keeps what it embedded, and not the pictures."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.embedding.pipeline import Embedded
from nearid_cli.embedding.reading import place_of
from nearid_cli.embedding.rows import Rows
from nearid_cli.encoders.descriptors import PERCEPTUAL_HASH, THUMBNAIL
from nearid_cli.errors import BadImage, ModelError, UsageError
from nearid_cli.evaluate.embedding import Job, requested
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.layouts.dataset import InMemory, LetGo, Source
from nearid_cli.text import few, printable, storable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.encoders.spec import Encoder, EncoderSpec
    from nearid_cli.options import Options

    Row = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Vectors:
    """What encoders made of pictures.

    Attributes:
        rows: by the encoder's name the embedding [D] of each digest.
        absent: by the encoder's name the digests of pictures without one.
    """

    rows: dict[str, dict[bytes, Row]] = field(default_factory=dict)
    absent: dict[str, set[bytes]] = field(default_factory=dict)

    def add(self, rows: Mapping[str, Mapping[bytes, Row]], absent: Mapping[str, Collection[bytes]]) -> None:
        """Take more of them; of what is here already nothing changes."""
        for name, own in rows.items():
            kept = self.rows.setdefault(name, {})
            for digest, row in own.items():
                if digest not in kept:
                    kept[digest] = np.array(row)  # copied: a row is part of a batch, or of a file
        for name, digests in absent.items():
            self.absent.setdefault(name, set()).update(digests)

    def of(self, digests: Collection[bytes]) -> Vectors:
        """Those of some pictures."""
        return Vectors(
            {
                name: {digest: own[digest] for digest in digests if digest in own}
                for name, own in self.rows.items()
            },
            {name: own.intersection(digests) for name, own in self.absent.items()},
        )


class RememberingJob(Job):
    """A job that embeds pictures as they come, and knows them when all are scored.

    Its encoders stay loaded.

    Args:
        options: as they were given.

    Raises:
        UsageError: a metric that looks at pictures again when they are scored.
        NearIDError: as for `Job` and for metrics.

    Attributes:
        metrics: those that were asked for.
        encoders: all that a score needs of a picture.
        vectors: what they made of pictures so far.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._loaded: dict[EncoderSpec, Encoder] = {}
        self.metrics = measured(requested(options), self)
        if again := [printable(metric.name) for metric in self.metrics if not metric.by_vectors]:
            raise UsageError(
                f"{few(again)}: expected metrics that embed pictures; these look at pictures again, or at their names, "
                "when all are known, and a Scorer lets pictures go: use nearid_cli.score"
            )
        own = [spec for metric in self.metrics for spec in metric.encoders]
        self.encoders = (*own, self.as_read(PERCEPTUAL_HASH), self.as_read(THUMBNAIL))
        self.vectors = self._none()
        self._files: dict[Path, LetGo] = {}

    def _none(self) -> Vectors:
        names = [spec.name for spec in self.encoders]
        return Vectors({name: {} for name in names}, {name: set() for name in names})

    def kept(self) -> tuple[list[tuple[str, str]], Vectors, dict[Path, LetGo]]:
        """What outlives a process: `again` makes the job of it."""
        return self._known_as(), self.vectors, self._files

    @classmethod
    def again(
        cls, options: Options, kept: tuple[list[tuple[str, str]], Vectors, dict[Path, LetGo]]
    ) -> RememberingJob:
        """A job as it was, without loaded encoders.

        Raises:
            ModelError: a metric is no longer what it was.
            NearIDError: as for the job itself.
        """
        job = cls(options)
        known_as, job.vectors, job._files = kept
        if job._known_as() != known_as:
            changed = sorted({name for name, _ in {*job._known_as()} ^ {*known_as}})
            raise ModelError(f"no longer what they were when pictures were embedded: {few(changed)}")
        return job

    def _known_as(self) -> list[tuple[str, str]]:
        return [(spec.name, spec.fingerprint) for spec in self.encoders]

    def over(self, vectors: Vectors) -> RememberingJob:
        """The same job as if it had embedded nothing but what these vectors are of."""
        other = copy.copy(self)
        other.vectors = self._none()
        other.vectors.add(vectors.rows, vectors.absent)
        return other

    def take(self, sources: Sequence[Path | InMemory], *, known_by_path: bool = False) -> list[LetGo]:
        """Embed pictures, and let them go.

        Args:
            sources: files and pictures in memory.
            known_by_path: files are known to `embed` by their paths, too, whatever is in them then.

        Returns:
            What they are known by, those that cannot be used with the reason.

        Raises:
            NearIDError: an encoder cannot be loaded, or fails.
        """
        found = super().embed(sources, self.encoders)
        self.vectors.add(found.rows, found.absent)
        bad = iter(found.bad)
        taken = [
            LetGo(place_of(source), digest, "" if digest is not None else next(bad).reason)
            for source, digest in zip(sources, found.digests, strict=True)
        ]
        if known_by_path:
            self._files |= {
                source: one for source, one in zip(sources, taken, strict=True) if isinstance(source, Path)
            }
        return taken

    def embed(self, sources: Sequence[Source], specs: Sequence[EncoderSpec]) -> Embedded:
        """What is known of pictures that were taken before."""
        known = [self._known(source) for source in sources]
        return Embedded(
            digests=tuple(one.digest for one in known),
            bad=bad_ones(known),
            rows={spec.name: Rows.of(self.vectors.rows[spec.name]) for spec in specs},
            absent={spec.name: frozenset(self.vectors.absent[spec.name]) for spec in specs},
        )

    def _known(self, source: Source) -> LetGo:
        if isinstance(source, Path):
            return self._files[source]
        assert isinstance(source, LetGo)
        return source

    def _load(self, spec: EncoderSpec) -> Encoder:
        if spec not in self._loaded:
            self._loaded[spec] = super()._load(spec)
        return self._loaded[spec]


def bad_ones(pictures: Iterable[LetGo]) -> tuple[BadImage, ...]:
    """Those of these pictures that cannot be used."""
    return tuple(BadImage(storable(one.place), one.reason) for one in pictures if one.digest is None)
