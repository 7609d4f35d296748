"""What `nearid compare` finds out: methods side by side, and what their differences are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nearid_cli.results.base import Named, Tabular, Tool, known_figure, listed
from nearid_cli.results.curves import Curve
from nearid_cli.results.score import Interval, Metric, ScoredGroup, ScoreResult, Subjects, largest_score
from nearid_cli.text import count

BETTER, WORSE = "better", "worse"
"""The verdicts of a difference that was shown; any other says why it was not."""

SAME = "the same on every subject"
"""The verdict where there is no difference."""

TOO_FEW = "too few subjects to show a difference"
"""How the verdict begins where no difference, however large, could have been shown."""

SIGNIFICANT = 0.05
"""A difference is called one where its adjusted p-value is below this."""


@dataclass(frozen=True)
class Common:
    """One metric over what all ranked methods have in common, so that it may be ranked.

    Attributes:
        score: mean over the common subjects; of each, over its common prompts where prompts are known. By a metric that
            has no number of some generations, over what all ranked methods have a number of; None where it lacks that.
        ci95: its interval over subjects; None below 3 subjects.
        ceiling: mean over the common subjects that have one.
        floor, identification: likewise; None unless all methods have the same strangers and no generation is left out.
        retention: mean of score - floor over mean of ceiling - floor.
        retention_ci95: its interval over subjects.
    """

    score: float | None
    ci95: Interval | None
    ceiling: float | None
    floor: float | None
    retention: float | None
    retention_ci95: Interval | None
    identification: float | None


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        name: as given, or its folder's.
        result: its scores, as `nearid score` would have made them.
        copies: generations that copy a reference of their subject.
        copying: so many of its generations are copies that its scores say nothing; it takes part in no ranking
            unless all methods do.
        lacking: subjects that some other method has and this one has not.
        ranks: by metric, 1 for the best score in `common`; None where `copying` keeps it out, where it has no number by
            the metric, or where nothing is common to all ranked methods.
        common: its numbers by metric over what all ranked methods have; empty where it lacks some of that itself.
    """

    name: str
    result: ScoreResult
    copies: int
    copying: bool
    lacking: tuple[str, ...]
    ranks: Mapping[str, int | None]
    common: Mapping[str, Common] = field(default_factory=dict)


@dataclass(frozen=True)
class Pairing:
    """What of a method was put beside what of the baseline, and what found no place (results/pairing.py has the rules).

    Attributes:
        by_prompt, by_name, as_a_whole: how many subjects were compared prompt by prompt, by pairs of generations of one
            name, and with all of their generations.
        lacking_prompts: by subject the prompts that the baseline has and the method lacks; they take no part.
        further_prompts: likewise those that the method has and the baseline lacks.
        apart: subjects in which both know their prompts and have none in common; they take no part.
        alone, baseline_alone: other generations that take no part: without a known prompt where prompts decide,
            without a counterpart where names do.
        prompts_differ: prompts are known, but no subject has one that both have, so all generations are compared,
            and nothing is judged.
        unknown_prompts: subjects of which one of the two does not know nearly all prompts: they were not heeded.
        coinciding: how many names of generations are in both, where prompts do not decide.
        placeholders: words of prompts that were left out to compare them: one of the two has them in all prompts of a
            subject, and the other in none.
    """

    by_prompt: int = 0
    by_name: int = 0
    as_a_whole: int = 0
    lacking_prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    further_prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    baseline_alone: tuple[str, ...] = ()
    prompts_differ: bool = False
    unknown_prompts: tuple[str, ...] = ()
    coinciding: int = 0
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One method against the baseline by one metric, paired by subject.

    Attributes:
        metric, method, baseline: which ones.
        subjects: how many subjects were compared; every number below is over these.
        pairs: how many generations were paired by name; 0 where prompts decide, or all generations are compared.
        delta: mean over subjects of method minus baseline, in the metric's own numbers; None without a common subject.
        ci95: its 95 % interval over subjects; None below 3 subjects.
        p: two-sided sign-flip permutation test over subjects; None without a common subject.
        p_holm: `p` adjusted by Holm over the methods that are compared with the baseline by this metric; None for a
            method that is not ranked because it copies, or has no prompt in common with the baseline: it takes no part
            in the adjustment.
        exact: whether `p` is over all sign flips rather than over random ones.
        wins, ties, losses: subjects on which the method is better, equal, worse.
        detectable: the true difference that a comparison over so many subjects, so spread, shows with 80 % power at
            5 %; None where none can. It judges the design: what the truth may be is said by `ci95`.
        deltas: by subject.
        p_studentised: two-sided test that allows for skewed differences; below 0.05 where `ci95` leaves out 0.
        p_adjusted: what the verdict rests on: the largest of `p_holm`, of Holm over `p_studentised`, and, where the
            baseline is the best of three or more ranked methods, of a permutation test of all their pairs at once.
            None where `p_holm` is.
        verdict: `better`, `worse`, or why neither was shown.
        prompts: how many prompts were compared, counted subject by subject; 0 where prompts do not decide.
        unpaired: how many generations of both, of subjects that both have, take no part.
        pairing: what was put beside what, and what found no place.
        higher_is_better: False where the metric is a distance: then a method with a `delta` below 0 is better.
        unscored, baseline_unscored: how many generations of each take no part by this metric, because it has no number
            of them, or of nothing that they are put beside.
        unscored_subjects: subjects that take no part for that reason.
    """

    metric: str
    method: str
    baseline: str
    subjects: int
    pairs: int
    delta: float | None
    ci95: Interval | None
    p: float | None
    p_holm: float | None
    exact: bool
    wins: int
    ties: int
    losses: int
    detectable: float | None
    deltas: Mapping[str, float]
    p_studentised: float | None = None
    p_adjusted: float | None = None
    verdict: str = ""
    prompts: int = 0
    unpaired: int = 0
    pairing: Pairing = Pairing()
    higher_is_better: bool = True
    unscored: int = 0
    baseline_unscored: int = 0
    unscored_subjects: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether the verdict is that the method is better, or that it is worse."""
        return self.verdict in (BETTER, WORSE)


