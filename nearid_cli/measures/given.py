"""`--scores NAME=FILE`: numbers of generations that something else computed, read from tables."""

from __future__ import annotations

import glob
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import digest_file
from nearid_cli.layouts.tables.manifest import instead_of_a_manifest
from nearid_cli.layouts.tables.spelling import look_alike
from nearid_cli.layouts.tables.table import PictureTable, read_table, table_of
from nearid_cli.measures.joining import KEYS, PATHS
from nearid_cli.opening import expanded
from nearid_cli.plugins import GivenMetric, NoScore, Range
from nearid_cli.text import count, did_you_mean, few, printable, shown

logger = logging.getLogger(__name__)

EXTENSIONS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
NO_NUMBER = NoScore("no number in the file")

_SCORE = "score"
_METHOD = "{method}"
_KNOWN = (*PATHS, *KEYS, _SCORE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_NONE = frozenset({
    "", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "inf", "+inf", "-inf", "infinity", "-infinity", "-",
})  # fmt: skip
# Columns of numbers that count or measure something else: none of them is taken for the score unless it is named.
_NO_SCORES = frozenset({
    "step", "steps", "epoch", "iteration", "iter", "index", "idx", "id", "number", "n", "count", "width", "height",
    "references", "generations", "time", "seconds", "timestamp", "batch", "fold", "category", "label", "class",
})  # fmt: skip
# Words in names of metrics that are distances as they are published.
_DISTANCES = frozenset({
    "lpips", "dreamsim", "dists", "pieapp", "fid", "kid", "cmmd", "mse", "rmse", "mae", "l1", "l2", "distance",
    "dist", "loss", "error", "niqe", "brisque", "piqe", "dissimilarity", "difference",
})  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """A file, or else rows, with the column of numbers in it and the method that they are of; empty where not said."""

    path: Path | None
    column: str
    rows: Sequence[Mapping[str, Any]] = ()
    method: str = ""


class ScoresFile(GivenMetric):
    """Numbers in files, or rows that a program holds.

    Args:
        name: of the metric.
        scores: a file, or `FILE::COLUMN`, with `{method}` in its path for a file a method; several; rows, as mappings
            or a data frame; or numbers by path.
        column: which one holds the numbers; empty for the one that can only be it.
        higher_is_better: None where nobody said so.
        range: the lowest and the highest number that is possible; None, or infinite, where there is no end.
        version: of whatever computed the numbers: those of two versions are not compared.

    Raises:
        UsageError: a setting is wrong; or nobody said which direction is better, of a metric whose name is that of a
            distance; or there are no scores.
        InputError: a file cannot be read.
    """

    def __init__(
        self,
        name: str,
        scores: Any = None,
        column: str = "",
        higher_is_better: bool | None = None,
        range: Sequence[float | None] = (None, None),
        version: str = "",
    ) -> None:
        self._name = name
        self._where = f'metric "{printable(name)}"'
        self.higher_is_better = self._direction(higher_is_better)
        self.range = self._limits(range)
        for key, text in (("column", column), ("version", version)):
            if not isinstance(text, str):
                raise UsageError(f"{self._where}: {key} must be text, found {shown(text)}")
        self.version = f"given {version}" if version else "given"
        self._column = column
        if scores is None:
            raise UsageError(
                f"{self._where} has no numbers yet: say where they are with --scores {printable(name)}=FILE"
            )
        self._sources = list(self._read_sources(scores))
        files = [source.path for source in self._sources if source.path]
        digests = [self._digest(path) for path in files]
        self.checkpoint = ", ".join(map(str, files)) or "numbers that a program gave"
        self.revision = ", ".join(digests) or None
        better = "higher" if self.higher_is_better else "lower"
        self.protocol = f"numbers that something else computed; {better} is better"
        self.dtype = "float64"
        self._rows = [row for source in self._sources for row in self._read(source)]

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """See `GivenMetric.rows`."""
        return self._rows

    def _direction(self, higher_is_better: bool | None) -> bool:
        if not isinstance(higher_is_better, bool | None):
            raise UsageError(
                f"{self._where}: higher_is_better must be true or false, found {shown(higher_is_better)}"
            )
        words = _DISTANCES.intersection(re.split(r"[^a-z0-9]+", self._name.lower()))
        if higher_is_better is None and words:
            raise UsageError(
                f"{self._where}: which is better? {sorted(words)[0]} is a distance as it is published, and nothing "
                f"says how these numbers are; say --direction {printable(self._name)}=lower, or =higher"
            )
        return higher_is_better is not False

    def _limits(self, given: Any) -> Range:
        ends = given if isinstance(given, list | tuple) else ()
        if len(ends) != 2 or not all(
            end is None or (isinstance(end, int | float) and not isinstance(end, bool) and end == end)
            for end in ends
        ):
            raise UsageError(f"{self._where}: range must be two numbers such as [0, 1], found {shown(given)}")
        low, high = (None if end is None or math.isinf(end) else float(end) for end in ends)
        if low is not None and high is not None and low >= high:
            raise UsageError(f"{self._where}: range must begin with its lower end, found {shown(given)}")
        return low, high

    def _digest(self, path: Path) -> str:
        try:
            return digest_file(path)
        except OSError as error:
            raise InputError(
                f"{self._where}: cannot read {printable(path)}: {error.strerror or error}"
            ) from error

    def _read_sources(self, scores: Any) -> Iterator[_Source]:
        """Each file, and the rows."""
        rows = _rows_of_frame(scores)
        if rows is None and isinstance(scores, Mapping):
            rows = [{"path": path, _SCORE: one} for path, one in scores.items()]
        if rows is None:
            several = isinstance(scores, Iterable) and not isinstance(scores, str)
            for one in scores if several else [scores]:
                if isinstance(one, str | Path):
                    yield from self._files(str(one))
                elif isinstance(one, Mapping):
                    rows = [*(rows or ()), one]
                else:
                    raise UsageError(
                        f"{self._where}: expected scores to be a file, rows, a data frame, or numbers by path, found "
                        f"{type(one).__name__}"
                    )
        if rows:
            plain = [{str(key): _plain(one) for key, one in row.items()} for row in rows]
            yield _Source(None, self._column, plain)

    def _files(self, written: str) -> Iterator[_Source]:
        """The file of a path, or the files of one with `{method}`, each with the method that its own path says."""
        one = _source(written, self._column)
        if one.path is None or _METHOD not in str(one.path) or one.path.exists():
            yield one
            return
        before, *after = str(one.path).split(_METHOD)
        path = re.compile(f"{re.escape(before)}(?P<method>[^/]+){'(?P=method)'.join(map(re.escape, after))}")
        found = sorted(glob.glob("*".join(map(glob.escape, (before, *after)))))  # noqa: PTH207 - may be absolute
        named = [(match["method"], file) for file in found if (match := path.fullmatch(file))]
        if not named:
            raise InputError(
                f"{self._where}: no file is called {printable(one.path)}, with any method's name"
            )
        yield from (_Source(Path(file), one.column, method=method) for method, file in named)

    def _read(self, source: _Source) -> Iterator[dict[str, Any]]:
        """The rows of a file, or of the program.

        Raises:
            InputError: the table is wrong as a whole, or some rows are; all of these are listed.
        """
        table = self._table(source)
        column, guessed = self._numbers_column(table, source.column)
        if guessed:
            logger.info(
                "%s: the numbers are those of the column %s", printable(table.path), printable(column)
            )
        path = self._path_column(table)
        numbers, wrong = _numbers([row.text(column) for row in table.rows])
        problems = list(table.problems)
        for place, why in wrong.items():
            row = table.rows[place]
            problems.append(f"{row.where}: {printable(column)} {printable(row.text(column))} is {why}")
        if problems:
            raise table.error(f"has {count(len(problems), 'wrong row')}; correct or remove them", problems)
        name = printable(table.path)
        keys = [key for key in KEYS if key in table.columns.values()]
        for row, number in zip(table.rows, numbers, strict=True):
            said = {key: row.text(key) for key in keys}
            if source.method and not said.get("method"):
                said["method"] = source.method
            if path:
                said |= {"path": row.cells.get(path, ""), "folder": str(table.path.parent.absolute())}
            yield {"where": f"{name}, {row.where}", **said, "score": number}

    def _table(self, source: _Source) -> PictureTable:
        if source.path is None:
            return table_of(source.rows, f'scores["{self._name}"]', "table", _KNOWN, (*PATHS, *KEYS))
        if source.path.suffix.lower() not in EXTENSIONS:
            raise UsageError(
                f"{self._where}: expected a file that ends in {', '.join(EXTENSIONS)}, found {printable(source.path)}"
                + instead_of_a_manifest(source.path)
            )
        return read_table(source.path, "table", (), _KNOWN, (*PATHS, *KEYS))

    def _path_column(self, table: PictureTable) -> str:
        """The column that holds paths; nothing where none does."""
        found = [name for name in PATHS if name in table.columns.values()]
        if len(found) > 1 and found[0] != "path":
            raise table.error(
                f"has several columns that may be the path: {', '.join(found)}; rename the one of generations to path"
            )
        return found[0] if found else ""

    def _numbers_column(self, table: PictureTable, asked: str) -> tuple[str, bool]:
        """The column that holds the numbers, and whether nothing but its content says so."""
        others = [name for name in table.columns.values() if name and name not in (*PATHS, *KEYS)]
        how = f"say which with --scores {printable(self._name)}={printable(table.path)}::COLUMN"
        if asked:
            found = [name for name in others if look_alike(name) == look_alike(asked)]
            if not found:
                raise table.error(
                    f"has no column {printable(asked)} beside those that name generations: "
                    f"{did_you_mean(asked, others) if others else 'it has no other'}"
                )
            return found[0], False
        named = [name for name in others if name == _SCORE or _words(name) == _words(self._name)]
        if len(named) > 1:
            raise table.error(f"has the columns {' and '.join(map(printable, named))}; {how}")
        if named:
            return named[0], False
        numeric = [
            name
            for name in others
            if _words(name) not in _NO_SCORES and _is_numeric([row.text(name) for row in table.rows])
        ]
        if len(numeric) != 1:
            raise table.error(
                f"has {count(len(numeric), 'column')} of numbers ({few(numeric, 5)}); {how}"
                if numeric
                else f"has no column of numbers: found {few(list(table.columns.values()), 8)}; {how}"
            )
        return numeric[0], True


def _source(written: str, column: str) -> _Source:
    """`FILE` or `FILE::COLUMN`; a file whose own name is so comes first."""
    path = expanded(written)
    file, colons, own = written.rpartition("::")
    if colons and file and own and not path.exists():
        return _Source(expanded(file), own)
    return _Source(path, column)


def _rows_of_frame(scores: Any) -> list[Mapping[str, Any]] | None:
    """The rows of a data frame of pandas, Polars or Arrow; None for what is none."""
    for method in ("to_dicts", "to_pylist"):
        if hasattr(scores, method):
            return list(getattr(scores, method)())
    if hasattr(scores, "columns") and hasattr(scores, "to_dict"):
        frame = scores.reset_index() if any(name is not None for name in scores.index.names) else scores
        rows: list[Mapping[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return rows
    return None


def _plain(value: Any) -> Any:
    """A number of NumPy or torch as one of Python."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _words(name: str) -> str:
    """The words of a column's or a metric's name.

    >>> _words("CLIP-T") == _words("clip_t")
    True
    """
    return re.sub(r"[\s_.-]+", "_", look_alike(name))


def _numbers(cells: Sequence[str]) -> tuple[list[float | NoScore], dict[int, str]]:
    """The numbers of a column, and by its place why a cell is none.

    >>> _numbers(["0.5", "", "good"])[0][:2], _numbers(["0,5", "1,25"])[0]
    ([0.5, NoScore(reason='no number in the file', lasting=True)], [0.5, 1.25])
    """
    with_comma = [cell for cell in cells if _WITH_COMMA.fullmatch(cell)]
    # 1,234 is one number or another; beside 0,5 it can only be the smaller one.
    unclear = all(_THOUSANDS.fullmatch(cell) for cell in with_comma) or any("." in cell for cell in cells)
    numbers: list[float | NoScore] = []
    wrong = {}
    for place, cell in enumerate(cells):
        if cell.lower() in _NONE:
            numbers.append(NO_NUMBER)
            continue
        if _WITH_COMMA.fullmatch(cell):
            if unclear:
                wrong[place] = "one number or another; write it with a point, and without one for thousands"
                continue
            cell = cell.replace(",", ".")
        if not _NUMBER.fullmatch(cell):
            wrong[place] = "no number"
            continue
        number = float(cell)
        numbers.append(number if math.isfinite(number) else NO_NUMBER)
    return numbers, wrong


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers, and nothing else."""
    numbers, wrong = _numbers(cells)
    return not wrong and any(number is not NO_NUMBER for number in numbers)
