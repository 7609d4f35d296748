"""Results into files: the format by extension, checked before the job runs, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file
from nearid_cli.reports.json_text import image_lines, to_json
from nearid_cli.reports.sheet import image_sheet, method_images, method_sheet, subject_sheet
from nearid_cli.reports.tabular import to_csv, to_parquet
from nearid_cli.results import CompareResult, GateResult, Methods, ScoreResult, Subjects
from nearid_cli.text import count, printable

RESULT_EXTENSIONS = (".json", ".csv", ".parquet", ".md", ".tex", ".html")
SCORE_EXTENSIONS = (*RESULT_EXTENSIONS, ".xml")
"""With verdicts of a gate."""
COMPARE_EXTENSIONS = RESULT_EXTENSIONS
GATE_EXTENSIONS = (".json", ".md", ".xml")
IMAGE_EXTENSIONS = (".csv", ".parquet", ".jsonl")

DEFAULT_THUMBNAILS = 6_000
"""So many pictures an HTML report holds at most."""


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


def write(
    result: ScoreResult | CompareResult | GateResult,
    path: Path,
    *,
    sort: str | None = None,
    baseline: ScoreResult | None = None,
    gate: GateResult | None = None,
    thumbnails: int | None = DEFAULT_THUMBNAILS,
    progress: bool = False,
) -> None:
    """Write a result in the format of the file's extension, replacing an older file.

    | extension | score | comparison | gate |
    |---|---|---|---|
    | `.json` | everything | everything | everything |
    | `.csv`, `.parquet` | one row a subject | one row a method | |
    | `.md` | for a comment on a pull request | the same | the same |
    | `.tex` | subjects by metrics | methods by metrics | |
    | `.html` | the report, one page | the same | |
    | `.xml` | the verdicts of `gate` as JUnit XML | the same | its verdicts |

    Parquet carries what made the numbers in its metadata, key `nearid`: the JSON without subjects and images.

    Args:
        result: what to write.
        path: where to.
        sort: order of subjects as in `sorted_subjects`, of a comparison's methods as in `sorted_methods`; JSON and
            HTML keep the result's own order.
        baseline: an earlier run; Markdown shows the changes since.
        gate: verdicts on this result; Markdown and HTML show them, JUnit XML is made of them.
        thumbnails: how many pictures an HTML report holds at most; None for none.
        progress: show how far the pictures are.

    Raises:
        UsageError: the extension or `sort` is unknown, or the result has no form with this extension.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    data: str | bytes
    if isinstance(result, GateResult):
        data = _gate_form(result, _extension(path, GATE_EXTENSIONS))
    else:
        extension = _extension(path, RESULT_EXTENSIONS if gate is None else SCORE_EXTENSIONS)
        if extension == ".json":
            data = to_json(result) + "\n"
        elif extension == ".md":
            from nearid_cli.reports.markdown import to_markdown

            data = to_markdown(result, sort, baseline, gate)
        elif extension == ".tex":
            from nearid_cli.reports.latex import to_latex

            data = to_latex(result, sort)
        elif extension == ".html":
            data = _page(result, gate, thumbnails, progress)
        elif gate is not None and extension == ".xml":
            data = _gate_form(gate, extension)
        else:
            sheet = (
                method_sheet(result, sort)
                if isinstance(result, CompareResult)
                else subject_sheet(result, sort)
            )
            data = to_csv(sheet) if extension == ".csv" else to_parquet(sheet, _provenance(result))
    replace_file(path, data if isinstance(data, bytes) else data.encode())


def write_images(result: ScoreResult | CompareResult, path: Path) -> None:
    """Write one row a generation: path, subject, copy_of and a score for each metric; `method` first, if compared.

    Args:
        result: what to write.
        path: where to; `.csv`, `.parquet` or `.jsonl` (lines as in the JSON's `images`).

    Raises:
        UsageError: the extension is unknown.
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    extension = _extension(path, IMAGE_EXTENSIONS)
    if extension == ".jsonl":
        data = image_lines(method_images(result)).encode()
    elif extension == ".csv":
        data = to_csv(image_sheet(result)).encode()
    else:
        data = to_parquet(image_sheet(result), _provenance(result))
    replace_file(path, data)


def _extension(path: Path, known: Sequence[str]) -> str:
    extension = path.suffix.lower()
    if extension == ".xml" and tuple(known) == RESULT_EXTENSIONS:
        raise UsageError(
            f"cannot write {printable(path)}: JUnit XML holds the verdicts of a gate: add --gate to nearid score, "
            "or use nearid gate"
        )
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


def _gate_form(gate: GateResult, extension: str) -> str:
    if extension == ".json":
        return to_json(gate) + "\n"
    if extension == ".md":
        from nearid_cli.reports.gate_markdown import gate_markdown

        return gate_markdown(gate)
    from nearid_cli.reports.junit import to_junit

    return to_junit(gate)


def _page(
    result: ScoreResult | CompareResult, gate: GateResult | None, thumbnails: int | None, progress: bool
) -> str:
    from nearid_cli.reports.html import embed, page_files, to_html

    return to_html(result, embed(page_files(result), thumbnails, progress), gate)


def _provenance(result: ScoreResult | CompareResult) -> dict[str, str]:
    """What made the numbers, for a file that has room for key-value pairs."""
    if isinstance(result, ScoreResult):
        facts = _without_rows(result).to_dict()
        scores = [facts]
    else:
        methods = Methods(replace(method, result=_without_rows(method.result)) for method in result.methods)
        facts = replace(result, methods=methods).to_dict()
        scores = [method["result"] for method in facts["methods"]]
    for score in scores:
        del score["subjects"], score["images"]
    return {"nearid": json.dumps(facts, allow_nan=False)}


def _without_rows(result: ScoreResult) -> ScoreResult:
    return replace(result, subjects=Subjects(), images=())
