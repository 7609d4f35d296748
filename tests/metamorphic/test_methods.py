"""Methods that change places, and methods that are one."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from nearid_cli.results import CompareResult, Comparison
from nearid_cli.results.compare import BETTER, SAME, WORSE
from tests.commandline import Nearid
from tests.metamorphic.planted import ROUNDING, compare, lay, score

MIRROR = {BETTER: WORSE, WORSE: BETTER}


@pytest.fixture(scope="module")
def twice_as_many(pictures: dict[str, bytes]) -> dict[str, bytes]:
    """The data set with each subject upside down once more: four subjects are too few to show a difference."""
    turned = {}
    for name, content in pictures.items():
        side, subject, file = name.split("/")
        picture = io.BytesIO()
        ImageOps.flip(Image.open(io.BytesIO(content))).save(picture, "PNG")
        turned[f"{side}/{subject} turned/{file}"] = picture.getvalue()
    return pictures | turned


@pytest.fixture
def root(tmp_path: Path, twice_as_many: dict[str, bytes]) -> Path:
    return lay(tmp_path / "data", twice_as_many)


def only(result: CompareResult) -> Comparison:
    (comparison,) = result.comparisons
    return comparison


def test_methods_that_change_places(root: Path) -> None:
    a, b = score(root, "a"), score(root, "b")
    one, other = (only(compare({"a": a, "b": b}, baseline=baseline)) for baseline in "ab")
    assert (one.method, one.verdict) == ("b", WORSE)
    assert (other.method, other.verdict) == ("a", MIRROR[one.verdict])
    assert other.delta == pytest.approx(-(one.delta or 0), abs=ROUNDING)
    assert other.deltas == {subject: -delta for subject, delta in one.deltas.items()}
    assert one.ci95 is not None
    assert other.ci95 == pytest.approx([-end for end in one.ci95[::-1]], abs=ROUNDING)
    assert (other.wins, other.ties, other.losses) == (one.losses, one.ties, one.wins)
    assert (other.p, other.p_holm, other.exact) == (one.p, one.p_holm, one.exact)
    assert other.p_studentised == pytest.approx(one.p_studentised, abs=ROUNDING)
    assert other.detectable == pytest.approx(one.detectable, abs=ROUNDING)
    assert only(compare({"b": b, "a": a}, baseline="a")) == one
    renamed = only(compare({"b": a, "a": b}, baseline="b"))
    assert (renamed.method, renamed.deltas, renamed.verdict) == ("a", one.deltas, one.verdict)


def test_a_method_beside_itself(nearid: Nearid, root: Path) -> None:
    for name in ("one", "two"):
        assert nearid("score", root / "refs", root / "a", "-m", "hog", "-o", f"{name}.json").code == 0
    finished = nearid("compare", "one.json", "two.json", "--format", "json")
    assert finished.code == 0, finished.err
    (found,) = json.loads(finished.out)["comparisons"]
    assert (found["verdict"], found["delta"], found["ci95"], found["p"]) == (SAME, 0.0, [0.0, 0.0], 1.0)
    assert (found["wins"], found["ties"], found["losses"]) == (0, 8, 0)


def test_a_method_under_two_names_is_one_rank(root: Path) -> None:
    a, b = score(root, "a"), score(root, "b")
    for order in itertools.permutations(("a", "again", "b")):
        result = compare({name: b if name == "b" else a for name in order}, baseline="b")
        assert {one.name: one.ranks["hog"] for one in result.methods} == {"a": 1, "again": 1, "b": 3}
        first, second = result.comparisons
        assert (first.deltas, first.verdict, first.p_adjusted) == (
            second.deltas,
            second.verdict,
            second.p_adjusted,
        )
    best = compare({"again": a, "b": b, "a": a})
    assert {one.method: one.verdict for one in best.comparisons} == {
        "a" if best.baseline == "again" else "again": SAME,
        "b": WORSE,
    }


def test_pictures_and_finished_results_are_compared_alike(root: Path) -> None:
    finished = only(compare({"a": score(root, "a"), "b": score(root, "b")}, baseline="a"))
    pictures = compare({"a": root / "a", "b": root / "b"}, root / "refs", metrics=["hog"], baseline="a")
    assert only(pictures) == finished
