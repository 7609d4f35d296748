"""`nearid score`: how well each subject's generations keep its identity, of one method or of several."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nearid_cli.activity import doing
from nearid_cli.breakdown.labels import Breakdown, read_breakdowns
from nearid_cli.embedding.reading import GivenPicture
from nearid_cli.encoders.descriptors import COPY_SIMILARITY, PERCEPTUAL_HASH, THUMBNAIL
from nearid_cli.errors import InputError
from nearid_cli.evaluate.embedding import MEND_OR_SKIP, Job, refuse_bad, requested
from nearid_cli.evaluate.entries import (
    context_of,
    images_of,
    near_copies_of,
    of_all,
    of_subjects,
    reference_scores_of,
)
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.evaluate.kinds.measured import Numbered, Pictures
from nearid_cli.evaluate.maps import check_maps, write_maps
from nearid_cli.evaluate.parts import SeenParts, of_parts, where
from nearid_cli.evaluate.sameness import equal_hashes, near_hashes, one_picture
from nearid_cli.evaluate.scored_groups import scored_groups
from nearid_cli.evaluate.usable import Sameness, Usable, usable, with_trials
from nearid_cli.layouts.dataset import Dataset, Picture, SubjectPictures
from nearid_cli.layouts.find import find
from nearid_cli.layouts.masks import MaskedData, check_mask_options, find_masks
from nearid_cli.layouts.sides import Side
from nearid_cli.options import LayoutOptions, Leniency, MaskOptions, Options
from nearid_cli.results import (
    ContextShare,
    Inputs,
    ScoreResult,
    Skipped,
    Subject,
    Subjects,
)
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, few, printable, storable

if TYPE_CHECKING:
    from pathlib import Path

    from nearid_cli.embedding.pipeline import Embedded
    from nearid_cli.embedding.rows import Rows
    from nearid_cli.evaluate.remembering import RememberingJob

logger = logging.getLogger(__name__)

_ROWS = 512  # generations at a time: bounds memory

OR_WHOLE = ", or score those without a mask whole: --allow-unmasked"


def score(
    references: Side,
    generations: Side | None = None,
    options: Options | None = None,
    *,
    layout: str | LayoutOptions = "auto",
    leniency: Leniency = Leniency(),
    distractors: Side | None = None,
    masks: MaskOptions = MaskOptions(),
    maps: Path | None = None,
    by: Sequence[str] = (),
) -> ScoreResult:
    """Score the generations of each subject against its references.

    Args:
        references: folder of references, or a manifest of everything, or what `read_side` made of pictures.
        generations: folder of generations, or a manifest, or likewise; None when `references` is a manifest of both.
        options: metrics, device, cache, ...
        layout: how the folders are laid out; see docs/reference/layouts.md.
        leniency: what to go on without.
        distractors: folder or manifest of each subject's look-alikes, or likewise.
        masks: which part of each picture is scored.
        maps: folder for pictures of where each generation lost identity, by metrics that say so; None for none.
        by: labels of generations that the result is broken down by, as in `--by`.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    options = options or Options()
    requested(options)  # a wrong metric is said before any folder is walked
    check_mask_options(masks)
    with doing("looking for pictures"):
        dataset = find(references, generations, layout, distractors)
    breakdowns = read_breakdowns(by, generations_of([dataset]))
    return score_datasets({"": dataset}, options, leniency, masks, maps=maps, breakdowns=breakdowns)[""]


