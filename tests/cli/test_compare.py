"""`nearid compare` end to end: every form of input, the outputs, and what is refused before any work."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nearid_cli
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import CompareResult
from nearid_cli.results.reading import read_result
from tests.commandline import Nearid
from tests.comparing import random_methods, scored

HEAVY = {"torch", "transformers", "pandas", "scipy", "skimage", "matplotlib"}


@pytest.fixture
def methods(data: Path) -> Path:
    """`methods/` with `good`, `same` (the same files) and `copied` (references) next to `refs/`; returns the root."""
    folder = data / "methods"
    shutil.copytree(data / "gens", folder / "good")
    shutil.copytree(data / "gens", folder / "same")
    shutil.copytree(data / "refs", folder / "copied")
    return data


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Finished results `a.json`, `b.json` and `c.json`."""
    for name, result in random_methods({"a": 0.05, "b": 0.0, "c": 0.04}).items():
        (tmp_path / f"{name}.json").write_text(to_json(result), encoding="utf-8")
    return tmp_path


def names(document: str) -> list[str]:
    return [method["name"] for method in json.loads(document)["methods"]]


def test_a_folder_of_methods(nearid: Nearid, methods: Path) -> None:
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog", "--format", "json")
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert list(found) == [
        "schema",
        "tool",
        "created",
        "baseline",
        "baseline_named",
        "metrics",
        "methods",
        "comparisons",
        "agreements",
        "disagreements",
        "common_subjects",
        "remarks",
    ]
    assert found["schema"] == "nearid.compare/2"
    assert found["baseline"] == "good"
    assert [(one["name"], one["copies"], one["copying"]) for one in found["methods"]] == [
        ("copied", 6, True),
        ("good", 0, False),
        ("same", 0, False),
    ]
    (same,) = [one for one in found["comparisons"] if one["method"] == "same"]
    assert (same["delta"], same["p"], same["wins"], same["ties"], same["losses"]) == (0.0, 1.0, 0, 3, 0)
    assert (same["subjects"], same["pairs"]) == (3, 9)
    assert "warning: copied: 6 of 6 generations copy a reference" in finished.err


def test_references_inside(nearid: Nearid, methods: Path) -> None:
    shutil.move(methods / "refs", methods / "methods" / "real")
    finished = nearid("compare", "methods", "-m", "hog", "--format", "json")
    assert names(finished.out) == ["copied", "good", "same"]


def test_methods_by_name(nearid: Nearid, methods: Path) -> None:
    named = ("--method", "ours=methods/good", "--method", "x=methods/same")
    finished = nearid("compare", *named, "--refs", "refs", "-m", "hog", "--format", "json")
    assert names(finished.out) == ["ours", "x"]


