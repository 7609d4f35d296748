"""Similarity files: what a metric says about every sample of one source of distractors, one row a sample.

They are the files of the published code (Gorluxor/NearID, evaluation/sim_test.py), which reads ours and we its:

    {folder of the source}/sims[_{family}]_{variant}_{rows}{all|N}_{mode}_{checkpoint, / as ~}.csv

with the columns `sample_id, category, n_pos, n_neg`, `sim_ij` (views i < j), `cross_ij` (view i, distractor j) and
`neg_sim_ij` (distractors i < j). An empty cell is a similarity that does not exist.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.slots import CROSSED
from nearid_cli.errors import InputError
from nearid_cli.files import replace_file
from nearid_cli.metrics.margins import PAIRS
from nearid_cli.opening import read_regular
from nearid_cli.reports.formats.data import to_parquet
from nearid_cli.reports.table import COUNT, SCORE, TEXT, Column, Table
from nearid_cli.text import count, few, printable, storable

Floats = npt.NDArray[np.float64]

VARIANTS = ("image", "foreground", "background")
"""What the metric saw: whole pictures, the masked object alone, or all but the object."""

MODES = ("positives", "full", "fullneg")
"""Only `sim`; `sim` and `cross`; `sim`, `cross` and `neg_sim`."""

GROUPS = {
    "all": ("flux", "flux_1024", "powerpaint", "sdxl", "sdxl_1024", "qwen", "qwen_1328"),
    "low-res": ("flux", "sdxl", "qwen"),
    "full-res": ("flux_1024", "sdxl_1024", "qwen_1328"),
    "flux": ("flux", "flux_1024"),
    "powerpaint": ("powerpaint",),
    "sdxl": ("sdxl", "sdxl_1024"),
    "qwen": ("qwen", "qwen_1328"),
    "fluxc": ("fluxc", "fluxc_1024"),
}
"""Name -> tags of sources that are pooled, as in the published tables. `all` is Table 1; fluxc stands apart."""

_NAME = re.compile(
    r"sims(?:_(?P<family>[a-zA-Z0-9]+))?_(?P<variant>image|foreground|background)"
    r"_(?P<rows>.+?(?:all|[0-9]+))_(?P<mode>positives|fullneg|full)_(?P<checkpoint>.+)\.csv",
    re.DOTALL,
)
_SIM = tuple(f"sim_{i}{j}" for i, j in PAIRS)
_CROSS = tuple(f"cross_{i}{j}" for i, j in CROSSED)
_NEG_SIM = tuple(f"neg_{name}" for name in _SIM)
_FACTS = ("sample_id", "category", "n_pos", "n_neg")
_VLM = "vlm"  # the family whose scores are on 0-10
# As pandas, which the published tables are made with, reads them.
_NOTHING = frozenset(
    {
        *("", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>"),
        *("None", "null", "NULL", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    }
)
_LARGEST = 2**30  # bytes; a million samples have less
_SHOWN = 3  # so many bad cells of a column are named


@dataclass(frozen=True)
class Similarities:
    """Similarities of N samples, NaN where one does not exist.

    Attributes:
        sample_ids: the data set's ids, as text.
        categories: empty where the data set says none.
        n_pos, n_neg: int64 [N], how many views and distractors each sample has, 0 to 3.
        sim: float64 [N, 3], of the pairs of views (0, 1), (0, 2), (1, 2).
        cross: float64 [N, 3, 3], of view i and distractor j.
        neg_sim: float64 [N, 3], of the pairs of distractors.
    """

    sample_ids: tuple[str, ...]
    categories: tuple[str, ...]
    n_pos: npt.NDArray[np.int64]
    n_neg: npt.NDArray[np.int64]
    sim: Floats
    cross: Floats
    neg_sim: Floats


@dataclass(frozen=True)
class SimilarityName:
    """What the name of a similarity file says.

    Attributes:
        source: tag of its folder, as `source_tag` gives it.
        family: `vlm`, `vsm`, `nearid`, `encodeid`, ...; empty for plain `sims_`.
        variant: one of `VARIANTS`.
        rows: the list of rows or split, and how many of them: `testall`, `train100`.
        mode: one of `MODES`.
        checkpoint: with `/`.
    """

    source: str
    family: str
    variant: str
    rows: str
    mode: str
    checkpoint: str

    @property
    def model(self) -> str:
        """Family and checkpoint."""
        return f"{self.family}:{self.checkpoint}" if self.family else self.checkpoint


def source_tag(folder: str) -> str:
    """The tag of a source, from the name of its folder or data set.

    What stands before the first dash is the data set; the rest is the source and its note, however they are joined.

    >>> [source_tag(name) for name in ("NearID-Flux-1024", "NearID-Flux_1024", "SynCD-Qwen", "flux")]
    ['flux_1024', 'flux_1024', 'qwen', 'flux']
    """
    pieces = [piece.strip() for piece in folder.split("-") if piece.strip()]
    return "_".join(pieces[1:] or pieces).lower()


def file_name(
    family: str, variant: str, rows: str | None, number: int | None, mode: str, checkpoint: str
) -> str:
    """The name of a similarity file.

    Args:
        family: empty for none.
        variant: one of `VARIANTS`.
        rows: what the rows are called, or else the split; None for the split `train`.
        number: so many samples at most; None for all.
        mode: one of `MODES`.
        checkpoint: as in `SimilarityName`.

    >>> file_name("", "image", "test", None, "fullneg", "openai/clip-vit-large-patch14")
    'sims_image_testall_fullneg_openai~clip-vit-large-patch14.csv'
    """
    pieces = ("sims", *([family] if family else []), variant, f"{rows or 'train'}{number or 'all'}", mode)
    return f"{'_'.join(pieces)}_{checkpoint.replace('/', '~')}.csv"


def parse_name(path: Path) -> SimilarityName | None:
    """What the names of a file and its folder say; None where it is no similarity file of NearID-Bench.

    >>> parse_name(Path("out/NearID-Flux_1024/sims_vlm_image_testall_fullneg_Qwen~Qwen3-VL-4B.csv"))
    ... # doctest: +NORMALIZE_WHITESPACE
    SimilarityName(source='flux_1024', family='vlm', variant='image', rows='testall', mode='fullneg',
                   checkpoint='Qwen/Qwen3-VL-4B')
    """
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    folder = Path(os.path.abspath(path)).parent.name  # noqa: PTH100 - resolve() would follow links
    return SimilarityName(
        source=source_tag(folder),
        family=found["family"] or "",
        variant=found["variant"],
        rows=found["rows"],
        mode=found["mode"],
        checkpoint=found["checkpoint"].replace("~", "/"),
    )


def write_similarities(path: Path, similarities: Similarities) -> None:
    """Write a similarity file and its twin in Parquet, `.parquet` in place of `.csv`.

    Columns of `cross` and `neg_sim` are left out where no sample has such a similarity. Floats are written so that they
    read back the same to the last bit.

    Raises:
        InputError: a file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    columns = [
        Column(TEXT, similarities.categories, name="category"),
        Column(COUNT, similarities.n_pos.tolist(), name="n_pos"),
        Column(COUNT, similarities.n_neg.tolist(), name="n_neg"),
    ]
    for names, values in (
        (_SIM, similarities.sim),
        (_CROSS, similarities.cross.reshape(-1, 9)),
        (_NEG_SIM, similarities.neg_sim),
    ):
        if names is _SIM or not np.isnan(values).all():
            columns += [
                Column(SCORE, column.tolist(), name=name)
                for name, column in zip(names, values.T, strict=True)
            ]
    # Not `to_csv` of the reports: it changes texts that a spreadsheet would run, and ids must stay what they are.
    table = Table((Column(TEXT, similarities.sample_ids, name="sample_id"),), tuple(columns))
    names, _, cells = zip(*table.stored(), strict=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*cells, strict=True))
    replace_file(path, storable(text.getvalue()).encode())
    replace_file(path.with_suffix(".parquet"), to_parquet(table, {}))


