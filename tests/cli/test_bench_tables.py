"""`nearid bench tables` on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nearid_cli.reports import formats
from tests.benchmarks.similarity_files import published_rows, write_published
from tests.commandline import Nearid

HEAVY = {"torch", "transformers", "pandas", "scipy", "skimage", "pyarrow", "PIL", "datasets"}
ROW = re.compile(
    r"^all +org/model +1/7 +12 +(\S+) \[\S+ \S+\] +(\S+) \[\S+ \S+\] +(\S+) +(\S+)$", re.MULTILINE
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, folder in enumerate(("NearID-Flux", "own")):
        name = "sims_image_testall_fullneg_org~model.csv"
        write_published(tmp_path / "sims" / folder / name, published_rows(np.random.default_rng(seed), 12))
    return tmp_path / "sims"


def pooled(out: str) -> dict[str, float]:
    (cell,) = [c for c in json.loads(out)["cells"] if c["name"] == "all" and c["category"] is None]
    return dict(cell)


def test_the_table_shows_percent(nearid: Nearid, root: Path) -> None:
    finished = nearid("bench", "tables", root)
    assert (finished.code, finished.err) == (0, "")
    numbers = pooled(nearid("bench", "tables", root, "--format", "json").out)
    shown = ROW.search(finished.out)
    assert shown is not None, finished.out
    assert [float(text) for text in shown.groups()] == [
        pytest.approx(100 * numbers[name], abs=0.005) for name in ("ssr", "pa", "pa_published", "h")
    ]
    assert re.search(r"^own +org/model +1/1 +12 ", finished.out, re.MULTILINE)
    assert "all without flux_1024, powerpaint, sdxl, sdxl_1024, qwen, qwen_1328: org/model" in finished.out


def test_numbers_are_never_cut(nearid: Nearid, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = nearid("bench", "tables", root).out
    monkeypatch.setenv("COLUMNS", "60")
    narrow = nearid("bench", "tables", root).out
    number = re.compile(r"\d+\.\d\d")
    assert sorted(number.findall(wide)) == sorted(number.findall(narrow))
    assert "…" not in narrow


def test_files_and_json(nearid: Nearid, root: Path, tmp_path: Path) -> None:
    finished = nearid("bench", "tables", root, "-o", tmp_path / "new" / "out", "--format", "json")
    assert finished.code == 0
    assert (
        json.loads((tmp_path / "new" / "out" / "summary.json").read_text())["cells"]
        == json.loads(finished.out)["cells"]
    )
    assert finished.err.startswith("warning: all without flux_1024")
    # The tables may lie among the files that they are made of.
    assert nearid("bench", "tables", root, "-o", root).code == 0
    assert pooled(nearid("bench", "tables", root, "--format", "json").out) == pooled(finished.out)


def test_options_as_comma_lists(nearid: Nearid, root: Path) -> None:
    options = ("--group", "flux,qwen", "--masks", "none", "-m", "org/model", "--format", "json")
    found = json.loads(nearid("bench", "tables", root, *options).out)
    assert list(found["groups"]) == ["flux", "qwen"]


def test_the_same_model_twice(nearid: Nearid, root: Path, tmp_path: Path) -> None:
    name = Path("NearID-Flux", "sims_image_testall_fullneg_org~model.csv")
    write_published(tmp_path / "second" / name, published_rows(np.random.default_rng(9), 5))
    finished = nearid("bench", "tables", root, "second")
    assert finished.error.startswith(
        "1 similarity file found twice, and they may differ: choose with --prefer first"
    )
    assert finished.details == [f"org/model on flux (image): {root / name} and {Path('second') / name}"]
    for prefer, samples in (("FIRST", 12), ("last", 5)):
        chosen = nearid("bench", "tables", root, "second", "--prefer", prefer, "--format", "json")
        assert pooled(chosen.out)["samples"] == samples
        assert "1 file passed over: " in chosen.err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nowhere"], "cannot search 1 folder: nowhere: no such folder"),
        (["sims", "--group", "alll"], 'unknown group "alll": did you mean all?'),
        (["sims", "--masks", "background"], "no similarity file of --masks background; found: none"),
        (["sims", "--masks", "image,sky"], 'unknown masks "sky": known: none, foreground, background'),
        (["sims", "--metric", "dino"], 'no similarity file of metric "dino": known: org/model'),
        (["sims", "--prefer", "newest"], 'unknown choice for --prefer "newest": known: first, last'),
        (["sims", "--format", "csv"], 'unknown format "csv": known: table, json'),
        (
            ["sims", "-o", "sims/NearID-Flux/sims_image_testall_fullneg_org~model.csv/deeper"],
            "cannot make the folder",
        ),
        ([], "missing argument"),
    ],
)
def test_errors(nearid: Nearid, root: Path, arguments: list[str], error: str) -> None:
    assert nearid("bench", "tables", *arguments).error.startswith(error)


def test_a_file_in_every_format(nearid: Nearid, root: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"report{extension}" for extension in formats.known("benchmark")]
    outputs = [part for path in (*files, tmp_path / "out") for part in ("-o", path)]
    finished = nearid("bench", "tables", root, *outputs)
    assert finished.err == f"wrote {', '.join(map(str, files))}\n"
    for extension in (".csv", ".tex"):
        groups = (tmp_path / f"out/groups{extension}").read_text()
        held = (tmp_path / f"report{extension}").read_text()
        assert held == "".join(line for line in groups.splitlines(keepends=True) if " without " not in line)
    assert (tmp_path / "report.json").read_bytes() == (tmp_path / "out/summary.json").read_bytes()
    page = (tmp_path / "report.md").read_text()
    assert page.startswith("# NearID-Bench\n\nNearID-Bench in percent, ")
    assert "\n## Findings\n\n- all without flux\\_1024, " in page
    assert all(f"\n| {place} | " in page for place in ("pool", "source"))
    html = (tmp_path / "report.html").read_text()
    assert html.startswith("<!doctype html>")
    assert "<h1>NearID-Bench</h1>" in html
    assert all(f'<th scope="col">{place}</th>' in html for place in ("pool", "source"))
    assert "<li>all without flux_1024, " in html
    assert "<script" not in html
    parquet = pq.read_table(tmp_path / "report.parquet")
    assert parquet.column_names == (tmp_path / "report.csv").read_text().splitlines()[0].split(",")
    assert json.loads(parquet.schema.metadata[b"nearid"])["schema"] == "nearid.bench.tables/2"


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        (["a", "b"], "several folders for one report: a, b; give one"),
        (
            ["a.jsonl"],
            "cannot write a.jsonl: it has the extension .jsonl; "
            "known: .json, .csv, .parquet, .md, .tex, .html",
        ),
        (["a.md", "a.md"], "the output a.md is named twice; give each output its own file"),
    ],
)
def test_outputs_that_cannot_be(nearid: Nearid, root: Path, outputs: list[str], error: str) -> None:
    arguments = [part for output in outputs for part in ("-o", output)]
    assert nearid("bench", "tables", root, *arguments).error == error
    assert not (root.parent / "a").exists()


def test_the_page_draws_the_rates_of_every_pool(nearid: Nearid, root: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert nearid("bench", "tables", root, "-o", page).code == 0
    numbers = pooled(nearid("bench", "tables", root, "--format", "json").out)
    text = page.read_text()
    told = dict(
        re.findall(
            r"<title id=\"rates-0-\d-t\">(\w+) in percent, all</title><desc [^>]*>([^<]*)</desc>", text
        )
    )
    assert told == {
        name.upper(): "org/model: "
        f"{100 * numbers[name]:.1f} [{100 * numbers[name + '_ci95'][0]:.1f}, {100 * numbers[name + '_ci95'][1]:.1f}]"
        for name in ("ssr", "pa")
    }
    # The other pools fold away, and none is left out.
    folded = re.findall(r"<summary>SSR and PA, ([\w-]+)</summary>", text)
    assert folded == ["low-res", "flux", "own"]


def test_bad_files_are_listed(nearid: Nearid, root: Path) -> None:
    for path in root.rglob("*.csv"):
        path.write_text("sample_id\n\x1b[31m\n")
    finished = nearid("bench", "tables", root)
    assert finished.error.startswith("2 bad similarity files: ")
    assert len(finished.details) == 1
    assert "\x1b" not in finished.err


def test_it_imports_nothing_heavy(root: Path) -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; main(sys.argv[1:]);"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in ([], ["-o", str(root / "out"), "--format", "json"]):
        finished = subprocess.run(
            [sys.executable, "-c", program, "bench", "tables", str(root), *arguments],
            capture_output=True,
            text=True,
        )
        assert finished.stderr.splitlines()[-1] == "heavy: []", finished.stderr
