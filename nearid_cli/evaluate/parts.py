"""Parts of pictures, which metrics see in place of whole ones or besides, where masks say what they are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from blake3 import blake3

from nearid_cli.embedding.reading import Content, GivenPicture
from nearid_cli.errors import BadImage
from nearid_cli.evaluate.kinds.measured import Measured, Pictures
from nearid_cli.evaluate.usable import Read, Usable
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.dataset import Picture, Whole
from nearid_cli.layouts.masks import MaskedData
from nearid_cli.results import MasksUsed, Metric, PictureMask
from nearid_cli.text import count, storable

if TYPE_CHECKING:
    from nearid_cli.embedding.pipeline import Embedded
    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.evaluate.embedding import Job

logger = logging.getLogger(__name__)


class SeenParts:
    """The parts that were asked for of all pictures, embedded.

    Args:
        masked: what the pictures have.
        pictures: all of them; the same one may come several times.
        whole: their digests, None for those that cannot be read.
        job: embeds them.
        encoders: all that metrics need, at least one: what none embeds nobody opens, to see whether it can be used.

    Attributes:
        bad: pictures without a mask, unless they may be whole, and those whose masks cannot be used.
        lacking: whether there are such without a mask.
    """

    def __init__(
        self,
        masked: MaskedData,
        pictures: Iterable[Picture],
        whole: Mapping[Whole, bytes | None],
        job: Job,
        encoders: Sequence[EncoderSpec],
    ) -> None:
        self._masked = masked
        good = [one for one in pictures if whole[one.source] is not None]
        with_mask = [one for one in good if one.has_mask or masked.allow_unmasked]
        sources = list(dict.fromkeys(one.part(how) for how in masked.parts for one in with_mask))
        self._embedded: Embedded = job.embed(sources, encoders)
        self._digests = dict(zip(sources, self._embedded.digests, strict=True))
        self._contents: Mapping[bytes, Content] = {
            digest: GivenPicture(source, digest)
            for source, digest in self._digests.items()
            if digest is not None
        }
        without = [] if masked.allow_unmasked else [one for one in good if not one.has_mask]
        self.lacking = bool(without)
        lacking = [BadImage(storable(one.place), masked.lacking(one)) for one in without]
        self.bad = tuple(dict.fromkeys([*lacking, *self._embedded.bad]))
        if masked.allow_unmasked and (rest := {one.path for one in good if not one.has_mask}):
            logger.warning("%s without a mask are scored whole", count(len(rest), "picture"))

    def usable(self, picture: Picture) -> bool:
        """Whether every part that was asked for of a picture can be used."""
        return all(self._digests.get(picture.part(how)) is not None for how in self._masked.parts)

    def of(self, pictures: Pictures, how: Masking) -> Pictures:
        """The same pictures with one of the parts in place of each."""

        def read(whole: Sequence[Read]) -> tuple[Read, ...]:
            return tuple((one, self._digest(one, how)) for one, _ in whole)

        def part(subject: Usable) -> Usable:
            return replace(
                subject,
                references=read(subject.references),
                generations=read(subject.generations),
                distractors=read(subject.distractors),
            )

        return replace(
            pictures,
            subjects=[part(one) for one in pictures.subjects],
            strangers=[part(one) for one in pictures.strangers],
            embedded=self._embedded,
            contents=self._contents,
        )

    def used(self, pictures: Pictures) -> MasksUsed:
        """What the result says of masks."""
        seen = (
            one
            for subject in (*pictures.subjects, *pictures.strangers)
            for one, _ in (*subject.references, *subject.generations, *subject.distractors)
        )
        how = self._masked.parts[0]
        return MasksUsed(
            source=storable(self._masked.source),
            keep="both" if self._masked.besides else how.keep,
            fill=how.fill,
            clean=how.clean,
            unmasked=len({one.source for one in seen if not one.has_mask}),
        )

    def _digest(self, picture: Picture, how: Masking) -> bytes:
        found = self._digests[picture.part(how)]
        assert found is not None  # what is not usable is in no data set that is scored
        return found


def where(picture: Picture) -> PictureMask | None:
    """What results say of where the subject is in a picture."""
    if not picture.has_mask:
        return None
    return PictureMask(None if picture.mask is None else storable(picture.mask), picture.box)


def of_parts(metric: Measured, how: Masking) -> Metric:
    """What results say of a metric that sees a part of each picture: its numbers are others than of whole ones."""
    said, words = metric.describe(), metric.sees(how)
    if not words:
        return said
    return replace(
        said,
        fingerprint=blake3(f"{said.fingerprint}\n{words}".encode()).hexdigest(),
        preprocessing=", ".join(filter(None, (words, said.preprocessing))),
        masks=words,
    )
