"""A comparison as a document: who is best, whether that is real, and whether the metrics agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nearid_cli.reports.blocks import Block, Draft, Finding, FindingList, Panel, Prose, Story, Topic, origin
from nearid_cli.reports.conclusion import conclude, conclusion_line
from nearid_cli.reports.copying import copying_and_diversity
from nearid_cli.reports.curve_answer import told, whole_curve
from nearid_cli.reports.curves import curve_blocks, numbers_of
from nearid_cli.reports.differences import difference_columns, stored_differences, trend
from nearid_cli.reports.findings import compare_findings, how_all_paired, how_paired
from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.reports.groups import compare_groups, groups_findings
from nearid_cli.reports.masked import about_masks, context_shares
from nearid_cli.reports.notes import (
    about_metrics,
    about_trials,
    missing_agreements,
    missing_differences,
    missing_of_methods,
)
from nearid_cli.reports.numbers import in_detail, metric_columns
from nearid_cli.reports.order import apart, best_first, ground, over_common, sorted_methods
from nearid_cli.reports.provenance import about_inputs, made_by
from nearid_cli.reports.table import (
    COUNT,
    GLUE,
    SCORE,
    SIGNED,
    TEXT,
    TRUTH,
    Column,
    Mark,
    Table,
    named,
)
from nearid_cli.results import (
    AggregateScores,
    Agreement,
    CompareResult,
    Comparison,
    Disagreement,
    Method,
    Metric,
)
from nearid_cli.results.compare import SIGNIFICANT
from nearid_cli.text import count, few, listed, printable

_SHOWN = 3  # disagreements of a metric that a terminal shows in each direction
_RANKS: dict[int, tuple[Mark, ...]] = {1: ("best",), 2: ("second",)}


def compare_draft(result: CompareResult, sort: str | None = None) -> Draft:
    """What the document of a comparison says.

    Args:
        result: what to show.
        sort: order of methods as in `sorted_methods`; None for the best by the first metric first.

    Raises:
        UsageError: `sort` names neither `method` nor a metric.
    """
    methods = sorted_methods(result, sort or result.metrics[0].name)
    facts = tuple(made_by(result, _about_methods(result)))
    table = scores_table(result, methods)
    return Draft(
        "nearid compare",
        (
            *_trainings(result),
            *curve_blocks(result),
            Panel(table),
            *_apart(result, methods),
            Prose(_about_masks(result)),
            Prose(about_metrics(result)),
            *context_shares(result),
            *copying_and_diversity(result),
            Prose(about_trials(result)),
            FindingList(_findings(result), _conclusion(result), rank=1),
            *(replace(one, topic=Topic.DIFFERENCES) for one in _differences(result, methods)),
            *compare_groups(result),
            *(replace(one, topic=Topic.AGREEMENT) for one in _agreements(result)),
            *(
                Panel(
                    subjects_by_methods(methods, gauge),
                    topic=Topic.SUBJECTS,
                    where="page",
                    folded=f"Scores by subject: {gauge.label}",
                    rank=3,
                )
                for gauge in gauges(result).values()
            ),
            origin(facts),
        ),
        table,
        facts,
    )


def _findings(result: CompareResult) -> list[Finding]:
    shown = list(gauges(result).values())
    return [*compare_findings(result), *groups_findings(result.groups, shown)]


def _conclusion(result: CompareResult) -> str:
    """Which checkpoint to take, where all methods are those of one training; else who won."""
    whole = whole_curve(result)
    return whole.answer if whole else conclusion_line(result)


def _trainings(result: CompareResult) -> Iterator[Block]:
    """Which checkpoint of each training to take, where they are not all that is compared."""
    if result.curves and not whole_curve(result):
        yield FindingList([Finding(one.answer) for one in result.curves], topic=Topic.STEPS, rank=1)


def _about_methods(result: CompareResult) -> Iterator[str]:
    """What was compared with what, a line a fact."""
    chosen = "as asked for" if result.baseline_named else "the best by the first metric"
    yield f"baseline: {result.baseline}, {chosen}"
    for method in result.methods:
        yield f"method {method.name}: {'; '.join(about_inputs(method.result.inputs))}"


def _about_masks(result: CompareResult) -> list[str]:
    """Which part of pictures was scored; of which methods, where these differ in that."""
    whose: dict[str, list[str]] = {}
    for method in result.methods:
        for line in about_masks(method.result):
            whose.setdefault(line, []).append(method.name)
    return [
        line if len(names) == len(result.methods) else f"{few(names)}: {line}"
        for line, names in whose.items()
    ]


def scores_table(result: CompareResult, methods: Sequence[Method]) -> Table:
    """The methods by the numbers that are ranked, with all that data files hold of methods.

    Where the ranked numbers are over less than what a method has, its own are in data files, too, as
    `<metric>_own_<number>`. What it differs from the baseline is empty for the baseline itself.
    """
    own = apart(result)
    ranked = over_common(result)
    over = f", over the {ground(result)}" if own else ""
    out = "; a method that copies references is not ranked" if len(result.ranked) < len(methods) else ""
    marks: dict[Mark, str] = {
        "best": f"{over}{out}",
        "better": f" than {printable(result.baseline)} with an adjusted p below {SIGNIFICANT}",
    }
    any_rank = any(rank for method in methods for rank in method.ranks.values())
    table = methods_table(
        [ranked.methods[one.name] for one in methods],
        list(gauges(result).values()),
        in_detail(result),
        result.comparisons,
        counted=own is None,
        own=methods if own else (),
        common=(len(result.common_subjects), result.common_prompts) if own else None,
    )
    numbers = numbers_of(result, [one.name for one in methods]).items()
    steps = [Column(COUNT, cells, name=unit) for unit, cells in numbers]
    return replace(
        table,
        columns=(*steps, *table.columns),
        caption="Mean cosine similarity over subjects."
        if all(metric.usual for metric in result.metrics)
        else "Mean score over subjects.",
        label="nearid-compare",
        notes=tuple(missing_of_methods(ranked)),
        marks=marks if any_rank else {},
        brackets="95 % intervals over subjects",
    )


def methods_table(
    methods: Sequence[Method],
    metrics: Sequence[Gauge],
    told: str,
    comparisons: Sequence[Comparison] = (),
    *,
    counted: bool = True,
    own: Sequence[Method] = (),
    common: tuple[int, int] | None = None,
) -> Table:
    """Methods by metrics, and the numbers of one metric in context.

    Args:
        methods: with the numbers to show.
        metrics: by which.
        told: the metric in context.
        comparisons: with the baseline; data files hold them, and marks say who was shown to differ.
        counted: whether people see how many subjects and generations a method has.
        own: the same methods with numbers of their own, for data files.
        common: how many subjects and prompts the numbers are over, for data files.
    """
    first, runs = metrics[0].name, [method.result for method in methods]
    compared = {(one.metric, one.method): one for one in comparisons}
    lacking, copied = any(one.lacking for one in methods), any(one.copies for one in methods)
    columns = [
        Column(
            COUNT,
            [run.inputs.subjects for run in runs],
            "subjects" if counted and lacking else "",
            "subjects",
        ),
        Column(COUNT, [len(run.images) for run in runs], "gens" if counted else "", "generations"),
        *(
            Column(COUNT, [number] * len(runs), name=f"common_{noun}")
            for noun, number in zip(("subjects", "prompts"), common or (), strict=False)
        ),
        Column(COUNT, [one.copies for one in methods], "copies" if copied else "", "copies"),
        Column(TRUTH, [one.copying for one in methods], name="copying"),
    ]
    columns = [replace(column, group="counts") for column in columns]
    for gauge in metrics:
        metric = gauge.name
        found = [compared.get((metric, one.name)) for one in methods]
        columns.append(Column(COUNT, [one.ranks.get(metric) for one in methods], name=f"{metric}_rank"))
        columns += metric_columns(
            gauge,
            AggregateScores,
            [run.aggregate[metric] for run in runs],
            group="counts" if metric == first else "",
            marks=[_mark(one.ranks.get(metric), own) for one, own in zip(methods, found, strict=True)],
            context=metric == told,
            by=told,
            pooled=not own,
        )
        if own:
            scores = [one.result.aggregate[metric] for one in own]
            columns += metric_columns(gauge, AggregateScores, scores, prefix=f"{metric}_own")
        if comparisons:
            columns += stored_differences(metric, found)
    return Table(
        (
            named("method", [_name(one) for one in methods]),
            Column(TEXT, [one.name for one in methods], name="method"),
        ),
        tuple(columns),
        noun="methods",
    )


def _name(method: Method) -> str:
    """A method's name, flagged where its scores say nothing: beside the name nobody misses it."""
    return f"{method.name} (copies references)" if method.copying else method.name