def score_datasets(
    datasets: Mapping[str, Dataset],
    options: Options,
    leniency: Leniency = Leniency(),
    masks: MaskOptions = MaskOptions(),
    *,
    maps: Path | None = None,
    breakdowns: Sequence[Breakdown] = (),
    job: RememberingJob | None = None,
) -> dict[str, ScoreResult]:
    """Score one data set, or those of several methods, embedding all of their pictures in one go.

    Of several methods, a subject that only has references is no error: methods may lack subjects. It is recorded as
    unmatched, and its references are those of a stranger to the method's own subjects, so that a method which lacks it
    has the same floor and no easier identification than one which has it.

    Args:
        datasets: by method; one that is not compared with others has the name `""`.
        options: metrics, device, cache, ...
        leniency: what to go on without.
        masks: which part of each picture is scored.
        maps: as for `score`; of one data set.
        breakdowns: of the results; a data set may lack their labels.
        job: has embedded all pictures before, with these options; None to embed them now.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    several = "" not in datasets
    for name, dataset in datasets.items():
        _report_found(dataset, f"{name}: " if name else "")
    for note in dict.fromkeys(note for dataset in datasets.values() for note in dataset.notes):
        logger.info(note)
    _refuse_unmatched(_unmatched(datasets), leniency.allow_unmatched)
    with doing("looking for masks"):
        masked = find_masks(datasets, masks)
    scorer = _Scorer(masked, options, leniency, breakdowns, strangers=several, maps=maps, job=job)
    results = {name: scorer.score(name, several or leniency.allow_unmatched) for name in datasets}
    _report_strangers(results)
    return results


def generations_of(datasets: Iterable[Dataset]) -> Iterator[Picture]:
    """Those of all subjects that are scored."""
    return (one for dataset in datasets for subject in dataset.subjects for one in subject.generations)


class _Scorer:
    """Embeds every picture of some data sets at once, and scores them one by one.

    Args:
        masked: data sets with subjects that have references and generations, and which part of pictures is scored.
        options: metrics, device, cache, ...
        leniency: what to go on without.
        breakdowns: of the results.
        strangers: count subjects that have references only as strangers to the others.
        maps: as for `score_datasets`.
        job: likewise.

    Raises:
        BadImagesError: pictures that cannot be read, unless they may be skipped.
        NearIDError: a metric can be of no use for the data sets.
    """

    def __init__(
        self,
        masked: MaskedData,
        options: Options,
        leniency: Leniency,
        breakdowns: Sequence[Breakdown],
        *,
        strangers: bool,
        maps: Path | None,
        job: RememberingJob | None,
    ) -> None:
        self._breakdowns = breakdowns
        self._strangers = strangers
        self._maps = maps
        self._masked = masked
        self._datasets = masked.datasets
        pictures = [
            picture
            for dataset in self._datasets.values()
            for subject in self._subjects(dataset)
            for picture in subject.pictures()
        ]
        sources = list(dict.fromkeys(picture.source for picture in pictures))
        self._job = job or Job(options)
        self._metrics = job.metrics if job else measured(requested(options), self._job)
        if maps is not None:
            check_maps(self._metrics, maps, self._datasets.values())
        for metric in self._metrics:
            metric.look(self._datasets, leniency.allow_unmatched)
        self._hashes = self._job.as_read(PERCEPTUAL_HASH)
        encoders = [spec for metric in self._metrics for spec in metric.encoders]
        seen_whole = masked.besides or not masked.parts
        self._embedded = self._job.embed(sources, [*(encoders if seen_whole else ()), self._hashes])
        self._digests = dict(zip(sources, self._embedded.digests, strict=True))
        self._parts = (
            SeenParts(masked, pictures, self._digests, self._job, encoders or [self._hashes])
            if masked.parts
            else None
        )
        self._bad = (*self._embedded.bad, *(self._parts.bad if self._parts else ()))
        if not leniency.skip_bad:
            whole = self._parts is not None and self._parts.lacking and not masked.besides
            refuse_bad(self._bad, len(sources), MEND_OR_SKIP + (OR_WHOLE if whole else ""))
        self._contents = {
            digest: GivenPicture(source, digest)
            for source, digest in self._digests.items()
            if digest is not None
        }
        self._same = self._sameness()

    @doing("computing the scores")
    def score(self, method: str, allow_unmatched: bool) -> ScoreResult:
        """Score one of the data sets.

        Raises:
            InputError: nothing readable is left, or not of each subject unless `allow_unmatched`.
        """
        dataset = self._datasets[method]
        found = usable(self._subjects(dataset), self._digest_of, self._same, self._strangers)
        subjects, strangers = found.subjects, found.strangers
        _refuse_unmatched(found.emptied, allow_unmatched)
        if not subjects:
            raise InputError("no subject is left with a readable reference and a readable generation")
        pictures = Pictures(subjects, strangers, self._embedded, self._contents, method)
        _warn_of_bare(subjects)
        instead = None if self._masked.besides or not self._masked.parts else self._masked.parts[0]
        seen = pictures if self._parts is None or instead is None else self._parts.of(pictures, instead)
        scored = {metric.name: metric.score(seen) for metric in self._metrics}
        if bare := [
            name for name, one in scored.items() if pictures.with_distractors and one.margins is None
        ]:
            logger.warning("no margins, SSR and PA by %s: distractors are for embeddings", few(bare))
        copies = _copies(subjects, self._embedded, self._hashes.name)
        near = {name: near_copies_of(one, pictures, copies) for name, one in scored.items()}
        own = {name: of_subjects(one, pictures, near[name]) for name, one in scored.items()}
        beside = reference_scores_of(scored, pictures)
        paired_subjects, paired_references = with_trials([subject.sides for subject in subjects])
        maps = None if self._maps is None else self._draw(self._maps, seen)
        metrics = tuple(
            metric.describe() if instead is None else of_parts(metric, instead) for metric in self._metrics
        )
        images = images_of(subjects, scored, copies, near, maps)
        return ScoreResult(
            tool=this_tool(),
            created=timestamp(),
            inputs=Inputs(
                references=storable(dataset.references),
                generations=storable(dataset.generations),
                layout=dataset.layout,
                subjects=len(subjects),
                reference_images=sum(len(subject.references) for subject in subjects),
                generation_images=sum(len(subject.generations) for subject in subjects),
                skipped=self._skipped(dataset),
                unmatched=tuple(storable(line) for line in (*dataset.unmatched, *found.emptied)),
                distractors=None if dataset.distractors is None else storable(dataset.distractors),
                distractor_images=sum(len(subject.distractors) for subject in subjects),
                strangers=tuple(storable(stranger.name) for stranger in strangers),
                pairing=storable(dataset.pairing),
                paired_subjects=paired_subjects,
                paired_references=paired_references,
                repeated=tuple(map(storable, found.repeated)),
                repeated_distractors=tuple(map(storable, found.repeated_distractors)),
                same_generations=tuple(map(storable, found.same_generations)),
                shared_references=tuple(map(storable, found.shared_references)),
                shared_generations=tuple(map(storable, found.shared_generations)),
                masks=None if self._parts is None else self._parts.used(pictures),
                maps=None if self._maps is None else storable(self._maps),
            ),
            metrics=metrics,
            subjects=Subjects(
                Subject(
                    subject=storable(subject.name),
                    references=len(subject.references),
                    generations=len(subject.generations),
                    scores={name: found[index] for name, found in own.items()},
                    reference_paths=tuple(storable(picture.name) for picture, _ in subject.references),
                    reference_masks={
                        storable(picture.name): mask
                        for picture, _ in subject.references
                        if (mask := where(picture)) is not None
                    },
                    reasons={
                        name: {storable(path): why for path, why in one.uncounted[index].items()}
                        for name, one in scored.items()
                        if index in one.uncounted
                    },
                    reference_scores=beside[index],
                )
                for index, subject in enumerate(subjects)
            ),
            aggregate={name: of_all(one, own[name]) for name, one in scored.items()},
            images=images,
            context=self._context(pictures, scored),
            groups=scored_groups(
                self._breakdowns, images, subjects, scored, own, metrics, self._same.generations
            ),
        )

    def _context(self, pictures: Pictures, scored: Mapping[str, Numbered]) -> dict[str, ContextShare]:
        """How much of each score is context, where each part is scored besides whole pictures."""
        if self._parts is None or not self._masked.besides:
            return {}
        parts = [self._parts.of(pictures, how) for how in self._masked.parts]
        seen = [one for one in self._metrics if all(map(one.sees, self._masked.parts))]
        return {one.name: context_of(one, scored[one.name], *map(one.score, parts)) for one in seen}

    def _digest_of(self, picture: Picture) -> bytes | None:
        """The digest of a whole picture; None for one of which something cannot be used."""
        usable = self._parts is None or self._parts.usable(picture)
        return self._digests[picture.source] if usable else None

    def _draw(self, folder: Path, pictures: Pictures) -> list[dict[str, str]]:
        with doing("drawing maps"):
            found = write_maps(folder, self._metrics, pictures, self._job.settings)
        logger.info("wrote %s into %s", count(sum(map(len, found)), "map"), printable(folder))
        return found

    def _skipped(self, dataset: Dataset) -> tuple[Skipped, ...]:
        """The bad pictures of the data set, in the order in which they were found."""
        if not self._bad:
            return ()  # nearly always, and paths are many
        own = {
            storable(picture.place) for subject in self._subjects(dataset) for picture in subject.pictures()
        }
        return tuple(Skipped(bad.path, bad.reason) for bad in self._bad if bad.path in own)

    def _subjects(self, dataset: Dataset) -> tuple[SubjectPictures, ...]:
        return dataset.subjects + dataset.strangers if self._strangers else dataset.subjects

    def _sameness(self) -> Sameness:
        """Which pictures are one, of all data sets together: methods share references."""
        hashes = self._embedded.rows[self._hashes.name]
        sources = {digest: source for source, digest in self._digests.items() if digest is not None}

        def of_role(role: str) -> dict[bytes, None]:
            return {
                digest: None
                for dataset in self._datasets.values()
                for subject in self._subjects(dataset)
                for picture in getattr(subject, role)
                if (digest := self._digests[picture.source]) is not None
            }

        def thumbnails(digests: Sequence[bytes]) -> Rows:
            spec = self._job.as_read(THUMBNAIL)
            return self._job.embed([sources[digest] for digest in digests], [spec]).rows[spec.name]

        return Sameness(
            references=one_picture(near_hashes(of_role("references"), hashes), thumbnails),
            generations=one_picture(equal_hashes(of_role("generations"), hashes), thumbnails),
            distractors=one_picture(near_hashes(of_role("distractors"), hashes), thumbnails),
        )


def _warn_of_bare(subjects: Sequence[Usable]) -> None:
    """Say which subjects have no distractors, where others have."""
    if not any(subject.distractors for subject in subjects):
        return
    if bare := [printable(subject.name) for subject in subjects if not subject.distractors]:
        logger.warning(
            "%s without distractors, and so without margins: %s",
            count(len(bare), "subject"),
            ", ".join(bare),
        )


def _copies(subjects: Sequence[Usable], embedded: Embedded, hashes: str) -> dict[tuple[str, str], str]:
    """Generations that copy a reference of their subject: (subject, generation) -> name of the reference.

    A picture may be the generation of several subjects, and copy a reference of one.
    """
    copies = {}
    for subject in subjects:
        names = list(subject.copied.values())
        references = embedded.matrix(hashes, subject.copied)[:]
        own = embedded.matrix(hashes, (digest for _, digest in subject.generations))
        for start in range(0, len(own), _ROWS):
            similarity = own[start : start + _ROWS] @ references.T
            some = subject.generations[start : start + _ROWS]
            closest, alike = similarity.argmax(axis=1).tolist(), similarity.max(axis=1) >= COPY_SIMILARITY
            for (generation, digest), place, is_copy in zip(some, closest, alike.tolist(), strict=True):
                if digest in subject.copied:
                    copies[subject.name, generation.name] = subject.copied[digest]
                elif is_copy:
                    copies[subject.name, generation.name] = names[place]
    return copies


def _refuse_unmatched(unmatched: Sequence[str], allow: bool) -> None:
    """Stop if something has no counterpart.

    Raises:
        InputError: naming all of `unmatched`, unless `allow`.
    """
    if unmatched and not allow:
        raise InputError(
            f"{len(unmatched):,} without a counterpart; "
            "give references and generations the same subject names (nearid layout shows how they are read), or go on "
            "without these: --allow-unmatched",
            [printable(line) for line in unmatched],
        )


def _unmatched(datasets: Mapping[str, Dataset]) -> list[str]:
    """What has no counterpart, each line once, with the methods that it is about; no line for lacking generations."""
    found: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        lacking = set(dataset.ungenerated) if name else set()
        for line in dataset.unmatched:
            if line not in lacking:
                found.setdefault(line, []).append(name)
    return [
        f"{name}: {line}" if name else line
        for line, names in found.items()
        for name in (["every method"] if len(names) == len(datasets) > 1 else names)
    ]


def _report_strangers(results: Mapping[str, ScoreResult]) -> None:
    without: dict[tuple[str, ...], list[str]] = {}
    for name, result in results.items():
        if result.inputs.strangers:
            without.setdefault(result.inputs.strangers, []).append(name)
    for strangers, names in without.items():
        logger.info(
            "%s: no generations of %s; its references count as those of strangers: %s"
            if len(strangers) == 1
            else "%s: no generations of %s; their references count as those of strangers: %s",
            "every method" if len(names) == len(results) > 1 else few(names),
            count(len(strangers), "subject"),
            few(list(strangers)),
        )


def _report_found(dataset: Dataset, start: str = "") -> None:
    references = sum(len(subject.references) for subject in dataset.subjects)
    generations = sum(len(subject.generations) for subject in dataset.subjects)
    distractors = sum(len(subject.distractors) for subject in dataset.subjects)
    logger.info(
        "%slayout %s: %s, %s, %s%s%s",
        start,
        dataset.layout,
        count(len(dataset.subjects), "subject"),
        count(references, "reference"),
        count(generations, "generation"),
        f", {count(distractors, 'distractor')}" if distractors else "",
        f"; left out: {dataset.left_out.summary()}" if dataset.left_out else "",
    )
    steps = {
        one.labels["step"]: None
        for subject in dataset.subjects
        for one in subject.generations
        if "step" in one.labels
    }
    if len(steps) > 1:
        logger.info(
            "%sgenerations of %s are scored together: %s", start, count(len(steps), "step"), few(list(steps))
        )
    for line in dataset.left_out.lines() if logger.isEnabledFor(logging.DEBUG) else ():
        logger.debug(line)
