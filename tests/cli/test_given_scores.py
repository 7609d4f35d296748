"""`--scores NAME=FILE` end to end: score, compare, gate, every format, the configuration and Python."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nearid_cli
from nearid_cli.errors import InputError, UsageError
from nearid_cli.plugins import GivenMetric
from nearid_cli.results import CompareResult, ScoreResult
from nearid_cli.results.reading import read_result
from tests.commandline import Nearid

SUBJECTS = ("cat", "cup", "ship")
PATHS = [f"{subject}/{n}.png" for subject in SUBJECTS for n in range(3)]
NUMBERS = {path: round(0.1 + 0.09 * place**1.1, 3) for place, path in enumerate(PATHS)}


def write(path: Path, numbers: Mapping[str, object], column: str = "score", before: str = "") -> Path:
    """A CSV of numbers by path, in an order of its own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", column])
        rows.writerows((f"{before}{name}", number) for name, number in sorted(numbers.items(), reverse=True))
    return path


def scored(nearid: Nearid, *arguments: str | Path) -> Any:
    finished = nearid("score", "refs", "gens", "--format", "json", *arguments)
    assert finished.code == 0, finished.err
    return json.loads(finished.out)


def test_numbers_are_those_of_the_file_and_their_means(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS)
    result = scored(nearid, "-m", "hog", "--scores", "quality=s.csv")
    assert [metric["name"] for metric in result["metrics"]] == ["hog", "quality"]
    assert {one["path"]: one["scores"]["quality"] for one in result["images"]} == NUMBERS
    means = []
    for subject in result["subjects"]:
        own = [NUMBERS[f"{subject['subject']}/{n}.png"] for n in range(3)]
        found = subject["scores"]["quality"]
        means.append(statistics.fmean(own))
        assert found["score"] == pytest.approx(means[-1])
        assert found["std"] == pytest.approx(statistics.stdev(own))
        assert (found["min"], found["max"]) == (min(own), max(own))
        assert found["ci95"][0] < found["score"] < found["ci95"][1]
        lacking = ("ceiling", "floor", "retention", "identification")
        assert [found[name] for name in lacking] == [None] * 4
    whole = result["aggregate"]["quality"]
    assert whole["score"] == pytest.approx(statistics.fmean(means))
    assert whole["pair_mean"] == pytest.approx(statistics.fmean(NUMBERS.values()))
    metric = result["metrics"][1]
    assert (metric["kind"], metric["range"], metric["against"]) == ("given", [None, None], "")
    assert metric.get("higher_is_better", True)
    assert metric["checkpoint"] == "s.csv"
    assert "numbers that something else computed; higher is better" in metric["protocol"]