def _mark(rank: int | None, comparison: Comparison | None) -> tuple[Mark, ...]:
    """Which place a method has, and which way it differs from the baseline; nothing where it is not ranked."""
    return () if rank is None else (*_RANKS.get(rank, ()), *trend(comparison))


def _apart(result: CompareResult, methods: Sequence[Method]) -> Iterator[Block]:
    """Each method by itself, where that is not what is ranked."""
    if own := apart(result):
        rows, shown = [own.methods[one.name] for one in methods], list(gauges(result).values())
        table = methods_table(rows, shown, in_detail(own))
        yield Prose(["Each method over its own subjects and generations, not ranked:"])
        yield Panel(replace(table, notes=tuple(missing_of_methods(own))))


def _differences(result: CompareResult, methods: Sequence[Method]) -> Iterator[Block]:
    """Each method minus the baseline, and what that is worth."""
    if not result.comparisons:
        return
    why = "" if result.baseline_named else f" (best by {printable(result.metrics[0].name)})"
    alike = len({(one.subjects, how_paired(one)) for one in result.comparisons}) == 1
    how = how_all_paired([one for one in result.comparisons if one.metric == result.metrics[0].name])
    yield Prose(
        [
            f"Each method minus {printable(result.baseline)}{why}, {how}",
            f"p: how often chance alone would differ as much; (adjusted): for {_adjusted_for(result)}",
        ],
        "Is the difference real?",
    )
    places = {method.name: place for place, method in enumerate(methods)}
    for gauge in gauges(result).values():
        found = [one for one in result.comparisons if one.metric == gauge.name]
        found.sort(key=lambda one: places[one.method])
        yield Panel(differences_table(gauge, found, counted=not alike))
    yield Prose(missing_differences(result))