def read_similarities(path: Path) -> Similarities:
    """Read a similarity file, ours or the published tool's. Scores of the family `vlm` are divided by 10.

    Needed are the columns `sample_id`, `category`, `n_pos` and `n_neg`, and those of `sim_ij` and, in the modes `full`
    and `fullneg`, `cross_ii` that the numbers of views and distractors ask for. Further columns are ignored.

    Raises:
        InputError: the file cannot be read, or columns or cells are wrong. One line with all that is.
    """
    name = parse_name(path)
    try:
        text = read_regular(path, _LARGEST).decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except OSError as error:
        raise InputError(f"cannot read {printable(path)}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{printable(path)}: not a CSV file in UTF-8 ({error})") from error
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    problems = _shape_problems(header, rows)
    if not problems:
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        table = _Lines(columns, len(rows), crossed=name is not None and name.mode != "positives")
        found = table.similarities(scale=10.0 if name is not None and name.family == _VLM else 1.0)
        problems = table.problems
    if problems:
        raise InputError(f"{printable(path)}: {'; '.join(problems)}")
    return found


def _shape_problems(header: Sequence[str], rows: Sequence[list[str]]) -> list[str]:
    """Why lines are no table."""
    if not rows:
        return ["empty: expected a header and one line a sample"]
    problems = []
    if twice := _repeated(header):
        problems.append(f"{_columns(twice)} twice")
    if uneven := [row for row in rows if len(row) != len(header)]:
        problems.append(
            f"{count(len(uneven), 'line')} with more or fewer cells than the header's {len(header)}, first that of "
            f"{_shown(uneven[0][0])} with {len(uneven[0])}: was the file cut off?"
        )
    return problems


