"""What is wrong in a file is said with its place: all of it, the first as the message and the rest below."""

import json
from pathlib import Path

import pytest

from nearid_cli.errors import InputError
from nearid_cli.results.reading import read_result, read_score

OLD = Path(__file__).parent / "old"


@pytest.fixture
def document():
    return json.loads((OLD / "faithful.json").read_text())


def problems(document, path, read=read_score):
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        read(path)
    return [caught.value.message, *caught.value.details]


def test_every_wrong_value_is_named_in_the_order_of_the_document(document, tmp_path):
    document["metrics"][1]["name"] = None
    del document["subjects"][2]["scores"]["hog"]["min"]
    document["aggregate"]["hog"]["ci95"] = [0.1, "x"]
    document["images"][0]["scores"]["a\n"] = True
    first, *rest = problems(document, tmp_path / "r.json")
    assert first.endswith(
        "r.json is not a valid result of nearid score: expected metrics[1].name to be a text but got null"
    )
    assert rest == [
        "subjects[2].scores.hog lacks min",
        'expected aggregate.hog.ci95[1] to be a number but got "x"',
        r"expected images[0].scores.a\n to be a number but got true",
    ]


def test_a_file_that_is_wrong_throughout_does_not_fill_the_screen(document, tmp_path):
    document["images"] = [{**document["images"][0], "scores": {}} for _ in range(40)]
    first, *rest = problems(document, tmp_path / "r.json")
    assert first.endswith("images[0] has no scores of the metric hog")
    assert len(rest) == 11
    assert rest[-2:] == ["images[10] has no scores of the metric hog", "and 29 more"]


def test_places_in_a_comparison_lead_through_its_methods(tmp_path):
    document = json.loads((OLD / "compare.json").read_text())
    document["methods"][1]["result"]["metrics"] = []
    (message, *_) = problems(document, tmp_path / "r.json", read_result)
    assert message.endswith("is not a valid result of nearid compare: methods[1].result.metrics is empty")


def test_a_comparison_names_each_method_once(tmp_path):
    document = json.loads((OLD / "compare.json").read_text())
    document["methods"][1]["name"] = document["methods"][0]["name"]
    (message,) = problems(document, tmp_path / "r.json", read_result)
    assert message.endswith("is not a valid result of nearid compare: methods has the method faithful twice")


@pytest.mark.parametrize(("document", "what"), [([], "it has no schema"), ({"schema": 3}, "its schema is 3")])
def test_what_is_no_result_of_either_command_is_said(document, what, tmp_path):
    (message,) = problems(document, tmp_path / "r.json", read_result)
    assert (
        f"expected schema nearid.score/2 or nearid.compare/2 but {what}; make it with nearid score" in message
    )


def test_the_gate_reads_a_number_that_is_null_as_a_hole_and_others_do_not(document, tmp_path):
    document["aggregate"]["hog"]["score"] = None
    (message,) = problems(document, tmp_path / "r.json")
    assert message.endswith("expected aggregate.hog.score to be a number but got null")
    score = read_result(tmp_path / "r.json", holes=True).aggregate["hog"].score
    assert score != score