def _adjusted_for(result: CompareResult) -> str:
    """What makes a difference look surer than it is, so far as it does here."""
    ranked = len(result.ranked)
    reasons = ["a mean that rests on few subjects"]
    if ranked > 2:
        reasons.insert(0, "comparing several methods")
        if not result.baseline_named:
            reasons.append("a baseline chosen as the best")
    return listed(reasons)


def differences_table(gauge: Gauge, found: Sequence[Comparison], counted: bool = True) -> Table:
    """Methods minus the baseline by one metric.

    Args:
        gauge: of the metric.
        found: the comparisons, a row each.
        counted: whether to say of each what it is over.
    """
    names = replace(named(f"by {gauge.name}", [one.method for one in found]), lower=gauge.lower)
    columns = tuple(difference_columns(gauge, found, counted))
    return Table((names,), columns, caption=f"Differences by {gauge.label}", noun="methods")


def _agreements(result: CompareResult) -> Iterator[Block]:
    """How far the metrics agree, and what they rate most differently."""
    if result.agreements:
        meaning = "Rank correlation, 1: the same order, 0: unrelated, -1: the opposite order"
        yield Prose([meaning], "Do the metrics agree?")
        yield Panel(agreements_table(result), rank=1)
    for metric in result.metrics[1:]:
        found = [one for one in result.disagreements if one.metric == metric.name]
        if found:
            words = f"Where the metrics disagree most: {metric.name} ({len(found):,})"
            table = disagreements_table(metric, result.metrics[0], found)
            yield Panel(table, few=_most_telling(found), folded=words, rank=2)


