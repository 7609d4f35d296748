"""What `nearid score`, `nearid pair` and `nearid embed` find out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from nearid_cli.results.base import Named, OneLine, Shown, Tabular, Tool, listed
from nearid_cli.results.images import Images, PictureMask
from nearid_cli.text import count, decimals

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

Interval = tuple[float, float]

_OLD_PROTOCOL = "mean cosine similarity over all (generation, reference) pairs of a subject"


def memory_root(side: str) -> str:
    """What stands where the folder of a side would, for pictures that a program gave from its memory.

    >>> memory_root("generations")
    '<generations>'
    """
    return f"<{side}>"


_MEMORY_ROOTS = tuple(f"{memory_root(side)}/" for side in ("references", "generations", "distractors"))


def is_in_memory(name: str) -> bool:
    """Whether a picture's name in a result says that it was never a file.

    >>> is_in_memory("<generations>/cat/0"), is_in_memory("cat/0.png")
    (True, False)
    """
    return name.startswith(_MEMORY_ROOTS)


@dataclass(frozen=True)
class Skipped:
    """A picture that was left out with `--skip-bad`.

    Attributes:
        path: which one.
        reason: why.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class MasksUsed:
    """Which part of pictures was scored.

    Attributes:
        source: where masks are from, in words.
        keep: `foreground` or `background` in place of whole pictures; or `both`, each besides whole pictures.
        fill: what the rest became: `black`, `white` or `mean`.
        clean: whether each mask was reduced to its largest blob, filled.
        unmasked: how many pictures have no mask, and were scored whole.
    """

    source: str
    keep: str
    fill: str
    clean: bool
    unmasked: int = 0


@dataclass(frozen=True)
class Inputs:
    """What was scored: where the pictures came from and how many there were.

    Attributes:
        references, generations: folder or manifest of each side, as it was given.
        layout: how the pictures were found.
        subjects: how many subjects were scored.
        reference_images, generation_images: how many pictures of each side were scored.
        skipped: pictures that cannot be used, left out with `--skip-bad`.
        unmatched: subjects that only one side has, and generations without a subject, a line each.
        distractors: as it was given; None without distractors.
        distractor_images: how many there were.
        strangers: subjects of a comparison that have references only; they count for the floor and the identification
            of the others.
        pairing: how distractors are paired with references by their contexts; empty where they are not.
        paired_subjects: how many subjects SSR and PA have trials of.
        paired_references: how many references have a distractor in their context.
        repeated, repeated_distractors: pictures that look like another of the same subject, and count once with it.
        same_generations: a line for each subject with generations that are one picture.
        shared_references, shared_generations: a line for each picture that is of several subjects.
        masks: which part of the pictures was scored; None for whole pictures.
        maps: the folder with maps of where identity was lost, as it was given; None without.
    """

    references: str
    generations: str
    layout: str
    subjects: int
    reference_images: int
    generation_images: int
    skipped: tuple[Skipped, ...]
    unmatched: tuple[str, ...]
    distractors: str | None = None
    distractor_images: int = 0
    strangers: tuple[str, ...] = ()
    pairing: str = ""
    paired_subjects: int = 0
    paired_references: int = 0
    repeated: tuple[str, ...] = ()
    repeated_distractors: tuple[str, ...] = ()
    same_generations: tuple[str, ...] = ()
    shared_references: tuple[str, ...] = ()
    shared_generations: tuple[str, ...] = ()
    masks: MasksUsed | None = None
    maps: str | None = None


