"""The published ratings of DreamBench++ as they lie in the published code, beside the published values."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.benchmarks.dreambench import published
from nearid_cli.benchmarks.dreambench.published import ROUNDING, published_sets, score_folders
from nearid_cli.errors import UsageError
from tests.commandline import Finished, Nearid
from tests.rating import METHODS, PUBLISHED, write_published

CATEGORIES = ["object", "live_subject_animal", "live_subject_human", "style"]
METRICS = {
    "gpt-4o": "data_gpt_rating/concept_preservation_full",
    "dino": "data_dino_rating",
    "clip-i": "data_clipi_rating",
    "siglip2-mean": "data_backbone_rating",
    "siglip2": "data_backbone_maphead_rating",
    "vsm": "data_vsm_rating",
    "qwen3-vl-30b": "data_qwen3vl_30b_rating",
    "nearid": "data_nearid_rating",
}


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    return write_published(tmp_path / "NearID" / "dreambench_plus" / "ratings")


@pytest.fixture
def bench(nearid: Nearid) -> Callable[..., Finished]:
    return lambda *arguments: nearid("bench", "dreambench", *arguments)


def plain(path: Path) -> dict[str, float]:
    """A file by pictures, all spelled as the metrics spell them, without an image index."""
    return {
        key.replace("magic_cube", "rubik's_cube").removesuffix("_0"): value
        for key, value in json.loads(path.read_text()).items()
    }


def pearson(pairs: list[tuple[float, float]]) -> float:
    mx, my = (sum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1))
    above = sum((x - mx) * (y - my) for x, y in pairs)
    return above / math.sqrt(sum((x - mx) ** 2 for x, _ in pairs) * sum((y - my) ** 2 for _, y in pairs))


def averaged(rs: list[float]) -> float:
    return math.tanh(sum(map(math.atanh, rs)) / len(rs))


def agreement(root: Path, folder: str | None) -> dict[str, float]:
    """MH by category, and over all, by plain loops; without a folder that of the two groups of people."""
    found = {}
    for category in CATEGORIES:
        rs = []
        for method in METHODS:
            people = [
                plain(root / f"data_human_rating/merged_data/group{group}/{method}-cp.json")
                for group in (1, 2)
            ]
            scores = people[1] if folder is None else plain(root / folder / f"{method}.json")
            raters = people[:1] if folder is None else people
            keys = [key for key in scores if key.startswith(category)]
            assert keys
            own = [pearson([(rater[key], scores[key]) for key in keys]) for rater in raters]
            rs.append(sum(own) / len(own))
        found[category] = averaged(rs)
    return found | {"mean": averaged([found[category] for category in CATEGORIES])}


def test_one_command_for_all_that_is_published(bench: Callable[..., Finished], ratings: Path) -> None:
    finished = bench("--ratings", ratings, "-o", "out")
    assert finished.code == 0, finished.err
    result = json.loads(Path(ratings.parents[2] / "out/summary.json").read_text())
    assert [one["metric"] for one in result["alignments"]] == list(METRICS)
    values = {one.metric: one.mh for one in published_sets()}
    for one in (result["human"], *result["alignments"]):
        expected = agreement(ratings, METRICS.get(one["metric"]))
        ours = {own["category"]: own["mh"] for own in one["categories"]} | {"mean": one["mean"]}
        assert ours == pytest.approx(expected, abs=1e-12)
        assert {own["category"]: own["value"] for own in one["published"]} == values[one["metric"]]
        for own in one["published"]:
            assert own["difference"] == pytest.approx(expected[own["category"]] - own["value"], abs=1e-12)
            assert own["as_published"] is (abs(own["difference"]) <= ROUNDING)
    lines = [line.split() for line in finished.out.splitlines()]
    shown = {line[0]: line[2:] for line in lines if line[1:2] == ["object"] and line[-1] in ("yes", "no")}
    for metric, folder in {"human-human": None, **METRICS}.items():
        ours, theirs, apart, _ = shown[metric]
        assert theirs == f"{values[metric]['object']:.3f}"
        assert ours == f"{agreement(ratings, folder)['object']:.3f}"
        assert float(apart) == pytest.approx(float(ours) - float(theirs), abs=0.0011)
    with (ratings.parents[2] / "out/published.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(map(len, values.values()))
    assert "not here" not in finished.out
    assert "not read" not in finished.out


def test_the_values_are_those_that_the_authors_print() -> None:
    """Typed in again from REPRODUCTION.md: object, animal, human, style, and over the four."""
    said = """
        human-human 0.648
        gpt-4o 0.597 0.488 0.432 0.466
        dino 0.492 0.434 0.248 0.374
        clip-i 0.493 0.364 0.413 0.418
        siglip2-mean 0.515 0.333 0.376 0.441 0.419
        siglip2 0.489 0.369 0.397 0.398 0.415
        vsm 0.190 0.183 0.148 0.236
        qwen3-vl-30b 0.549 0.477 0.485 0.472
        nearid 0.545 0.435 0.440 0.349 0.445
    """
    printed = {name: list(map(float, values)) for name, *values in map(str.split, said.strip().splitlines())}
    assert {one.metric: [*one.mh.values()] for one in published_sets()} == printed
    assert {one.folder for one in published_sets()[1:]} == set(PUBLISHED) == set(METRICS.values())
    for one in published_sets():
        if "mean" in one.mh:  # of rounded categories, so to 0.001
            rest = [value for name, value in one.mh.items() if name != "mean"]
            assert averaged(rest) == pytest.approx(one.mh["mean"], abs=0.001)


def test_rounding_is_no_difference_and_more_is(
    bench: Callable[..., Finished], ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if these made-up ratings were the published ones, but for one value."""
    own = [
        replace(
            one,
            mh={name: round(value, 3) for name, value in agreement(ratings, METRICS.get(one.metric)).items()},
        )
        for one in published_sets()
    ]
    own[3] = replace(own[3], mh=own[3].mh | {"style": own[3].mh["style"] + 0.001})
    monkeypatch.setattr(published, "published_sets", lambda: tuple(own))
    finished = bench("--ratings", ratings, "--format", "json")
    marked = [
        (one["metric"], number["category"])
        for one in (json.loads(finished.out)["human"], *json.loads(finished.out)["alignments"])
        for number in one["published"]
        if not number["as_published"]
    ]
    assert marked == [("clip-i", "style")]
    assert "not the published value, by more than rounding: 1 of 45 numbers (clip-i style)" in finished.err


