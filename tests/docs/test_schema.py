"""The JSON that docs/reference/numbers.md shows has the keys that a result has: all of them and no others."""

import json
import re
from dataclasses import fields
from pathlib import Path

from nearid_cli import results
from nearid_cli.results.score import SCORE_SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "numbers.md"


def keys(kind):
    return {field.name for field in fields(kind)}


def test_the_json_of_a_score_is_as_documented():
    shown = json.loads(re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1])
    assert shown["schema"] == SCORE_SCHEMA
    for found, kind in [
        (shown, results.ScoreResult),
        (shown["tool"], results.Tool),
        (shown["inputs"], results.Inputs),
        (shown["inputs"]["skipped"][0], results.Skipped),
        (shown["metrics"][0], results.Metric),
        (shown["subjects"][0], results.Subject),
        (shown["subjects"][0]["scores"]["nearid"], results.SubjectScores),
        (shown["aggregate"]["nearid"], results.AggregateScores),
        (shown["images"][0], results.Image),
    ]:
        assert found.keys() == keys(kind)
