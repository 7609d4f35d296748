"""Results into files: the format by extension, checked before the job runs, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import write_whole
from nearid_cli.reports.json_text import image_lines, to_json
from nearid_cli.reports.markdown import to_markdown
from nearid_cli.reports.sheet import image_sheet, subject_sheet
from nearid_cli.reports.tabular import to_csv, to_parquet
from nearid_cli.results import ScoreResult
from nearid_cli.text import count, printable

RESULT_EXTENSIONS = (".json", ".csv", ".parquet", ".md")
IMAGE_EXTENSIONS = (".csv", ".parquet", ".jsonl")


def check_outputs(
    outputs: Sequence[Path], images: Sequence[Path] = (), known: Sequence[str] = RESULT_EXTENSIONS
) -> None:
    """Refuse output files that could not be written, before the job has cost anything.

    Args:
        outputs: where `write` will write.
        images: where `write_images` will write.
        known: the extensions that `outputs` may have.

    Raises:
        UsageError: an extension is unknown, or a file is named twice.
        InputError: a file's folder does not exist or takes no files, or the file is a folder.
    """
    for path in outputs:
        _extension(path, known)
    every = [*outputs, *images]
    for path in images:
        _extension(path, IMAGE_EXTENSIONS)
    seen: set[Path] = set()
    for path in every:
        if path.resolve() in seen:
            raise UsageError(f"the output {printable(path)} is named twice; give each output its own file")
        seen.add(path.resolve())
    problems = [problem for path in every if (problem := _obstacle(path))]
    if problems:
        raise InputError(f"cannot write {count(len(problems), 'output')}: {problems[0]}", problems[1:])


def write(result: ScoreResult, path: Path, sort: str | None = None) -> None:
    """Write a result in the format of the file's extension, replacing an older file.

    `.json` holds everything, `.md` the table and what made it, `.csv` and `.parquet` one row a subject.
    Parquet carries the rest of the JSON (all but `subjects` and `images`) in its metadata, key `nearid`.

    Args:
        result: what to write.
        path: where to; `.json`, `.csv`, `.parquet` or `.md`.
        sort: order of subjects as in `sorted_subjects`; JSON keeps the result's own order.

    Raises:
        UsageError: the extension or `sort` is unknown.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    extension = _extension(path, RESULT_EXTENSIONS)
    if extension == ".json":
        data = (to_json(result) + "\n").encode()
    elif extension == ".csv":
        data = to_csv(subject_sheet(result, sort)).encode()
    elif extension == ".parquet":
        data = to_parquet(subject_sheet(result, sort), _provenance(result))
    else:
        data = to_markdown(result, sort).encode()
    replace_file(path, data)


def write_images(result: ScoreResult, path: Path) -> None:
    """Write one row a generation: path, subject, copy_of and a score for each metric.

    Args:
        result: what to write.
        path: where to; `.csv`, `.parquet` or `.jsonl` (lines as in the JSON's `images`).

    Raises:
        UsageError: the extension is unknown.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    extension = _extension(path, IMAGE_EXTENSIONS)
    if extension == ".jsonl":
        data = image_lines(result.images).encode()
    elif extension == ".csv":
        data = to_csv(image_sheet(result)).encode()
    else:
        data = to_parquet(image_sheet(result), _provenance(result))
    replace_file(path, data)


def _extension(path: Path, known: Sequence[str]) -> str:
    extension = path.suffix.lower()
    if extension not in known:
        found = f"the extension {printable(extension)}" if extension else "no extension"
        raise UsageError(f"cannot write {printable(path)}: it has {found}; known: {', '.join(known)}")
    return extension


def _obstacle(path: Path) -> str | None:
    """Why a file cannot be written, or None."""
    folder = path.resolve().parent
    if path.is_dir():
        return f"{printable(path)} is a folder"
    if not folder.is_dir():
        return f"{printable(path)}: the folder {printable(folder)} does not exist; make it first"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{printable(path)}: no permission to write into {printable(folder)}"
    return None


def _provenance(result: ScoreResult) -> dict[str, str]:
    """What made the numbers, for a file that has room for key-value pairs."""
    facts = {key: value for key, value in result.to_dict().items() if key not in ("subjects", "images")}
    return {"nearid": json.dumps(facts, allow_nan=False)}


def replace_file(path: Path, data: bytes) -> None:
    """Write a file aside and put it in place, so that nobody ever sees half of it.

    Raises:
        InputError: it cannot be written. Nothing is left behind, an older file stays as it was.
    """
    try:
        write_whole(path.resolve(), data)  # through a symlink, which stays one
    except OSError as error:
        raise InputError(f"cannot write {printable(path)}: {error.strerror or error}") from error
