"""What a comparison of checkpoints finds out: how their numbers go with the step, and which one to take."""

from __future__ import annotations

from dataclasses import dataclass

from nearid_cli.results.score import Interval


@dataclass(frozen=True)
class CurvePoint:
    """One checkpoint.

    Attributes:
        method: its name among the methods of the comparison, whose `common` has its numbers.
        number: its step or epoch; None for a last one whose name has none.
        generations: how many it has.
        copies: how many of these copy a reference.
        near_copies: how many nearly copy one, by the first metric that can tell; None where none can.
        left_out: it copies, so it is not chosen: too many copies, or `copying_from` is at it or before it.
    """

    method: str
    number: int | None
    generations: int
    copies: int
    near_copies: int | None = None
    left_out: bool = False


@dataclass(frozen=True)
class StepDifference:
    """One checkpoint against the best one by one metric, paired by subject as methods are.

    Attributes:
        metric, method: which ones.
        subjects: how many subjects were compared.
        delta: mean over subjects of the checkpoint minus the best one; None without a common subject.
        ci95: its 95 % interval over subjects; None below 3 subjects.
        p_adjusted: what the verdict rests on: adjusted for the number of checkpoints, for a mean that rests on few
            subjects, and for the best one's having been chosen; None where nothing is judged.
        verdict: `better`, `worse`, or why neither was shown.
    """

    metric: str
    method: str
    subjects: int
    delta: float | None
    ci95: Interval | None
    p_adjusted: float | None
    verdict: str


@dataclass(frozen=True)
class Curve:
    """The checkpoints of one training, by the first metric where nothing else is said.

    Attributes:
        name: of the training: what the names of its checkpoints have in common; may be empty.
        unit: of `number`: `step` or `epoch`.
        points: in order.
        best: the checkpoint with the best score over the common ground, of those not left out; the earliest of equals.
            None where none has a score.
        differences: by every metric, each other one minus `best`.
        alike: those compared with `best` that are shown to be neither worse nor better; they need not be equal.
        earliest: the first of those in a row before `best` that are `alike`; `best` itself where there is none, and
            where nothing at all is shown to be worse.
        copying_from: the first checkpoint from which on each copies: more of its generations than a few copy a
            reference, or more nearly copy one than before and than faithful ones would by chance.
        near_copies_from: the first from which on each has more near copies than those before, where there is no
            `copying_from`: faithful generations may have so many.
        raised_by_copies: of those left out, which score better than `best`, and do not without their copies.
        answer: which one to take, in a line.
    """

    name: str
    unit: str
    points: tuple[CurvePoint, ...]
    best: str | None
    differences: tuple[StepDifference, ...] = ()
    alike: tuple[str, ...] = ()
    earliest: str | None = None
    copying_from: str | None = None
    near_copies_from: str | None = None
    raised_by_copies: tuple[str, ...] = ()
    answer: str = ""

    def difference(self, method: str, metric: str) -> StepDifference | None:
        """Of a checkpoint by a metric; None of the best one, and where none is."""
        return next((one for one in self.differences if (one.method, one.metric) == (method, metric)), None)
