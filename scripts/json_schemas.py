"""Write nearid_cli/schemas/*.schema.json from the result classes: `python scripts/json_schemas.py`.

Types and keys are the fields of the dataclasses, descriptions their docstrings. What neither says, ranges and rules
about null, stands below: `RANGES`, `CHOICES`, `RULES`. A key that has a default in its class is left out of the JSON
where it holds just that, so it is not required.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from nearid_cli import schemas
from nearid_cli.benchmarks.dreambench.result import DreamBenchResult
from nearid_cli.benchmarks.mtg.result import MtgResult
from nearid_cli.benchmarks.nearid.result import NearidBenchResult
from nearid_cli.benchmarks.table1.result import Table1Result
from nearid_cli.benchmarks.tables.result import TablesResult
from nearid_cli.flags import Flag
from nearid_cli.gate.rules import LEVELS, STATISTICS
from nearid_cli.metrics.margins import Outcome, Success
from nearid_cli.results import (
    CompareResult,
    GateResult,
    Image,
    Metric,
    PairResult,
    ScoreResult,
    Skipped,
    Tool,
)
from nearid_cli.results.base import Named
from nearid_cli.results.images import Images
from nearid_cli.synth.sample import SynthOptions
from nearid_cli.training.options import TrainOptions

Schema = dict[str, Any]

FOLDER = Path(schemas.__file__).parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"

_COUNT, _SHARE, _COSINE = {"minimum": 0}, {"minimum": 0, "maximum": 1}, {"minimum": -1, "maximum": 1}
_PLACE = {"minimum": 1}

_DIVERSITY: Schema = {"minimum": 0, "maximum": 2}
RANGES: dict[str, Schema] = {
    # Of every class, unless it is named with the class below.
    **dict.fromkeys(
        ("subjects", "references", "generations", "copies", "pairs", "prompts", "unpaired"), _COUNT
    ),
    **dict.fromkeys(("missing", "unscored", "baseline_unscored", "decimals"), _COUNT),
    **dict.fromkeys(("reference_images", "generation_images", "distractor_images", "coinciding"), _COUNT),
    **dict.fromkeys(
        ("by_prompt", "by_name", "as_a_whole", "common_prompts", "wins", "ties", "losses"), _COUNT
    ),
    **dict.fromkeys(("paired_subjects", "paired_references", "samples", "trials", "items", "rows"), _COUNT),
    **dict.fromkeys(("files", "without_trials", "averaged", "mo_pairs", "mo_pair_pairs", "n"), _COUNT),
    **dict.fromkeys(("oracles", "zero_oracles", "negative_oracles", "start", "identities", "steps"), _COUNT),
    **dict.fromkeys(("std", "detectable", "max_drop", "near_copies"), _COUNT),
    **dict.fromkeys(("diversity", "prompt_diversity", "diversity_ci95", "prompt_diversity_ci95"), _DIVERSITY),
    **dict.fromkeys(
        ("identification", "positive_margins", "ssr", "pa", "all_pairs_ssr", "all_pairs_pa"), _SHARE
    ),
    **dict.fromkeys(("identification_ci95", "positive_margins_ci95", "ssr_ci95", "pa_ci95"), _SHARE),
    **dict.fromkeys(("all_pairs_ssr_ci95", "all_pairs_pa_ci95", "pa_published", "ssr_mean", "h"), _SHARE),
    **dict.fromkeys(
        ("p", "p_holm", "p_studentised", "p_adjusted", "rank", "rank_against", "confidence"), _SHARE
    ),
    **dict.fromkeys(("kendall", "spearman", "r", "groups", "mh", "mean_ci95", "mo", "mo_pair"), _COSINE),
    **dict.fromkeys(("mean_sim", "mean_cross", "mean_neg_sim", "difference"), _COSINE),
    "ranks": _PLACE,
    "CurvePoint.number": _COUNT,
}
"""Ranges of numbers, of both ends of intervals, and of the values in lists and objects, by key.