def test_rounding_of_correlations_moves_no_mean_beyond_it() -> None:
    draw = random.Random(1)
    for _ in range(20_000):
        rs = [draw.uniform(-0.2, 0.85) for _ in range(7)]
        rounded = averaged([round(r, 4) for r in rs])
        assert abs(averaged(rs) - rounded) < ROUNDING - 0.0005


@pytest.mark.parametrize("place", ["NearID", "NearID/dreambench_plus", "NearID/dreambench_plus/ratings"])
def test_wherever_the_folder_is_given(bench: Callable[..., Finished], ratings: Path, place: str) -> None:
    finished = bench("--ratings", place, "--format", "json")
    assert finished.code == 0, finished.err
    assert len(json.loads(finished.out)["alignments"]) == 8


def test_one_set_by_name_or_by_its_folder(bench: Callable[..., Finished], ratings: Path) -> None:
    def found(*scores: str) -> list[dict[str, Any]]:
        given = [part for one in scores for part in ("--scores", one)]
        finished = bench("--ratings", ratings, *given, "--format", "json")
        assert finished.code == 0, finished.err
        every: list[dict[str, Any]] = json.loads(finished.out)["alignments"]
        return every

    whole = {one["metric"]: one for one in found(str(ratings))}
    by_name = found(f"nearid={ratings}", f"gpt-4o={ratings}")
    assert by_name == [whole["nearid"], whole["gpt-4o"]]
    (nested,) = found(f"judge={ratings}/data_gpt_rating")
    assert nested == whole["gpt-4o"] | {"metric": "judge"}
    (folder,) = found(f"{ratings}/data_vsm_rating")
    assert folder == whole["vsm"] | {"metric": "data_vsm_rating"}


