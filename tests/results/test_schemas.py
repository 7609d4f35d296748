"""The JSON Schemas that ship: made from the classes, true of what is written, and not true of what is wrong.

That they are true of what the commands write is checked at every run of a test that uses the fixture `nearid`
(tests/documents.py).
"""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nearid_cli import schemas
from nearid_cli.errors import UsageError
from nearid_cli.results import CompareResult, ScoreResult
from tests.documents import UNDESCRIBED, problems

ROOT = Path(__file__).parents[2]
OLD = Path(__file__).parent / "old"


def test_the_files_are_what_the_generator_makes(tmp_path):
    program = (
        "import sys, json; from scripts.json_schemas import documents, file_name, as_text;"
        "print(json.dumps({file_name(name): as_text(one) for name, one in documents().items()}))"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {
        file.name: file.read_text(encoding="utf-8") for file in Path(schemas.__file__).parent.glob("*.json")
    }
    assert json.loads(made.stdout) == files, "run: python scripts/json_schemas.py"


@pytest.mark.parametrize("name", schemas.names())
def test_a_schema_is_one_and_says_what_everything_is(name):
    schema = schemas.schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == name
    assert schema["description"]
    for kind in (schema, *schema.get("$defs", {}).values()):
        assert kind["description"]
        assert set(kind["required"]) <= kind["properties"].keys()


def test_the_schemas_of_today_and_those_of_old_results_ship():
    assert {ScoreResult.schema, CompareResult.schema, "nearid.score/1", "nearid.compare/1"} <= set(
        schemas.names()
    )
    with pytest.raises(UsageError, match=r'unknown schema "nearid.scores/2": did you mean nearid\.score/2'):
        schemas.schema("nearid.scores/2")


@pytest.mark.parametrize("name", ["faithful", "swapped", "compare"])
def test_what_version_0_1_0_wrote_fits_the_old_schema(name):
    document = json.loads((OLD / f"{name}.json").read_text())
    assert document["schema"].endswith("/1")
    assert problems(document) == []


def test_the_page_names_every_json_that_has_a_schema_or_none():
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    assert [name for name in schemas.names() if f"`{name.replace('/', '-')}.schema.json`" not in page] == []
    files = {Path(pattern).name for pattern in UNDESCRIBED} - {"*.json"}
    assert [name for name in files if f"`{name}`" not in page] == []


def broken(document, way, value):
    *above, last = way
    inner = document
    for key in above:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return document


@pytest.mark.parametrize(
    ("way", "value", "place"),
    [
        (("created",), KeyError, r"\$: 'created' is a required property"),
        (("further",), 1, r"\$: Additional properties are not allowed"),
        (("subjects", 0, "further"), 1, r"\$\.subjects\[0\]: Additional properties"),
        (("subjects", 0, "generations"), 1.5, r"\$\.subjects\[0\]\.generations: 1\.5 is not of type 'integer'"),
        (("subjects", 0, "generations"), -1, "-1 is less than the minimum of 0"),
        (("subjects", 0, "scores", "hog", "score"), None, "'missing' is a required property"),
        (("subjects", 0, "scores", "hog", "missing"), -1, "-1 is less than the minimum of 0"),
        (("subjects", 0, "scores", "hog", "ceiling"), None, r"hog\.retention: .* is not of type 'null'"),
        (("subjects", 0, "scores", "hog", "within_noise"), True, r"hog\.retention: .* is not of type 'null'"),
        (("aggregate", "hog", "ci95"), [0.1], r"aggregate\.hog\.ci95: \[0\.1\] is too short"),
        (("aggregate", "hog", "ci95", 1), "x", r"ci95\[1\]: 'x' is not of type 'number'"),
        (("aggregate", "hog", "identification"), 2, "2 is greater than the maximum of 1"),
        (("inputs", "distractor_images"), 3, "'distractors' is a required property"),
        (("images", 1, "scores", "hog"), "0.5", r"images\[1\]\.scores\.hog: '0\.5' is not of type 'number'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_score_does_not_fit(way, value, place):
    document = broken(json.loads((OLD / "faithful.json").read_text()), way, value)
    assert any(re.search(place, problem) for problem in problems(document)), problems(document)


@pytest.mark.parametrize(
    ("way", "value", "place"),
    [
        (("comparisons", 0, "p"), 1.5, "1.5 is greater than the maximum of 1"),
        (("comparisons", 0, "subjects"), 0, r"comparisons\[0\]\.delta: .* is not of type 'null'"),
        (("comparisons", 0, "delta"), None, r"comparisons\[0\]\.subjects: 0 was expected"),
        (("agreements", 0, "level"), "pixels", "'pixels' is not one of"),
        (("methods", 0, "ranks", "hog"), 0, "0 is less than the minimum of 1"),
        (("methods", 0, "result", "schema"), "nearid.score/3", "'nearid.score/3' is not one of"),
    ],
)
def test_what_is_wrong_in_a_comparison_does_not_fit(way, value, place):
    document = broken(json.loads((OLD / "compare.json").read_text()), way, value)
    assert any(re.search(place, problem) for problem in problems(document)), problems(document)


def test_the_json_of_a_score_is_as_documented():
    """The page shows all keys that a result has, and no others."""
    page = (ROOT / "docs" / "reference" / "numbers.md").read_text(encoding="utf-8")
    shown = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    assert problems(shown) == []
    schema = schemas.schema(shown["schema"])
    complete = copy.deepcopy(schema)
    for kind in (complete, *complete["$defs"].values()):
        kind["required"] = sorted(kind["properties"])
    assert not list(Draft202012Validator(complete).iter_errors(shown))
