"""Scores, a comparison and a gate of a few stored pictures, as they were when they were found right.

`python -m tests.golden.golden` makes the numbers anew, after a change that is meant to move them: the difference of
the JSON files is what it moved. The pictures stay; they were made with

    nearid synth out --identities 6 --size 24 --seed 5 --workers 1

where `swapped` has the look-alikes of the generations, and `distractors` those of the references.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nearid_cli
from nearid_cli.gate.judge import judge
from nearid_cli.results import Rule, ScoreResult

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "pictures"
METHODS = ("generations", "swapped")
WITHIN = {"hog": 1e-9, "nearid-mini": 1e-6}
"""How far numbers of a metric may be from what is stored, whatever the versions of Python and packages."""

_RULES = (
    Rule("", "score", "aggregate", 0.5, None, None, None, "error"),
    Rule("", "score", "subject", None, None, 0.02, None, "error"),
    Rule("", "score", "aggregate", None, None, 0.001, 0.95, "warn"),
)


def found(metric: str) -> dict[str, Any]:
    """What is said today: both methods' scores, their comparison, and a gate between them."""
    methods = {name: _score(name, metric) for name in METHODS}
    scores = {name: result.to_dict() for name, result in methods.items()}
    rules = [replace(rule, metric=metric) for rule in _RULES]
    verdicts = judge(
        methods["swapped"], methods["generations"], rules, run_name="swapped", baseline_name="generations"
    )
    return {
        "scores": {
            name: {part: said[part] for part in ("subjects", "aggregate", "images")}
            for name, said in scores.items()
        },
        "comparisons": nearid_cli.compare(methods, progress=False).to_dict()["comparisons"],
        "verdicts": verdicts.to_dict()["verdicts"],
    }


def stored(metric: str) -> dict[str, Any]:
    """What was said then."""
    return dict(json.loads((FOLDER / f"{metric}.json").read_bytes()))


def _score(method: str, metric: str) -> ScoreResult:
    sides = {"generations": PICTURES / method, "distractors": PICTURES / "distractors"}
    return nearid_cli.score(
        PICTURES / "references", metrics=[metric], use_cache=False, progress=False, **sides
    )


if __name__ == "__main__":
    for metric in WITHIN:
        text = json.dumps(found(metric), indent=1) + "\n"
        (FOLDER / f"{metric}.json").write_text(text, encoding="utf-8")