def test_what_is_not_there_and_what_is_not_known_is_named(
    bench: Callable[..., Finished], ratings: Path
) -> None:
    (ratings / "data_vsm_rating").rename(ratings / "data_mine_rating")
    (ratings / "data_gpt_rating/prompt_following_full").mkdir()
    (ratings / ".cache").mkdir()
    finished = bench("--ratings", ratings)
    assert finished.code == 0, finished.err
    said = " ".join(finished.out.split())
    assert "published scores that are not here: data_vsm_rating" in said
    assert (
        "2 folders beside the published scores not read: data_mine_rating, data_gpt_rating/prompt_following_full;"
        in said
    )
    result = json.loads(bench("--ratings", ratings, "--format", "json").out)
    assert (result["absent"], len(result["unknown"])) == (["data_vsm_rating"], 2)
    mine = json.loads(
        bench("--ratings", ratings, "--scores", f"mine={ratings}/data_mine_rating", "--format", "json").out
    )
    assert "published" not in mine["alignments"][0]
    assert "published" not in mine["human"]  # nothing published is compared with


def test_nothing_published_beside_the_ratings(bench: Callable[..., Finished], ratings: Path) -> None:
    for folder in PUBLISHED:
        (ratings / folder).rename(ratings / folder.replace("data_", "old_").replace("/", "_"))
    finished = bench("--ratings", ratings)
    assert finished.code == 2
    assert "no published scores in" in finished.err
    with pytest.raises(UsageError, match="such as data_nearid_rating: give --samples DIR"):
        score_folders([], ratings)


def test_names_and_folders_that_are_none(bench: Callable[..., Finished], ratings: Path) -> None:
    wrong = bench("--ratings", ratings, "--scores", f"nearld={ratings}")
    assert (wrong.code, "did you mean nearid?" in wrong.err) == (2, True)
    twice = bench("--ratings", ratings, "--scores", ratings, "--scores", f"nearid={ratings}")
    assert "the name nearid is taken" in twice.err
    nowhere = bench("--ratings", "nowhere")
    assert nowhere.error.startswith("no published scores in nowhere, it is no folder: give --samples DIR")


def test_problems_of_several_sets_are_named_at_once(bench: Callable[..., Finished], ratings: Path) -> None:
    (ratings / "data_dino_rating/emu2.json").write_text("{")
    vsm = ratings / "data_vsm_rating/emu2.json"
    first, second, *_ = scores = json.loads(vsm.read_text())
    vsm.write_text(json.dumps(scores | {first: None, second: math.nan}))
    for file in (ratings / "data_nearid_rating").iterdir():
        file.unlink()
    finished = bench("--ratings", ratings)
    assert (finished.code, finished.error) == (2, "4 problems in the scores; mend the files")
    dino, *of_vsm, empty = finished.err.splitlines()[1:]
    assert dino.startswith("  data_dino_rating/emu2.json: it is not JSON")
    assert [line.partition(" is ")[2] for line in of_vsm] == [
        f"{value}, which is no finite number" for value in ("null", "NaN")
    ]
    assert empty.startswith("  no scores of nearid in ")


def test_a_set_that_lacks_a_method_is_no_smaller_mean_in_silence(
    bench: Callable[..., Finished], ratings: Path
) -> None:
    (ratings / "data_clipi_rating/emu2.json").unlink()
    finished = bench("--ratings", ratings)
    assert (finished.code, "not in clip-i: emu2" in finished.err) == (2, True)
