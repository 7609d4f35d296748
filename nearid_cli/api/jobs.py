"""`score`, `compare` and `pair`: the jobs of the commands of these names, on what a Python program has in its hands."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Unpack

from nearid_cli.api.arguments import (
    Metrics,
    check_text,
    read_layout,
    read_methods,
    read_options,
)
from nearid_cli.evaluate.embed import pair as _pair
from nearid_cli.evaluate.methods import Contest
from nearid_cli.evaluate.score import score as _score
from nearid_cli.layouts.given import read_picture, read_side
from nearid_cli.options import DEFAULT_METRICS, Leniency, OptionArguments
from nearid_cli.reports.document import document
from nearid_cli.results import CompareResult, PairResult, ScoreResult

if TYPE_CHECKING:
    from nearid_cli.layouts.given import GivenSide, OnePicture, PathLike

logger = logging.getLogger(__name__)


def score(
    references: GivenSide,
    generations: GivenSide | None = None,
    metrics: Metrics = DEFAULT_METRICS,
    *,
    layout: str = "auto",
    pattern: str | None = None,
    refs_pattern: str | None = None,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    distractors: GivenSide | None = None,
    **options: Unpack[OptionArguments],
) -> ScoreResult:
    """Score the generations of each subject against its references, as `nearid score` does.

    References, generations and distractors are each a folder or manifest; or a list of the pictures of one subject;
    or a dict of such lists (or folders) by subject. A picture is a path, a PIL image or a uint8 array
    [height, width, 3]. The same pixels give the same numbers, wherever they come from.

    Args:
        references: the real pictures; or a manifest of everything.
        generations: the generated ones; None when `references` is a manifest of both.
        metrics: as in `--metric`.
        layout: how the folders are laid out; see docs/reference/layouts.md.
        pattern: what the paths of generations are, as in `--pattern`.
        refs_pattern: what the paths of references are.
        allow_unmatched: go on without the subjects that lack references or generations.
        skip_bad: go on without pictures that cannot be read.
        distractors: each subject's look-alikes.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.subjects`, `.aggregate`, `.images`, `.to_pandas()`, `.save()`, `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    chosen = read_options(score, metrics, options)
    how = read_layout(layout, pattern, refs_pattern)
    result = _score(
        read_side(references, "references"),
        None if generations is None else read_side(generations, "generations"),
        chosen,
        layout=how,
        leniency=Leniency(allow_unmatched=allow_unmatched, skip_bad=skip_bad),
        distractors=None if distractors is None else read_side(distractors, "distractors"),
    )
    for line in document(result).findings:
        logger.warning(line)
    return result


def compare(
    methods: PathLike | Iterable[PathLike] | Mapping[str, GivenSide | ScoreResult],
    references: GivenSide | None = None,
    metrics: Metrics | None = None,
    *,
    baseline: str | None = None,
    layout: str = "auto",
    pattern: str | None = None,
    refs_pattern: str | None = None,
    distractors: GivenSide | None = None,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    **options: Unpack[OptionArguments],
) -> CompareResult:
    """Compare methods, as `nearid compare` does.

    Args:
        methods: generations by the names of the methods, each as for `score`, or what `score` returned for them, or
            both together; or what the command takes: a folder of method folders, a manifest, files that
            `nearid score` wrote.
        references: as for `score`, unless they lie among the methods.
        metrics: as in `--metric`; None for those of the finished results, or the default ones without any.
        baseline: the method that the others are compared with; None for the best by the first metric.
        layout: how the folders are laid out; see docs/reference/layouts.md.
        pattern: what the paths of generations are, as in `--pattern`.
        refs_pattern: what the paths of references are.
        distractors: each subject's look-alikes, as for `score`.
        allow_unmatched: go on without generations that have no references.
        skip_bad: go on without pictures that cannot be read.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.methods`, `.comparisons`, `.agreements`, `.disagreements`, `.to_pandas()`, `.save()`,
        `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    paths, named = read_methods(methods)
    chosen = read_options(compare, DEFAULT_METRICS if metrics is None else metrics, options)
    how = read_layout(layout, pattern, refs_pattern)
    if baseline is not None:
        check_text("baseline", baseline)
    result = Contest(paths, named, chosen, asked=metrics is not None).compare(
        baseline,
        references=None if references is None else read_side(references, "references"),
        distractors=None if distractors is None else read_side(distractors, "distractors"),
        layout=how,
        leniency=Leniency(allow_unmatched=allow_unmatched, skip_bad=skip_bad),
    )
    for line in document(result).findings:
        logger.warning(line)
    return result


def pair(
    a: OnePicture, b: OnePicture, metrics: Metrics = DEFAULT_METRICS, **options: Unpack[OptionArguments]
) -> PairResult:
    """How alike two pictures are by each metric, as `nearid pair` says.

    Args:
        a: a picture: a path, a PIL image or a uint8 array [height, width, 3].
        b: another one.
        metrics: as in `--metric`.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Raises:
        NearIDError: a picture or a metric cannot be used.
    """
    chosen = read_options(pair, metrics, options)
    return _pair(read_picture(a, "a"), read_picture(b, "b"), chosen)