def test_it_may_be_the_only_metric_and_needs_no_model(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS)
    scored(nearid, "-m", "q", "--scores", "q=s.csv")  # the digests of the files are then known
    code = (
        "import sys; from nearid_cli.cli.app import main; "
        "code = main(['score', 'refs', 'gens', '-m', 'quality', '--scores', 'quality=s.csv']); "
        "print(sorted({'torch', 'transformers', 'pandas', 'scipy'} & set(sys.modules)), file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "quality" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_distance(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS, "lpips")
    arguments = ("score", "refs", "gens", "-m", "lpips", "--scores", "lpips=s.csv")
    assert 'metric "lpips": which is better?' in nearid(*arguments).error
    finished = nearid(*arguments, "--direction", "lpips=lower", "--worst", "1")
    assert "lpips ↓" in finished.out
    assert "lower is better" in finished.out
    assert max(NUMBERS, key=NUMBERS.__getitem__) in finished.out.split("worst by lpips")[1]


def test_what_does_not_join_is_listed(nearid: Nearid, data: Path) -> None:
    part = {path: number for path, number in NUMBERS.items() if path not in ("cat/0.png", "ship/2.png")}
    write(data / "s.csv", part | {"bird/0.png": 0.5, "cat/7.png": 0.5})
    arguments = ("score", "refs", "gens", "-m", "q", "--scores", "q=s.csv")
    stopped = nearid(*arguments)
    assert stopped.error == (
        'metric "q": 2 generations of 9 in no row; add them, or go on without their numbers: --allow-unmatched'
    )
    assert stopped.details == [
        "in no row: cat/0.png",
        "in no row: ship/2.png",
        "of no generation: s.csv, line 7: cat/7.png",
        "of no generation: s.csv, line 10: bird/0.png",
    ]
    finished = nearid(*arguments, "--allow-unmatched", "--format", "json", "-o", "r.html", "-o", "r.md")
    assert finished.code == 0
    assert (
        'metric "q": 2 rows are of no generation: s.csv, line 7: cat/7.png, s.csv, line 10: bird/0.png'
        in finished.err
    )
    result = json.loads(finished.out)
    without = {one["path"]: one["reasons"] for one in result["images"] if one["scores"]["q"] is None}
    assert without == {path: {"q": "not in s.csv"} for path in ("cat/0.png", "ship/2.png")}
    assert result["aggregate"]["q"]["missing"] == 2
    assert "not in s.csv" in (data / "r.md").read_text("utf-8")


def test_no_number_is_null_with_its_reason(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS | {"cup/0.png": "nan", "cup/1.png": "", "cup/2.png": "inf"})
    result = scored(nearid, "-m", "q", "--scores", "q=s.csv")
    cup = next(one for one in result["subjects"] if one["subject"] == "cup")["scores"]["q"]
    assert (cup["score"], cup["ci95"], cup["missing"]) == (None, None, 3)
    reasons = {one["reasons"].get("q") for one in result["images"] if one["subject"] == "cup"}
    assert reasons == {"no number in the file"}
    assert result["aggregate"]["q"]["score"] is not None


def test_a_file_of_something_else(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", {f"bird/{n}.png": 1 for n in range(5)})
    finished = nearid("score", "refs", "gens", "-m", "q", "--scores", "q=s.csv")
    assert 'metric "q": not one row is of a generation' in finished.error
    assert [line.split(":")[0] for line in finished.details] == ["a row"] * 3 + ["a generation"] * 3


def test_a_number_outside_the_range_of_the_configuration(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS | {"cup/0.png": 1.5})
    (data / "nearid.toml").write_text("[metrics.q]\nrange = [0, 1]\n")
    finished = nearid("score", "refs", "gens", "-m", "q", "--scores", "q=s.csv")
    assert finished.details == ["s.csv, line 7: 1.5 is outside the range of the metric, from 0 to 1"]


def test_the_configuration_says_it_all(nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "runs").mkdir()
    write(data / "runs" / "s.csv", NUMBERS, "vgg")
    (data / "nearid.toml").write_text(
        '[metrics.lpips]\nscores = "runs/s.csv"\ncolumn = "vgg"\nhigher_is_better = false\nrange = [0, 1]\n'
        'version = "0.1 vgg"\n'
    )
    (data / "deeper").mkdir()
    monkeypatch.chdir(data / "deeper")
    finished = nearid("score", "../refs", "../gens", "-m", "lpips", "--format", "json")
    assert finished.code == 0, finished.err
    (metric,) = json.loads(finished.out)["metrics"]
    assert (metric["range"], metric["higher_is_better"]) == ([0, 1], False)
    low, high = json.loads(finished.out)["aggregate"]["lpips"]["ci95"]
    assert 0 <= low < high <= 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            'scores = "s.csv"\nhigher = false',
            'metrics.q: unknown key "higher": known: scores, column, higher_is_better,',
        ),
        ('scores = "s.csv"\nrange = [1, 0]', "range must begin with its lower end, found [1, 0]"),
        ('scores = "s.csv"\nhigher_is_better = "no"', "higher_is_better must be true or false, found 'no'"),
        ("scores = 7", "expected scores to be a file, rows, a data frame, or numbers by path, found int"),
        ('column = "a"', "has no numbers yet: say where they are with --scores q=FILE"),
    ],
)
def test_a_wrong_configuration(nearid: Nearid, data: Path, table: str, message: str) -> None:
    write(data / "s.csv", NUMBERS)
    (data / "nearid.toml").write_text(f"[metrics.q]\n{table}\n")
    finished = nearid("score", "refs", "gens", "-m", "q")
    assert message in "\n".join([finished.error, *finished.details])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scores", "s.csv"), "expected --scores NAME=FILE, found 's.csv'"),
        (
            ("--scores", "hog=s.csv"),
            "hog is a metric that is computed here; call numbers from elsewhere otherwise",
        ),
        (("--scores", "a b=s.csv"), "expected a name of letters, digits, dots, dashes and underscores"),
        (("--scores", "q=s.xlsx"), "expected a file that ends in .csv"),
        (("--scores", "q=none.csv"), "cannot read none.csv"),
        (("--scores", "q=s.csv::other"), "has no column other"),
        (("--direction", "q=lower"), "--direction q: no --scores are called so"),
        (("--scores", "q=s.csv", "--direction", "q=down"), "--direction q=down: expected higher or lower"),
        (("--scores", "q=s.csv", "--direction", "p=lower"), "no --scores are called so; known: q"),
        (
            ("--scores", "q=s.csv", "--direction", "q=lower", "--direction", "q=higher"),
            "q is said to be better in both directions",
        ),
    ],
)
def test_wrong_arguments(nearid: Nearid, data: Path, arguments: tuple[str, ...], message: str) -> None:
    write(data / "s.csv", NUMBERS)
    (data / "s.xlsx").touch()
    assert message in nearid("score", "refs", "gens", "-m", "hog", *arguments).error


