"""The methods that `nearid compare` is given: pictures to score, finished results, or both together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TypeGuard

from nearid_cli.activity import doing
from nearid_cli.breakdown.labels import read_breakdowns
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import UsageError
from nearid_cli.evaluate.by_step import by_step, without_step
from nearid_cli.evaluate.comparable import check_methods, check_names
from nearid_cli.evaluate.compare import compare
from nearid_cli.evaluate.embedding import requested
from nearid_cli.evaluate.score import generations_of, score_datasets
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.masks import check_mask_options
from nearid_cli.layouts.methods import find_methods, find_one_or_several
from nearid_cli.layouts.sides import Side
from nearid_cli.mirrors import here
from nearid_cli.options import LayoutOptions, Leniency, MaskOptions, Options
from nearid_cli.reports.locations import anchored
from nearid_cli.results import CompareResult, ScoreResult
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


class Contest:
    """Methods that are to be compared, and by which metrics.

    Args:
        paths: one folder of methods or manifest, or the folders of several methods, and finished results (`.json`),
            each named after its file.
        named: further methods, name -> folder, manifest, what `read_side` made of pictures, or finished result.
        options: metrics, device, cache, ...
        asked: whether the metrics of `options` were asked for rather than a default, for which those of the finished
            results stand in.

    Attributes:
        metrics: the names of those to compare by; None for all that the finished results have.

    Raises:
        InputError: a file is no result of `nearid score`.
        UsageError: two methods have one name, or pictures are to be scored by an unknown or malformed metric.
    """

    def __init__(
        self, paths: Sequence[Path], named: Mapping[str, Method], options: Options, *, asked: bool
    ) -> None:
        self._finished = {name: _read(one) for name, one in _finished(paths, named).items()}
        self._folders = [path for path in paths if not is_result(path)]
        self._named = named
        self._options = options
        self.metrics: list[str] | None = None
        if self._finished and not asked:
            first = next(iter(self._finished.values()))
            self._options = replace(options, metrics=[metric.name for metric in first.metrics])
        if self._folders or self._to_score or not self._finished:
            self.metrics = [request.name for request in self._requested(asked)]
        elif asked:
            items = (item.partition("=")[0].strip() for value in options.metrics for item in value.split(","))
            self.metrics = [item for item in items if item]

    def _requested(self, asked: bool) -> list[MetricRequest]:
        try:
            return requested(self._options)
        except UsageError as error:
            if asked or not self._finished:
                raise
            why = (
                "the metrics are those of the finished results; choose some of them with --metric, or say where "
                "numbers from elsewhere are: --scores NAME=FILE"
            )
            raise UsageError(error.message, (*error.details, why)) from error

    def compare(
        self,
        baseline: str | None = None,
        *,
        references: Side | None = None,
        distractors: Side | None = None,
        layout: str | LayoutOptions = "auto",
        leniency: Leniency = Leniency(),
        masks: MaskOptions = MaskOptions(),
        by: Sequence[str] = (),
    ) -> CompareResult:
        """Score the pictures, and compare all.

        What can be wrong with methods, baseline and metrics is checked before any picture is embedded.

        Args:
            baseline: the method that the others are compared with; None for the best by the first metric.
            references: of all methods that are folders, as for `find_methods`.
            distractors: likewise.
            layout: likewise.
            leniency: what to go on without.
            masks: which part of each picture is scored.
            by: labels of generations that the comparison is broken down by, as in `--by`; with `step` each step of a
                method is a method of its own.

        Raises:
            NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
        """
        results: dict[str, ScoreResult] = self._finished
        steps, by = without_step(by)
        check_mask_options(masks)
        if self._folders or self._to_score or not results:
            with doing("looking for pictures"):
                look = find_one_or_several if steps and not self._finished else find_methods
                datasets = look(self._folders, references, self._to_score, layout, distractors)
            datasets, results = by_step(datasets, results) if steps else (datasets, results)
            self._check(datasets, results, baseline)
            finished = (image for one in results.values() for image in one.images)
            breakdowns = read_breakdowns(by, chain(generations_of(datasets.values()), finished))
            scored = score_datasets(datasets, self._options, leniency, masks, breakdowns=breakdowns) | results
            order = [
                *(name for name in scored if name not in self._named),
                *(n for n in self._named if n in scored),
            ]
            results = {name: scored[name] for name in order}
        else:
            _, results = by_step({}, results) if steps else ({}, results)
            check_methods(list(results), baseline)
            if references or distractors or masks.masks is not None:
                logger.warning(
                    "--refs, --distractors and --masks are for pictures; finished results have theirs"
                )
            if self._options.scores:
                logger.warning("--scores are for pictures; finished results have theirs")
        return compare(results, baseline, self.metrics, by)

    @property
    def _to_score(self) -> dict[str, Side]:
        return {
            name: one
            for name, one in self._named.items()
            if not isinstance(one, ScoreResult) and not is_result(one)
        }

    def _check(
        self, datasets: Mapping[str, Dataset], finished: Mapping[str, ScoreResult], baseline: str | None
    ) -> None:
        if twice := [name for name in datasets if name in finished]:
            raise _same_name(twice[0])
        check_methods([*datasets, *finished], baseline)
        metrics = {name: [metric.name for metric in one.metrics] for name, one in finished.items()}
        check_names(dict.fromkeys(datasets, self.metrics or []) | metrics, self.metrics)


def _read(finished: Path | ScoreResult) -> ScoreResult:
    if isinstance(finished, ScoreResult):
        return finished
    finished = here(finished)
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