@dataclass(frozen=True)
class Agreement:
    """How alike two metrics rank.

    Attributes:
        level: what they rank: `methods`, `subjects` (of each method) or `images`.
        a, b: the metrics. Both rank from the worst to the best, so a distance may agree with a similarity.
        n: how many things both give a number.
        kendall, spearman: the correlations; None below 3 things or where one metric rates all alike.
    """

    level: str
    a: str
    b: str
    n: int
    kendall: float | None
    spearman: float | None


@dataclass(frozen=True)
class Disagreement:
    """A generation (`level` is `images`) or a method (`methods`) that two metrics rate very differently.

    Attributes:
        level: `images` or `methods`.
        metric: the one that is compared with the first metric of the run, `against`.
        against: the first metric.
        method: whose.
        subject, path: of the generation; None for a method.
        rank, rank_against: 0 for the worst, 1 for the best by `metric` and by `against`, of what both give a number.
        difference: `rank` - `rank_against`; above 0 `metric` rates it higher than `against` does.
    """

    level: str
    metric: str
    against: str
    method: str
    subject: str | None
    path: str | None
    rank: float
    rank_against: float
    difference: float


@dataclass(frozen=True)
class ComparedGroup:
    """The generations of all methods that have one value of a label, or one value of each of several.

    Attributes:
        labels: what they have in common: label to value; None for those that lack the label.
        methods: by method that has any, its numbers in the group.
        comparisons: metric by metric, every method but the baseline that has any. Their `p_holm` and `p_adjusted` are
            adjusted over methods and groups together.
    """

    labels: Mapping[str, str | None]
    methods: Mapping[str, ScoredGroup]
    comparisons: tuple[Comparison, ...]


class Methods(Named[Method], item=Method, noun="method", attribute="name"):
    """The methods of a comparison, to be had by place or by name: `result.methods["ours"]`."""

    __slots__ = ()


@dataclass(frozen=True, repr=False)
class CompareResult(Tabular):
    """The result of `nearid compare`.

    Attributes:
        tool, created: what made it and when.
        baseline: the method that the others are compared with.
        baseline_named: it was asked for; otherwise it is the best by the first metric.
        metrics: in the order asked for; the first one leads.
        methods: in the order given.
        comparisons: metric by metric, every method but the baseline.
        agreements: every pair of metrics at every level.
        disagreements: methods first, then images; worst first.
        schema: `nearid.compare/2`, or what the file said that it was read from.
        common_subjects: the subjects that all ranked methods have, over which they are ranked.
        common_prompts: how many prompts all of these have, counted subject by subject; 0 where prompts do not decide.
        remarks: what must be known of the ranking, a sentence each.
        groups: what was asked for with `--by`, label by label, each in the order of its values.
        curves: the trainings whose checkpoints are among the methods.
    """

    tool: Tool
    created: str
    baseline: str
    baseline_named: bool
    metrics: tuple[Metric, ...]
    methods: Methods
    comparisons: tuple[Comparison, ...]
    agreements: tuple[Agreement, ...]
    disagreements: tuple[Disagreement, ...]
    schema: str = "nearid.compare/2"
    common_subjects: tuple[str, ...] = ()
    common_prompts: int = 0
    remarks: tuple[str, ...] = ()
    groups: tuple[ComparedGroup, ...] = ()
    curves: tuple[Curve, ...] = ()
    command = "nearid compare"

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", Methods(self.methods))  # of a plain tuple, too

    @property
    def ranked(self) -> tuple[Method, ...]:
        """The methods that do not copy references; all, where all copy."""
        return tuple(method for method in self.methods if not method.copying) or tuple(self.methods)

    def facts(self) -> dict[str, Any]:
        """The comparison as JSON-ready dictionaries and lists, without the subjects and images of its methods."""
        facts = self.with_runs(lambda run: replace(run.without_images(), subjects=Subjects())).to_dict()
        for method in facts["methods"]:
            del method["result"]["subjects"], method["result"]["images"]
        return facts

    @property
    def runs(self) -> Mapping[str | None, ScoreResult]:
        """The scores of each method by its name."""
        return {method.name: method.result for method in self.methods}

    def with_runs(self, change: Callable[[ScoreResult], ScoreResult]) -> CompareResult:
        """The comparison with the scores of each method changed."""
        return replace(self, methods=Methods(replace(one, result=change(one.result)) for one in self.methods))

    def _line(self) -> str:
        first = self.metrics[0].name
        places = self.metrics[0].decimals(largest_score(self.runs.values(), first))
        ranked = sorted(self.methods, key=lambda one: (one.ranks[first] is None, one.ranks[first] or 0))
        scores = [
            f"{known_figure(one.name, _score(one, first), places)}{' (copies references)' * one.copying}"
            for one in ranked
        ]
        by = ", ".join(metric.name for metric in self.metrics)
        return f"{count(len(self.methods), 'method')} by {by}; {first}: {listed(scores)}"


def _score(method: Method, metric: str) -> float | None:
    """What the method is ranked by, or else its own score."""
    return (method.common or method.result.aggregate)[metric].score