@pytest.fixture
def methods(data: Path) -> Path:
    for name in ("good", "bad"):
        shutil.copytree(data / "gens", data / "methods" / name)
    return data


BAD = {path: round(number + 0.1, 3) for path, number in NUMBERS.items()}


def how_files(methods: Path) -> Iterable[tuple[str, Callable[[], list[str]]]]:
    def by_path() -> list[str]:
        rows = {f"good/{name}": n for name, n in NUMBERS.items()} | {
            f"bad/{name}": n for name, n in BAD.items()
        }
        write(methods / "all.csv", rows, before="/cluster/out/")
        return ["lpips=all.csv"]

    def by_column() -> list[str]:
        table = pd.DataFrame(
            [("Good", name, n) for name, n in NUMBERS.items()]
            + [("bad", name, n) for name, n in BAD.items()],
            columns=["method", "path", "LPIPS"],
        )
        table.sample(frac=1, random_state=1).to_parquet(methods / "all.parquet")
        return ["lpips=all.parquet"]

    def by_file() -> list[str]:
        (methods / "s").mkdir()
        write(methods / "s" / "good.csv", NUMBERS)
        write(methods / "s" / "bad.csv", BAD)
        write(methods / "s" / "older.csv", BAD)
        return ["lpips=s/{method}.csv"]

    def beside_pictures() -> list[str]:
        write(methods / "methods" / "good" / "lpips.csv", NUMBERS)
        write(methods / "methods" / "bad" / "lpips.csv", BAD)
        return ["lpips=methods/good/lpips.csv", "lpips=methods/bad/lpips.csv"]

    return [
        ("by_path", by_path),
        ("by_column", by_column),
        ("by_file", by_file),
        ("beside_pictures", beside_pictures),
    ]


@pytest.mark.parametrize("how", ["by_path", "by_column", "by_file", "beside_pictures"])
def test_compare_knows_the_numbers_of_each_method(nearid: Nearid, methods: Path, how: str) -> None:
    given = dict(how_files(methods))[how]()
    files = [word for one in given for word in ("--scores", one)]
    outputs = [word for one in ("json", "html", "md", "tex", "csv", "parquet") for word in ("-o", f"c.{one}")]
    finished = nearid(
        "compare",
        "methods",
        "--refs",
        "refs",
        "-m",
        "lpips,hog",
        *files,
        "--direction",
        "lpips=lower",
        *outputs,
    )
    assert finished.code == 0, finished.err
    result = read_result(methods / "c.json")
    assert isinstance(result, CompareResult)
    for method, numbers in (("good", NUMBERS), ("bad", BAD)):
        images = result.methods[method].result.images
        assert {one.path: one.scores["lpips"] for one in images} == numbers
    assert result.baseline == "good"  # the lower one
    assert result.methods["good"].ranks["lpips"] == 1
    (difference,) = [one for one in result.comparisons if one.metric == "lpips"]
    assert difference.delta == pytest.approx(0.1)
    assert "lpips ↓" in (methods / "c.md").read_text("utf-8")
    assert "older" not in finished.out


def test_one_method_of_a_manifest_knows_its_name(nearid: Nearid, data: Path) -> None:
    rows = ["path,subject,role,method"]
    for side, role, method in (("refs", "reference", ""), ("gens", "generation", "lora")):
        rows += [
            f"{path.relative_to(data).as_posix()},{path.parent.name},{role},{method}"
            for path in sorted((data / side).rglob("*.*"))
        ]
    (data / "m.csv").write_text("\n".join(rows))
    both = [
        f"{method},{name},{n + (method == 'full')}"
        for method in ("lora", "full")
        for name, n in NUMBERS.items()
    ]
    (data / "s.csv").write_text("\n".join(["method,path,score", *both]))
    finished = nearid("score", "m.csv", "-m", "q", "--scores", "q=s.csv", "--format", "json")
    assert finished.code == 0, finished.err
    images = json.loads(finished.out)["images"]
    assert {one["path"].removeprefix("gens/"): one["scores"]["q"] for one in images} == NUMBERS
    assert "9 rows are of no generation" in finished.err


