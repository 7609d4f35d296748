"""Writing what was found as a manifest, which `score` and `compare` read as it was read here."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from nearid_cli.errors import UsageError
from nearid_cli.files import write_whole
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.tables.manifest import CONTEXT, MANIFESTS, OPTIONAL, REQUIRED
from nearid_cli.layouts.tables.spelling import look_alike
from nearid_cli.layouts.tables.table import is_utf8
from nearid_cli.text import printable


def check_manifest_name(path: Path) -> None:
    """Raise UsageError if a manifest cannot be written under this name."""
    if path.suffix.lower() not in MANIFESTS:
        raise UsageError(
            f"cannot write a manifest to {printable(path)}: expected a name that ends in {', '.join(MANIFESTS)}"
        )


def write_manifest(path: Path, methods: Mapping[str, Dataset]) -> int:
    """Write the pictures of some data sets; their paths count from the manifest's folder.

    Args:
        path: one of the extensions of manifests.
        methods: by name; with one that is called `""`, generations keep the method that their path says, if any.

    Returns:
        The number of rows. References and distractors that several methods share stand once.

    Raises:
        UsageError: another extension.
        OSError: the file cannot be written.
    """
    check_manifest_name(path)
    rows = list(dict.fromkeys(tuple(row.items()) for row in _rows(path.parent, methods)))
    columns = list(dict.fromkeys([*REQUIRED, *(name for row in rows for name, _ in row)]))
    ordered = [name for name in (*REQUIRED, *OPTIONAL) if name in columns]
    columns = [*ordered, *(name for name in columns if name not in ordered)]
    write_whole(path, _WRITERS[path.suffix.lower()](columns, [dict(row) for row in rows]))
    return len(rows)


def _rows(folder: Path, methods: Mapping[str, Dataset]) -> Iterator[Mapping[str, str]]:
    for method, dataset in methods.items():
        for subject in dataset.subjects:
            for role, pictures in (("reference", subject.references), ("distractor", subject.distractors)):
                for one in pictures:
                    shown = {CONTEXT: one.context} if one.context else {}
                    yield {"path": _path(folder, one), "subject": subject.name, "role": role, **shown}
            for one in subject.generations:
                said = {"method": method or one.method, "prompt": one.prompt, "seed": one.seed}
                said |= {_column(name): value for name, value in one.labels.items()}
                yield {
                    "path": _path(folder, one),
                    "subject": subject.name,
                    "role": "generation",
                    **{name: value for name, value in said.items() if value},
                }


def _column(label: str) -> str:
    """The column of a label; `label_path` for one that is called like a column that says something else.

    >>> _column("step"), _column("Role")
    ('step', 'label_Role')
    """
    return f"label_{label}" if look_alike(label) in (*REQUIRED, *OPTIONAL) else label


def _path(folder: Path, picture: Picture) -> str:
    """The path of a picture from a folder, where it can be reached so: through links, `..` leads elsewhere."""
    absolute = os.path.abspath(picture.path)  # noqa: PTH100 - textual: links stay
    try:
        relative = os.path.relpath(absolute, folder)
    except ValueError:  # another drive
        return absolute
    return relative if os.path.lexists(folder / relative) else absolute


def _csv(columns: list[str], rows: Iterable[Mapping[str, str]], separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    # A path is bytes and not always UTF-8; reading takes them as they are.
    return text.getvalue().encode("utf-8", "surrogateescape")


def _jsonl(columns: list[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _parquet(columns: list[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(rows)
    buffer = io.BytesIO()
    arrays = {}
    for name in columns:
        cells = [row.get(name) for row in rows]
        if not all(is_utf8(cell) for cell in cells if cell):
            arrays[name] = pa.array(
                [None if cell is None else os.fsencode(cell) for cell in cells], pa.binary()
            )
        else:
            arrays[name] = pa.array(cells, pa.string())
    pq.write_table(pa.table(arrays), buffer)
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[list[str], Iterable[Mapping[str, str]]], bytes]] = {
    ".csv": _csv,
    ".tsv": partial(_csv, separator="\t"),
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
