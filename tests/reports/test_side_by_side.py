"""Which generations stand beside each other in the grid of the report, and which of them failed a gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.judge import judge
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery
from nearid_cli.reports.html.data import page_data
from nearid_cli.reports.html.failed import failed
from nearid_cli.reports.html.side_by_side import side_by_side
from nearid_cli.results import CompareResult, Image, Rule, ScoreResult
from tests.comparing import scored

NONE = Gallery((), {}, "no thumbnails")

Prompts = Sequence[str | None]


def run(prompts: Mapping[str, Prompts], names: Sequence[str] | None = None) -> ScoreResult:
    """Subjects whose generations have these prompts, None for one that is not known."""
    made = {subject: [0.5] * len(own) for subject, own in prompts.items()}
    return scored(
        made,
        image=lambda subject, i: {
            "path": f"{subject}/{names[i] if names else i}.png",
            "prompt": prompts[subject][i],
        },
    )


def shown(runs: Mapping[str, ScoreResult]) -> list[tuple[str, str | None, list[tuple[str, str]]]]:
    """Subject, name, and pairs of method and file of every row."""
    methods = compare(runs).methods
    return [
        (row.subject, row.name, [(methods[number].name, image.path) for number, image in row.images])
        for row in side_by_side(methods)
    ]


def test_prompts_are_compared_as_comparisons_do() -> None:
    rows = shown(
        {
            "a": run({"cat": ["On a beach.", "in snow"]}),
            "b": run({"cat": ["in_snow", "a city", "on a beach"]}),
        }
    )
    assert rows == [
        ("cat", "On a beach.", [("a", "cat/0.png"), ("b", "cat/2.png")]),
        ("cat", "in snow", [("a", "cat/1.png"), ("b", "cat/0.png")]),
        ("cat", "a city", [("b", "cat/1.png")]),
    ]


def test_placeholders_do_not_part_one_prompt() -> None:
    sks = [f"a sks cat {where}" for where in ("on a beach", "in snow", "in a city")]
    plain = [f"a cat {where}" for where in ("on a beach", "in snow", "in a city")]
    rows = shown({"a": run({"cat": sks}), "b": run({"cat": plain})})
    assert [len(images) for _, _, images in rows] == [2, 2, 2]


def test_a_generation_without_a_prompt_has_a_row_of_its_own() -> None:
    known: Prompts = [f"prompt {i}" for i in range(10)]
    rows = shown({"a": run({"cat": [*known, None]}), "b": run({"cat": [*known, None]})})
    assert [(name, len(images)) for _, name, images in rows[-2:]] == [("10.png", 1), ("10.png", 1)]


def test_names_decide_where_prompts_are_unknown() -> None:
    names = [f"{word}" for word in ("sea", "snow", "city")]
    a = run({"cat": [None] * 3}, names)
    b = run({"cat": [None] * 3}, names[::-1])
    assert shown({"a": a, "b": b}) == [
        ("cat", f"{name}.png", [("a", f"cat/{name}.png"), ("b", f"cat/{name}.png")]) for name in names
    ]


def test_a_first_method_without_prompts_does_not_bring_those_of_others_together() -> None:
    runs = {
        "a": run({"dog": [None, None]}),
        "b": run({"dog": [None, "on a beach"]}),
        "c": run({"dog": [None, "in snow"]}),
    }
    assert shown(runs) == [
        ("dog", "0.png", [("a", "dog/0.png"), ("b", "dog/0.png"), ("c", "dog/0.png")]),
        ("dog", "1.png", [("a", "dog/1.png"), ("b", "dog/1.png")]),
        ("dog", "1.png", [("c", "dog/1.png")]),
    ]


def test_what_the_first_method_lacks_still_meets_by_name() -> None:
    names = [f"n{i}" for i in range(11)]
    runs = {
        "a": run({"cat": [None] * 10}, names[:10]),
        "b": run({"cat": [None] * 11}, names),
        "c": run({"cat": [None] * 11}, names),
    }
    assert shown(runs)[-1] == ("cat", "n10.png", [("b", "cat/n10.png"), ("c", "cat/n10.png")])


def test_a_subject_of_one_method_is_by_its_own_names() -> None:
    rows = shown({"a": run({"cat": [None]}), "b": run({"cat": [None], "dog": [None, None]})})
    assert rows[1:] == [("dog", "0.png", [("b", "dog/0.png")]), ("dog", "1.png", [("b", "dog/1.png")])]


def test_places_decide_nothing_but_the_order() -> None:
    rows = shown({"a": run({"cat": [None] * 2}, "xy"), "b": run({"cat": [None] * 3}, "uvw")})
    assert rows == [
        ("cat", None, [("a", "cat/x.png"), ("b", "cat/u.png")]),
        ("cat", None, [("a", "cat/y.png"), ("b", "cat/v.png")]),
        ("cat", None, [("b", "cat/w.png")]),
    ]


_PROMPT = st.sampled_from([None, "on a beach", "On a Beach.", "in snow", "a city"])
_RUN = st.dictionaries(
    st.sampled_from(["cat", "dog", "mug"]), st.lists(_PROMPT, min_size=1, max_size=4), min_size=1
)


@example([{"dog": [None, None]}, {"dog": [None, "on a beach"]}, {"dog": [None, "in snow"]}])
@given(st.lists(_RUN, min_size=1, max_size=4))
def test_every_generation_is_in_one_row_of_its_subject(prompts: list[dict[str, list[str | None]]]) -> None:
    if len(set.intersection(*(set(one) for one in prompts))) == 0:
        prompts = [{**one, "cat": ["in snow"]} for one in prompts]
    runs = {f"m{i}": run(one) for i, one in enumerate(prompts)}
    methods = (compare(runs) if len(runs) > 1 else document(runs["m0"]).story.result).methods
    rows = side_by_side(methods)
    found = Counter((number, image.path) for row in rows for number, image in row.images)
    assert found == Counter(
        (n, image.path) for n, method in enumerate(methods) for image in method.result.images
    )
    assert all(image.subject == row.subject for row in rows for _, image in row.images)
    for row in rows:  # no two prompts in one row that says what it is of
        known = {image.prompt.casefold().rstrip(".") for _, image in row.images if image.prompt}
        assert row.name is None or len(known) <= 1


def test_the_page_has_the_rows_by_generation() -> None:
    result = compare({"a": run({"cat": ["x", "y"]}), "b": run({"cat": ["y"]})})
    data = page_data(result, NONE)
    assert data["rows"] == [[0, "x"], [0, "y"]]
    assert data["cells"] == [0, 1, 1]


def test_the_page_has_floors_and_ceilings_and_says_where_chance_put_them() -> None:
    one = scored({"cat": [0.5], "dog": [0.5]})
    cat, dog = one.subjects
    noisy = replace(cat, scores={**cat.scores, "hog": replace(cat.scores["hog"], within_noise=True)})
    none = replace(dog, scores={name: replace(scores, floor=None) for name, scores in dog.scores.items()})
    result = compare({"a": replace(one, subjects=(noisy, none)), "b": scored({"cat": [0.5]})})
    ends = [subject["ends"] for subject in page_data(result, NONE)["subjects"]]
    by_name = {method.name: number for number, method in enumerate(result.methods)}
    assert ends[0][by_name["a"]] == [[0.1, 0.9], [0.1, 0.9, 1]]
    assert ends[1][by_name["a"]] is None
    assert ends[1][by_name["b"]] is None


def test_one_picture_of_two_subjects_is_in_a_row_of_each() -> None:
    def one() -> ScoreResult:
        names = {"cat": ["x", "y"], "dog": ["y", "z"]}
        return scored(
            {"cat": [0.5, 0.2], "dog": [0.9, 0.8]},
            image=lambda subject, i: {"path": f"{names[subject][i]}.png"},
        )

    data = page_data(compare({"a": one(), "b": one()}), NONE)
    assert data["rows"] == [[0, "x.png"], [0, "y.png"], [1, "y.png"], [1, "z.png"]]
    assert data["cells"] == [0, 1, 2, 3] * 2
    assert of(one(), rule(min=0.8)) == ["x.png", "y.png"]
    gate = judge(one(), None, [rule(min=0.8)], run_name="", baseline_name=None)
    assert page_data(document(one()).story.result, NONE, gate)["failed"] == [0, 1]


# What failed


def rule(statistic: str = "score", level: str = "subject", metric: str = "nearid", **bounds: float) -> Rule:
    known = {"min": None, "max": None, "max_drop": None, "confidence": None, "on_fail": "error"}
    return Rule(metric=metric, statistic=statistic, level=level, **{**known, **bounds})


def of(result: ScoreResult | CompareResult, *rules: Rule) -> list[str]:
    """The files that fail these rules, with their methods where there are several."""
    gate = judge(result, None, rules, run_name="run.json", baseline_name=None)
    shown = document(result).story.result
    several = len(shown.methods) > 1
    return [f"{method} {path}" if several else path for method, _, path in failed(gate, shown)]


def test_a_subject_that_failed_is_all_of_its_generations() -> None:
    one = scored({"cat": [0.5, 0.9], "dog": [0.9, 0.9]})
    assert of(one, rule(min=0.8)) == ["cat/0.png", "cat/1.png"]
    assert of(one, rule(min=0.4)) == []
    assert of(one, rule(min=0.8, on_fail="warn")) == []


def test_a_mean_over_subjects_is_about_no_generation() -> None:
    assert of(scored({"cat": [0.5], "dog": [0.9]}), rule(level="aggregate", min=0.8)) == []


def test_counts_are_of_the_generations_that_they_count() -> None:
    one = scored({"cat": [0.5, 0.9], "dog": [0.9]}, copied=1)
    assert of(one, rule("copies", "aggregate", "*", max=0)) == ["cat/0.png"]
    lacking = replace(
        one, images=(*one.images[:2], replace(one.images[2], scores={"nearid": None, "hog": 0.5}))
    )
    counted = {"nearid": replace(lacking.subjects[1].scores["nearid"], missing=1)}
    subjects = (
        lacking.subjects[0],
        replace(lacking.subjects[1], scores=lacking.subjects[1].scores | counted),
    )
    assert of(replace(lacking, subjects=subjects), rule("missing", "aggregate", max=0)) == ["dog/0.png"]


def test_a_method_that_failed_leaves_the_others_alone() -> None:
    result = compare({"a": scored({"cat": [0.5]}), "b": scored({"cat": [0.9]})})
    assert of(result, rule(min=0.8)) == ["a cat/0.png"]


def test_of_a_group_only_its_own_generations_failed() -> None:
    one = scored({"cat": [0.5, 0.9], "dog": [0.9, 0.9]})
    one = replace(one, images=tuple(replace(image, seed=image.path[-5]) for image in one.images))
    assert of(one, replace(rule(min=0.8), by="seed")) == ["cat/0.png"]
    copied = replace(one, images=tuple(replace(image, copy_of="r.png") for image in one.images))
    copies = rule("copies", "aggregate", "*", max=0)
    assert of(copied, replace(copies, by="seed", group="1")) == ["cat/1.png", "dog/1.png"]


def test_a_group_that_failed_is_its_generations() -> None:
    one = scored(
        {"cat": [0.5, 0.9], "dog": [0.5, 0.9]},
        image=lambda subject, i: {"path": f"{subject}/{i}.png", "labels": {"category": "ab"[i]}},
        copied=1,
    )
    shown = document(one).story.result
    gate = judge(
        one,
        None,
        [rule("score", "aggregate", min=2), rule("copies", "aggregate", "*", max=0)],
        run_name="",
        baseline_name=None,
    )
    low, copies = (replace(verdict, group={"category": "a"}) for verdict in gate.verdicts)
    for verdict, files in ((low, ["cat/0.png", "dog/0.png"]), (copies, ["cat/0.png"])):
        assert [path for *_, path in failed(replace(gate, verdicts=(verdict,)), shown)] == files
    elsewhere = replace(copies, group={"category": "b"})
    assert failed(replace(gate, verdicts=(elsewhere,)), shown) == []


def test_near_copies_are_those_of_the_metric() -> None:
    one = scored({"cat": [0.5, 0.9]})

    def near(image: Image, metric: str) -> Image:
        return replace(image, near_copy_of={metric: "cat/1.jpg"})

    subject = one.subjects[0]
    scores = {name: replace(own, near_copies=1) for name, own in subject.scores.items()}
    aggregate = {name: replace(own, near_copies=1) for name, own in one.aggregate.items()}
    both = replace(
        one,
        images=(near(one.images[0], "nearid"), near(one.images[1], "hog")),
        subjects=(replace(subject, scores=scores),),
        aggregate=aggregate,
    )
    assert of(both, rule("near_copies", "aggregate", "nearid", max=0)) == ["cat/0.png"]
    assert of(both, rule("near_copies", "aggregate", "*", max=0)) == ["cat/0.png", "cat/1.png"]
    data = page_data(document(both).story.result, NONE)
    assert [row[-1] for row in data["generations"]] == [[[0, "cat/1.jpg"]], [[1, "cat/1.jpg"]]]