def test_methods_that_nothing_tells_apart_are_an_error(nearid: Nearid, methods: Path) -> None:
    write(methods / "s.csv", NUMBERS)
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "q", "--scores", "q=s.csv")
    assert "9 rows cannot be joined with generations; tell methods apart by a column method" in finished.error
    assert finished.details[0] == "s.csv, line 2: ship/2.png may be bad: ship/2.png, good: ship/2.png"


def test_numbers_of_two_runs_are_comparable_unless_they_are_other_numbers(nearid: Nearid, data: Path) -> None:
    write(data / "a.csv", NUMBERS)
    write(data / "b.csv", BAD)

    def run(name: str, file: str, *more: str) -> ScoreResult:
        arguments = ("score", "refs", "gens", "-m", "q", "--scores", f"q={file}", *more, "-o", f"{name}.json")
        assert nearid(*arguments).code == 0
        result = read_result(data / f"{name}.json")
        assert isinstance(result, ScoreResult)
        return result

    a, b, lower = run("a", "a.csv"), run("b", "b.csv"), run("lower", "b.csv", "--direction", "q=lower")
    assert a.metrics[0].comparable_with(b.metrics[0])
    assert a.metrics[0].revision != b.metrics[0].revision
    assert not a.metrics[0].comparable_with(lower.metrics[0])
    assert nearid("compare", "a.json", "b.json").code == 0
    assert nearid("compare", "a.json", "lower.json").code == 2
    (data / "nearid.toml").write_text('[metrics.q]\nversion = "2"\n')
    assert not a.metrics[0].comparable_with(run("versioned", "b.csv").metrics[0])


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_gate_judges_in_the_metrics_direction(nearid: Nearid, data: Path, direction: str) -> None:
    write(data / "a.csv", NUMBERS)
    write(data / "b.csv", BAD)
    (data / "gate.toml").write_text('[[gate.rules]]\nmetric = "q"\nmax_drop = 0.05\n')
    for name in "ab":
        arguments = (
            "-m",
            "q",
            "--scores",
            f"q={name}.csv",
            "--direction",
            f"q={direction}",
            "-o",
            f"{name}.json",
        )
        assert nearid("score", "refs", "gens", *arguments).code == 0
    better, worse = ("b", "a") if direction == "higher" else ("a", "b")
    for run, baseline, code in ((worse, better, 1), (better, worse, 0)):
        finished = nearid("gate", f"{run}.json", "--config", "gate.toml", "--baseline", f"{baseline}.json")
        assert finished.code == code, (finished.out, finished.err)


def test_python_takes_what_a_program_holds(data: Path) -> None:
    rows = [{"path": path, "score": number} for path, number in NUMBERS.items()]
    forms = [rows, pd.DataFrame(rows), NUMBERS, str(write(data / "s.csv", NUMBERS)), data / "s.csv"]
    for scores in forms:
        result = nearid_cli.score(
            data / "refs", data / "gens", "lpips", scores={"lpips": scores}, directions={"lpips": "lower"}
        )
        assert {one.path: one.scores["lpips"] for one in result.images} == NUMBERS
        assert not result.metrics[0].higher_is_better
    with pytest.raises(UsageError, match="scores: expected a dict"):
        nearid_cli.score(data / "refs", data / "gens", "q", scores=rows)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 generation of 9 in no row"):
        nearid_cli.score(data / "refs", data / "gens", "q", scores={"q": rows[1:]})


def test_python_compares_methods(methods: Path) -> None:
    rows = [
        {"method": m, "path": p, "score": n}
        for m, own in (("good", NUMBERS), ("bad", BAD))
        for p, n in own.items()
    ]
    result = nearid_cli.compare(
        methods / "methods", methods / "refs", "lpips", scores={"lpips": rows}, directions={"lpips": "lower"}
    )
    assert [one.ranks["lpips"] for one in result.methods] == [2, 1]  # bad, good
    assert result.methods["bad"].result.images[0].scores["lpips"] == BAD["cat/0.png"]


