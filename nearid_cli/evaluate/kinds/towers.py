"""Metrics that embed prompts, too, into the space of their pictures: a cosine a generation, and no references."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from nearid_cli.encoders.text import text_spec
from nearid_cli.evaluate.embedding import Job, describe
from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures
from nearid_cli.evaluate.kinds.text import PROTOCOL, of_generations
from nearid_cli.measures.clip_text import ClipText
from nearid_cli.plugins import NoScore
from nearid_cli.results import Metric
from nearid_cli.text import few

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import EncoderSpec


logger = logging.getLogger(__name__)


class MeasuredByTowers(Measured):
    """A metric by a checkpoint with a tower for pictures and one for texts.

    Args:
        spec: what embeds pictures.
        metric: says which text a prompt is.
        job: embeds texts.
    """

    by_vectors = True

    def __init__(self, spec: EncoderSpec, metric: ClipText, job: Job) -> None:
        self.name = spec.name
        self.encoders = (spec,)
        self._texts = text_spec(spec)
        self._metric, self._job = metric, job

    def describe(self, of_pairs: bool = False) -> Metric:
        """See `Measured.describe`."""
        made = describe(self._texts, f"{self._metric.protocol}; {PROTOCOL}")
        return replace(made, kind="text", range=self._metric.range, against="prompts")

    def score(self, pictures: Pictures) -> Numbered:
        """See `Measured.score`."""
        rows = pictures.embedded.rows[self.name]
        prompts = {one.prompt for one, _ in pictures.generations if one.prompt}
        if prompts and (absent := self._metric.absent(prompts)):
            logger.warning("%s: no prompt has the placeholder %s", self.name, few(absent))
        asked = [(self._metric.wording(one.prompt), digest) for one, digest in pictures.generations]
        texts = self._job.embed_texts([text for text, _ in asked if isinstance(text, str)], self._texts)
        numbers = [
            text if isinstance(text, NoScore) else self._metric.compare(texts[text], rows[digest])
            for text, digest in asked
        ]
        return of_generations(numbers, pictures, self._metric.range)