def test_a_manifest(nearid: Nearid, methods: Path) -> None:
    rows = [("path", "subject", "role", "method")]
    for path in sorted((methods / "refs").rglob("*.jpg")):
        rows.append((path.relative_to(methods).as_posix(), path.parent.name, "reference", ""))
    for path in sorted((methods / "methods").glob("[gs]*/*/*.png")):
        rows.append((path.relative_to(methods).as_posix(), path.parent.name, "generation", path.parts[-3]))
    with (methods / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    finished = nearid("compare", "all.csv", "-m", "hog", "--format", "json")
    assert names(finished.out) == ["good", "same"]
    assert json.loads(finished.out)["comparisons"][0]["pairs"] == 9


def test_finished_results(nearid: Nearid, runs: Path) -> None:
    finished = nearid("compare", "a.json", "b.json", "--method", "third=c.json", "--format", "json")
    assert finished.code == 0, finished.err
    assert sorted(names(finished.out)) == ["a", "b", "third"]
    assert [one["name"] for one in json.loads(finished.out)["metrics"]] == ["nearid", "hog"]


def test_finished_results_and_pictures(nearid: Nearid, methods: Path) -> None:
    assert nearid("score", "refs", "gens", "-m", "hog", "-o", "old.json").code == 0
    finished = nearid("compare", "methods", "old.json", "--refs", "refs", "-m", "hog", "--format", "json")
    assert names(finished.out) == ["copied", "good", "same", "old"]
    compared = {one["method"]: one for one in json.loads(finished.out)["comparisons"]}
    assert (compared["old"]["ties"], compared["old"]["delta"]) == (3, 0.0)


def test_finished_results_decide_the_metrics_of_pictures(nearid: Nearid, methods: Path) -> None:
    assert nearid("score", "refs", "gens", "-m", "hog", "-o", "old.json").code == 0
    finished = nearid("compare", "methods", "old.json", "--refs", "refs", "--format", "json")
    by_command = json.loads(finished.out)
    assert [metric["name"] for metric in by_command["metrics"]] == ["hog"]
    by_program = nearid_cli.compare(["methods", "old.json"], "refs").to_dict()
    assert by_program["comparisons"] == by_command["comparisons"]
    assert by_program["metrics"] == by_command["metrics"]


def test_the_table(nearid: Nearid, runs: Path) -> None:
    finished = nearid("compare", "a.json", "b.json", "c.json", "--baseline", "c")
    assert (finished.code, finished.err) == (0, "")
    assert "Each method minus c, paired by name: 10 subjects, 40 pairs of generations" in finished.out
    assert [line.split()[0] for line in finished.out.splitlines()[2:5]] == ["a", "c", "b"], "best first"
    finished = nearid("compare", "a.json", "b.json", "c.json", "--sort", "method")
    assert [line.split()[0] for line in finished.out.splitlines()[2:5]] == ["a", "b", "c"]


def test_outputs(nearid: Nearid, runs: Path) -> None:
    outputs = [argument for name in ("r.json", "r.csv", "r.md", "r.tex") for argument in ("-o", name)]
    finished = nearid("compare", "a.json", "b.json", *outputs, "--images", "images.csv")
    assert (finished.code, finished.err) == (0, "wrote r.json, r.csv, r.md, r.tex, images.csv\n")
    result = read_result(runs / "r.json")
    assert isinstance(result, CompareResult)
    assert [method.name for method in result.methods] == ["a", "b"]
    assert all((runs / name).read_text(encoding="utf-8").strip() for name in ("r.csv", "r.md", "r.tex"))
    with (runs / "images.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["a"] * 40 + ["b"] * 40


def test_outputs_have_the_order_of_the_table(nearid: Nearid, runs: Path) -> None:
    assert nearid("compare", "b.json", "c.json", "a.json", "-o", "r.csv", "-o", "r.tex").code == 0
    with (runs / "r.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["a", "c", "b"]
    rows = [line.split()[0] for line in (runs / "r.tex").read_text().splitlines() if line.endswith(r"\\")]
    assert rows == ["method", "a", "c", "b"]


def test_distractors_and_a_method_that_lacks_a_subject(nearid: Nearid, methods: Path) -> None:
    shutil.copytree(methods / "refs" / "ship", methods / "alike" / "cat")
    shutil.rmtree(methods / "methods" / "good" / "ship")
    finished = nearid(
        "compare", "methods", "--refs", "refs", "-m", "hog", "--distractors", "alike", "--format", "json"
    )
    assert finished.code == 0, finished.err
    found = {one["name"]: one for one in json.loads(finished.out)["methods"]}
    assert found["good"]["lacking"] == ["ship"]
    assert found["same"]["result"]["aggregate"]["hog"]["margin"] is not None
    assert "2 subjects without distractors, and so without margins: cup, ship" in finished.err
    assert finished.err.count("distractors are paired with references by name") == 1


def test_what_no_method_has_a_counterpart_for_is_said_once(nearid: Nearid, methods: Path) -> None:
    shutil.copytree(methods / "refs" / "ship", methods / "alike" / "zebra")
    shutil.copytree(methods / "gens" / "ship", methods / "methods" / "good" / "yak")
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog", "--distractors", "alike")
    assert finished.code == 2
    assert "error: 2 without a counterpart; " in finished.err
    assert sorted(finished.err.splitlines()[-2:]) == [
        "  every method: zebra: 2 distractors, no references",
        "  good: yak: 3 generations, no references",
    ]


@pytest.mark.parametrize("source", ["pictures", "results"])
def test_a_wrong_baseline_costs_nothing(nearid: Nearid, methods: Path, runs: Path, source: str) -> None:
    given = (
        ["methods", "--refs", "refs", "-m", "nearid=no/where"]
        if source == "pictures"
        else ["a.json", "b.json"]
    )
    finished = nearid("compare", *given, "--baseline", "goood" if source == "pictures" else "z")
    hint = "did you mean good?" if source == "pictures" else "known: a, b"
    assert finished.error.endswith(hint)
    assert finished.error.startswith('unknown method "')


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "nothing to compare: give a folder of method folders"),
        (["a.json"], "a comparison needs two or more methods, found one: a"),
        (["a.json", "a.json"], "two methods are called a; give one another name with --method"),
        (["a.json", "--method", "a=b.json"], "two methods are called a; give one another name with --method"),
        (
            ["--method", "a=a.json", "--method", "a=b.json"],
            "two methods are called a; give one of them another name",
        ),
        (["--method", "a.json", "--method", "b.json"], "expected --method NAME=PATH, found 'a.json'"),
        (["--method", "=a.json"], "expected --method NAME=PATH, found '=a.json'"),
        (["a.json", "b.json", "-m", "dino"], 'unknown metric "dino": known: nearid, hog'),
        (["a.json", "b.json", "--sort", "dino"], "cannot sort by 'dino': known: method, nearid, hog"),
        (["a.json", "b.json", "--format", "xml"], 'unknown format "xml"'),
        (["a.json", "b.json", "--thumbnails", "some"], "--thumbnails must be a number or none, found 'some'"),
        (["a.json", "b.json", "-o", "r.docx"], "cannot write r.docx: it has the extension .docx"),
        (["a.json", "none.json"], "cannot read none.json: No such file or directory"),
        (
            ["one", "two"],
            "no references for 2 folders of methods; give them with --refs DIR",
        ),
        (
            ["a.json", "other.json"],
            "1 metric not the same as in a; score all methods with the same checkpoint",
        ),
        (["nowhere"], "no such folder: nowhere"),
    ],
    ids=" ".join,
)
def test_what_is_refused(nearid: Nearid, runs: Path, arguments: list[str], error: str) -> None:
    document = json.loads((runs / "b.json").read_text(encoding="utf-8"))
    document["metrics"][0]["fingerprint"] = "another"
    (runs / "other.json").write_text(json.dumps(document), encoding="utf-8")
    assert error in nearid("compare", *arguments).error


