"""DreamBench++: does a metric rate generated pictures as people do?

Scores come from pictures (`samples.py`) or from files (`ratings.py`); people's ratings come from files. They are joined
by item, and correlated per method and category (`metrics/human.py`); two metrics over the pictures that both score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nearid_cli.benchmarks.differences import adjusted
from nearid_cli.benchmarks.dreambench.groups import Compare, Rows, dreambench_groups
from nearid_cli.benchmarks.dreambench.published import beside_published
from nearid_cli.benchmarks.dreambench.ratings import (
    CATEGORIES,
    METHODS,
    RatingSet,
    by_item,
    category_of,
    in_order,
    item_key,
    read_humans,
    read_sets,
    subject_of,
)
from nearid_cli.benchmarks.dreambench.result import (
    CEILING,
    MEAN,
    Alignment,
    CategoryAlignment,
    Difference,
    DreamBenchResult,
    MethodCorrelation,
    ScoredMethod,
    Unjoined,
)
from nearid_cli.benchmarks.dreambench.samples import Scored, find_samples, score_samples
from nearid_cli.errors import InputError, UsageError
from nearid_cli.evaluate.embedding import requested
from nearid_cli.layouts.reach import Reach
from nearid_cli.metrics.correlations import pearson
from nearid_cli.metrics.human import (
    Category,
    Rated,
    delta_test,
    fisher_z_mean,
    interval,
    left_out,
    swap_test,
)
from nearid_cli.options import Options
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, few, printable, unknown

logger = logging.getLogger(__name__)

_PUBLISHED_DIGITS = 4
_RATERS, _SCORES, _OTHER = (0, 1), 2, 3  # places in the joined rows: two human groups, then metrics
_NAMED = 20  # items of one method named in a message


@dataclass(frozen=True)
class Evaluated:
    """A result, and all scores behind it.

    Attributes:
        result: the numbers.
        sets: the two human groups, if there are ratings, and all metrics, by item.
    """

    result: DreamBenchResult
    sets: tuple[RatingSet, ...]


def score_dreambench(
    samples: Path,
    options: Options,
    *,
    skip_bad: bool = False,
    allow_missing: bool = False,
    follow_symlinks: bool = False,
) -> tuple[Scored, tuple[str, ...]]:
    """Score the samples of all methods by all metrics.

    Returns:
        The scores, and the samples without a partner that were left out.

    Raises:
        InputError: there are no samples, or some have no partner and `allow_missing` is not set.
        NearIDError: bad pictures, or an unusable metric; see `nearid_cli.errors` for the kinds.
    """
    requests = requested(options)
    found = find_samples(samples, Reach(follow_symlinks=follow_symlinks))
    if found.unpaired and not allow_missing:
        number = count(len(found.unpaired), "picture")
        raise InputError(
            f"{number} of the samples without a partner; add it, or go on: --allow-missing", found.unpaired
        )
    scored = score_samples(found, requests, options, skip_bad=skip_bad)
    if found.unpaired:
        logger.warning(
            "%s left out, without a partner: %s", count(len(found.unpaired), "picture"), few(found.unpaired)
        )
    return scored, tuple(found.unpaired)


def evaluate(
    scored: Scored | None,
    scores: Sequence[tuple[str, Path]],
    ratings: Path | None,
    *,
    samples: Path | None = None,
    unpaired: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
    against: str | None = None,
    published_rounding: bool = False,
    allow_missing: bool = False,
    by: Sequence[str] = (),
) -> Evaluated:
    """Correlate scores with the ratings of people.

    Args:
        scored: scores of samples.
        scores: names and folders of scores in files.
        ratings: folder of the human ratings; without it nothing is correlated.
        samples: where the samples are.
        unpaired: samples that were left out.
        absent: published folders that are not there, see `published.ScoreFolders`.
        unknown: folders beside the published ones.
        against: name of the metric that all others are compared with.
        published_rounding: round each correlation to four decimals first, as the published tables do.
        allow_missing: go on without what does not join.
        by: labels to break the agreement down by, as for `read_breakdowns`.

    Raises:
        UsageError: two metrics have one name, `against` names none, or no picture has a label of `by`.
        InputError: files are missing or malformed, or do not join.
    """
    names = [*(scored.scores if scored else ()), *(name for name, _ in scores)]
    check_names(names, against)
    sets = [] if scored is None else _sets(scored, str(samples))
    sets += read_sets(scores)
    humans = None if ratings is None else read_humans(ratings)
    unjoined: list[Unjoined] = []
    result = DreamBenchResult(
        tool=this_tool(),
        created=timestamp(),
        samples=None if samples is None else str(samples),
        ratings=None if ratings is None else str(ratings),
        published_rounding=published_rounding,
        methods=tuple(in_order({method for one in sets for method in one.methods})),
        metrics=scored.metrics if scored else (),
        scored=tuple(_means(sets)),
        human=None,
        alignments=(),
        differences=(),
        unjoined=(),
        unpaired=unpaired,
        skipped=scored.skipped if scored else (),
        absent=absent,
        unknown=unknown,
    )
    if humans is not None:
        without = scored.without if scored else {}
        bad = {method: {item_key(key) for key in keys} for method, keys in without.items()}
        first, second = humans
        unjoined = [
            *_lacking(first.name, first.methods, second.methods),
            *_lacking(second.name, second.methods, first.methods),
        ]
        for one in sets:
            excused = bad if scored and one.name in scored.scores else {}
            unjoined += _unjoined_metric(humans, one, excused)
        unjoined = list(dict.fromkeys(unjoined))  # what people did not rate is the same for several metrics
        _refuse(unjoined, allow_missing)
        digits = _PUBLISHED_DIGITS if published_rounding else None
        people = _join(humans)
        _say_what_is_few(people)
        aligned = [
            (people, partial(_alignment, CEILING, humans[0].origin, raters=(0,), scores=1, digits=digits)),
            *(
                (
                    _join([*humans, one]),
                    partial(_alignment, one.name, one.origin, raters=_RATERS, scores=_SCORES, digits=digits),
                )
                for one in sets
            ),
        ]
        human, *rest = (align(rows) for rows, align in aligned)
        alignments = tuple(rest)
        for alignment in (human, *alignments):
            _say_what_is_undefined(alignment)
        alignments = tuple(replace(one, published=beside_published(one, one.origin)) for one in alignments)
        if any(one.published for one in alignments):
            human = replace(human, published=beside_published(human, str(Path(human.origin).parent)))
        result = replace(
            result,
            methods=tuple(people),
            human=human,
            alignments=alignments,
            differences=_differences(humans, sets, against),
            unjoined=tuple(unjoined),
            groups=dreambench_groups(by, aligned, _pairs(humans, sets, against)) if by else (),
        )
    return Evaluated(result, (*(humans or ()), *sets))


def check_names(names: Sequence[str], against: str | None) -> None:
    """Refuse names of metrics that cannot work, before anything is embedded.

    Raises:
        UsageError: two metrics have one name or the ceiling's, `against` names none of them, or is alone.
    """
    taken = [*names, CEILING, "group1", "group2"]
    twice = [name for i, name in enumerate(taken) if name in taken[:i]]
    if twice:
        raise UsageError(
            f"the name {printable(twice[0])} is taken; give the scores another one: --scores NAME=DIR"
        )
    if against is not None and against not in names:
        raise UsageError(unknown("metric of --against", against, names))
    if against is not None and len(names) < 2:
        raise UsageError(f"--against {printable(against)} needs another metric to compare with it")


def _sets(scored: Scored, origin: str) -> list[RatingSet]:
    """The scores of samples by item."""
    problems: list[str] = []
    methods = scored.scores.items()
    sets = [
        RatingSet(
            name,
            {method: by_item(own.items(), problems, method) for method, own in of.items()},
            origin,
        )
        for name, of in methods
    ]
    if problems:  # the same for every metric
        different = list(dict.fromkeys(problems))
        raise InputError(f"{count(len(different), 'sample')} cannot be matched with ratings", different)
    return sets


def _means(sets: Sequence[RatingSet]) -> list[ScoredMethod]:
    return [
        ScoredMethod(one.name, method, len(own), sum(own.values()) / len(own) if own else None)
        for one in sets
        for method, own in one.methods.items()
    ]


def _refuse(unjoined: Sequence[Unjoined], allowed: bool) -> None:
    lines = [_line(one) for one in unjoined]
    if lines and not allowed:
        raise InputError("ratings and scores do not join; mend the files, or go on: --allow-missing", lines)
    for line in lines:
        logger.warning("left out: %s", line)


def _say_what_is_few(people: Rows) -> None:
    if not any(people.values()):
        raise InputError("the human groups have no item in common, so there is nothing to correlate with")
    absent = [method for method in METHODS if method not in people]
    if absent:
        logger.warning(
            "people rated %s of the %s methods: no ratings of %s",
            len(METHODS) - len(absent),
            len(METHODS),
            ", ".join(absent),
        )


def _say_what_is_undefined(one: Alignment) -> None:
    for category in one.categories:
        undefined = [method.method for method in category.methods if method.r is None]
        if undefined:
            logger.warning(
                "%s, %s: no correlation, because all ratings or all scores are equal (or fewer than two), for %s; "
                "left out of the mean",
                printable(one.metric),
                category.category,
                ", ".join(map(printable, undefined)),
            )


def _alignment(
    name: str, origin: str, joined: Rows, raters: Sequence[int], scores: int, digits: int | None
) -> Alignment:
    categories = []
    blocks = []
    for category in CATEGORIES:
        methods, block = _blocks(joined, category, raters, scores)
        if methods:
            categories.append(_category(category, methods, block, digits))
            blocks.append(block)
    defined = [block for one, block in zip(categories, blocks, strict=True) if one.mh is not None]
    return Alignment(
        metric=name,
        origin=origin,
        categories=tuple(categories),
        mean=fisher_z_mean([one.mh for one in categories]),
        mean_ci95=interval(left_out(defined)),
        averaged=len(defined),
    )


def _category(
    category: str, methods: Sequence[str], block: Category, digits: int | None
) -> CategoryAlignment:
    correlations = []
    for method, rated in zip(methods, block.methods, strict=True):
        groups = tuple(_rounded(pearson(ratings, rated.scores), digits) for ratings in rated.ratings)
        existing = [r for r in groups if r is not None]
        r = sum(existing) / len(existing) if len(existing) == len(groups) else None
        correlations.append(MethodCorrelation(method, len(rated.scores), r, groups))
    return CategoryAlignment(
        category=category,
        items=sum(one.items for one in correlations),
        subjects=block.subjects,
        averaged=sum(one.r is not None for one in correlations),
        mh=fisher_z_mean([one.r for one in correlations]),
        ci95=interval(left_out([block])),
        methods=tuple(correlations),
    )


def _rounded(r: float | None, digits: int | None) -> float | None:
    return r if r is None or digits is None else round(r, digits)


def _differences(
    humans: tuple[RatingSet, RatingSet], metrics: Sequence[RatingSet], against: str | None
) -> tuple[Difference, ...]:
    """Each metric minus the one that is named `against`, by category and for the mean over categories.

    Only pictures that both score count, and only methods for which both have a correlation.
    """
    rows = [row for joined, compare in _pairs(humans, metrics, against) for row in compare(joined)]
    return adjusted(rows, lambda row: row.category)


def _pairs(
    humans: tuple[RatingSet, RatingSet], metrics: Sequence[RatingSet], against: str | None
) -> list[tuple[Rows, Compare]]:
    """For each metric but the one named `against` the pictures that both score, and what compares them."""
    others = [one for one in metrics if one.name == against]
    return [
        (_join([*humans, one, other]), partial(_compared, one.name, other.name))
        for other in others
        for one in metrics
        if one is not other
    ]


def _compared(metric: str, against: str, joined: Rows) -> list[Difference]:
    """A metric minus another one over pictures that have the numbers of people, of it and of the other one."""
    categories, first, second = [], [], []
    for category in CATEGORIES:
        a, b = _both_defined(*(_blocks(joined, category, _RATERS, place)[1] for place in (_SCORES, _OTHER)))
        if a.methods:
            categories.append(category)
            first.append(a)
            second.append(b)
    if not categories:
        return []

    def difference(category: str, a: Sequence[Category], b: Sequence[Category]) -> Difference:
        swaps = swap_test(a, b)
        ours, theirs = left_out(a), left_out(b)
        assert ours is not None  # all correlations exist here
        assert theirs is not None
        delta = delta_test(ours, theirs)
        return Difference(
            metric=metric,
            against=against,
            category=category,
            items=sum(len(rated.scores) for block in a for rated in block.methods),
            subjects=sum(block.subjects for block in a),
            delta=delta.delta,
            ci95=delta.ci95,
            p=swaps.p,
            p_studentised=delta.p,
            p_holm=swaps.p,
            p_adjusted=max(swaps.p, delta.p),
            exact=swaps.exact,
        )

    return [
        *(difference(category, [a], [b]) for category, a, b in zip(categories, first, second, strict=True)),
        difference(MEAN, first, second),
    ]


def _both_defined(first: Category, second: Category) -> tuple[Category, Category]:
    """Two blocks without the methods for which one of them has no correlation."""
    pairs = [
        (a, b)
        for a, b in zip(first.methods, second.methods, strict=True)
        if None not in (*_groups(a), *_groups(b))
    ]
    return (
        replace(first, methods=tuple(a for a, _ in pairs)),
        replace(second, methods=tuple(b for _, b in pairs)),
    )


def _groups(rated: Rated) -> list[float | None]:
    return [pearson(ratings, rated.scores) for ratings in rated.ratings]


def _join(sets: Sequence[RatingSet]) -> Rows:
    """What all sets have, items of a method in order of their names."""
    methods = in_order(set.intersection(*(set(one.methods) for one in sets)))
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    for method in methods:
        items = set.intersection(*(set(one.methods[method]) for one in sets))
        rows[method] = {item: tuple(one.methods[method][item] for one in sets) for item in sorted(items)}
    return rows


def _blocks(joined: Rows, category: str, ratings: Sequence[int], scores: int) -> tuple[list[str], Category]:
    """The pictures of a category as methods' names and numbers.

    Args:
        joined: the pictures.
        category: which one.
        ratings: places in the rows of the raters.
        scores: place in the rows of the metric.
    """
    own = {
        method: chosen
        for method, rows in joined.items()
        if (chosen := {item: row for item, row in rows.items() if category_of(item) == category})
    }
    subjects = sorted({subject_of(item) for rows in own.values() for item in rows})
    number = {subject: index for index, subject in enumerate(subjects)}
    rated = []
    for rows in own.values():
        table = np.array(list(rows.values()), dtype=np.float64).T
        of = np.array([number[subject_of(item)] for item in rows], dtype=np.intp)
        rated.append(Rated(of, table[list(ratings)], table[scores]))
    return list(own), Category(tuple(rated), len(subjects))


def _unjoined_metric(
    humans: tuple[RatingSet, RatingSet], metric: RatingSet, excused: Mapping[str, Iterable[str]]
) -> list[Unjoined]:
    """What people rated and the metric did not score, and the other way round.

    Args:
        humans: the two groups.
        metric: the metric.
        excused: by method, items that the metric could not score, which is said elsewhere.
    """
    first, second = (group.methods for group in humans)
    both = {
        method: first[method].keys() & second[method].keys() - set(excused.get(method, ()))
        for method in first.keys() & second.keys()
    }
    either = {
        method: first.get(method, {}).keys() | second.get(method, {}).keys() for method in {*first, *second}
    }
    return [
        *_lacking(metric.name, metric.methods, both),
        *_lacking("the human ratings", either, metric.methods),
    ]


def _lacking(
    name: str, methods: Mapping[str, Iterable[str]], wanted: Mapping[str, Iterable[str]]
) -> Iterator[Unjoined]:
    for method in in_order(wanted):
        if method not in methods:
            yield Unjoined(name, method, ())
        elif items := sorted(set(wanted[method]) - set(methods[method])):
            yield Unjoined(name, method, tuple(items))


def _line(one: Unjoined) -> str:
    where = f"not in {printable(one.lacking)}: {printable(one.method)}"
    return f"{where}, {count(len(one.items), 'item')}: {few(one.items, _NAMED)}" if one.items else where
