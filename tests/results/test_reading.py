"""What is wrong in a file is said with its place: all of it, the first as the message and the rest below."""

import json
from pathlib import Path

import pytest

from nearid_cli.errors import InputError
from nearid_cli.results.reading import read_result, read_score

SEEDS = Path(__file__).parents[1] / "fuzz/corpus/reports"
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
    (message, *_) = problems(document, tmp_path / "r.json", read_result)
    assert message.endswith("is not a valid result of nearid compare: methods has the method faithful twice")


@pytest.mark.parametrize(("document", "what"), [([], "it has no schema"), ({"schema": 3}, "its schema is 3")])
def test_what_is_no_result_of_either_command_is_said(document, what, tmp_path):
    (message,) = problems(document, tmp_path / "r.json", read_result)
    assert (
        f"expected schema nearid.score/2 or nearid.compare/2 but {what}; make it with nearid score" in message
    )


def test_a_score_that_was_lost_is_refused_and_the_gate_reads_it(document, tmp_path):
    document["aggregate"]["hog"]["score"] = None
    document["subjects"][1]["scores"]["hog"]["min"] = None
    document["images"][0]["scores"]["hog"] = None
    assert [line.rpartition("expected ")[2] for line in problems(document, tmp_path / "r.json")] == [
        "subjects[1].scores.hog.min to be a number but got null",
        "aggregate.hog.score to be a number but got null",
        "images[0].scores.hog to be a number but got null",
    ]
    assert read_result(tmp_path / "r.json", holes=True).aggregate["hog"].score is None


def unscored(document, subjects):
    """The document as if hog had given no number for the generations of these subjects."""
    for row in document["subjects"]:
        if row["subject"] in subjects:
            row["scores"]["hog"] |= dict.fromkeys(("score", "std", "ci95", "min", "max", "retention"))
            row["scores"]["hog"]["missing"] = row["generations"]
    for image in document["images"]:
        if image["subject"] in subjects:
            image["scores"]["hog"], image["reasons"] = None, {"hog": "no face"}
    return document


def test_a_score_that_does_not_exist_is_read(document, tmp_path):
    names = [row["subject"] for row in document["subjects"]]
    (tmp_path / "r.json").write_text(json.dumps(unscored(document, names[1])))
    found = read_score(tmp_path / "r.json")
    assert found.subjects[1].scores["hog"].score is None
    assert {image.reasons.get("hog") for image in found.images if image.subject == names[1]} == {"no face"}
    document["aggregate"]["hog"] |= {"score": None, "pair_mean": None}
    assert len(problems(document, tmp_path / "r.json")) == 2, "the other subjects have scores"
    (tmp_path / "r.json").write_text(json.dumps(unscored(document, names)))
    assert read_score(tmp_path / "r.json").aggregate["hog"].score is None


def test_missing_says_how_many_generations_may_lack_a_score(document, tmp_path):
    first, second = document["images"][:2]
    assert first["subject"] == second["subject"] == document["subjects"][0]["subject"]
    first["scores"]["hog"] = None
    document["subjects"][0]["scores"]["hog"]["missing"] = 1
    (tmp_path / "r.json").write_text(json.dumps(document))
    assert read_score(tmp_path / "r.json").images[0].scores["hog"] is None
    second["scores"]["hog"] = None
    (message,) = problems(document, tmp_path / "r.json")
    assert message.endswith("expected images[1].scores.hog to be a number but got null")


def test_what_a_comparison_lost_is_placed_in_its_method(tmp_path):
    document = json.loads((OLD / "compare.json").read_text())
    document["methods"][1]["result"]["images"][2]["scores"]["hog"] = None
    (message,) = problems(document, tmp_path / "r.json", read_result)
    assert message.endswith("expected methods[1].result.images[2].scores.hog to be a number but got null")


DAMAGED = [
    (("aggregate", "hog", "score"), 1e308, "to be a number of no more than 1e+60"),
    (("subjects", 0, "references"), 10**30, "to be a whole number of no more than 9007199254740992"),
    (("subjects",), [], "subjects is empty"),
    (("images", 0, "subject"), "nobody", "images[0].subject is nobody, which is none of the subjects"),
    (("comparisons", 0, "pairing"), 3, "expected comparisons[0].pairing to be an object but got 3"),
    (("comparisons", 0, "method"), "x", "comparisons[0].method is x, which is no method"),
    (("disagreements", 0, "method"), "x", "disagreements[0].method is x, which is no method"),
    (("agreements", 0, "a"), "x", "agreements[0].a is x, which is no metric"),
    (("baseline",), "x", "baseline is x, which is no method"),
    (("methods", 0, "ranks"), {}, "methods[0].ranks lacks the metric"),
    (("methods", 0, "common"), {"x": None}, "methods[0].common"),
    (("groups", 0, "labels"), {}, "groups[0].labels is empty"),
    (("groups", 0, "labels"), {"": "1"}, "groups[0].labels has a label without a name"),
]


@pytest.mark.parametrize(("place", "value", "message"), DAMAGED)
def test_what_no_table_and_no_plot_could_show_is_refused(tmp_path, place, value, message):
    """Each of these ended in `unexpected`, in one format or another."""
    for name in ("score.json", "compare.json"):
        document = json.loads((SEEDS / name).read_text())
        holder = document
        try:
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]]
        except KeyError:
            continue
        holder[place[-1]] = value
        assert message in "\n".join(problems(document, tmp_path / "r.json", read_result))
        return
    raise AssertionError(place)


def test_nothing_but_its_own_line_is_said_of_json_that_cannot_be_held(tmp_path):
    (tmp_path / "r.json").write_bytes(b"[" * 100_000)
    with pytest.raises(InputError, match=r"r.json is not a result of nearid score: it is nested too deeply"):
        read_score(tmp_path / "r.json")
