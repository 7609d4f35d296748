"""Manifests, read and written: tables that say of each picture whose it is and in which role."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from sys import intern

from nearid_cli.elsewhere import shown
from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file
from nearid_cli.layouts.dataset import Box, Dataset, LeftOutFiles, Picture
from nearid_cli.layouts.kinds.tables import MANIFEST
from nearid_cli.layouts.reach import OUTSIDE, WITHIN, Reach, shown_path, with_slash
from nearid_cli.layouts.sides import Assigned, check_one_method
from nearid_cli.layouts.tables.locate import NoPictureError, OutsideError, Place
from nearid_cli.layouts.tables.spelling import Spellings, look_alike
from nearid_cli.layouts.tables.table import (
    TABLE_EXTENSIONS,
    PictureRow,
    PictureTable,
    is_utf8,
    rows_of,
)
from nearid_cli.mirrors.find import beside
from nearid_cli.remote.stores import url_of
from nearid_cli.text import count, natural_key, printable, unknown

logger = logging.getLogger(__name__)

REQUIRED = ("path", "subject", "role")
OPTIONAL = ("method", "prompt", "seed")
ROLES = ("reference", "generation", "distractor")
CONTEXT = "context"
"""The column, of references and distractors, for what a picture shows besides its subject."""
MASK, BOX = "mask", "box"
"""The columns for where the subject is: the file of its mask; x, y, width and height in pixels of the upright one."""
_LABELS = ("step", "category", CONTEXT)  # labels that have one spelling, whatever that of their column

MANIFESTS = TABLE_EXTENSIONS
_MOST_ROWS = 200  # of one picture, each compared with all others
_NONE: Mapping[str, str] = {}
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")


@dataclass
class Manifest:
    """The pictures of a manifest by role and subject, and rows that were not taken, by reason."""

    path: Path
    roles: dict[str, dict[str, list[Picture]]]
    left_out: LeftOutFiles = field(default_factory=LeftOutFiles)

    def side(self, role: str) -> Assigned:
        """The pictures of one of `ROLES`, with the distractors.

        Raises:
            InputError: the manifest has no row with this role, or generations of several methods.
        """
        subjects = self.roles[role]
        if not subjects:
            held = ", ".join(
                count(sum(map(len, found.values())), name) for name, found in self.roles.items() if found
            )
            raise InputError(
                f"no rows with role {role} in manifest {printable(self.path)}: found {held or 'no rows'}"
            )
        if role == "generation":
            check_one_method(f"manifest {printable(self.path)}", subjects)
        return Assigned(self.path, MANIFEST, subjects, [], self.left_out.copy(), self.roles["distractor"])


@dataclass(slots=True)
class _Entry:
    """What a row says, once its cells are known to be in order. There may be a million of them."""

    where: str
    place: Place
    role: str
    subject: str
    method: str
    prompt: str | None
    seed: str | None
    labels: Mapping[str, str]
    mask: Place | None = None
    box: Box | None = None

    @property
    def part(self) -> tuple[str | None, Box | None]:
        """Which part of the picture shows the subject."""
        return None if self.mask is None else self.mask.key, self.box

    @property
    def rest(self) -> dict[str, str | None]:
        """What it says besides."""
        return {"prompt": self.prompt, "seed": self.seed, **self.labels}

    def __str__(self) -> str:
        return f"{self.role} of {printable(self.subject)}"


def is_manifest(path: Path) -> bool:
    """Whether a file has the extension of one."""
    return path.suffix.lower() in MANIFESTS


def instead_of_a_manifest(path: Path) -> str:
    """What to do with a file that looks like a manifest in another form; nothing for all else.

    >>> instead_of_a_manifest(Path("m.xlsx")), instead_of_a_manifest(Path("cat.png"))
    ('; save the spreadsheet as CSV UTF-8', '')
    """
    if path.suffix.lower() in _SPREADSHEETS:
        return "; save the spreadsheet as CSV UTF-8"
    name = printable(path)
    rewritten = (
        f"; a list in JSON becomes one with jq -c '.[]' {shlex.quote(name)} > {shlex.quote(name + 'l')}"
    )
    return rewritten if path.suffix.lower() == ".json" else ""


def read_manifest(path: Path, reach: Reach = WITHIN) -> Manifest:
    """Read a manifest; its paths are relative to its folder.

    Columns `path`, `subject` and `role` are required, `method`, `prompt`, `seed`, `mask` and `box` optional; all others
    are labels of their pictures. Cells are trimmed and empty rows passed over. Names of subjects and methods are one by
    the rule of `spelling`. A picture that is given again, under whatever spelling of its path, counts once if the rows
    agree. It may be of several subjects whose masks or boxes differ.

    Args:
        path: itself.
        reach: where its paths may lead besides its own folder and the current one.

    Raises:
        InputError: the file cannot be read, rows are wrong, or contradict each other; names the first such rows,
            with their lines.
    """
    known = (*REQUIRED, *OPTIONAL, *_LABELS, MASK, BOX)
    table = PictureTable("manifest", path, REQUIRED, known, lists=[BOX], reach=reach)
    manifest = Manifest(path, {role: {} for role in ROLES})
    missing: list[str] = []
    wrong: list[str] = []
    subjects, methods = Spellings("subject"), Spellings("method")
    found = _entries(table, subjects, methods, wrong, missing)
    entries = list(_once_each(found, manifest.left_out, wrong))
    for note in table.notes:
        logger.info("manifest %s: %s", printable(path), note)
    clashes = subjects.clashes() + methods.clashes()
    wrong += table.problems
    if clashes or wrong:
        raise _problems(table, clashes, sorted(wrong, key=natural_key), missing)
    entries.reverse()
    while entries:  # a million, and their pictures, need not be held at once
        entry = entries.pop()
        entry.method = entry.method and methods.chosen(entry.method)
        own = manifest.roles[entry.role].setdefault(subjects.chosen(entry.subject), [])
        own.append(_picture(path.parent, entry))
    for by_subject in manifest.roles.values():
        for own in by_subject.values():
            own.sort(key=lambda one: natural_key(one.name))
    return manifest


def _entries(
    table: PictureTable, subjects: Spellings, methods: Spellings, wrong: list[str], missing: list[str]
) -> Iterator[_Entry]:
    """What the rows of a table say, with names in the form that all of their spellings have.

    Adds the names to `subjects` and `methods`, wrong rows to `wrong`, and paths that lead nowhere to `missing`.
    """
    for row in rows_of(table):
        entry = _entry(table, row, missing)
        if isinstance(entry, str):
            wrong.append(f"{row.where}: {entry}")
            continue
        entry.subject = subjects.add(entry.subject, entry.where, leading=entry.role == "reference")
        entry.method = entry.method and methods.add(entry.method, entry.where)
        yield entry


def _entry(table: PictureTable, row: PictureRow, missing: list[str]) -> _Entry | str:
    """What a row says, or all that is wrong with it; adds a path that leads to no picture to `missing`."""
    written, subject, role = row.cells.get("path", ""), row.text("subject"), intern(row.text("role").lower())
    wrong = []
    place = Place("", "")
    try:
        place = table.picture(row, "path")
    except NoPictureError as error:
        wrong.append(str(error))
        missing += [written.strip()] if written.strip() and not isinstance(error, OutsideError) else []
    if not subject:
        wrong.append("the subject is empty")
    if role not in ROLES:
        wrong.append(unknown("role", shown_path(role), ROLES))
    mask = box = None
    try:
        mask = table.picture(row, MASK) if row.text(MASK) else None
    except NoPictureError as error:
        wrong.append(f"mask {error}")
        missing += [] if isinstance(error, OutsideError) else [row.text(MASK)]
    try:
        box = _box(row.text(BOX)) if row.text(BOX) else None
    except ValueError as error:
        wrong.append(str(error))
    for cell in row.cells.values():
        # Bytes that are not UTF-8 are those of a file's name, or the whole manifest is in another encoding.
        if not cell.isascii() and not is_utf8(cell) and cell.strip() not in written:
            raise table.not_utf8(row.where, cell)
    if wrong:
        return "; ".join(wrong)
    labels = row.besides(*REQUIRED, *OPTIONAL, MASK, BOX) or _NONE
    prompt, seed = row.text("prompt") or None, row.text("seed") or None
    return _Entry(row.where, place, role, subject, row.text("method"), prompt, seed, labels, mask, box)


def _box(text: str) -> Box:
    """A box as it is written: four whole numbers, with commas or spaces between them, or as a list in JSON.

    >>> _box("10, 20, 100, 80"), _box("[10.0, 20, 100, 80]"), _box("10 20 100 80")
    ((10, 20, 100, 80), (10, 20, 100, 80), (10, 20, 100, 80))

    Raises:
        ValueError: it is something else.
    """
    parts = text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
    try:
        x, y, width, height = map(float, parts)
        return _whole(x), _whole(y), _whole(width), _whole(height)
    except (ValueError, OverflowError):
        raise ValueError(
            f"expected the box to be four whole numbers x,y,width,height in pixels, found {printable(text)}"
        ) from None


def _whole(number: float) -> int:
    if number != int(number):
        raise ValueError
    return int(number)


def _once_each(entries: Iterable[_Entry], left_out: LeftOutFiles, wrong: list[str]) -> Iterator[_Entry]:
    """The entries without those that only repeat an earlier one; adds those that contradict one to `wrong`."""
    by_picture: dict[str, _Entry] = {}
    further: dict[str, list[_Entry]] = {}
    for entry in entries:
        key = entry.place.key
        first = by_picture.setdefault(key, entry)
        if first is entry:
            yield entry
            continue
        earlier = (first, *further.get(key, ()))
        if len(earlier) >= _MOST_ROWS:
            wrong.append(
                f"{entry.where}: more than {_MOST_ROWS} rows differ in what they say of {printable(entry.place.name)}"
            )
            continue
        for other in earlier:
            if why := _contradiction(entry, other):
                wrong.append(f"{entry.where}: {printable(entry.place.name)} is {why} in {other.where}")
                break
            if _repeats(entry, other):
                left_out.add("repeated manifest rows", entry.place.name)
                break
        else:
            further.setdefault(key, []).append(entry)
            yield entry


def _contradiction(entry: _Entry, other: _Entry) -> str | None:
    """How two rows of one picture exclude each other.

    A picture is a reference or a generation, of one subject, or of several that are in different parts of it; besides,
    it may be a distractor of others. A generation may be of several methods, which chose from the same pictures.
    """
    distractors = (entry.role == "distractor") + (other.role == "distractor")
    same_subject = entry.subject == other.subject
    if entry.role == other.role and not same_subject and entry.part != other.part:
        return None
    if (distractors == 0 and str(entry) != str(other)) or (distractors == 1 and same_subject):
        return f"a {entry}, and a {other}"
    columns = sorted(entry.rest.keys() | other.rest.keys()) if entry.role == "generation" else [CONTEXT]
    differing = [name for name in columns if entry.rest.get(name) != other.rest.get(name)]
    differing += ["mask or box"] if entry.part != other.part else []
    if differing and _repeats(entry, other):
        return f"given again, with another {printable(differing[0])} than"
    return None


def _repeats(entry: _Entry, other: _Entry) -> bool:
    return (entry.role, entry.subject) == (other.role, other.subject) and (
        entry.role != "generation" or entry.method == other.method
    )


def _picture(folder: Path, entry: _Entry) -> Picture:
    path = beside(folder, entry.place.name)
    mask = None if entry.mask is None else beside(folder, entry.mask.name)
    return Picture(
        path,
        entry.place.name,
        entry.method or None,
        entry.prompt,
        entry.seed,
        entry.labels,
        mask=mask,
        box=entry.box,
        prompt_from="manifest" if entry.prompt else "",
    )


def _problems(table: PictureTable, clashes: list[str], wrong: list[str], missing: list[str]) -> InputError:
    """All that is wrong, what concerns most rows first."""
    found = [count(len(wrong), "wrong row")] if wrong else []
    found += [count(len(clashes), "name") + " in several spellings"] if clashes else []
    remedy = ["correct or remove them"] if wrong else []
    remedy += ["write each name in one way, or give names that differ in more than that"] if clashes else []
    if table.leads_outside:
        remedy.append(f"{OUTSIDE} takes paths that lie elsewhere")
    if missing:
        remedy.append(f"paths count from the manifest's folder, {printable(table.path.parent.absolute())}")
        if all(map(os.path.lexists, missing)):
            remedy.append("from the current folder they are there: move the manifest here, or mend the paths")
    return table.error(f"has {' and '.join(found)}; {'; '.join(remedy)}", [*clashes, *wrong])


def check_manifest_name(path: Path) -> None:
    """Raise UsageError if a manifest cannot be written under this name."""
    if not is_manifest(path):
        raise UsageError(
            f"cannot write a manifest to {printable(path)}: expected a name that ends in {', '.join(MANIFESTS)}"
        )
    if url := url_of(path):
        raise UsageError(
            f"cannot write a manifest to {printable(url)}: its paths count from its folder; write it beside the "
            "pictures and copy it"
        )


def leads_outside(path: Path, methods: Mapping[str, Dataset]) -> bool:
    """Whether a manifest under this name would need `--allow-outside`, or would from another current folder.

    Of one below the current folder the latter is not asked: both are moved and used together.
    """
    reach = WITHIN.including(path)
    allowed = reach.names if _below_here(path) else reach.links_to
    pictures = (
        one for dataset in methods.values() for subject in dataset.subjects for one in subject.pictures()
    )
    files = (file for one in pictures for file in (one.path, one.mask) if file is not None)
    return not all(map(allowed, map(os.path.realpath, files)))


def _below_here(path: Path) -> bool:
    return os.path.realpath(path).startswith(with_slash(os.path.realpath(".")))


def write_manifest(path: Path, methods: Mapping[str, Dataset]) -> int:
    """Write the pictures of some data sets; their paths count from the manifest's folder.

    Args:
        path: one of the extensions of manifests.
        methods: by name; with one that is called `""`, generations keep the method that their path says, if any.

    Returns:
        The number of rows. References and distractors that several methods share stand once.

    Raises:
        UsageError: another extension.
        InputError: the file cannot be written.
    """
    check_manifest_name(path)
    rows = list(dict.fromkeys(tuple(row.items()) for row in _said(path.parent, methods)))
    said = dict.fromkeys(name for row in rows for name, _ in row)
    columns = dict.fromkeys([*REQUIRED, *(name for name in OPTIONAL if name in said), *said])
    replace_file(path, _WRITERS[path.suffix.lower()]([*columns], [dict(row) for row in rows]))
    return len(rows)


def _said(folder: Path, methods: Mapping[str, Dataset]) -> Iterator[dict[str, str]]:
    """What the row of each picture says, by column."""
    for method, dataset in methods.items():
        for subject in dataset.subjects:
            roles = {
                "reference": subject.references,
                "distractor": subject.distractors,
                "generation": subject.generations,
            }
            for role, one in ((role, one) for role, own in roles.items() for one in own):
                said = {CONTEXT: one.context}
                if role == "generation":
                    said = {"method": method or one.method, "prompt": one.prompt, "seed": one.seed}
                    said |= {_label_column(name): value for name, value in one.labels.items()}
                said |= {
                    MASK: None if one.mask is None else _path(folder, one.mask),
                    BOX: None if one.box is None else ",".join(map(str, one.box)),
                }
                row = {"path": _path(folder, one.path), "subject": subject.name, "role": role}
                yield row | {name: value for name, value in said.items() if value}


def _label_column(label: str) -> str:
    """The column of a label; `label_path` for one that is called like a column that says something else.

    >>> _label_column("step"), _label_column("Role")
    ('step', 'label_Role')
    """
    return f"label_{label}" if look_alike(label) in (*REQUIRED, *OPTIONAL, MASK, BOX) else label


def _path(folder: Path, file: Path) -> str:
    """The path of a file from a folder, where it can be reached so: through links, `..` leads elsewhere."""
    absolute = os.path.abspath(file)  # noqa: PTH100 - textual: links stay
    if (url := shown(absolute)) != absolute:
        return url
    try:
        relative = os.path.relpath(absolute, folder)
    except ValueError:  # another drive
        return absolute
    return relative if os.path.lexists(folder / relative) else absolute


def _csv(columns: list[str], rows: list[dict[str, str]], separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    # A path is bytes and not always UTF-8; reading takes them as they are.
    return text.getvalue().encode("utf-8", "surrogateescape")


def _jsonl(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _parquet(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    arrays = {}
    for name in columns:
        cells = [row.get(name) for row in rows]
        if all(is_utf8(cell) for cell in cells if cell):
            arrays[name] = pa.array(cells, pa.string())
        else:
            raw = [None if cell is None else os.fsencode(cell) for cell in cells]
            arrays[name] = pa.array(raw, pa.binary())
    pq.write_table(pa.table(arrays), buffer)
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[list[str], list[dict[str, str]]], bytes]] = {
    ".csv": _csv,
    ".tsv": partial(_csv, separator="\t"),
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
