"""Manifests: CSV, JSONL or Parquet files that say of each picture whose it is and in which role."""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.walk import natural_key
from nearid_cli.text import count, printable, unknown

REQUIRED = ("path", "subject", "role")
OPTIONAL = ("method", "prompt", "seed")
ROLES = ("reference", "generation", "distractor")

Row = Mapping[str, Any]


@dataclass
class Manifest:
    """The pictures of a manifest by role and subject, and rows that were not taken, by reason."""

    path: Path
    roles: dict[str, dict[str, list[Picture]]]
    left_out: LeftOut = field(default_factory=LeftOut)


def is_manifest(path: Path) -> bool:
    """Whether a file has the extension of a manifest."""
    return path.suffix.lower() in _READERS


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; its paths are relative to its folder.

    Columns `path`, `subject` and `role` are required, `method`, `prompt` and `seed` optional, others
    ignored. Rows that say the same again (path, subject, role, method) count once.

    Raises:
        InputError: the file cannot be read, or rows are wrong; lists every wrong row with its line.
    """
    manifest = Manifest(path, {role: {} for role in ROLES})
    problems: list[str] = []
    seen: set[tuple[str, ...]] = set()
    try:
        for where, row in _READERS[path.suffix.lower()](path):
            wrong = row if isinstance(row, str) else _add(manifest, row, seen)
            if wrong:
                problems.append(f"{where}: {wrong}")
    except OSError as error:
        raise InputError(f"cannot read manifest {printable(path)}: {error.strerror or error}") from error
    if problems:
        raise InputError(
            f"manifest {printable(path)} has {count(len(problems), 'wrong row')}; correct or remove them",
            problems,
        )
    for subjects in manifest.roles.values():
        for pictures in subjects.values():
            pictures.sort(key=lambda one: natural_key(one.name))
    return manifest


def _add(manifest: Manifest, row: Row, seen: set[tuple[str, ...]]) -> str | None:
    """Take one row, or say what is wrong with it."""
    path, subject, role, method, prompt, seed = (_text(row.get(name)) for name in (*REQUIRED, *OPTIONAL))
    subject, role = subject.strip(), role.strip().lower()
    full_path = manifest.path.parent / path
    wrong = []
    if not path:
        wrong.append("the path is empty")
    elif why := _why_no_picture(full_path):
        wrong.append(f"{printable(path)} {why}")
    if not subject:
        wrong.append("the subject is empty")
    if role not in ROLES:
        wrong.append(unknown("role", role, ROLES))
    if wrong:
        return "; ".join(wrong)
    if (path, subject, role, method) in seen:
        manifest.left_out.add("repeated manifest rows", path)
        return None
    seen.add((path, subject, role, method))
    one = Picture(full_path, path.replace(os.sep, "/"), method or None, prompt or None, seed or None)
    manifest.roles[role].setdefault(subject, []).append(one)
    return None


def _text(value: Any) -> str:
    """A cell as text; whole numbers without the `.0` that data frames give columns with gaps."""
    if value is None or value != value:  # NaN marks a gap too
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _why_no_picture(path: Path) -> str | None:
    """Why a path cannot be a picture. A dead link can: who reads it reports it."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode) and path.exists():
            mode = path.stat().st_mode
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return None if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "is not a regular file"


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise InputError(
            f"manifest {printable(path)} needs the columns {', '.join(REQUIRED)}: missing "
            f"{', '.join(missing)}, found {', '.join(map(printable, columns)) or 'none'}"
        )


def _read_csv(path: Path) -> Iterator[tuple[str, Row | str]]:
    # surrogateescape: paths are bytes, not always UTF-8. utf-8-sig: spreadsheets write a byte order mark.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            _check_columns(path, header)
            for cells in reader:
                if len(cells) > len(header):
                    wrong = f"{len(cells)} cells in {len(header)} columns; quote cells that hold commas"
                    yield f"line {reader.line_num}", wrong
                elif cells:
                    yield f"line {reader.line_num}", dict(zip(header, cells, strict=False))
        except csv.Error as error:
            raise InputError(
                f"manifest {printable(path)} is not valid CSV at line {reader.line_num}: {error}"
            ) from error


def _read_jsonl(path: Path) -> Iterator[tuple[str, Row | str]]:
    columns: dict[str, None] = {}
    rows: list[tuple[str, Row | str]] = []
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                rows.append((f"line {number}", f"not valid JSON: {error}"))
                continue
            if isinstance(value, dict):
                columns.update(dict.fromkeys(value))
                rows.append((f"line {number}", value))
            else:
                rows.append((f"line {number}", "expected a JSON object"))
    # A key that some lines lack is an empty cell there; one that all lack is a missing column.
    if columns or not rows:
        _check_columns(path, list(columns))
    yield from rows


def _read_parquet(path: Path) -> Iterator[tuple[str, Row | str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            _check_columns(path, columns)
            table = file.read([name for name in columns if name in (*REQUIRED, *OPTIONAL)])
    except pa.ArrowInvalid as error:
        raise InputError(f"manifest {printable(path)} is not valid Parquet: {error}") from error
    for number, row in enumerate(table.to_pylist(), 1):
        yield f"row {number}", row


_READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
