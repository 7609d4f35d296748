"""Every JSON document that a test's run of the command line writes fits the schema that ships."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from jsonschema import Draft202012Validator

from nearid_cli.schemas import schema

FILES = ("summary.json", "table1.json", "training.json", "made-by.json", "*.made.json")
"""What commands write into an output folder."""

_LACKS = "is a required property"
"""Metadata of Parquet files are the document without what is in the rows."""

LINES = {"metrics.jsonl": "nearid.training.metrics"}

UNDESCRIBED = (
    *("config.json", "preprocessor_config.json", "state.json", "dataset_info.json"),
    *("checkpoint-*/metrics.json", "metrics.json", "scores/*/*.json"),
)
"""Further JSON files in output folders, which have no schema; docs/reference/json.md says why."""


def problems(document: Any, name: str | None = None) -> list[str]:
    """What in a document does not fit its schema, by default the one it names; also keys that the schema lacks."""
    errors = _validator(name or document["schema"]).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


def check_run(arguments: Sequence[str], out: str) -> None:
    """Check whatever JSON a run has printed, or has written to files and folders that `-o` and `--images` name."""
    if out.startswith("{"):
        assert problems(json.loads(out)) == []
    named = [Path(value) for flag, value in pairwise(arguments) if flag in ("-o", "--output")]
    for file in [path for one in named for path in _written(one)]:
        assert problems(json.loads(file.read_bytes())) == [], file
    for file in named:
        if file.suffix == ".parquet" and (facts := (pq.read_schema(file).metadata or {}).get(b"nearid")):
            assert [one for one in problems(json.loads(facts)) if not one.endswith(_LACKS)] == [], file
    lines = {
        file: name for folder in named for pattern, name in LINES.items() for file in folder.glob(pattern)
    }
    for flag, value in pairwise(arguments):
        if flag == "--images" and value.endswith(".jsonl"):
            lines[Path(value)] = "nearid.score.images"
    for file, name in lines.items():
        found = [
            problem for line in file.read_bytes().splitlines() for problem in problems(json.loads(line), name)
        ]
        assert found == [], file


def _written(output: Path) -> Iterator[Path]:
    if output.is_dir():
        for file in output.rglob("*.json"):
            if any(file.match(pattern) for pattern in FILES):
                yield file
            else:
                assert any(file.match(pattern) for pattern in UNDESCRIBED), f"{file} has no schema"
    elif output.suffix == ".json":
        yield output


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(_closed(schema(name)))


def _closed(part: Any) -> Any:
    """A schema that also refuses keys that it does not name: what is written must be described."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(one) for key, one in part.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