Scores, and what is on their scale, have the range that their metric says.
"""

CHOICES: dict[str, list[str]] = {
    "Rule.statistic": list(STATISTICS),
    "Rule.level": list(LEVELS),
    "Rule.on_fail": ["error", "warn"],
    "Verdict.status": ["passed", "failed", "warned"],
    "Agreement.level": ["methods", "subjects", "images"],
    "Disagreement.level": ["methods", "images"],
    "PoolCell.scope": ["group", "source"],
    "RateDifference.number": ["ssr", "pa"],
    "Curve.unit": ["step", "epoch"],
}


def _null(*keys: str) -> Schema:
    return {"properties": {key: {"type": "null"} for key in keys}}


def _when(condition: Schema, then: Schema) -> Schema:
    key = next(iter(condition))
    return {"if": {"required": [key], "properties": condition}, "then": then}


_ZERO, _NO_VALUE = {"const": 0}, {"type": "null"}
_MISSING = {"required": ["missing"], "properties": {"missing": _PLACE}}
RULES: dict[str, list[Schema]] = {
    "SubjectScores": [
        _when({"within_noise": {"const": True}}, _null("retention")),
        _when({"ceiling": _NO_VALUE}, _null("retention")),
        _when({"floor": _NO_VALUE}, _null("retention")),
        _when({"score": _NO_VALUE}, _null("std", "ci95", "min", "max", "retention")),
        _when({"score": _NO_VALUE}, _MISSING),
    ],
    "AggregateScores": [
        _when({"score": _NO_VALUE}, _null("ci95", "pair_mean")),
        _when({"score": _NO_VALUE}, _MISSING),
    ],
    "Inputs": [
        {
            "if": {"required": ["distractor_images"]},
            "then": {"required": ["distractors"], "properties": {"distractors": {"type": "string"}}},
        }
    ],
    "Comparison": [
        _when({"subjects": _ZERO}, _null("delta", "ci95", "p", "p_holm", "detectable")),
        _when({"delta": _NO_VALUE}, {"properties": {"subjects": _ZERO}}),
    ],
    "Verdict": [_when({"drop": _NO_VALUE}, _null("ci"))],
}
"""What must be null when."""

_WAS = "As an older release wrote it, or this one writes what it read of one"


def documents() -> dict[str, Schema]:
    """Every schema by the name of what it describes."""
    kinds: list[Any] = [
        *(ScoreResult, CompareResult, GateResult, PairResult),
        *(NearidBenchResult, TablesResult, MtgResult, DreamBenchResult, Table1Result),
    ]
    found = {kind.schema: _Maker().document(kind.schema, kind) for kind in kinds}
    for kind in (ScoreResult, CompareResult):
        name = kind.schema.replace("/2", "/1")
        found[name] = _Maker().document(name, kind)
        found[name]["description"] = (
            f"{_WAS}: some numbers meant something else. {found[name]['description']}"
        )
    for name, make in _BY_HAND.items():
        maker = _Maker()
        found[name] = maker.whole(name, *make(maker))
    found["nearid.training.metrics"]["additionalProperties"] = {
        "description": "Of a step: a loss by its name, without its weight.",
        "type": "number",
    }
    return found


def file_name(name: str) -> str:
    """Of the schema of documents that are called so.

    >>> file_name("nearid.score/2")
    'nearid.score-2.schema.json'
    """
    return f"{name.replace('/', '-')}.schema.json"


def as_text(document: Schema) -> str:
    """What the file holds."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Maker:
    """Makes one document, whose classes become its `$defs`."""

    def __init__(self) -> None:
        self._definitions: dict[str, Schema] = {}

    def document(self, name: str, kind: Any) -> Schema:
        """The schema of what a result class writes."""
        made = self._object(kind)
        properties, required = made["properties"], made["required"]
        if kind is TablesResult:
            self._flattened(properties)
            del self._definitions[Outcome.__name__]  # whose numbers stand in the cells
            properties["passed_over"]["items"] = _of(path={"type": "string"}, reason={"type": "string"})
        if kind is NearidBenchResult:  # the tables stand beside the rest, empty where there are none
            tables = self._object(TablesResult)["properties"]
            self._flattened(tables)
            del properties["tables"]
            properties |= {key: tables[key] for key in ("groups", "uneven", "differences", "cells")}
            required = [key for key in properties if key in (*required, *tables)]
        if kind is Table1Result:
            properties["published"] = {
                "type": "string",
                "description": "Where the published numbers are from.",
            }
            required = [*required, "published"]
        properties.pop("schema", None)
        return self.whole(name, made["description"], properties, required, made.get("allOf", []))

    def whole(
        self,
        name: str,
        description: str,
        properties: Schema,
        required: list[str] | None = None,
        rules: list[Schema] | None = None,
    ) -> Schema:
        """A document with its key `schema` and what it refers to."""
        required = list(properties) if required is None else required
        versioned = {"schema": {"const": name}} if "/" in name else {}
        document: Schema = {"$schema": DRAFT, "title": name, "description": description, "type": "object"}
        document["properties"] = versioned | properties
        document["required"] = [*versioned, *required]
        if rules:
            document["allOf"] = rules
        if self._definitions:
            document["$defs"] = dict(sorted(self._definitions.items()))
        return document

    def of(self, kind: Any, key: str = "", owner: str = "") -> Schema:
        """The schema of a value of a type, which stands under a key of a class."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            return {}
        if dataclasses.is_dataclass(kind):
            name = typing.cast("type", kind).__name__
            if name not in self._definitions:
                self._definitions[name] = {}  # it may refer to itself
                self._definitions[name] = self._object(kind)
            return {"$ref": f"#/$defs/{name}"}
        if isinstance(kind, type) and issubclass(kind, Named | Images):
            return {"type": "array", "items": self.of(kind.item)}
        if origin in (types.UnionType, typing.Union):
            return _nullable([self.of(one, key, owner) for one in arguments if one is not types.NoneType])
        if origin is tuple:
            size = {} if Ellipsis in arguments else {"minItems": len(arguments), "maxItems": len(arguments)}
            return {"type": "array", "items": self.of(arguments[0], key, owner), **size}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1], key, owner)}
        if kind in (float, int):
            limits = RANGES.get(f"{owner}.{key}", RANGES.get(key, {}))
            return {"type": "number" if kind is float else "integer", **limits}
        choices = CHOICES.get(f"{owner}.{key}")
        if choices and kind is str:
            return {"enum": choices}
        return {"type": {str: "string", bool: "boolean", Path: "string"}[kind]}

    def _object(self, kind: Any) -> Schema:
        description, described = _docstring(kind)
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = dataclasses.fields(kind)
        properties = {}
        for field in fields:
            hint, flag = hints[field.name], None
            if typing.get_origin(hint) is Annotated:
                hint, flag = typing.get_args(hint)
                hint = flag.kind or hint
            made = self.of(hint, field.name, kind.__name__)
            about = flag.help if flag else described[field.name]
            properties[field.name] = {"description": about, **made, **_limits(flag)}
        if kind is ScoreResult:  # inside a comparison it says so only where it is old
            properties["schema"] |= {"enum": ["nearid.score/1", "nearid.score/2"]}
        required = [field.name for field in fields if not _has_default(field)]
        made = {"description": description, "type": "object", "properties": properties, "required": required}
        rules = RULES.get(kind.__name__)
        return made | ({"allOf": rules} if rules else {})

    def _flattened(self, properties: Schema) -> None:
        """The cells of tables, in which the numbers stand beside the names."""
        cell = self._definitions[properties["cells"]["items"]["$ref"].rpartition("/")[2]]
        if outcome := cell["properties"].pop("outcome", None):
            numbers = self._definitions[outcome["$ref"].rpartition("/")[2]]
            cell["properties"] |= numbers["properties"]
            cell["required"] = [key for key in cell["required"] if key != "outcome"] + numbers["required"]


def _limits(flag: Flag | None) -> Schema:
    """What the command line takes for an option; what only completion offers may be something else, too."""
    limits = {"minimum": flag and flag.low, "maximum": flag and flag.high}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)


def _nullable(kinds: list[Schema]) -> Schema:
    (kind,) = kinds
    if isinstance(kind.get("type"), str):
        return kind | {"type": [kind["type"], "null"]}
    return {"anyOf": [kind, {"type": "null"}]}


def _of(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _docstring(kind: Any) -> tuple[str, dict[str, str]]:
    """What a class is, and what each of its attributes is, as its docstring says."""
    about, _, attributes = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")
    described: dict[str, str] = {}
    # Names may run on into a line of continuation, which is indented deeper.
    for entry in re.findall(r"^    (?! )(.*(?:\n {5,}.*)*)", attributes, re.MULTILINE):
        words, _, text = _one_line(entry).partition(": ")
        described |= dict.fromkeys(words.split(", "), text[:1].upper() + text[1:])
    return _one_line(about), described


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _embedding(maker: _Maker) -> tuple[str, Schema]:
    return (
        "What made the embeddings of a Parquet file of `nearid embed`: its metadata under the key `nearid`.",
        {"metrics": {"type": "array", "items": maker.of(Metric)}},
    )


def _images_line(maker: _Maker) -> tuple[str, Schema, list[str]]:
    made = maker._object(Image)
    method = {"type": "string", "description": "Whose generation it is, in a comparison."}
    return (
        "A line of the file that `--images FILE.jsonl` writes.",
        {"method": method, **made["properties"]},
        made["required"],
    )


def _training(maker: _Maker) -> tuple[str, Schema]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    whole = {"type": "integer", **_COUNT}
    options = maker._object(TrainOptions)
    options["required"] = list(options["properties"])
    return (
        "training.json: what made a run of `nearid train`.",
        {
            "tool": maker.of(Tool),
            "created": {"description": "When, ISO 8601, UTC.", "type": "string"},
            "versions": {"description": "Of Python and of the libraries at work.", **texts},
            "device": {"description": "What it ran on, such as `cuda:0`.", "type": "string"},
            "processes": {"description": "How many trained together.", **whole},
            "threads": {"description": "Of PyTorch, in each of them.", **whole},
            "parameters": {"description": "Weights of the model.", **whole},
            "trained_parameters": {"description": "Those of them that are trained.", **whole},
            "steps": {"description": "Optimiser steps that the run will do.", **whole},
            "steps_per_epoch": {"description": "Optimiser steps of a pass over the rows.", **whole},
            "data": {"description": "Fingerprint of the data."},
            "options": options,
        },
    )


def _training_line(maker: _Maker) -> tuple[str, Schema, list[str], list[Schema]]:
    number, whole = {"type": "number"}, {"type": "integer", **_COUNT}
    return (
        "A line of metrics.jsonl of `nearid train`: an optimiser step with each loss by its name, or an evaluation.",
        {
            "step": {"description": "Optimiser steps done.", **whole},
            "epoch": {
                "description": "Of a step: passes over the rows that were complete before it.",
                **whole,
            },
            "lr": {"description": "Of a step: its learning rate.", **number},
            "loss": {"description": "Of a step: its loss.", **number},
            "gradient_norm": {"description": "Of a step: before it was clipped.", "type": ["number", "null"]},
            **maker._object(Success)["properties"],
            "sources": {
                "description": "Of an evaluation: the same numbers by source of distractors, where there are several.",
                "type": "object",
                "additionalProperties": maker.of(Success),
            },
            "timing": {"description": "What differs from run to run: times and speeds.", "type": "object"},
        },
        ["step"],
        [{"if": {"required": ["lr"]}, "then": {"required": ["epoch", "loss"]}}],
    )


def _synthesis(maker: _Maker) -> tuple[str, Schema]:
    options = maker._object(SynthOptions)["properties"]
    return (
        "made-by.json of `nearid synth`: everything that decides about the bytes of its pictures.",
        {
            "tool": maker.of(Tool),
            "form": {"description": "What was written: folders or a data set.", "type": "string"},
            "start": {"description": "Number of the first identity.", "type": "integer", **_COUNT},
            "identities": {"description": "How many there are.", "type": "integer", **_COUNT},
            "device": {"description": "What rendered them.", "type": "string"},
            **options,
        },
    )


def _similarities_record(maker: _Maker) -> tuple[str, Schema]:
    return (
        "The record beside a file of similarities of `nearid bench`: what the file was made for.",
        {
            "request": {"description": "All that decides about the similarities.", "type": "object"},
            "digest": {
                "description": "BLAKE3 of the file, in hex.",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
            },
            "rows": {"description": "Rows of the data set that were asked for.", "type": "integer", **_COUNT},
            "skipped": {"type": "array", "items": maker.of(Skipped)},
        },
    )


_BY_HAND: dict[str, Any] = {
    "nearid.embed/1": _embedding,
    "nearid.score.images": _images_line,
    "nearid.training/1": _training,
    "nearid.training.metrics": _training_line,
    "nearid.synth/1": _synthesis,
    "nearid.bench.nearid.record/1": _similarities_record,
}
"""Documents that no class describes as a whole. Those without a version are lines, which have no key `schema`."""


def main() -> None:
    """Write the files, and remove those that are no more."""
    made = {file_name(name): as_text(document) for name, document in documents().items()}
    for file in FOLDER.glob("*.schema.json"):
        if file.name not in made:
            file.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
