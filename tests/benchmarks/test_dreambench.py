"""DreamBench++ against an independent computation with pandas and SciPy, and joining when something is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nearid_cli.benchmarks.dreambench.bench import Evaluated, evaluate
from nearid_cli.benchmarks.dreambench.ratings import item_key, named_folders
from nearid_cli.benchmarks.dreambench.result import Alignment, DreamBenchResult
from nearid_cli.errors import InputError, UsageError
from tests.rating import KEYS, METHODS, group_file, metric_key, save, write_ratings

CATEGORIES = ["object", "live_subject_animal", "live_subject_human", "style"]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    return write_ratings(tmp_path / "ratings")


def run(root: Path, *metrics: str, **options: object) -> Evaluated:
    named = [(name, root / f"data_{name}_rating") for name in metrics or ("good",)]
    return evaluate(None, named, root, **options)  # type: ignore[arg-type]


def frame(root: Path, method: str, metric: str) -> pd.DataFrame:
    """What all three files have, joined by an independent rule."""

    def series(path: Path) -> pd.Series:
        values = pd.Series(json.loads(path.read_text()), dtype=float)
        values.index = [
            re.match(r"(.+-\d+)(_\d+)?$", key)[1].replace("rubik's", "magic")  # type: ignore[index]
            for key in values.index
        ]
        return values

    columns = {"g1": group_file(root, 1, method), "g2": group_file(root, 2, method)}
    return pd.concat(
        {name: series(path) for name, path in columns.items()}
        | {"score": series(root / f"data_{metric}_rating" / f"{method}.json")},
        axis=1,
        join="inner",
    )


def fisher(rs: list[float]) -> float:
    return float(np.tanh(np.arctanh(np.clip(rs, -0.9999, 0.9999)).mean()))


def independent(root: Path, metric: str, digits: int | None = None) -> dict[str, float]:
    """The Fisher-z means by category, `mean` over these, and the human ceiling as `human-CATEGORY`."""

    def r(x: pd.Series, y: pd.Series) -> float:
        value = float(stats.pearsonr(x, y).statistic)
        return value if digits is None else round(value, digits)

    found = {}
    for category in CATEGORIES:
        by_method, ceiling = [], []
        for method in METHODS:
            if not group_file(root, 1, method).exists():
                continue
            table = frame(root, method, metric)
            table = table[table.index.str.startswith(category)]
            by_method.append((r(table.g1, table.score) + r(table.g2, table.score)) / 2)
            ceiling.append(r(table.g1, table.g2))
        found[category], found[f"human-{category}"] = fisher(by_method), fisher(ceiling)
    return found | {"mean": fisher([found[category] for category in CATEGORIES])}


def mh(one: Alignment | None) -> dict[str, float | None]:
    assert one is not None
    return {category.category: category.mh for category in one.categories}


@pytest.mark.parametrize("digits", [None, 4], ids=["exact", "published rounding"])
@pytest.mark.parametrize("metric", ["good", "poor"])
def test_every_number_is_that_of_an_independent_computation(
    ratings: Path, metric: str, digits: int | None
) -> None:
    result = run(ratings, metric, published_rounding=digits is not None).result
    expected = independent(ratings, metric, digits)
    (alignment,) = result.alignments
    for category in CATEGORIES:
        assert mh(alignment)[category] == pytest.approx(expected[category], abs=1e-9)
        assert mh(result.human)[category] == pytest.approx(expected[f"human-{category}"], abs=1e-9)
    assert alignment.mean == pytest.approx(expected["mean"], abs=1e-9)
    assert alignment.averaged == 4
    assert result.methods == METHODS


def test_rounding_changes_the_numbers(ratings: Path) -> None:
    exact, rounded = (run(ratings, published_rounding=value).result.alignments[0] for value in (False, True))
    assert exact.mean != rounded.mean
    assert exact.mean == pytest.approx(rounded.mean, abs=1e-4)
    assert all(
        round(r, 4) == r
        for one in rounded.categories
        for method in one.methods
        for r in method.groups
        if r is not None
    )


def test_each_method_has_both_groups_and_their_mean(ratings: Path) -> None:
    (alignment,) = run(ratings).result.alignments
    (category,) = (one for one in alignment.categories if one.category == "object")
    assert [one.method for one in category.methods] == list(METHODS)
    table = frame(ratings, "emu2", "good")
    table = table[table.index.str.startswith("object")]
    emu2 = category.methods[4]
    expected = [stats.pearsonr(table[group], table.score).statistic for group in ("g1", "g2")]
    assert emu2.groups == pytest.approx(expected, abs=1e-12)
    assert emu2.r == pytest.approx(np.mean(expected), abs=1e-12)
    assert (emu2.items, category.items, category.subjects) == (20, 140, 5)


def test_intervals_hold_the_numbers(ratings: Path) -> None:
    result = run(ratings, "good", "poor").result
    for one in (result.human, *result.alignments):
        for category in one.categories:
            low, high = category.ci95
            assert low < category.mh < high
        low, high = one.mean_ci95
        assert low < one.mean < high
    assert run(ratings, "good", "poor").result.alignments == result.alignments


def test_differences_are_paired(ratings: Path) -> None:
    result = run(ratings, "good", "poor", against="poor").result
    good, poor = result.alignments
    assert [one.category for one in result.differences] == [*CATEGORIES, "mean"]
    for one in result.differences:
        assert (one.metric, one.against) == ("good", "poor")
        if one.category != "mean":
            assert one.delta == pytest.approx(mh(good)[one.category] - mh(poor)[one.category], abs=1e-12)
        assert one.ci95[0] < one.delta < one.ci95[1]
        assert one.p == one.p_holm  # one metric alone is not adjusted
        assert one.p_adjusted == max(one.p, one.p_studentised)
    *_, mean = result.differences
    assert mean.delta == pytest.approx(good.mean - poor.mean, abs=1e-12)
    assert (mean.items, mean.subjects) == (7 * len(KEYS), 20)
    assert mean.p < 0.01
    other = run(ratings, "good", "poor", against="good").result.differences[-1]
    assert other.delta == -mean.delta
    assert other.p == mean.p


def test_several_comparisons_are_adjusted(ratings: Path) -> None:
    write_ratings(ratings / "other", seed=9)
    named = [("good", ratings / "data_good_rating"), ("poor", ratings / "data_poor_rating")]
    named.append(("noise", ratings / "other/data_poor_rating"))
    differences = evaluate(None, named, ratings, against="poor").result.differences
    by_metric = {one.metric: one for one in differences if one.category == "mean"}
    smaller, larger = sorted(by_metric.values(), key=lambda one: one.p)
    assert smaller.p_holm == min(1, 2 * smaller.p)
    assert larger.p_holm == max(larger.p, smaller.p_holm)
    assert all(one.p_adjusted >= max(one.p_holm, one.p_studentised) for one in differences)


@pytest.mark.parametrize(
    ("key", "item"),
    [
        ("object_20_rubik's_cube-3_0", "object_20_magic_cube-3"),
        ("object_20_magic_cube-3", "object_20_magic_cube-3"),
        ("style_10_ukiyo-e-8", "style_10_ukiyo-e-8"),
        ("live_subject_animal_26_cotton-top_tamarin-0_12", "live_subject_animal_26_cotton-top_tamarin-0"),
    ],
)
def test_keys_of_all_files_become_the_same(key: str, item: str) -> None:
    assert item_key(key) == item
    assert item_key(item_key(key)) == item


Spoil = Callable[[Path], None]


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    ratings = json.loads(path.read_text())
    changed = change(ratings)
    save(path, ratings if changed is None else changed)


def drop_item(root: Path) -> None:
    edit(root / "data_good_rating/emu2.json", lambda r: r.pop(metric_key("object_20_magic_cube-3")) and None)


def drop_human_item(root: Path) -> None:
    edit(group_file(root, 2, "emu2"), lambda r: {k: v for k, v in r.items() if k != "style_01_pastel-2"})


def add_item(root: Path) -> None:
    edit(root / "data_good_rating/emu2.json", lambda r: r | {"object_77_spoon-0_0": 50.0})


def drop_method(root: Path) -> None:
    (root / "data_good_rating/emu2.json").unlink()


def drop_group_file(root: Path) -> None:
    group_file(root, 2, "emu2").unlink()


def add_method(root: Path) -> None:
    save(root / "data_good_rating/mine.json", {metric_key(key): i for i, key in enumerate(KEYS)})


UNJOINED = [
    (drop_item, ["not in good: emu2, 1 item: object_20_magic_cube-3"]),
    (
        drop_human_item,
        ["not in group2: emu2, 1 item: style_01_pastel-2"],
    ),
    (add_item, ["not in the human ratings: emu2, 1 item: object_77_spoon-0"]),
    (drop_method, ["not in good: emu2"]),
    (drop_group_file, ["not in group2: emu2"]),
    (add_method, ["not in the human ratings: mine"]),
]


@pytest.mark.parametrize(("spoil", "lines"), UNJOINED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_does_not_join_stops_the_run(ratings: Path, spoil: Spoil, lines: list[str]) -> None:
    spoil(ratings)
    with pytest.raises(InputError, match=r"do not join.*--allow-missing") as caught:
        run(ratings)
    assert list(caught.value.details) == lines


def test_what_people_did_not_rate_is_said_once(ratings: Path) -> None:
    for group in (1, 2):
        group_file(ratings, group, "emu2").unlink()
    with pytest.raises(InputError) as caught:
        run(ratings, "good", "poor")
    assert list(caught.value.details) == ["not in the human ratings: emu2"]


@pytest.mark.parametrize(("spoil", "lines"), UNJOINED[:3], ids=lambda value: getattr(value, "__name__", ""))
def test_missing_items_may_be_left_out(
    ratings: Path, spoil: Spoil, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(ratings)
    result = run(ratings, allow_missing=True).result
    expected = independent(ratings, "good")
    for category in CATEGORIES:
        assert mh(result.alignments[0])[category] == pytest.approx(expected[category], abs=1e-9)
    assert [record.getMessage() for record in caplog.records] == [f"left out: {line}" for line in lines]
    assert len(result.unjoined) == 1


@pytest.mark.parametrize("spoil", [drop_method, drop_group_file, add_method])
def test_missing_methods_may_be_left_out(ratings: Path, spoil: Spoil) -> None:
    whole = {one.method: one.r for one in run(ratings).result.alignments[0].categories[0].methods}
    spoil(ratings)
    result = run(ratings, allow_missing=True).result
    (category, *_) = result.alignments[0].categories
    kept = [method for method in METHODS if spoil is add_method or method != "emu2"]
    assert {one.method: one.r for one in category.methods} == {method: whole[method] for method in kept}
    assert category.averaged == len(kept)
    assert category.mh == pytest.approx(fisher([whole[method] for method in kept]), abs=1e-12)
    assert result.unjoined[0].items == ()


def test_differences_are_over_the_pictures_that_both_score(ratings: Path) -> None:
    drop_item(ratings)
    drop_method(ratings)
    result = run(ratings, "good", "poor", against="poor", allow_missing=True).result
    assert result.differences[0].items == 6 * 20
    assert result.alignments[1].categories[0].items == 7 * 20


def test_a_metric_that_joins_nowhere_has_no_numbers(ratings: Path) -> None:
    for method in METHODS:
        save(ratings / f"data_good_rating/{method}.json", {"object_99_spoon-0": 1, "object_99_spoon-1": 2})
    result = run(ratings, "good", "poor", against="poor", allow_missing=True).result
    good = result.alignments[0]
    assert (good.categories, good.mean, good.mean_ci95, good.averaged) == ((), None, None, 0)
    assert result.differences == ()
    assert len(result.unjoined) == 14


def test_human_groups_without_a_common_item_are_refused(ratings: Path) -> None:
    for method in METHODS:
        edit(group_file(ratings, 1, method), lambda r: {f"style_9{key}": value for key, value in r.items()})
    with pytest.raises(InputError, match="the human groups have no item in common"):
        run(ratings, allow_missing=True)


def test_fewer_methods_than_seven_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = run(write_ratings(tmp_path, methods=METHODS[:2])).result
    assert result.methods == METHODS[:2]
    assert (
        "people rated 2 of the 7 methods: no ratings of dreambooth_lora_sdxl, blip_diffusion" in caplog.text
    )


def test_a_constant_rating_has_no_correlation(ratings: Path, caplog: pytest.LogCaptureFixture) -> None:
    def flatten(ratings: dict[str, object]) -> object:
        return {key: 0.1 if key.startswith("style") else value for key, value in ratings.items()}

    before = run(ratings, "good", "poor", against="poor").result
    edit(ratings / "data_good_rating/emu2.json", flatten)
    result = run(ratings, "good", "poor", against="poor").result
    *_, style = result.alignments[0].categories
    emu2 = style.methods[4]
    assert (emu2.r, emu2.groups) == (None, (None, None))
    assert style.averaged == 6
    others = [one.r for one in before.alignments[0].categories[-1].methods if one.method != "emu2"]
    assert style.mh == pytest.approx(fisher(others), abs=1e-12)
    assert style.ci95[0] < style.mh < style.ci95[1]
    assert "good, style: no correlation, because all ratings or all scores are equal" in caplog.text
    assert "for emu2; left out of the mean" in caplog.text
    assert result.differences[3].items == 6 * 20
    json.dumps(result.to_dict(), allow_nan=False)


def test_ratings_without_any_correlation_are_null(ratings: Path) -> None:
    for method in METHODS:
        edit(ratings / f"data_good_rating/{method}.json", lambda r: dict.fromkeys(r, 3))
    result = run(ratings, "good", "poor", against="poor").result
    good = result.alignments[0]
    assert set(mh(good).values()) == {None}
    assert (good.mean, good.mean_ci95, good.averaged) == (None, None, 0)
    assert result.differences == ()
    json.dumps(result.to_dict(), allow_nan=False)


MALFORMED: list[tuple[str, str]] = [
    ("{", "emu2.json: it is not JSON: "),
    ("[1, 2]", "expected an object {key: number}, found a list"),
    ("null", "expected an object {key: number}, found null"),
    ("{}", "holds no ratings"),
    ('{"object_00_a-0": "3"}', 'object_00_a-0 is "3", which is no finite number'),
    ('{"object_00_a-0": true}', "object_00_a-0 is true, which is no finite number"),
    ('{"object_00_a-0": null}', "object_00_a-0 is null, which is no finite number"),
    ('{"object_00_a-0": NaN}', "object_00_a-0 is NaN, which is no finite number"),
    ('{"object_00_a-0": -Infinity}', "object_00_a-0 is -Infinity, which is no finite number"),
    ('{"object_00_a-0": 1' + "0" * 400 + "}", "which is no finite number"),
    ('{"object_00_a-0": [1]}', "object_00_a-0 is [1], which is no finite number"),
    ('{"object_00_a-0": 1, "object_00_a-0": 2}', "object_00_a-0 and object_00_a-0 are the same item"),
    ('{"object_00_a-0_0": 1, "object_00_a-0_1": 2}', "object_00_a-0_0 and object_00_a-0_1 are the same item"),
    (
        '{"object_20_magic_cube-0": 1, "object_20_rubik\'s_cube-0": 2}',
        "object_20_magic_cube-0 and object_20_rubik's_cube-0 are the same item",
    ),
    ('{"landscape_00_hill-0": 1}', "landscape_00_hill-0 begins with none of object, live_subject_animal"),
    ("[" * 100_000, "emu2.json: it is nested too deeply"),
]


@pytest.mark.parametrize(("text", "problem"), MALFORMED, ids=[problem[:40] for _, problem in MALFORMED])
def test_malformed_files_are_named(ratings: Path, text: str, problem: str) -> None:
    (ratings / "data_good_rating/emu2.json").write_text(text)
    with pytest.raises(InputError, match="1 problem in the scores of good") as caught:
        run(ratings, allow_missing=True)
    (detail,) = caught.value.details
    assert problem in detail
    assert "emu2.json" in detail
    assert len(detail) < 200


def test_all_malformed_files_are_named_at_once(ratings: Path) -> None:
    for method in ("emu2", "dreambooth_sd"):
        group_file(ratings, 1, method).write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match="2 problems in the human ratings of group1") as caught:
        run(ratings)
    assert [line.split(":")[0] for line in caught.value.details] == [
        "group1/dreambooth_sd-cp.json",
        "group1/emu2-cp.json",
    ]


def test_folders_that_are_not_there_are_said(ratings: Path) -> None:
    with pytest.raises(InputError, match=r"no scores of nope: .* is no folder"):
        run(ratings, "nope")
    with pytest.raises(InputError, match=r"no scores of x in .*expected <method>.json"):
        evaluate(None, [("x", ratings / "data_human_rating")], ratings)
    with pytest.raises(InputError, match=r"no human ratings in .*group1 and group2"):
        evaluate(None, [("good", ratings / "data_good_rating")], ratings / "data_good_rating")
    (ratings / "data_human_rating/merged_data/group2").rename(ratings / "gone")
    with pytest.raises(InputError, match=r"no human ratings of group2: .* is no folder"):
        run(ratings)


def test_the_human_folders_may_be_given_themselves(ratings: Path) -> None:
    named = [("good", ratings / "data_good_rating")]
    whole = evaluate(None, named, ratings).result.alignments
    for folder in (ratings / "data_human_rating", ratings / "data_human_rating/merged_data"):
        assert evaluate(None, named, folder).result.alignments == whole


def test_names_and_folders_of_scores(ratings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ratings / "data_good_rating"
    assert named_folders([f"good={own}"]) == [("good", own)]
    assert named_folders([str(own)]) == [("data_good_rating", own)]
    assert named_folders([f"data_good_rating={ratings}"]) == [("data_good_rating", own)]
    odd = ratings / "a=b"
    odd.mkdir()
    assert named_folders([str(odd)]) == [("a=b", odd)]


def test_names_that_cannot_work_are_refused(ratings: Path) -> None:
    with pytest.raises(UsageError, match="the name good is taken"):
        run(ratings, "good", "good")
    with pytest.raises(UsageError, match="the name human-human is taken"):
        evaluate(None, [("human-human", ratings / "data_good_rating")], ratings)
    with pytest.raises(UsageError, match='unknown metric of --against "pour": did you mean poor'):
        run(ratings, "good", "poor", against="pour")
    with pytest.raises(UsageError, match="--against good needs another metric"):
        run(ratings, "good", against="good")


def test_nothing_heavy_is_imported_for_scores_in_files(ratings: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from nearid_cli.benchmarks.dreambench.bench import evaluate;"
        "root = Path(sys.argv[1]); evaluate(None, [('good', root / 'data_good_rating')], root);"
        "print(sorted({'torch', 'transformers', 'pandas', 'scipy', 'skimage', 'datasets', 'cv2'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", program, str(ratings)], capture_output=True, text=True)
    assert finished.stdout == "[]\n", finished.stderr


def test_the_result_holds_what_the_reader_is_promised(ratings: Path) -> None:
    result = run(ratings).result
    facts = result.to_dict()
    assert isinstance(result, DreamBenchResult)
    assert facts["schema"] == "nearid.bench.dreambench/2"
    assert facts["human"]["categories"][0]["category"] == "object"
    assert facts["scored"][0].keys() == {"metric", "method", "items", "mean"}