@dataclass(frozen=True)
class Metric:
    """What made the numbers of one metric: enough to make them again.

    Attributes:
        name: what the metric is called here.
        checkpoint: folder or Hub id of its weights, or the file of its numbers; empty without either.
        revision: commit of the Hub, or the file's digest; None for folders.
        fingerprint: of all that decides about a number: weights, readout, preprocessing, number format.
        readout: how the model's output becomes an embedding.
        dtype: the numbers that the model computes with.
        preprocessing: how pictures are prepared.
        protocol: how scores come about; numbers of other protocols mean something else.
        kind: `embedding`, `pairwise`, `text` or `given`: what it takes, and so which numbers there may be.
        range: the lowest and the highest score that is possible; None where there is no end.
        higher_is_better: False for distances.
        symmetric: whether reference and generation may be exchanged.
        against: what generations are scored against: `references`, `prompts`, or nothing that is known.
        masks: which part of pictures it sees, in words; empty for whole pictures.
        engine: what ran the model where torch did not: `openvino`; empty otherwise.
    """

    name: str
    checkpoint: str
    revision: str | None
    fingerprint: str
    readout: str
    dtype: str
    preprocessing: str
    protocol: str
    kind: str = "embedding"
    range: tuple[float | None, float | None] = (-1.0, 1.0)
    higher_is_better: bool = True
    symmetric: bool = True
    against: str = "references"
    masks: str = ""
    engine: str = ""

    @property
    def usual(self) -> bool:
        """Whether scores are cosine similarities of embeddings to those of references, unless one says else."""
        own = (self.kind, self.range, self.higher_is_better, self.symmetric, self.against)
        return own == (Metric.kind, Metric.range, Metric.higher_is_better, Metric.symmetric, Metric.against)

    @property
    def sign(self) -> float:
        """What a score is multiplied by so that more is better: -1 for distances, else 1."""
        return 1.0 if self.higher_is_better else -1.0

    def comparable_with(self, other: Metric) -> bool:
        """Whether numbers of both mean the same: one encoder, and one way of scoring with it, on one scale."""
        return self._meaning == other._meaning

    @property
    def _meaning(self) -> tuple[Any, ...]:
        scale = self.kind, self.against, self.range, self.higher_is_better, self.symmetric
        return self.fingerprint, self.protocol, *scale

    def decimals(self, largest: float) -> int:
        """With how many decimals scores are told, of which the largest is so large; cosines have three in any case."""
        return 3 if self.range == Metric.range else decimals(largest)

    def within(self, ends: Interval | None) -> Interval | None:
        """An interval of scores without what is beyond the range."""
        if ends is None:
            return None
        low, high = self.range
        return (
            ends[0] if low is None else max(ends[0], low),
            ends[1] if high is None else min(ends[1], high),
        )

    @property
    def outdated(self) -> bool:
        """Whether an older release made the numbers, of which some meant something else (`nearid.score/1`)."""
        return self.protocol == _OLD_PROTOCOL


@dataclass(frozen=True)
class SubjectScores:
    """One metric on one subject, on the metric's own scale; `retention`, `identification` and their like are shares.

    Attributes:
        score: mean over all pairs of a generation and a reference that have a number, generation by generation; None
            where none has one.
        std: standard deviation of the generations' scores; None for one generation.
        ci95: 95 % interval of `score`; None below 3 prompts or generations.
        min, max: the lowest and the highest score of a generation.
        ceiling: mean similarity among the references; None for one reference.
        floor: mean similarity to the references of other subjects; None for one subject.
        retention: (score - floor) / (ceiling - floor); None where one is missing, or `within_noise`.
        identification: share of generations that are nearest to their own subject; None for one subject.
        margin: mean margin of the generations over the subject's distractors; None without distractors.
        positive_margins: share of generations whose margin is above 0; None without distractors.
        within_noise: ceiling and floor are no farther apart than chance may put them, so there is no `retention`.
        identification_ci95, positive_margins_ci95: 95 % intervals of these shares.
        missing: how many of the subject's generations have no number by this metric.
        near_copies: how many generations are nearer to one reference than the two nearest references are to each
            other, and are no copies; None for one reference, and for metrics that compare no pictures.
        diversity: 1 - mean similarity among the generations; None for one, and for all but embeddings.
        prompt_diversity: the same within a prompt, mean over prompts; None where no prompt has two generations.
        closest: how alike the two references are that are most alike, which near copies exceed; None for one reference.
    """

    score: float | None
    std: float | None
    ci95: Interval | None
    min: float | None
    max: float | None
    ceiling: float | None
    floor: float | None
    retention: float | None
    identification: float | None
    margin: float | None = None
    positive_margins: float | None = None
    within_noise: bool = False
    identification_ci95: Interval | None = None
    positive_margins_ci95: Interval | None = None
    missing: int = 0
    near_copies: int | None = None
    diversity: float | None = None
    prompt_diversity: float | None = None
    closest: float | None = None


@dataclass(frozen=True)
class ReferenceScore:
    """One reference beside the others of its subject.

    Attributes:
        path: below `inputs.references`.
        score: mean similarity to the other references.
        odd: it falls out: what it shows may be another subject, or hardly this one.
    """

    path: str
    score: float
    odd: bool = False