def test_pictures_and_results_of_other_metrics_cost_nothing(
    nearid: Nearid, methods: Path, runs: Path
) -> None:
    finished = nearid("compare", "methods", "a.json", "--refs", "refs", "-m", "nearid=no/where,dino=no/where")
    assert "not scored by the same metrics" in finished.error
    assert finished.details == ["a lacks dino"]


def test_the_configured_metric_does_not_restrict_finished_results(nearid: Nearid, runs: Path) -> None:
    (runs / "nearid.toml").write_text('metric = "dino"\n')
    finished = nearid("compare", "a.json", "b.json", "--format", "json")
    assert [one["name"] for one in json.loads(finished.out)["metrics"]] == ["nearid", "hog"]
    finished = nearid("compare", "a.json", "b.json", "-m", "hog", "--format", "json")
    assert [one["name"] for one in json.loads(finished.out)["metrics"]] == ["hog"]


def test_finished_results_may_be_of_metrics_that_nobody_here_has(nearid: Nearid, tmp_path: Path) -> None:
    for name, score in (("a", 0.5), ("b", 0.6)):
        result = scored({"cat": [score], "dog": [score]}, ("homegrown",))
        (tmp_path / f"{name}.json").write_text(to_json(result), encoding="utf-8")
    finished = nearid("compare", "a.json", "b.json", "--format", "json")
    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["baseline"] == "b"


def test_references_are_not_for_finished_results(nearid: Nearid, runs: Path) -> None:
    finished = nearid("compare", "a.json", "b.json", "--refs", "refs")
    assert (finished.code, finished.err) == (
        0,
        "warning: --refs, --distractors and --masks are for pictures; finished results have theirs\n",
    )


def test_awkward_names(nearid: Nearid, tmp_path: Path) -> None:
    for name in ("[red]x", "a\n\x1b[31m", "b"):
        (tmp_path / f"{name}.json").write_text(to_json(scored({"[bold]": [0.5, 0.6]})), encoding="utf-8")
    finished = nearid("compare", *sorted(path.name for path in tmp_path.glob("*.json")))
    assert finished.code == 0
    assert "\x1b" not in finished.out
    assert "[red]x " in finished.out
    assert r"a\n\x1b[31m " in finished.out


def test_finished_results_import_nothing_heavy(runs: Path) -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; main(sys.argv[1:]);"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, "compare", "a.json", "b.json", "c.json"],
        capture_output=True,
        text=True,
        cwd=runs,
        env=os.environ,
    )
    assert finished.stderr.splitlines()[-1] == "heavy: []", finished.stderr
    assert "better" in finished.stdout or "worse" in finished.stdout


def test_a_warm_comparison_of_pictures_imports_nothing_heavy(nearid: Nearid, methods: Path) -> None:
    old = time.time() - 60
    for path in methods.rglob("*.*"):
        os.utime(path, (old, old))
    arguments = ["compare", "methods", "--refs", "refs", "-m", "nearid-mini", "--format", "json"]
    cold = nearid(*arguments)
    assert cold.code == 0, cold.err
    program = (
        "import sys; from nearid_cli.cli.app import main; main(sys.argv[1:]);"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=methods,
        env=os.environ,
    )
    assert finished.stderr.splitlines()[-1] == "heavy: []", finished.stderr
    assert json.loads(finished.stdout)["comparisons"] == json.loads(cold.out)["comparisons"]
