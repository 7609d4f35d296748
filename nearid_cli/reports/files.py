"""Results into files: the format by extension, checked before the job runs, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file
from nearid_cli.opening import real_path
from nearid_cli.remote.stores import named, url_of
from nearid_cli.reports import formats
from nearid_cli.reports.blocks import Document
from nearid_cli.reports.document import document, groups_document, images_document
from nearid_cli.results import CompareResult, GateResult, ScoreResult
from nearid_cli.text import count, printable

DEFAULT_THUMBNAILS = 6_000
"""So many pictures an HTML report holds at most."""


def check_outputs(
    outputs: Sequence[Path],
    images: Sequence[Path] = (),
    known: tuple[str, ...] = formats.known("score"),
    groups: Sequence[Path] = (),
) -> None:
    """Refuse output files that could not be written, before the job has cost anything.

    Args:
        outputs: where `write` will write.
        images: where `write_images` will write.
        known: the extensions that `outputs` may have.
        groups: where `write_groups` will write.

    Raises:
        UsageError: an extension is unknown, or a file is named twice.
        InputError: a file's folder does not exist or takes no files, or the file is a folder.
    """
    for path in outputs:
        formats.of_path(path, known)
    every = [*outputs, *images, *groups]
    for path in images:
        formats.of_path(path, formats.known("images"))
    for path in groups:
        formats.of_path(path, formats.known("groups"))
    seen: set[Path | str] = set()
    for path in every:
        target = url_of(path) or real_path(path)
        if target in seen:
            raise UsageError(f"the output {named(path)} is named twice; give each output its own file")
        seen.add(target)
    problems = [problem for path in every if (problem := _obstacle(path))]
    if problems:
        raise InputError(f"cannot write {count(len(problems), 'output')}: {problems[0]}", problems[1:])


def write(
    result: ScoreResult | CompareResult | GateResult,
    path: Path,
    *,
    thumbnails: int | None = DEFAULT_THUMBNAILS,
    **asked: Any,
) -> None:
    """Write a result in the format of the file's extension, replacing an older file.

    | extension | score | comparison | gate |
    |---|---|---|---|
    | `.json` | everything | everything | everything |
    | `.csv`, `.parquet` | one row a subject | one row a method | one row a verdict |
    | `.md` | for a comment on a pull request | the same | the same |
    | `.tex` | subjects by metrics | methods by metrics | verdicts with their numbers |
    | `.html` | the report, one page | the same | a page of the verdicts |
    | `.xml` | the verdicts of `gate` as JUnit XML | the same | its verdicts |
    | `.yaml`, `.yml` | the `model-index` of a model card | | |

    Parquet carries what made the numbers in its metadata, key `nearid`: the JSON without subjects and images.

    Args:
        result: what to write.
        path: where to.
        thumbnails: how many pictures an HTML report holds at most; None for none.
        asked: what else `document` takes. JSON and HTML keep the result's own order.

    Raises:
        UsageError: the extension or `sort` is unknown, or the result has no form with this extension.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    write_document(document(result, thumbnails=thumbnails, **asked), path)


def write_document(made: Document, path: Path) -> None:
    """Write a document in the format of the file's extension, replacing an older file.

    Raises:
        UsageError: no format with this extension can hold it.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    replace_file(path, formats.render(made, path))


def write_images(result: ScoreResult | CompareResult, path: Path) -> None:
    """Write one row a generation: path, subject, copy_of and a score for each metric; `method` first, if compared.

    Args:
        result: what to write.
        path: where to; `.csv`, `.parquet` or `.jsonl` (lines as in the JSON's `images`).

    Raises:
        UsageError: the extension is unknown.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    write_document(images_document(result), path)


def write_groups(result: ScoreResult | CompareResult, path: Path) -> None:
    """Write one row a group of generations, and of a comparison one for each method in it.

    Args:
        result: what to write.
        path: where to; `.csv` or `.parquet`.

    Raises:
        UsageError: the extension is unknown.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    write_document(groups_document(result), path)


def _obstacle(path: Path) -> str | None:
    """Why a file, or an object, cannot be written, or None."""
    if url := url_of(path):
        from nearid_cli.remote.sending import obstacle

        return obstacle(url)
    folder = real_path(path).parent
    if path.is_dir():
        return f"{printable(path)} is a folder"
    if not folder.is_dir():
        return f"{printable(path)}: the folder {printable(folder)} does not exist; make it first"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{printable(path)}: no permission to write into {printable(folder)}"
    return None
