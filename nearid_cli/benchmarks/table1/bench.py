"""Table 1 of the paper: all three benchmarks for each metric, as far as data and checkpoints can be had.

What is missing (a data set, a checkpoint, ratings) is recorded, and the rest is done. Everything that is computed
lies in the output folder, so that a second run goes on where the first one stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nearid_cli.benchmarks.dreambench.bench import evaluate, score_dreambench
from nearid_cli.benchmarks.dreambench.report import write as write_dreambench
from nearid_cli.benchmarks.mtg.bench import DATA as MTG_DATA
from nearid_cli.benchmarks.mtg.bench import MtgJob, evaluate_mtg
from nearid_cli.benchmarks.nearid.bench import NearidJob, bench_nearid
from nearid_cli.benchmarks.report import make_folder
from nearid_cli.benchmarks.resume import is_here
from nearid_cli.benchmarks.table1.result import COLUMNS, Table1Result, Table1Row, published
from nearid_cli.benchmarks.tables.similarities import GROUPS
from nearid_cli.benchmarks.tables.tabulate import tabulate
from nearid_cli.errors import BadImagesError, InputError, ModelError
from nearid_cli.evaluate.embedding import requested
from nearid_cli.evaluate.kinds.choose import takes_masks
from nearid_cli.nearid_data import RowsGiven, column_rule
from nearid_cli.options import Options
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import printable

logger = logging.getLogger(__name__)

POSITIVES = "Aleksandar/NearID"
DISTRACTORS = tuple(
    f"Aleksandar/NearID-{name}"
    for name in ("Flux", "Flux_1024", "PowerPaint", "SDXL", "SDXL_1024", "Qwen", "Qwen_1328")
)
METRICS = ("clip-i", "dino", "siglip2", "vsm", "nearid")
"""The rows of Table 1 that are of metrics of this tool."""
# Table 1 reads SigLIP2 out by its pooling head for NearID-Bench and MTG, and by the mean over patches for DreamBench++.
_DREAMBENCH = {"siglip2": "siglip2-mean"}


@dataclass(frozen=True)
class Table1Job:
    """Where the data are.

    Attributes:
        positives, distractors, rows, split: of NearID-Bench, as in `NearidJob`.
        mtg: the data set of MTG, its split `test`.
        samples, ratings: folders of DreamBench++; None where not given.
        skip_bad: go on without pictures that cannot be read.
        follow_symlinks: follow links that lead out of the folder of samples.
    """

    positives: str = POSITIVES
    distractors: tuple[str, ...] = DISTRACTORS
    rows: RowsGiven | None = None
    split: str = "train"
    mtg: str = MTG_DATA
    samples: Path | None = None
    ratings: Path | None = None
    skip_bad: bool = False
    follow_symlinks: bool = False


def table1(job: Table1Job, output: Path, options: Options) -> Table1Result:
    """Run or resume everything, and put it into the form of Table 1.

    Args:
        job: where the data are.
        output: the folder for all files.
        options: which metrics, and how to embed.

    Raises:
        BadImagesError: some pictures cannot be read, and the job does not skip such.
        UsageError: an unknown metric or option.
        InputError: the folder cannot be made, or a file or folder that was named is not there.
    """
    rows = None if job.rows is None or column_rule(job.rows) else Path(job.rows)
    named = (rows, job.samples, job.ratings)
    if absent := [printable(path) for path in named if path is not None and not path.exists()]:
        raise InputError("no such file or folder", absent)
    return _Table1(job, make_folder(output), options).result()


class _Table1:
    def __init__(self, job: Table1Job, output: Path, options: Options) -> None:
        items = [item.strip() for value in options.metrics for item in value.split(",") if item.strip()]
        # What was asked for (a name, NAME=PATH, a folder) -> the metric's name, which is its row's.
        self._metrics = {item: requested(replace(options, metrics=[item]))[0].name for item in items}
        self._job, self._output, self._options = job, output, options
        self._missing: dict[str, None] = {}
        self._numbers: dict[str, dict[str, float | None]] = {
            name: dict.fromkeys(COLUMNS) for name in self._metrics.values()
        }
        self._sources: set[str] = set()
        self._samples: dict[str, int] = {}

    def result(self) -> Table1Result:
        for name, run, data in (
            ("NearID-Bench", self._nearid, (self._job.positives, *self._job.distractors)),
            ("MTG", self._mtg, (self._job.mtg,)),
            ("DreamBench++", self._dreambench, ()),
        ):
            logger.info("%s ...", name)
            if not self._attempt(run) and (absent := [one for one in data if not is_here(one)]):
                # Nothing was run that could have said so.
                self._missing[f"{name}: not here either: {', '.join(map(printable, absent))}"] = None
        return Table1Result(
            tool=this_tool(),
            created=timestamp(),
            rows=tuple(_row(metric, ours) for metric, ours in self._numbers.items()),
            sources=tuple(source for source in GROUPS["all"] if source in self._sources),
            samples=self._samples,
            missing=tuple(self._missing),
        )

    def _attempt(self, run: Callable[[list[str]], None]) -> bool:
        """Run a benchmark for all metrics at once, or for each by itself where a checkpoint cannot be had or used.

        Returns:
            Whether it was run for any.
        """
        lacking = 0
        try:
            run(list(self._metrics))
        except ModelError:
            for item in self._metrics:
                try:
                    run([item])
                except ModelError as error:
                    lacking += 1
                    # Of one checkpoint the first detail says which it is and why; the message only counts.
                    self._missing[(*error.details, f"{printable(item)}: {error.message}")[0]] = None
        return lacking < len(self._metrics)

    def _nearid(self, items: list[str]) -> None:
        for masked, some in self._by_masks(items).items():
            self._nearid_with("foreground" if masked else "none", some)

    def _by_masks(self, items: list[str]) -> dict[bool, list[str]]:
        """The metrics by whether they take masks themselves: these are given the masks of the data, others none."""
        found: dict[bool, list[str]] = {}
        for item in items:
            options = replace(self._options, metrics=[item])
            found.setdefault(takes_masks(requested(options)[0], options), []).append(item)
        return found

    def _nearid_with(self, masks: str, items: list[str]) -> None:
        job = NearidJob(
            self._job.positives,
            self._job.distractors,
            self._job.rows,
            self._job.split,
            mode="fullneg",
            masks=masks,
            skip_bad=self._job.skip_bad,
        )
        folder, options = self._output / "nearid", replace(self._options, metrics=items)
        try:
            result = bench_nearid(job, folder, options)
        except BadImagesError:
            raise
        except InputError:
            # Something cannot be opened: go on with the sources that can.
            there = self._usable_sources(job, folder, options)
            if not there:
                return
            result = bench_nearid(replace(job, distractors=there), folder, options)
        if not set(GROUPS["all"]) & {one.source for one in result.similarities}:
            sources = ", ".join(dict.fromkeys(one.source for one in result.similarities))
            self._missing[f"NearID-Bench: Table 1 pools {', '.join(GROUPS['all'])}, and not {sources}"] = None
            return
        for metric in [self._metrics[item] for item in items]:
            tables = tabulate([folder / one.path for one in result.similarities if one.metric == metric])
            for cell in tables.cells:
                if (cell.scope, cell.name, cell.category) == ("group", "all", None):
                    self._numbers[metric] |= {
                        "ssr": _percent(cell.outcome.ssr),
                        "pa": _percent(cell.outcome.pa_published),
                    }
                    self._sources.update(cell.sources)
                    self._samples[metric] = cell.outcome.samples

    def _usable_sources(self, job: NearidJob, folder: Path, options: Options) -> tuple[str, ...]:
        """The sources that can be run, each tried by itself; what stops the others is recorded."""
        reasons: dict[str, str] = {}
        for source in job.distractors:
            try:
                bench_nearid(replace(job, distractors=(source,)), folder, options)
            except BadImagesError:
                raise
            except InputError as error:
                reasons[source] = error.message
        if set(reasons) == set(job.distractors) and len(set(reasons.values())) == 1:
            # The positives or the rows: not said again for every source.
            self._missing[f"NearID-Bench: {next(iter(reasons.values()))}"] = None
        else:
            self._missing |= {
                f"NearID-Bench, {printable(name)}: {reason}": None for name, reason in reasons.items()
            }
        return tuple(source for source in job.distractors if source not in reasons)

    def _mtg(self, items: list[str]) -> None:
        for masked, some in self._by_masks(items).items():
            self._mtg_with("object" if masked else "none", some)

    def _mtg_with(self, masks: str, items: list[str]) -> None:
        job = MtgJob(data=self._job.mtg, masks=masks, skip_bad=self._job.skip_bad)
        try:
            result = evaluate_mtg(job, replace(self._options, metrics=items), self._output / "mtg")
        except BadImagesError:
            raise
        except InputError as error:
            self._missing[f"MTG: {error.message}"] = None
            return
        for metric, one in result.scores.items():
            self._numbers[metric] |= {
                "mtg_mo": one.mo,
                "mtg_mo_pair": one.mo_pair,
                "mtg_ssr": _percent(one.ssr),
                "mtg_pa": _percent(one.pa),
            }

    def _dreambench(self, items: list[str]) -> None:
        samples, ratings = self._job.samples, self._job.ratings
        if samples is None or ratings is None:
            self._missing["DreamBench++: give its pictures and ratings, --samples DIR --ratings DIR"] = None
            return
        rows: dict[str, list[str]] = {}
        for item in items:
            rows.setdefault(_DREAMBENCH.get(item, item), []).append(self._metrics[item])
        options = replace(self._options, metrics=list(rows))
        try:
            scored, unpaired = score_dreambench(
                samples, options, skip_bad=self._job.skip_bad, follow_symlinks=self._job.follow_symlinks
            )
            found = evaluate(scored, [], ratings, samples=samples, unpaired=unpaired)
        except BadImagesError:
            raise
        except InputError as error:
            self._missing[f"DreamBench++: {error.message}"] = None
            return
        write_dreambench(found, self._output / "dreambench")
        for alignment, metrics in zip(found.result.alignments, rows.values(), strict=True):
            for metric in metrics:
                self._numbers[metric]["mh"] = next(
                    (one.mh for one in alignment.categories if one.category == "object"), None
                )


def _row(metric: str, ours: dict[str, float | None]) -> Table1Row:
    known = published()["rows"].get(metric)
    if known is None:
        return Table1Row(metric, None, ours, None)
    stated = {column: known[column] for column in COLUMNS}
    return Table1Row(metric, known["name"], ours, stated, known.get("float32", {}))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