class _Lines:
    """The columns of a file, and what is wrong with them."""

    def __init__(self, columns: Mapping[str, tuple[str, ...]], size: int, crossed: bool) -> None:
        self.problems: list[str] = []
        self._columns = columns
        self._size = size
        self._crossed = crossed

    def similarities(self, scale: float) -> Similarities:
        """The similarities; of any use only where there are no problems."""
        n_pos, n_neg = self._counts("n_pos"), self._counts("n_neg")
        self._require(n_pos, n_neg)
        # A data set may hold a null for an id. The sample counts, under the number of its line.
        cells = self._columns.get("sample_id", ())
        ids = tuple(name or f"line {number}" for number, name in enumerate(cells, 2))
        if twice := _repeated(ids):
            self.problems.append(f"{count(len(twice), 'sample_id')} twice: {_some(twice)}")
        return Similarities(
            sample_ids=ids,
            categories=tuple(self._columns.get("category", ())),
            n_pos=n_pos,
            n_neg=n_neg,
            sim=self._numbers(_SIM) / scale,
            cross=self._numbers(_CROSS).reshape(-1, 3, 3) / scale,
            neg_sim=self._numbers(_NEG_SIM) / scale,
        )

    def _require(self, n_pos: npt.NDArray[np.int64], n_neg: npt.NDArray[np.int64]) -> None:
        views = max(2, n_pos.max(initial=0))
        pairs = max(1, np.minimum(n_pos, n_neg).max(initial=0)) if self._crossed else 0
        needed = [
            *_FACTS,
            *(name for name, (_, j) in zip(_SIM, PAIRS, strict=True) if j < views),
            *(f"cross_{i}{i}" for i in range(pairs)),
        ]
        missing = [name for name in needed if name not in self._columns]
        if missing:
            self.problems.insert(0, f"no {_columns(missing)}")

    def _counts(self, name: str) -> npt.NDArray[np.int64]:
        values = self._column(name)
        good = np.isin(values, (0, 1, 2, 3))
        if name in self._columns and not good.all():
            cells = [cell for cell, fine in zip(self._columns[name], good, strict=True) if not fine]
            self.problems.append(f"{name}: expected 0 to 3, found {_some(cells)}")
        return np.where(good, values, 0).astype(np.int64)

    def _numbers(self, names: Sequence[str]) -> Floats:
        values = np.stack([self._column(name) for name in names], axis=1)
        for name, column in zip(names, values.T, strict=True):
            if np.isinf(column).any():
                cells = [cell for cell, bad in zip(self._columns[name], np.isinf(column), strict=True) if bad]
                self.problems.append(f"{name}: expected numbers, found {_some(cells)}")
        return values

    def _column(self, name: str) -> Floats:
        """A column of numbers: NaN for an empty cell or a column that is not there, infinity for what is no number."""
        cells = self._columns.get(name)
        if cells is None:
            return np.full(self._size, np.nan)
        return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: str) -> float:
    if cell in _NOTHING:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        return np.inf
    return value if np.isfinite(value) and "_" not in cell else np.inf


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _columns(names: Sequence[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {', '.join(map(printable, names))}"


def _some(cells: Sequence[str]) -> str:
    return few(cells, _SHOWN, _shown)


def _shown(cell: str) -> str:
    return f'"{printable(cell[:40])}"'
