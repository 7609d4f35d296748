"""`--by` end to end: score, compare, every file, what is refused, and the same from Python."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.errors import UsageError
from tests.commandline import Nearid

CATEGORIES = ("animal", "human", "object", "style")
PATTERN = "{category}/{subject}/{prompt}_{seed}.png"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods on eight subjects of each category; the new one scores 0.05 less on styles. Numbers are given."""
    root, random = tmp_path_factory.mktemp("planted"), np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    rows: dict[str, list[tuple[str, float]]] = {"old": [], "new": []}
    for category in CATEGORIES:
        for i in range(8):
            subject = f"{category}{i}"
            (root / "refs" / subject).mkdir(parents=True)
            picture.save(root / "refs" / subject / "0.png")
            easy = random.normal(0.7, 0.05)
            for method, own in rows.items():
                for prompt in ("on a beach", "in snow"):
                    path = f"{category}/{subject}/{prompt}_1.png"
                    (root / method / path).parent.mkdir(parents=True, exist_ok=True)
                    picture.save(root / method / path)
                    drop = 0.05 if (method, category) == ("new", "style") else 0.0
                    own.append((path, easy + random.normal(0, 0.01) - drop))
    for method, own in rows.items():
        with (root / f"{method}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "score"), *own])
    return root


@pytest.fixture
def nearby(nearid: Nearid, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nearid:
    """The command in a folder beside links to the data."""
    for one in planted.iterdir():
        (tmp_path / one.name).symlink_to(one)
    monkeypatch.chdir(tmp_path)
    return nearid


def score(nearid: Nearid, method: str, *arguments: str) -> str:
    ran = nearid(
        "score", "refs", method, "--pattern", PATTERN, "-m", "hog", "--scores", f"q={method}.csv", *arguments
    )
    assert ran.code == 0, ran.err
    return ran.out


def test_the_planted_category_is_found_by_both_ways(nearby: Nearid, tmp_path: Path) -> None:
    score(nearby, "old", "-o", "old.json")
    text = score(
        nearby, "new", "--by", "Category", "--baseline", "old.json", "-o", "new.json", "--groups", "g.csv"
    )
    assert "the run is worse in category style; in 3 groups no difference was shown" in " ".join(text.split())
    groups = json.loads((tmp_path / "new.json").read_text())["groups"]
    assert [(one["labels"], one["subjects"], one["generations"]) for one in groups] == [
        ({"category": category}, 8, 16) for category in CATEGORIES
    ]
    with (tmp_path / "g.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["category"] for row in rows] == list(CATEGORIES)
    ran = nearby(
        "compare",
        "old.json",
        "new.json",
        "--baseline",
        "old",
        "--metric",
        "q",
        "--by",
        "category",
        "--format",
        "json",
    )
    assert ran.code == 0, ran.err
    verdicts = {
        one["labels"]["category"]: one["comparisons"][0]["verdict"] for one in json.loads(ran.out)["groups"]
    }
    assert verdicts.pop("style") == "worse"
    assert "worse" not in verdicts.values()
    assert "better" not in verdicts.values()


def test_pictures_and_finished_results_are_broken_down_alike(nearby: Nearid, planted: Path) -> None:
    arguments = ("--pattern", PATTERN, "-m", "hog", "--by", "category,prompt+seed", "--format", "json")
    ran = nearby("compare", "old", "new", "--refs", "refs", "--baseline", "old", *arguments)
    assert ran.code == 0, ran.err
    for method in ("old", "new"):
        score(nearby, method, "-o", f"{method}.json", "--by", "category,prompt+seed")
    finished = nearby("compare", "old.json", "new.json", "-m", "hog", "--by", "category,prompt+seed", "--baseline",
                      "old", "--format", "json")  # fmt: skip
    assert finished.code == 0, finished.err
    one, other = (json.loads(out)["groups"] for out in (ran.out, finished.out))
    assert one == other
    assert len(one) == 4 + 2
    assert one[0]["methods"]["old"]["aggregate"]["hog"]["floor"] is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--by", "categry"],
            'error: unknown label "categry": did you mean category?; the generations have 3 labels',
        ),
        (["--by", ","], "error: --by: expected a label, found nothing"),
        (["--groups", "g.csv"], "error: --groups needs --by LABEL: without it there are no groups"),
        (["--by", "seed", "--groups", "g.md"], "error: cannot write g.md"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_any_picture_is_read(
    nearby: Nearid, arguments: list[str], message: str
) -> None:
    ran = nearby("score", "refs", "old", "--pattern", PATTERN, "-m", "hog", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_table_without_groups_says_where_they_are(nearby: Nearid) -> None:
    ran = nearby("score", "refs", "old", "--pattern", PATTERN, "-m", "hog", "--by", "seed", "-o", "s.csv")
    assert "note: no groups in s.csv; --groups FILE writes a row for each" in ran.err


def test_python_takes_the_same(planted: Path) -> None:
    found = nearid_cli.score(
        planted / "refs",
        planted / "old",
        "hog",
        pattern=PATTERN,
        by="category",
        scores={"q": planted / "old.csv"},
    )
    assert [group.labels["category"] for group in found.groups] == list(CATEGORIES)
    own = [one.scores["q"] for one in found.images if one.labels["category"] == "style"]
    assert found.groups[3].aggregate["q"].score == pytest.approx(np.mean(np.array(own, float)), abs=1e-12)
    compared = nearid_cli.compare({"a": found, "b": found}, by=["category", "prompt"])
    assert len(compared.groups) == 6
    with pytest.raises(UsageError, match="by: expected a name or a list of names, found 3"):
        nearid_cli.score(planted / "refs", planted / "old", "hog", pattern=PATTERN, by=3)