def agreements_table(result: CompareResult) -> Table:
    """One row a pair of metrics, the levels beside each other."""
    pairs = list(dict.fromkeys((one.a, one.b) for one in result.agreements))
    levels: dict[str, list[Agreement]] = {}
    for one in result.agreements:
        levels.setdefault(one.level, []).append(one)
    columns = [
        column
        for level, found in levels.items()
        for column in (
            Column(
                SCORE, [one.kendall for one in found], f"{found[0].n:,}{GLUE}{level} Kendall", group=level
            ),
            Column(SCORE, [one.spearman for one in found], "Spearman", group=level),
        )
    ]
    names = named("metrics", [f"{a}, {b}" for a, b in pairs])
    return Table(
        (names,),
        tuple(columns),
        caption="Rank correlation between metrics",
        noun="agreements",
        notes=tuple(missing_agreements(result)),
    )


def disagreements_table(metric: Metric, first: Metric, found: Sequence[Disagreement]) -> Table:
    """What a metric ranks most differently from the first one."""
    columns = (
        Column(SCORE, [one.rank for one in found], f"rank{GLUE}by {metric.name}", group="ranks"),
        Column(SCORE, [one.rank_against for one in found], f"rank{GLUE}by {first.name}", group="ranks"),
        Column(SIGNED, [one.difference for one in found], "difference", group="ranks"),
    )
    who = [f"{one.method} as a whole" if one.path is None else f"{one.method}: {one.path}" for one in found]
    plain = metric.higher_is_better and first.higher_is_better
    names = named(f"most apart ({'0 lowest, 1 highest' if plain else '0 worst, 1 best'})", who)
    return Table((names,), columns, noun="disagreements", whole=True)


def _most_telling(found: Sequence[Disagreement]) -> list[int]:
    """Methods, then generations in both directions: the first ones of each, by their places."""
    kinds = (
        [place for place, one in enumerate(found) if one.level == "methods"],
        [place for place, one in enumerate(found) if one.level == "images" and one.difference > 0],
        [place for place, one in enumerate(found) if one.level == "images" and one.difference < 0],
    )
    return [place for kind in kinds for place in kind[:_SHOWN]]


def subjects_by_methods(
    methods: Sequence[Method], gauge: Gauge, subjects: Sequence[str] | None = None
) -> Table:
    """The scores of one metric; a method may lack a subject. By default the subjects of all methods, as they come."""
    scores = [
        {one.subject: one.scores[gauge.name].score for one in method.result.subjects} for method in methods
    ]
    names = list({name: None for own in scores for name in own}) if subjects is None else subjects
    columns = (
        Column(gauge.score, [own.get(name) for name in names], _name(method))
        for method, own in zip(methods, scores, strict=True)
    )
    caption = f"{gauge.label} by subject and method"
    return Table((named("subject", names),), tuple(columns), caption=caption, noun="subjects")


def compare_story(result: CompareResult) -> Story:
    """What the HTML report tells first."""
    result = best_first(result)
    if whole := whole_curve(result):
        heading, lead = told(result, whole)
        return Story(heading, lead, result)
    gauge, *_ = gauges(result).values()
    metric = gauge.name
    methods = over_common(result).methods
    ranked = sorted((m for m in methods if m.ranks.get(metric)), key=lambda m: m.ranks[metric] or 0)
    lead = []
    found = conclude(result)
    if ranked:
        scores = ranked[0].result.aggregate[metric]
        over = f" over the {ground(result)}" if apart(result) else ""
        direction = f"{gauge.better}," if gauge.lower else ""
        figures = gauge.score.say(scores.score, scores.ci95)
        lead.append(f"By {metric}{direction} it scores {figures}{over}.")
    if found.reason:
        lead.append(f"{found.reason[0].upper()}{found.reason[1:]}.")
    for method in result.methods:
        if method.copying:
            images = count(len(method.result.images), "generation")
            role = "Not to be trusted" if method in result.ranked else "Left out of the ranking"
            lead.append(f"{role}: {method.name}, {method.copies:,} of whose {images} copy a reference.")
    return Story(found.title, lead, result)
