"""The tables of NearID-Bench from similarity files: SSR, PA and their relatives by source, by category and pooled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.differences import RateDifference, compared
from nearid_cli.benchmarks.tables.finding import SimilarityFile, find_similarities
from nearid_cli.benchmarks.tables.groups import GROUPS
from nearid_cli.benchmarks.tables.result import PoolCell, TablesResult, Uneven
from nearid_cli.benchmarks.tables.similarities import VARIANTS, Similarities, read_similarities
from nearid_cli.errors import InputError, UsageError
from nearid_cli.metrics.margins import outcome, rate_differences, trial_margins
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, unknown

_POOL = "all"  # whose categories are told apart unless groups are asked for

_Scope = tuple[str, str, tuple[str, ...]]  # `group` or `source`, its name, its sources


def tabulate(
    roots: Sequence[Path],
    *,
    groups: Sequence[str] = (),
    variants: Sequence[str] = (),
    metrics: Sequence[str] = (),
    prefer: str | None = None,
    against: Path | None = None,
) -> TablesResult:
    """Read the similarity files below some folders, and make the tables.

    Args:
        roots: folders, searched at any depth.
        groups: names of `GROUPS` to pool; if empty, all of which some method has a source. Categories are those of the
            groups asked for, or else of `all`, and of every source that is in no group.
        variants: as for `find_similarities`.
        metrics: likewise.
        prefer: likewise.
        against: a file of the method that all others are compared with; None for no comparison.

    Raises:
        UsageError: an unknown group, variant, metric or `prefer`.
        InputError: no files, the same twice without `prefer`, or bad files: all of them are listed.
    """
    for group in groups:
        if group not in GROUPS:
            raise UsageError(unknown("group", group, GROUPS))
    found = find_similarities(roots, variants, metrics, prefer)
    methods = _methods(found.files)
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
        files=len(found.files),
        prefer=prefer,
        passed_over=found.passed_over,
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
    def of(
        cls, facts: Mapping[str, str], sources: Mapping[str, Similarities], paths: Iterable[Path]
    ) -> _Measured:
        every = list(sources.values())
        sizes = [len(one.sample_ids) for one in every]
        ids = np.array([sample for one in every for sample in one.sample_ids])
        return cls(
            facts=facts,
            paths=frozenset(paths),
            sources=tuple(sources),
            source=np.repeat(list(sources), sizes),
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


def _methods(files: Sequence[SimilarityFile]) -> list[_Measured]:
    """Read the files; methods by name, then by variant."""
    several = len({(file.name.rows, file.name.mode) for file in files}) > 1
    read: dict[tuple[str, ...], dict[str, Similarities]] = {}
    paths: dict[tuple[str, ...], list[Path]] = {}
    problems = []
    for file in files:
        name = file.name
        title = f"{file.model} [{name.rows}, {name.mode}]" if several else file.model
        key = (title, name.family, name.checkpoint, name.variant, name.rows, name.mode)
        try:
            read.setdefault(key, {})[name.source] = read_similarities(file.path)
            paths.setdefault(key, []).append(file.path)
        except InputError as error:
            problems.append(error.message)
    if problems:
        raise InputError(f"{count(len(problems), 'bad similarity file')}: {problems[0]}", problems[1:])
    fields = ("method", "family", "checkpoint", "variant", "rows", "mode")
    methods = [
        _Measured.of(dict(zip(fields, key, strict=True)), dict(sorted(own.items())), paths[key])
        for key, own in read.items()
    ]
    return sorted(
        methods, key=lambda method: (method.facts["method"].lower(), VARIANTS.index(method.facts["variant"]))
    )
