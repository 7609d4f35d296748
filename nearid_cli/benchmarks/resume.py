"""Files of similarities: their names, and which need not be computed again.

A small record beside each file says what was asked for. It is trusted when it was made for exactly the same request,
the file is still the one that it describes, and its twin in Parquet is there.
Reading records needs neither torch nor `datasets`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from nearid_cli.encoders.checkpoints import HashFile
from nearid_cli.encoders.registry import SHIPPED, MetricRequest
from nearid_cli.errors import BadImage, InputError, UsageError
from nearid_cli.evaluate.kinds.measured import Measured
from nearid_cli.files import digest_file, files_below, replace_file
from nearid_cli.nearid_data import RowsGiven, column_rule
from nearid_cli.opening import expanded, read_json, read_regular, real_path
from nearid_cli.text import printable, storable

_LONGEST_NAME = 240  # bytes; file systems take 255, and the record beside the file has a longer name
_REF_BYTES = 1024
_SCHEMA = "nearid.bench.nearid.record/1"

Request = dict[str, Any]
"""What decides the content of a file of similarities, as JSON holds it."""


@dataclass(frozen=True)
class Record:
    """What became of a request.

    Attributes:
        request: what was asked for.
        rows: rows of the data set that were asked for; the file holds those that are samples.
        skipped: pictures that could not be used.
    """

    request: Request
    rows: int
    skipped: tuple[BadImage, ...]


def file_names(
    requests: Sequence[MetricRequest], metrics: Sequence[Measured], name_of: Callable[[str], str]
) -> dict[str, str]:
    """The name of each metric's file.

    Args:
        requests: the metrics as they were asked for.
        metrics: as they were found, in the same order.
        name_of: makes a file's name of what tells the metric from others, see `checkpoint_tag`.

    Raises:
        UsageError: two metrics would write one file, or a file's name would be too long.
    """
    names: dict[str, str] = {}
    for request, found in zip(requests, metrics, strict=True):
        name = name_of(checkpoint_tag(request, found))
        if other := next((metric for metric, taken in names.items() if taken == name), None):
            raise UsageError(
                f"the metrics {printable(other)} and {printable(found.name)} are one checkpoint "
                "and would write one file; leave one out"
            )
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise UsageError(
                f"metric {printable(found.name)}: {printable(name)} is too long for the name of a file; "
                "run from a folder nearer to the checkpoint, or link it there"
            )
        names[found.name] = name
    return names


def checkpoint_tag(request: MetricRequest, metric: Measured) -> str:
    """What tells a metric's files from those of others.

    The checkpoint, and what it leaves open: a revision that was asked for, and a readout that is not the architecture's
    own, which the published code knows nothing of. Of a plug-in, its name as well.
    """
    if request.plugin:
        return f"{request.place}+{request.name}" if request.checkpoint else request.name
    spec = metric.encoder
    if request.checkpoint in ("", SHIPPED) or spec.folder is None:
        return request.checkpoint.rpartition(":")[2] or request.name
    from nearid_cli.encoders.files import read_files

    revision = f"@{request.revision}" if request.revision else ""
    own = read_files(spec.folder, weights=False).readouts[0]
    readout = "" if spec.readout == own else f"+{spec.readout}"
    return f"{request.place}{revision}{readout}"


def data_identity(source: str, hash_file: HashFile = digest_file) -> str | None:
    """What a data set is known by, or None where that cannot be told.

    A folder or file is known by the content of its files and their names in it; a data set of the Hub by the commit
    that is in the Hub cache.

    Args:
        source: as for `nearid_data.open_source`.
        hash_file: digest of a file; give one that remembers, data sets are large.

    Raises:
        InputError: a file cannot be read.
    """
    path = expanded(source)
    if path.exists():
        try:
            files = [path] if path.is_file() else files_below(path)
            contents = [
                ("" if file == path else str(file.relative_to(path)), hash_file(file)) for file in files
            ]
        except OSError as error:
            raise InputError(f"{printable(source)} cannot be read: {error.strerror or error}") from error
        return f"{storable(real_path(path))}: {blake3(json.dumps(contents).encode()).hexdigest()}"
    commit = _hub_commit(source)
    return None if commit is None else f"{source}@{commit}"


def settled(before: Request, after: Request) -> Request:
    """A request as it is told when the work is done, with the commits of the Hub that are known only then.

    Raises:
        InputError: a data set was changed in the meantime, so that nobody knows what was read.
    """
    for old, new in zip(before["data"], after["data"], strict=True):
        if old not in (None, new):
            raise InputError(
                f"{printable(old.rpartition(': ')[0] or old)} changed while it was read; run again"
            )
    return after


def is_here(source: str) -> bool:
    """Whether a data set is on this machine."""
    path = expanded(source)
    # Path's raises where a text is too long for a name.
    return os.path.exists(path) or _hub_commit(source) is not None  # noqa: PTH110


def digest_rows(rows: RowsGiven | None) -> str | None:
    """What decides which rows are taken: the digest of the file that lists them, or the column and its value.

    Raises:
        InputError: the file cannot be read.
    """
    if rows is None:
        return None
    if column_rule(rows):
        return os.fspath(rows)
    try:
        return digest_file(Path(rows))
    except OSError as error:
        raise InputError(f"{printable(rows)} cannot be read: {error.strerror or error}") from error


def recorded(table: Path, request: Request, skip_bad: bool) -> Record | None:
    """The record of a file of similarities, or None if the file has to be made (again).

    Args:
        table: the file.
        request: what is asked for now.
        skip_bad: whether the file may lack pictures that could not be used.
    """
    try:
        record = read_json(_record_path(table))
        unchanged = (
            record["schema"] == _SCHEMA
            and record["request"] == request
            and None not in request["data"]
            and record["digest"] == digest_file(table)
            and table.with_suffix(".parquet").exists()
        )
        skipped = tuple(BadImage(**bad) for bad in record["skipped"])
        return (
            Record(request, int(record["rows"]), skipped) if unchanged and (skip_bad or not skipped) else None
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # no record, or not one of ours
        return None


def write_record(table: Path, record: Record) -> None:
    """Write the record of a file of similarities that has just been written.

    Raises:
        InputError: it cannot be written.
    """
    content = {
        "schema": _SCHEMA,
        "request": record.request,
        "digest": digest_file(table),
        "rows": record.rows,
        "skipped": [bad._asdict() for bad in record.skipped],
    }
    replace_file(_record_path(table), (json.dumps(content, indent=1) + "\n").encode())


def _record_path(table: Path) -> Path:
    return table.with_name(f"{table.name}.made.json")


def _hub_commit(source: str) -> str | None:
    """The commit of a data set's main branch in the Hub cache, by the cache's documented layout."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"datasets--{source.replace('/', '--')}"
    try:
        return read_regular(repository / "refs" / "main", _REF_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