def test_python_scores_pictures_in_memory(data: Path) -> None:
    from PIL import Image

    def pictures(side: str) -> dict[str, list[Image.Image]]:
        return {one: [Image.open(path) for path in sorted((data / side / one).iterdir())] for one in SUBJECTS}

    numbers = {path.removesuffix(".png"): number for path, number in NUMBERS.items()}
    result = nearid_cli.score(pictures("refs"), pictures("gens"), "q", scores={"q": numbers})
    assert [one.scores["q"] for one in result.images] == list(NUMBERS.values())


class Elsewhere(GivenMetric):
    """A plug-in of somebody who keeps numbers in a database."""

    version = "elsewhere/1"
    protocol = "as the database has it"
    range = (0, 2.5)

    def __init__(self, kind: str = "good") -> None:
        self.kind = kind

    def rows(self) -> Iterable[Mapping[str, Any]]:
        if self.kind == "raises":
            raise RuntimeError("no connection")
        if self.kind == "lists":
            return [["cat/0.png", 1]]  # type: ignore[list-item]
        subject = {"cat": 0, "cup": 1, "ship": 2}
        numbers = [
            {"subject": one, "path": f"{n}.png", "score": at + n / 10}
            for one, at in subject.items()
            for n in range(3)
        ]
        return [row | {"score": 3} for row in numbers] if self.kind == "high" else numbers[:8]


def plugged(kind: str) -> dict[str, dict[str, Any]]:
    return {"elsewhere": {"plugin": f"{__name__}:Elsewhere", "kind": kind}}


def test_a_plug_in_gives_numbers(data: Path) -> None:
    result = nearid_cli.score(
        data / "refs", data / "gens", "elsewhere", configured=plugged("good"), allow_unmatched=True
    )
    assert [one.scores["elsewhere"] for one in result.images] == [0, 0.1, 0.2, 1, 1.1, 1.2, 2, 2.1, None]
    assert result.images[-1].reasons == {"elsewhere": "no number given"}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("raises", r"Elsewhere\.rows failed: RuntimeError: no connection"),
        ("lists", r"expected mappings from .*Elsewhere\.rows, found list"),
        ("high", "9 rows cannot be joined"),
    ],
)
def test_a_plug_in_that_fails(data: Path, kind: str, message: str) -> None:
    with pytest.raises(nearid_cli.NearIDError, match=message):
        nearid_cli.score(data / "refs", data / "gens", "elsewhere", configured=plugged(kind))


def test_finished_results_have_their_own_numbers(nearid: Nearid, methods: Path) -> None:
    for name, numbers in (("good", NUMBERS), ("bad", BAD)):
        write(methods / f"{name}.csv", numbers)
        arguments = ("-m", "q", "--scores", f"q={name}.csv", "-o", f"{name}.json")
        assert nearid("score", "refs", f"methods/{name}", *arguments).code == 0
    both = nearid("compare", "good.json", "bad.json", "--scores", "q=bad.csv")
    assert both.code == 0
    assert "warning: --scores are for pictures; finished results have theirs" in both.err
    mixed = ("compare", "good.json", "--method", "bad=methods/bad", "--refs", "refs")
    without = nearid(*mixed)
    assert without.error.startswith('unknown metric "q"')
    assert "say where numbers from elsewhere are: --scores NAME=FILE" in without.details[-1]
    found = [
        json.loads(nearid(*one, "--format", "json").out)["comparisons"]
        for one in (("compare", "good.json", "bad.json"), (*mixed, "--scores", "q=bad.csv"))
    ]
    assert found[0] == found[1] != []


def test_the_models_of_nearid_know_of_it(nearid: Nearid, data: Path) -> None:
    write(data / "s.csv", NUMBERS)
    (data / "nearid.toml").write_text('[metrics.q]\nscores = "s.csv"\n')
    assert "numbers from elsewhere" in nearid("models", "list").out
    for command in ("info", "pull", "verify"):
        finished = nearid("models", command, "q")
        assert finished.code == 0, finished.err
    assert (
        "say where they are with --scores q=t.csv" in nearid("score", "refs", "gens", "-m", "q=t.csv").error
    )


@pytest.mark.parametrize("job", ["pair", "embed"])
def test_jobs_that_have_no_use_for_given_numbers_say_so(nearid: Nearid, data: Path, job: str) -> None:
    write(data / "s.csv", NUMBERS)
    (data / "nearid.toml").write_text('[metrics.q]\nscores = "s.csv"\n')
    gens = data / "gens" / "cat"
    arguments = {"pair": (gens / "0.png", gens / "1.png"), "embed": (gens, "-o", "e.parquet")}[job]
    assert "metric q " in nearid(job, *arguments, "-m", "q").error
