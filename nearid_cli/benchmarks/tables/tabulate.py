"""The tables of NearID-Bench from similarity files: SSR, PA and their relatives by source, by category and pooled."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.differences import RateDifference, compared
from nearid_cli.benchmarks.tables.result import PoolCell, TablesResult, Uneven
from nearid_cli.benchmarks.tables.similarities import (
    GROUPS,
    VARIANTS,
    Similarities,
    SimilarityName,
    parse_name,
    read_similarities,
)
from nearid_cli.encoders.registry import REGISTRY, SHIPPED
from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.reach import Reach, real_path, refuse_links
from nearid_cli.metrics.margins import outcome, rate_differences, trial_margins
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, did_you_mean, printable, unknown

_POOL = "all"  # whose categories are told apart unless groups are asked for

PREFER = ("first", "last")
"""Which file to take where there are several for the same."""

_Scope = tuple[str, str, tuple[str, ...]]  # `group` or `source`, its name, its sources


def tabulate(
    roots: Sequence[Path],
    *,
    groups: Sequence[str] = (),
    variants: Sequence[str] = (),
    metrics: Sequence[str] = (),
    prefer: str | None = None,
    against: Path | None = None,
    follow_symlinks: bool = False,
) -> TablesResult:
    """Read the similarity files below some folders, and make the tables.

    Args:
        roots: folders, searched at any depth.
        groups: names of `GROUPS` to pool; if empty, all of which some method has a source. Categories are those of the
            groups asked for, or else of `all`, and of every source that is in no group.
        variants: take the files of these alone; of all `VARIANTS` if empty.
        metrics: take these models alone: a checkpoint, its last part, or a name of `nearid models list`.
        prefer: which of `PREFER`.
        against: a file of the method that all others are compared with; None for no comparison.
        follow_symlinks: follow links that lead out of the folders.

    Raises:
        UsageError: an unknown group, variant, metric or `prefer`, or a variant that no file has.
        InputError: no files, the same twice without `prefer`, links that lead out, or bad files: all are listed.
    """
    for group in groups:
        if group not in GROUPS:
            raise UsageError(unknown("group", group, GROUPS))
    reach = Reach(follow_symlinks=follow_symlinks).including(*roots)
    files, passed_over = _find(roots, variants, metrics, prefer, reach)
    methods = _methods(files)
    present = {source for method in methods for source in method.sources}
    outside = present.difference(*GROUPS.values())
    chosen = {
        name: sources
        for name, sources in GROUPS.items()
        if (name in groups if groups else present.intersection(sources))
    }
    scopes: list[_Scope] = [
        *(("group", name, sources) for name, sources in chosen.items()),
        *(("source", name, (name,)) for name in sorted(present)),
    ]
    shown = [scope for scope in scopes if scope[0] == "group" or scope[1] in outside]
    # Categories of every scope would be thousands of cells.
    by_category = [
        scope for scope in scopes if scope[1] in (groups or [_POOL] if scope[0] == "group" else outside)
    ]
    cells = [
        *(method.cell(*scope) for scope in scopes for method in methods),
        *(cell for scope in by_category for method in methods for cell in method.categories(*scope)),
    ]
    return TablesResult(
        tool=this_tool(),
        created=timestamp(),
        roots=tuple(map(str, roots)),
        files=len(files),
        prefer=prefer,
        passed_over=tuple(passed_over),
        groups=chosen,
        uneven=tuple(uneven for method in methods if (uneven := method.uneven())),
        differences=() if against is None else tuple(_differences(methods, against, shown)),
        cells=tuple(cell for cell in cells if cell.scope == "group" or cell.sources),
    )


@dataclass(frozen=True)
class _Measured:
    """The samples of one method and variant, those of all its sources one after the other."""

    facts: Mapping[str, str]
    paths: frozenset[Path]
    sources: tuple[str, ...]
    source: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    sample: npt.NDArray[np.intp]
    category: npt.NDArray[np.str_]
    margins: npt.NDArray[np.float64]

    @classmethod
    def of(cls, facts: Mapping[str, str], sources: Mapping[str, tuple[Path, Similarities]]) -> _Measured:
        paths, every = zip(*sources.values(), strict=True)
        ids = np.array([sample for one in every for sample in one.sample_ids])
        return cls(
            facts=facts,
            paths=frozenset(paths),
            sources=tuple(sources),
            source=np.repeat(list(sources), [len(one.sample_ids) for one in every]),
            ids=ids,
            sample=np.unique(ids, return_inverse=True)[1],
            category=np.array([category for one in every for category in one.categories]),
            margins=np.concatenate(
                [trial_margins(one.sim, np.diagonal(one.cross, axis1=1, axis2=2)) for one in every]
            ),
        )

    def cell(self, scope: str, name: str, sources: Sequence[str], category: str | None = None) -> PoolCell:
        """The numbers of the samples of some sources, and of one category if it is given."""
        rows = self._rows(sources)
        if category is not None:
            rows &= self.category == category
        found = outcome(self.margins[rows], self.sample[rows])
        return PoolCell(
            **self.facts,
            scope=scope,
            name=name,
            category=category,
            sources=tuple(source for source in sources if source in self.sources),
            missing=tuple(source for source in sources if source not in self.sources),
            without_trials=int(rows.sum()) - found.samples,
            outcome=found,
        )

    def categories(self, scope: str, name: str, sources: Sequence[str]) -> Iterator[PoolCell]:
        """A cell for every category; none where the samples have no categories."""
        names = np.unique(self.category[self._rows(sources)]).tolist()
        if any(names):
            yield from (self.cell(scope, name, sources, category) for category in names)

    def uneven(self) -> Uneven | None:
        """How the samples of the sources differ, if they do."""
        own = {source: set(self.sample[self.source == source]) for source in self.sources}
        every = set[int]().union(*own.values())
        if all(samples == every for samples in own.values()):
            return None
        sizes = {source: len(samples) for source, samples in own.items()}
        return Uneven(self.facts["method"], self.facts["variant"], len(every), sizes)

    def rows(self, sources: Sequence[str]) -> dict[tuple[str, str], npt.NDArray[np.float64]]:
        """The margins of the samples of some sources, by source and id."""
        own = self._rows(sources)
        keys = zip(self.source[own].tolist(), self.ids[own].tolist(), strict=True)
        return dict(zip(keys, self.margins[own], strict=True))

    def _rows(self, sources: Sequence[str]) -> npt.NDArray[np.bool_]:
        return np.isin(self.source, sources)


def _differences(
    methods: Sequence[_Measured], against: Path, scopes: Sequence[_Scope]
) -> Iterator[RateDifference]:
    """Each method minus the one of a file, in every scope, over what both have there."""
    (other,) = (method for method in methods if against in method.paths)
    for _, pool, sources in scopes:
        theirs = other.rows(sources)
        found = {}
        for method in methods:
            ours = method.rows(sources)
            if method is not other and (both := [key for key in ours if key in theirs]):
                found[method.facts["method"]] = rate_differences(
                    [ours[key] for key in both], [theirs[key] for key in both], [sample for _, sample in both]
                )
        yield from compared(pool, other.facts["method"], found)


def _methods(files: Mapping[Path, SimilarityName]) -> list[_Measured]:
    """Read the files; methods by name, then by variant."""
    several = len({(name.rows, name.mode) for name in files.values()}) > 1
    read: dict[SimilarityName, dict[str, tuple[Path, Similarities]]] = {}
    problems = []
    for path, name in files.items():
        try:
            read.setdefault(replace(name, source=""), {})[name.source] = path, read_similarities(path)
        except InputError as error:
            problems.append(error.message)
    if problems:
        raise InputError(f"{count(len(problems), 'bad similarity file')}: {problems[0]}", problems[1:])
    methods = []
    for name, sources in read.items():
        title = f"{name.model} [{name.rows}, {name.mode}]" if several else name.model
        facts = {fact: value for fact, value in vars(name).items() if fact != "source"}
        methods.append(_Measured.of({"method": title, **facts}, dict(sorted(sources.items()))))
    return sorted(
        methods, key=lambda method: (method.facts["method"].lower(), VARIANTS.index(method.facts["variant"]))
    )


def _find(
    roots: Sequence[Path], variants: Sequence[str], metrics: Sequence[str], prefer: str | None, reach: Reach
) -> tuple[dict[Path, SimilarityName], list[tuple[str, str]]]:
    """The files to take, and those to leave with the reason. The same file reached twice counts once."""
    for variant in variants:
        if variant not in VARIANTS:
            raise UsageError(unknown("masks", variant, ["none", *VARIANTS[1:]]))
    if prefer is not None and prefer not in PREFER:
        raise UsageError(unknown("choice for --prefer", prefer, PREFER))
    every, passed_over = _below(roots, reach)
    files = {path: name for path, name in every.items() if not variants or name.variant in variants}
    if not files:
        there = [variant for variant in VARIANTS if any(name.variant == variant for name in every.values())]
        raise UsageError(f"no similarity file of --masks {_masks(variants)}; found: {_masks(there)}")
    files = _chosen(files, metrics)
    tried = {path: name for path, name in files.items() if name.mode != "positives"}
    if not tried:
        raise InputError(
            f"{count(len(files), 'similarity file')} of mode positives and no other: without distractors there are "
            "no trials; use --mode full or fullneg of nearid bench nearid"
        )
    passed_over += [
        (str(path), "mode positives: no distractors, so no trials") for path in files if path not in tried
    ]
    taken, left = _one_of_each(tried, prefer)
    return taken, passed_over + left


def _masks(variants: Sequence[str]) -> str:
    """Variants as `--masks` calls them."""
    return ", ".join("none" if variant == "image" else variant for variant in variants)


def _below(roots: Sequence[Path], reach: Reach) -> tuple[dict[Path, SimilarityName], list[tuple[str, str]]]:
    """The similarity files below all roots, and the files that are named nearly like one."""
    absent = [root for root in roots if not (root.is_dir() or root.is_file())]
    if missing := [f"{printable(root)}: no such folder" for root in absent]:
        raise InputError(f"cannot search {count(len(missing), 'folder')}: {missing[0]}", missing[1:])
    files: dict[Path, SimilarityName] = {}
    strange: list[tuple[str, str]] = []
    seen: set[str] = set()
    empty = []
    for root in roots:
        some = False
        for path in _walk(root, reach):
            name = parse_name(path)
            some |= name is not None
            if real_path(path) in seen:
                continue
            seen.add(real_path(path))
            if name is not None:
                files[path] = name
            else:
                strange.append((str(path), "not named like a similarity file of NearID-Bench"))
        if not some:
            empty.append(printable(root))
    if empty:
        raise InputError(
            f"no similarity files below {', '.join(empty)}; expected names such as "
            "NearID-Flux/sims_image_testall_fullneg_CHECKPOINT.csv",
            [printable(path) for path, _ in strange],
        )
    return files, strange


def _walk(root: Path, reach: Reach) -> Iterator[Path]:
    """The files `sims*.csv` below a folder, sorted; a file is itself. Linked folders are followed, once."""

    def refuse(error: OSError) -> None:
        raise InputError(f"cannot read folder {printable(error.filename)}: {error.strerror}") from error

    if root.is_file():
        yield root
        return
    entered: set[str] = set()
    leading_out: list[str] = []

    def within(folder: str, name: str) -> bool:
        path = os.path.join(folder, name)  # noqa: PTH118 - strings, as those of os.walk are
        if reach.opens(path):
            return True
        leading_out.append(f"{os.path.relpath(path, root)} -> {real_path(path)}")
        return False

    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        if (real := os.path.realpath(folder)) in entered:
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = [name for name in sorted(subfolders) if within(folder, name)]
        yield from (
            Path(folder, name)
            for name in sorted(names)
            if name.startswith("sims") and name.endswith(".csv") and within(folder, name)
        )
    refuse_links(root, leading_out)


def _chosen(files: dict[Path, SimilarityName], metrics: Sequence[str]) -> dict[Path, SimilarityName]:
    """The files of some models, all if none is named."""
    if not metrics:
        return files
    chosen: set[Path] = set()
    for metric in metrics:
        own = [
            path
            for path, name in files.items()
            if {metric, _tag(metric)} & {name.model, name.checkpoint, name.checkpoint.rpartition("/")[2]}
        ]
        if not own:
            models = list(dict.fromkeys(name.model for name in files.values()))
            raise UsageError(
                f'no similarity file of metric "{printable(metric)}": {did_you_mean(metric, models)}'
            )
        chosen.update(own)
    return {path: name for path, name in files.items() if path in chosen}


def _tag(metric: str) -> str:
    """How `nearid bench nearid` writes the checkpoint of a metric that has a name."""
    known = REGISTRY.get(metric)
    if known is None or known.checkpoint in ("", SHIPPED):
        return metric
    # Of two metrics of one checkpoint the first has the readout of its architecture, which is not written.
    first = next(other for other in REGISTRY.values() if other.checkpoint == known.checkpoint)
    return known.checkpoint if known is first else f"{known.checkpoint}+{known.readout}"


def _one_of_each(
    files: Mapping[Path, SimilarityName], prefer: str | None
) -> tuple[dict[Path, SimilarityName], list[tuple[str, str]]]:
    """One file for each name, and what was left for another one."""
    places: dict[SimilarityName, list[Path]] = {}
    for path, name in files.items():
        places.setdefault(name, []).append(path)
    several = {name: own for name, own in places.items() if len(own) > 1}
    if several and prefer is None:
        raise InputError(
            f"{count(len(several), 'similarity file')} found twice, and they may differ: choose with --prefer first or "
            "--prefer last (of the folders as you name them), or leave a folder out",
            [
                f"{printable(name.model)} on {name.source} ({name.variant}): {' and '.join(map(printable, own))}"
                for name, own in several.items()
            ],
        )
    index = -1 if prefer == "last" else 0
    left = [
        (str(path), f"--prefer {prefer}: {own[index]} was taken")
        for own in several.values()
        for path in own
        if path != own[index]
    ]
    return {own[index]: name for name, own in places.items()}, left
