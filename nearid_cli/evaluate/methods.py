"""The methods that `nearid compare` is given: pictures to score, finished results, or both together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from nearid_cli.activity import doing
from nearid_cli.errors import UsageError
from nearid_cli.evaluate.comparable import check_methods, check_names
from nearid_cli.evaluate.embedding import requested
from nearid_cli.evaluate.score import score_methods
from nearid_cli.layouts.found import Side
from nearid_cli.layouts.methods import find_methods
from nearid_cli.options import LayoutOptions, Options
from nearid_cli.reports.locations import anchored
from nearid_cli.results import ScoreResult
from nearid_cli.results.reading import read_score
from nearid_cli.text import printable

logger = logging.getLogger(__name__)


Method = Side | ScoreResult
"""What a method may be given as: pictures to score, or what came of scoring them."""


def is_result(method: Method) -> TypeGuard[Path | ScoreResult]:
    """Whether a method is a finished result, or a file that is named like one; no manifest is."""
    if isinstance(method, Path):
        return method.suffix.lower() == ".json"
    return isinstance(method, ScoreResult)


def metrics_asked_for(
    paths: Sequence[Path], named: Mapping[str, Method], options: Options, given: bool
) -> list[str] | None:
    """The names of the metrics to compare by; None where finished results alone decide.

    Args:
        paths: as in `score_or_read`.
        named: as in `score_or_read`.
        options: whose metrics.
        given: whether the caller gave these metrics rather than a default.

    Raises:
        UsageError: pictures are to be scored by an unknown or malformed metric.
    """
    if (not paths and not named) or not all(map(is_result, (*paths, *named.values()))):
        return [request.name for request in requested(options)]
    if not given:
        return None
    items = (item.partition("=")[0].strip() for value in options.metrics for item in value.split(","))
    return [item for item in items if item]


def score_or_read(
    paths: Sequence[Path],
    named: Mapping[str, Method],
    options: Options,
    *,
    references: Side | None = None,
    distractors: Side | None = None,
    layout: str | LayoutOptions = "auto",
    baseline: str | None = None,
    metrics: Sequence[str] | None = None,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
) -> dict[str, ScoreResult]:
    """The scores of each method: pictures are scored, finished results (`.json`) read.

    What can be wrong with methods, baseline and metrics is checked before any picture is embedded.

    Args:
        paths: one folder of methods or manifest, or the folders of several methods, and finished results, each named
            after its file.
        named: further methods, name -> folder, manifest, what `read_side` made of pictures, or finished result.
        options: metrics, device, cache, ...
        references: of all methods that are folders, as for `find_methods`.
        distractors: likewise.
        layout: likewise.
        baseline: a method's name, or None.
        metrics: the names of those to compare by, as from `metrics_asked_for`.
        allow_unmatched: go on without generations that have no references.
        skip_bad: go on without pictures that cannot be read.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    finished = _finished(paths, named)
    folders = [path for path in paths if not is_result(path)]
    to_score = {
        name: one for name, one in named.items() if not isinstance(one, ScoreResult) and not is_result(one)
    }
    results = {name: read_finished(one) for name, one in finished.items()}
    if not folders and not to_score and results:
        check_methods(list(results), baseline)
        if references or distractors:
            logger.warning("--refs and --distractors are for pictures; finished results have theirs")
        return results
    with doing("looking for pictures"):
        datasets = find_methods(folders, references, to_score, layout=layout, distractors=distractors)
    if twice := [name for name in datasets if name in results]:
        raise _same_name(twice[0])
    check_methods([*datasets, *results], baseline)
    names = [request.name for request in requested(options)]
    check_names(
        {
            **dict.fromkeys(datasets, names),
            **{name: [metric.name for metric in one.metrics] for name, one in results.items()},
        },
        metrics,
    )
    scored = score_methods(datasets, options, allow_unmatched=allow_unmatched, skip_bad=skip_bad) | results
    order = [*(name for name in scored if name not in named), *named]
    return {name: scored[name] for name in order}


def read_finished(finished: Path | ScoreResult) -> ScoreResult:
    """A finished result, read if it is a file.

    Raises:
        InputError: it is no result of `nearid score`.
    """
    if isinstance(finished, ScoreResult):
        return finished
    # Relative roots may count from the folder of the result rather than from here; the report wants the pictures.
    return anchored(read_score(finished), finished.parent)


def _finished(paths: Sequence[Path], named: Mapping[str, Method]) -> dict[str, Path | ScoreResult]:
    """The finished results by the names of their methods."""
    finished = {name: one for name, one in named.items() if is_result(one)}
    for path in paths:
        if not is_result(path):
            continue
        if path.stem in named or path.stem in finished:
            raise _same_name(path.stem)
        finished[path.stem] = path
    return finished


def _same_name(name: str) -> UsageError:
    return UsageError(
        f"two methods are called {printable(name)}; give one another name with --method NAME=DIR or NAME=FILE.json"
    )