@dataclass(frozen=True)
class Subject:
    """One subject.

    Attributes:
        subject: its name.
        references, generations: how many pictures it has.
        scores: by metric.
        reference_paths: below `inputs.references`.
        reference_masks: by these, where masks were asked for.
        reasons: by metric the references that do not count for it, by path, and why, such as `no face`.
        reference_scores: by metric each reference beside the others; no key for metrics that say nothing of that, and
            where there are fewer than three.
    """

    subject: str
    references: int
    generations: int
    scores: Mapping[str, SubjectScores]
    reference_paths: tuple[str, ...] = ()
    reference_masks: Mapping[str, PictureMask] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reference_scores: Mapping[str, tuple[ReferenceScore, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class AggregateScores:
    """One metric over all subjects: unweighted means over subjects, and the mean over all pairs.

    Attributes:
        score: mean of the subjects' scores, of those that have one.
        ci95: its 95 % interval over subjects; None below 3 of them.
        pair_mean: mean over all pairs of a generation and a reference of its subject.
        ceiling, floor, identification: means of the subjects' numbers; None where no subject has one.
        retention: the mean of score - floor divided by that of ceiling - floor.
        margin, positive_margins: means of the subjects' numbers; None without distractors.
        ssr, pa: of the references against the distractors in their contexts, as in the NearID paper: how far the metric
            can be trusted on this data; None where distractors are not paired with references.
        all_pairs_ssr, all_pairs_pa: of every distractor against every reference of a subject, which is another number;
            None without distractors.
        ssr_ci95, pa_ci95, retention_ci95, identification_ci95, positive_margins_ci95, all_pairs_ssr_ci95,
            all_pairs_pa_ci95: 95 % intervals over subjects of the numbers that they are named after.
        missing: how many generations have no number by this metric.
        pairs_missing: of metrics that go pair by pair, how many pairs have no number though their generation has one,
            or of two references, by reason.
        near_copies: of all subjects that can have some; None where none can.
        diversity, prompt_diversity: means of the subjects' numbers; None where no subject has one.
        diversity_ci95, prompt_diversity_ci95: their 95 % intervals over subjects; None below 3.
    """

    score: float | None
    ci95: Interval | None
    pair_mean: float | None
    ceiling: float | None
    floor: float | None
    retention: float | None
    identification: float | None
    margin: float | None = None
    positive_margins: float | None = None
    ssr: float | None = None
    ssr_ci95: Interval | None = None
    pa: float | None = None
    pa_ci95: Interval | None = None
    retention_ci95: Interval | None = None
    identification_ci95: Interval | None = None
    positive_margins_ci95: Interval | None = None
    all_pairs_ssr: float | None = None
    all_pairs_ssr_ci95: Interval | None = None
    all_pairs_pa: float | None = None
    all_pairs_pa_ci95: Interval | None = None
    missing: int = 0
    pairs_missing: Mapping[str, int] = field(default_factory=dict)
    near_copies: int | None = None
    diversity: float | None = None
    diversity_ci95: Interval | None = None
    prompt_diversity: float | None = None
    prompt_diversity_ci95: Interval | None = None

    def figure(self, places: int = 3) -> str:
        """The score with its interval, in so many decimals."""
        if self.score is None:
            return "unknown"
        score = f"{self.score:.{places}f}"
        return f"{score} [{', '.join(f'{end:.{places}f}' for end in self.ci95)}]" if self.ci95 else score


@dataclass(frozen=True)
class ContextShare:
    """How much of a metric's score is context: scores of whole pictures, and of two parts of them alone.

    Attributes:
        whole, foreground, background: aggregate scores of whole pictures, of the subject alone, and of all but the
            subject.
        foreground_floor, background_floor: the floors of the parts; None with one subject.
        share: (background - its floor) / ((foreground - its floor) + (background - its floor)), from 0 to 1; None where
            a floor is, or where both parts together are not above their floors.
        ci95: its 95 % interval over subjects; None below 3.
        within_noise: both parts together are not above their floors by more than chance may put them, so there is no
            share.
    """

    whole: float | None
    foreground: float | None
    background: float | None
    foreground_floor: float | None
    background_floor: float | None
    share: float | None
    ci95: Interval | None = None
    within_noise: bool = False


@dataclass(frozen=True)
class ScoredGroup:
    """The generations that have one value of a label, or one value of each of several, scored as if they were all.

    Attributes:
        labels: what they have in common: label to value; None for those that lack the label.
        subjects: how many subjects have generations in it.
        generations: how many it has.
        aggregate: by metric, over these subjects. Ceilings are those of all references, and strangers all other
            subjects of the run.
    """

    labels: Mapping[str, str | None]
    subjects: int
    generations: int
    aggregate: Mapping[str, AggregateScores]


class Subjects(Named[Subject], item=Subject, noun="subject", attribute="subject"):
    """The subjects of a result, to be had by place or by name: `result.subjects["cat"]`."""

    __slots__ = ()


@dataclass(frozen=True, repr=False)
class ScoreResult(Tabular):
    """The result of `nearid score`.

    Attributes:
        tool, created: what made it and when (ISO 8601, UTC).
        inputs: what was scored.
        metrics: in the order asked for.
        subjects: in the order of their names.
        aggregate: over all subjects, by metric.
        images: every generation.
        context: by metric, how much of the score is context; empty unless the parts were scored, too.
        schema: `nearid.score/2`, or what the file said that it was read from.
        groups: what was asked for with `--by`, label by label, each in the order of its values.
    """

    tool: Tool
    created: str
    inputs: Inputs
    metrics: tuple[Metric, ...]
    subjects: Subjects
    aggregate: Mapping[str, AggregateScores]
    images: Images
    context: Mapping[str, ContextShare] = field(default_factory=dict)
    schema: str = "nearid.score/2"
    groups: tuple[ScoredGroup, ...] = ()
    command = "nearid score"

    def __post_init__(self) -> None:
        object.__setattr__(self, "subjects", Subjects(self.subjects))  # of a plain tuple, too
        object.__setattr__(self, "images", Images.of(self.images))  # likewise

    def facts(self) -> dict[str, Any]:
        """The result as JSON-ready dictionaries and lists, without subjects and images."""
        facts = replace(self.without_images(), subjects=Subjects()).to_dict()
        del facts["subjects"], facts["images"]
        return facts

    def without_images(self) -> ScoreResult:
        """The result as if it said nothing of single generations."""
        return replace(self, images=Images())

    @property
    def runs(self) -> Mapping[str | None, ScoreResult]:
        """The scores of each method by its name: here of one that has no name."""
        return {None: self}

    def with_runs(self, change: Callable[[ScoreResult], ScoreResult]) -> ScoreResult:
        """The result with the scores of each method changed."""
        return change(self)

    def _line(self) -> str:
        given = self.inputs
        what = [
            count(len(self.subjects), "subject"),
            count(given.reference_images, "reference"),
            count(given.generation_images, "generation"),
        ]
        if copies := len(self.images) - self.images.column("copy_of").count(None):
            what.append(count(copies, "copy", "copies"))
        places = {one.name: one.decimals(largest_score([self], one.name)) for one in self.metrics}
        scores = [f"{name} {one.figure(places[name])}" for name, one in self.aggregate.items()]
        return f"{', '.join(what)}; {listed(scores)}"


def largest_score(runs: Iterable[ScoreResult], metric: str) -> float:
    """The largest score of a subject or of all by a metric, without its sign; 0 where there is none."""
    runs = list(runs)
    scores = [run.aggregate[metric].score for run in runs]
    scores += [subject.scores[metric].score for run in runs for subject in run.subjects]
    return max((abs(score) for score in scores if score is not None), default=0.0)


@dataclass(frozen=True, repr=False)
class PairResult(Shown):
    """The result of `nearid pair`.

    Attributes:
        a, b: the pictures.
        metrics: in the order asked for.
        similarity: cosine similarity by metric.
    """

    a: str
    b: str
    metrics: tuple[Metric, ...]
    similarity: Mapping[str, float]
    schema = "nearid.pair/1"

    def _line(self) -> str:
        return f"{self.a}, {self.b}; {listed([f'{name} {one:.4f}' for name, one in self.similarity.items()])}"


class EmbeddingRows(Protocol):
    """Embeddings, float32 [N, D]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""

    def __getitem__(self, chosen: slice, /) -> npt.NDArray[np.float32]:
        """Some of them."""


@dataclass(frozen=True, repr=False)
class EmbedResult(OneLine):
    """The result of `nearid embed`: pictures with their embeddings by metric.

    Attributes:
        paths: in natural order.
        digests: BLAKE3 of each file's bytes, 32 bytes.
        metrics: what made the embeddings.
        embeddings: metric -> float32 [N, D], rows of length 1, of the pictures that have one by that metric: an array,
            or what reads its rows when they are asked for by a slice, and `np.asarray` all of them.
        skipped: pictures that cannot be used.
        absent: metric -> position in `paths` of each picture that has no embedding -> why; no key for a metric that
            embeds all.
    """

    paths: tuple[Path, ...]
    digests: tuple[bytes, ...]
    metrics: tuple[Metric, ...]
    embeddings: Mapping[str, EmbeddingRows]
    skipped: tuple[Skipped, ...] = ()
    absent: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def _line(self) -> str:
        sizes = [f"{name} {list(rows.shape)}" for name, rows in self.embeddings.items()]
        return f"{count(len(self.paths), 'picture')}; {listed(sizes)}"
