"""`nearid score` with a gate, a baseline, distractors and all outputs: one step in CI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from junitparser import JUnitXml
from PIL import Image

from tests.commandline import Finished, Nearid

RULES = """
[[gate.rules]]
metric = "hog"
min = {minimum}
max_drop = 0.02

[[gate.rules]]
metric = "hog"
level = "subject"
max_drop = 0.5
"""


@pytest.fixture
def gated(nearid: Nearid, data: Path):
    """Score with the rules in `rules.toml` against `base.json`, which is a run on the same pictures."""
    finished = nearid("score", "refs", "gens", "--metric", "hog", "-o", "base.json")
    assert finished.code == 0, finished.err

    def run(*arguments: str, minimum: float = 0.0, baseline: str = "base.json") -> Finished:
        (data / "rules.toml").write_text(RULES.format(minimum=minimum))
        command = ("score", "refs", "gens", "--metric", "hog", "--gate", "rules.toml", "--baseline", baseline)
        return nearid(*command, *arguments)

    return run


def test_it_passes_and_fails_after_the_scores(gated, data: Path) -> None:
    passed = gated()
    assert passed.code == 0, passed.err
    assert passed.out.startswith("subject ")
    assert passed.out.rstrip().splitlines()[-1].startswith("gate passed: ")
    failed = gated(minimum=0.999)
    assert failed.code == 1
    assert "FAILED hog score" in failed.out
    assert failed.out.index("aggregate") < failed.out.index("FAILED hog score")


def test_stdout_stays_json(gated) -> None:
    failed = gated("--format", "json", minimum=0.999)
    assert failed.code == 1
    assert json.loads(failed.out)["schema"] == "nearid.score/2"
    assert "FAILED hog score" in failed.err


def test_every_output_knows_the_verdicts_that_it_can_hold(gated, data: Path) -> None:
    outputs = ("run.json", "run.md", "run.html", "run.xml", "run.tex", "run.csv", "run.parquet")
    failed = gated(*(part for output in outputs for part in ("-o", output)), minimum=0.999)
    assert failed.code == 1, failed.err
    assert all((data / output).stat().st_size for output in outputs)
    (suite,) = JUnitXml.fromfile(str(data / "run.xml"))
    assert (suite.tests, suite.failures) == (1 + 3, 1)
    text = (data / "run.md").read_text()
    assert text.index("nearid gate failed") < text.index("# nearid score")
    assert "| = 0.000 |" in text, "nothing changed since the baseline"
    assert "Gate failed" in (data / "run.html").read_text()


def test_a_baseline_without_a_gate_gives_arrows(gated, nearid: Nearid, data: Path) -> None:
    document = json.loads((data / "base.json").read_text())
    for subject in document["subjects"]:
        subject["scores"]["hog"]["score"] -= 0.1
    for image in document["images"]:
        image["scores"]["hog"] -= 0.1
    (data / "lower.json").write_text(json.dumps(document))
    command = ("score", "refs", "gens", "--metric", "hog", "-o", "run.md", "--baseline")
    assert nearid(*command, "lower.json").code == 0
    assert "▲ +0.100" in (data / "run.md").read_text()
    assert nearid(*command, "nowhere.json").code == 2


def test_it_fails_closed(gated, data: Path) -> None:
    gone = gated(baseline="nowhere.json")
    assert gone.code == 1
    assert "nowhere.json" in gone.out
    document = json.loads((data / "base.json").read_text())
    document["subjects"][0]["scores"]["hog"]["score"] = None
    (data / "hole.json").write_text(json.dumps(document))
    hole = gated("-o", "run.md", baseline="hole.json")
    assert (hole.code, hole.err.count("Traceback")) == (1, 0)
    assert "nan" not in (data / "run.md").read_text()
    document["metrics"][0]["fingerprint"] = "another"
    document["subjects"][0]["scores"]["hog"]["score"] = 0.5
    (data / "other.json").write_text(json.dumps(document))
    assert gated(baseline="other.json").code == 1
    assert "fingerprint" in gated(baseline="other.json").out


def test_what_is_wrong_with_the_gate_is_said_before_any_picture_is_read(nearid: Nearid, data: Path) -> None:
    (data / "rules.toml").write_text('[[gate.rules]]\nmetric = "hog"\nmni = 0.5\n')
    (data / "damaged.json").write_text("{")
    (data / "right.toml").write_text(RULES.format(minimum=0))
    for arguments, message in (
        (("--gate", "rules.toml"), "rules.toml"),
        (("--gate", "nowhere.toml"), "nowhere.toml"),
        (("--gate", "right.toml", "--baseline", "damaged.json"), "damaged.json"),
        (("-o", "run.xml"), "add --gate"),
    ):
        finished = nearid("score", "refs", "gens", "--metric", "hog", *arguments)
        assert finished.code == 2
        assert message in finished.error
        assert "layout" not in finished.err


def test_distractors_reach_terminal_files_and_rules(nearid: Nearid, data: Path) -> None:
    (data / "rules.toml").write_text(
        '[[gate.rules]]\nmetric = "hog"\nstatistic = "margin"\nlevel = "aggregate"\nmin = 0.0\n'
    )
    command = ("score", "refs", "gens", "--metric", "hog", "--gate", "rules.toml")
    without = nearid(*command)
    assert without.code == 1, "a margin that does not exist fails"
    (data / "gens").rename(data / "both")
    finished = nearid(
        "score", "refs", "both", *command[3:], "--distractors", "both", "-o", "run.json", "--images", "i.csv"
    )
    assert finished.code == 1, finished.err
    assert "against distractors" in finished.out
    result = json.loads((data / "run.json").read_text())
    assert result["inputs"]["distractor_images"] == 9
    assert all(image["margins"]["hog"] <= 0 for image in result["images"])
    assert "hog_margin" in (data / "i.csv").read_text().splitlines()[0]


def test_rules_by_label_need_no_by(nearid: Nearid, data: Path) -> None:
    """One category is judged, and the other not; the score itself is broken down by nothing."""
    subjects = sorted(path.name for path in (data / "refs").iterdir())
    rows = ["path,subject,role,category"]
    for side, role in (("refs", "reference"), ("gens", "generation")):
        for path in sorted((data / side).rglob("*.*")):
            category = "first" if path.parent.name == subjects[0] else "rest"
            rows.append(f"{path.relative_to(data)},{path.parent.name},{role},{category}")
    (data / "all.csv").write_text("\n".join(rows) + "\n")
    (data / "rules.toml").write_text('[[gate.rules]]\nmetric = "hog"\nby = "category"\nmin = 0.0\n')
    finished = nearid(
        "score", "all.csv", "--metric", "hog", "--gate", "rules.toml", "-o", "out.json", "-o", "g.xml"
    )
    assert finished.code == 0, finished.err
    assert "hog score, category first  passed" in finished.out
    assert "groups" not in json.loads((data / "out.json").read_text())
    names = [case.name for suite in JUnitXml.fromfile(str(data / "g.xml")) for case in suite]
    assert names == [f"hog score, category {which}: score >= 0.000" for which in ("first", "rest")]


def test_a_planted_near_copy_fails_the_gate_that_names_it(nearid: Nearid, data: Path) -> None:
    """A crop of a reference: no copy to the perceptual hash, and nearer to it than the references are to each other."""
    subject = sorted(path.name for path in (data / "refs").iterdir())[0]
    first, second = sorted((data / "refs" / subject).iterdir())
    with Image.open(second) as picture:
        turned = picture.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    turned.save(second)
    command = ("score", "refs", "gens", "--metric", "hog", "--gate", "rules.toml", "-o", "out.json")

    def judged(most: int) -> tuple[Finished, int]:
        (data / "rules.toml").write_text(
            '[[gate.rules]]\nstatistic = "copies"\nmax = 0\n'
            f'[[gate.rules]]\nmetric = "hog"\nstatistic = "near_copies"\nmax = {most}\n'
            '[[gate.rules]]\nmetric = "hog"\nstatistic = "diversity"\nlevel = "subject"\nmin = 0.0\n'
        )
        finished = nearid(*command)
        return finished, json.loads((data / "out.json").read_text())["aggregate"]["hog"]["near_copies"]

    _, before = judged(0)
    assert judged(before)[0].code == 0
    with Image.open(first) as picture:
        width, height = picture.size
        picture.convert("RGB").crop((width // 24, height // 24, width, height)).save(
            data / "gens" / subject / "near.png"
        )
    failed, now = judged(before)
    assert (failed.code, now) == (1, before + 1)
    assert f"{subject}/near.png ({subject}/{first.name})" in " ".join(failed.out.split())


def test_of_three_categories_the_one_that_dropped_fails(nearid: Nearid, tmp_path: Path) -> None:
    """Numbers that fell by 0.05 in one category, and move by up to 0.01 by chance, from files to verdicts."""
    random = np.random.default_rng(7)
    rows, numbers = ["path,subject,role,prompt,category"], {"base": ["path,score"], "now": ["path,score"]}
    for n, category in enumerate(4 * ["animal"] + 4 * ["object"] + 4 * ["style"]):
        for name in ("ref.png", "0.png", "1.png", "2.png"):
            path = f"{n}/{name}"
            (tmp_path / f"{n}").mkdir(exist_ok=True)
            Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(tmp_path / path)
            role, prompt = ("reference", "") if name == "ref.png" else ("generation", f"prompt {name[0]}")
            rows.append(f"{path},{n},{role},{prompt},{category}")
            if role == "generation":
                before = random.uniform(0.6, 0.8)
                after = before + random.uniform(-0.01, 0.01) - 0.05 * (category == "object")
                numbers["base"].append(f"{path},{before}")
                numbers["now"].append(f"{path},{after}")
    (tmp_path / "all.csv").write_text("\n".join(rows) + "\n")
    for name, lines in numbers.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        scored = nearid(
            "score", "all.csv", "--metric", "hog", "--scores", f"people={name}.csv", "-o", f"{name}.json"
        )
        assert scored.code == 0, scored.err
    (tmp_path / "nearid.toml").write_text(
        '[gate]\nbaseline = "base.json"\n'
        '[[gate.rules]]\nmetric = "people"\nmax_drop = 0.02\nconfidence = 0.95\n'
        '[[gate.rules]]\nmetric = "people"\nby = "category"\nmax_drop = 0.02\nconfidence = 0.95\n'
    )
    judged = nearid("gate", "now.json", "-o", "gate.json")
    assert judged.code == 1
    verdicts = json.loads((tmp_path / "gate.json").read_text())["verdicts"]
    assert [(one.get("group"), one["status"]) for one in verdicts] == [
        (None, "passed"),
        ({"category": "animal"}, "passed"),
        ({"category": "object"}, "failed"),
        ({"category": "style"}, "passed"),
    ]
    assert verdicts[2]["drop"] == pytest.approx(0.05, abs=0.005)
    assert nearid("gate", "base.json").code == 0
