"""Metrics of all four kinds through every command: the same numbers as computed otherwise, errors of one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commandline import Finished, Nearid

METRICS = {
    "vectors": "HogVectors",
    "pairs": "HogPairs",
    "kept": "KeptHogPairs",
    "distance": "HogDistance",
    "lopsided": "Lopsided",
    "length": "Length",
    "rows": "Rows",
}
PATTERN = ("--pattern", "{subject}/{prompt}.png")


@pytest.fixture
def plugged(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set with a configuration that names the plug-ins."""
    lines = [f'[metrics.{name}]\nplugin = "tests.plugged:{kind}"\n' for name, kind in METRICS.items()]
    (data / "nearid.toml").write_text("\n".join(lines))
    monkeypatch.setenv("PLUGGED_LOG", str(data))
    return data


def scored(nearid: Nearid, *arguments: str) -> dict[str, Any]:
    finished = nearid("score", "refs", "gens", *PATTERN, *arguments, "--format", "json")
    assert finished.code == 0, finished.err
    result: dict[str, Any] = json.loads(finished.out)
    return result


def said(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_hog_in_other_clothes_has_the_numbers_of_hog(nearid: Nearid, plugged: Path) -> None:
    result = scored(nearid, "-m", "hog,vectors,pairs", "--pairs", "all")
    hog, vectors, pairs = (result["aggregate"][name] for name in ("hog", "vectors", "pairs"))
    for number in ("score", "pair_mean", "ceiling", "floor", "identification", "retention"):
        assert vectors[number] == pytest.approx(hog[number], abs=1e-6), number
        assert pairs[number] == pytest.approx(hog[number], abs=1e-6), number
    np.testing.assert_allclose(pairs["ci95"], hog["ci95"], atol=1e-6)
    for subject in result["subjects"]:
        for number in ("score", "std", "min", "max", "ceiling", "floor", "identification"):
            assert subject["scores"]["pairs"][number] == pytest.approx(
                subject["scores"]["hog"][number], abs=1e-6
            ), number


def test_without_all_pairs_there_is_a_ceiling_and_no_floor(nearid: Nearid, plugged: Path) -> None:
    result = scored(nearid, "-m", "pairs,hog")
    pairs, hog = result["aggregate"]["pairs"], result["aggregate"]["hog"]
    assert pairs["ceiling"] == pytest.approx(hog["ceiling"], abs=1e-6)
    assert (pairs["floor"], pairs["retention"], pairs["identification"]) == (None, None, None)
    # 3 subjects with 2 references and 3 generations: 6 own pairs and 1 of references each, all for one load.
    assert said(plugged / "HogPairs.log").count("compare") == 21
    assert said(plugged / "HogPairs.log").count("features") == 15
    assert said(plugged / "HogPairs.log").count("load") == 1


def test_a_second_run_computes_nothing_and_imports_nothing(nearid: Nearid, plugged: Path) -> None:
    cold = scored(nearid, "-m", "pairs,kept,vectors,length")
    before = [said(plugged / f"{name}.log") for name in ("HogPairs", "KeptHogPairs")]
    command = [sys.executable, "-X", "importtime", "-m", "nearid_cli", "score", "refs", "gens", *PATTERN]
    warm = subprocess.run(
        [*command, "-m", "pairs,kept,vectors,length", "--format", "json"],
        cwd=plugged,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not [line for line in warm.stderr.splitlines() if line.endswith((" torch", " skimage.feature"))]
    again = json.loads(warm.stdout)
    assert (again["subjects"], again["aggregate"], again["images"]) == (
        cold["subjects"],
        cold["aggregate"],
        cold["images"],
    )
    assert [said(plugged / f"{name}.log") for name in ("HogPairs", "KeptHogPairs")] == before


def test_kept_features_serve_new_generations(nearid: Nearid, plugged: Path) -> None:
    scored(nearid, "-m", "kept")
    shutil.copyfile(plugged / "refs/ship/0.jpg", plugged / "gens/cat/more.png")
    scored(nearid, "-m", "kept")
    assert (
        said(plugged / "KeptHogPairs.log").count("features") == 15
    )  # the new generation is a picture that is known
    finished = nearid("cache", "info")
    assert "features" in finished.out
    assert "numbers of pairs" in finished.out
    assert nearid("cache", "verify").code == 0
    assert nearid("cache", "clear", "--yes").code == 0
    scored(nearid, "-m", "kept")
    assert said(plugged / "KeptHogPairs.log").count("features") == 30


def test_a_distance_mirrors_its_similarity(nearid: Nearid, plugged: Path) -> None:
    result = scored(nearid, "-m", "pairs,distance", "--pairs", "all")
    alike, apart = result["aggregate"]["pairs"], result["aggregate"]["distance"]
    for number in ("score", "ceiling", "floor"):
        assert apart[number] == pytest.approx(1 - alike[number], abs=1e-9)
    assert apart["identification"] == alike["identification"]
    assert apart["retention"] == pytest.approx(alike["retention"], abs=1e-9)
    (facts,) = (metric for metric in result["metrics"] if metric["name"] == "distance")
    assert (facts["kind"], facts["range"], facts["higher_is_better"]) == ("pairwise", [0, 2], False)


def test_a_ceiling_takes_both_directions_of_what_is_not_symmetric(nearid: Nearid, plugged: Path) -> None:
    result = scored(nearid, "-m", "lopsided")
    for subject in result["subjects"]:
        assert subject["scores"]["lopsided"]["ceiling"] == pytest.approx(0, abs=1e-12)
    assert result["aggregate"]["lopsided"]["score"] != pytest.approx(0, abs=1e-3)


def test_pairs_without_a_number_are_counted_though_their_generation_has_one(
    nearid: Nearid, data: Path
) -> None:
    (data / "nearid.toml").write_text('[metrics.picky]\nplugin = "tests.plugged:Picky"\n')
    for level, name in ((100, "0.jpg"), (101, "1.jpg")):
        Image.new("RGB", (64, 64), (level,) * 3).save(data / "refs/cat" / name, quality=100)
    result = scored(nearid, "-m", "picky")
    (cat,) = (subject for subject in result["subjects"] if subject["subject"] == "cat")
    assert cat["scores"]["picky"].get("missing", 0) == 0
    lacking = 0
    for folder in sorted((data / "refs").iterdir()):
        odd = [int(np.asarray(Image.open(path)).mean()) % 2 for path in sorted(folder.iterdir())]
        lacking += 0 if all(odd) else 3 * sum(odd)  # of 3 generations, which have the other reference
        lacking += odd[0]  # of the two references, the first one
    assert result["aggregate"]["picky"]["pairs_missing"] == {"an odd reference": lacking}
    assert lacking >= 3
    finished = nearid("score", "refs", "gens", "-m", "picky")
    assert f"picky: {lacking} single pairs without a number, the means are over the others" in finished.out


def test_text_takes_prompts_and_nothing_else(nearid: Nearid, plugged: Path) -> None:
    result = scored(nearid, "-m", "length")
    own = result["aggregate"]["length"]
    assert (own["ceiling"], own["floor"], own["retention"], own["identification"]) == (None,) * 4
    assert own["score"] > 0
    without = nearid("score", "refs", "gens", "-m", "length", "--format", "json")
    found = json.loads(without.out)
    assert found["aggregate"]["length"]["score"] is None
    assert found["aggregate"]["length"]["missing"] == 9
    assert {image["reasons"]["length"] for image in found["images"]} == {"no prompt"}


def test_every_kind_through_compare_gate_and_every_format(nearid: Nearid, plugged: Path) -> None:
    for method in ("ours", "theirs"):
        shutil.copytree(plugged / "gens", plugged / "methods" / method)
    shutil.copyfile(plugged / "gens/ship/0.png", plugged / "methods/theirs/cat/0.png")
    names = "vectors,pairs,distance,length,rows"
    with (plugged / "nearid.toml").open("a") as file:
        file.write('methods = ["ours", "theirs"]\n')  # of the last metric, rows
    outputs = [
        part for end in ("json", "csv", "parquet", "md", "tex", "html", "xml") for part in ("-o", f"c.{end}")
    ]
    finished = nearid("compare", "methods", "--refs", "refs", *PATTERN, "-m", names, *outputs[:-2])
    assert finished.code == 0, finished.err
    result = json.loads((plugged / "c.json").read_text())
    ours, theirs = result["methods"]
    assert ours["ranks"]["distance"] == ours["ranks"]["pairs"] == 1
    assert theirs["ranks"]["distance"] == theirs["ranks"]["pairs"] == 2
    assert ours["ranks"]["rows"] == theirs["ranks"]["rows"] == 1
    table = pd.read_csv(plugged / "c.csv").set_index("method")
    assert table.loc["ours", "distance_score"] < table.loc["theirs", "distance_score"]
    for page in ("c.html", "c.md", "c.tex"):
        text = (plugged / page).read_text()
        assert "distance" in text
        assert not re.search(r">\s*nan\s*<|[ |]nan[ |]", text), page
    (plugged / "gate.toml").write_text(
        "".join(
            f'[[gate.rules]]\nmetric = "{name}"\nlevel = "method"\n{bound}\n'
            for name, bound in (("distance", "max = 1.0"), ("length", "min = 0.0"), ("rows", "min = 0.5"))
        )
    )
    judged = nearid("gate", "c.json", "--config", "gate.toml")
    assert judged.code == 0, (judged.out, judged.err)


def failing(nearid: Nearid, data: Path, how: str) -> Finished:
    (data / "nearid.toml").write_text(f'[metrics.bad]\nplugin = "tests.plugged:Fails"\nhow = "{how}"\n')
    return nearid("score", "refs", "gens", "-m", "bad")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("load", "failed: RuntimeError: no weights here"),
        ("raise", "failed: ValueError: line one line two"),
        ("nan", "gave nan for"),
        ("outside", "expected a number from -1 to 1"),
        ("text", "gave 'high' for"),
        ("array", "gave array([0., 0.]) for"),
        ("few", "gave fewer numbers than the 21 pairs"),
    ],
)
def test_a_metric_that_misbehaves_is_one_line(nearid: Nearid, data: Path, how: str, words: str) -> None:
    finished = failing(nearid, data, how)
    assert words in finished.error
    assert '"bad"' in finished.error


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("inf", "gave inf for"),
        ("huge", "gave 1e+308 for"),
        ("whole", "gave 1000"),
        ("text", "gave '0.5' for"),
        ("reason", "expected a few words as the reason of NoScore, found ''"),
        ("raise", "scores failed: SystemExit: usage"),
        ("features", "features failed for refs/"),
    ],
)
def test_what_is_no_number_is_one_line(nearid: Nearid, data: Path, how: str, words: str) -> None:
    (data / "nearid.toml").write_text(f'[metrics.bad]\nplugin = "tests.plugged:Careless"\nhow = "{how}"\n')
    assert words in nearid("score", "refs", "gens", "-m", "bad").error


def test_numbers_may_come_as_a_list(nearid: Nearid, data: Path) -> None:
    (data / "nearid.toml").write_text('[metrics.bad]\nplugin = "tests.plugged:Careless"\nhow = "list"\n')
    assert scored(nearid, "-m", "bad")["aggregate"]["bad"]["score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "command",
    [
        ("score", "refs", "gens"),
        ("compare", "--refs", "refs", "--method", "a=gens", "--method", "b=gens"),
        ("pair", "refs/cat/0.jpg", "refs/cat/1.jpg"),
    ],
    ids=lambda command: command[0],
)
def test_what_a_metric_prints_is_no_part_of_the_result(
    nearid: Nearid, data: Path, command: tuple[str, ...]
) -> None:
    (data / "nearid.toml").write_text('[metrics.talks]\nplugin = "tests.plugged:Talks"\n')
    finished = nearid(*command, "-m", "talks", "--format", "json")
    assert finished.code == 0, finished.err
    assert isinstance(json.loads(finished.out), dict)
    assert {"made", "loaded", "compared"} <= set(finished.err.splitlines())


def test_the_reference_comes_first_even_of_what_is_called_symmetric(nearid: Nearid, data: Path) -> None:
    """And who then says that it is not gets no number of the other direction from the cache."""
    found = []
    for forgetful in ("true", "false"):
        (data / "nearid.toml").write_text(
            f'[metrics.two]\nplugin = "tests.plugged:AnyTwo"\nforgetful = {forgetful}\n'
        )
        found.append([one["scores"]["two"] for one in scored(nearid, "-m", "two")["images"]])
    assert found[0] == found[1]
    assert 0 < np.mean(found[0]) < 1


def test_a_number_outside_a_range_that_is_another_now_is_computed_again(
    nearid: Nearid, plugged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(nearid, "-m", "pairs")
    monkeypatch.setattr("tests.plugged.HogPairs.range", (0.99, 1))
    assert "expected a number from 0.99 to 1" in nearid("score", "refs", "gens", "-m", "pairs").error


def test_features_are_made_about_once_a_picture_however_many_pairs_there_are(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGGED_LOG", str(data))
    (data / "nearid.toml").write_text('[metrics.two]\nplugin = "tests.plugged:AnyTwo"\n')
    for side, number in (("r", 10), ("g", 3)):
        for place in range(30 * number):
            path = data / side / f"{place % 30}" / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(
                np.random.default_rng([number, place]).integers(0, 255, (8, 8, 3), np.uint8)
            ).save(path)
    finished = nearid("score", "r", "g", "-m", "two", "--pairs", "all", "--no-cache")
    assert finished.code == 0, finished.err
    assert len(said(data / "AnyTwo.log")) < 3 * 390


def test_what_came_before_a_failure_is_kept(nearid: Nearid, data: Path) -> None:
    failing(nearid, data, "raise")
    finished = nearid("cache", "info")
    assert "2 numbers of pairs" in finished.out


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("tests.plugged", "expected module:Class"),
        ("tests.nothing:Here", "cannot be imported: ModuleNotFoundError"),
        ("tests.plugged:Nothing", "has no Nothing"),
        ("tests.plugged:Path", "found the class Path"),
        ("tests.plugged:Fails", "does not take these settings: missing a required argument: 'how'"),
        ("nearid_cli.plugins:PairwiseMetric", "which lacks compare"),
    ],
)
def test_a_plugin_that_cannot_be_made_is_one_line(
    nearid: Nearid, data: Path, plugin: str, words: str
) -> None:
    (data / "nearid.toml").write_text(f'[metrics.bad]\nplugin = "{plugin}"\n')
    assert words in nearid("score", "refs", "gens", "-m", "bad").error


def test_embed_and_pair_say_which_metrics_have_no_such_numbers(nearid: Nearid, plugged: Path) -> None:
    assert "pairs is no embedding" in nearid("embed", "refs", "-m", "hog,pairs", "-o", "e.parquet").error
    pair = ("pair", "refs/cat/0.jpg", "refs/cat/1.jpg")
    assert "length does not compare pictures" in nearid(*pair, "-m", "length").error
    found = json.loads(nearid(*pair, "-m", "hog,pairs,lopsided", "--format", "json").out)
    assert found["similarity"]["pairs"] == pytest.approx(found["similarity"]["hog"], abs=1e-6)
    turned = json.loads(nearid(*pair[:1], *pair[:0:-1], "-m", "lopsided", "--format", "json").out)
    assert turned["similarity"]["lopsided"] == -found["similarity"]["lopsided"]


def test_nothing_is_lost_without_a_cache(nearid: Nearid, plugged: Path) -> None:
    with_cache = scored(nearid, "-m", "pairs,length")
    without = scored(nearid, "-m", "pairs,length", "--no-cache")
    assert with_cache["images"] == without["images"]


def test_an_installed_package_brings_a_metric(
    nearid: Nearid, data: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    info = site / "shiny_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shiny-metrics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nearid.metrics]\nshiny = shiny_metrics:Shiny\n")
    (site / "shiny_metrics.py").write_text(
        "from nearid_cli.plugins import PairwiseMetric\n"
        "class Shiny(PairwiseMetric):\n"
        "    version, protocol, range = 'shiny/1', 'widths', (0, None)\n"
        "    def __init__(self, checkpoint=''): self.checkpoint = checkpoint\n"
        "    def compare(self, reference, generation): return reference.width / generation.width\n"
    )
    monkeypatch.syspath_prepend(str(site))
    result = scored(nearid, "-m", "shiny")
    assert result["aggregate"]["shiny"]["score"] > 0
    (facts,) = scored(nearid, "-m", "shiny=weights-7")["metrics"]
    assert facts["checkpoint"] == "weights-7"
    listed = nearid("models", "list").out
    assert "of shiny-metrics" in listed
    assert "did you mean shiny" in nearid("score", "refs", "gens", "-m", "shinny").error


def test_a_run_that_is_killed_keeps_what_it_has(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "nearid.toml").write_text('[metrics.slow]\nplugin = "tests.plugged:Slow"\n')
    often = "from nearid_cli.embedding import pairs; pairs._FLUSH_SECONDS = 0.5\n"
    program = f"{often}from nearid_cli.cli.app import main; main()"
    running = subprocess.Popen([sys.executable, "-c", program, "score", "refs", "gens", "-m", "slow"])
    cache = Path(os.environ["NEARID_CACHE"])
    while not list(cache.glob("pairs/*/*.parquet")):
        assert running.poll() is None
        time.sleep(0.1)
    running.kill()
    running.wait()
    kept = nearid("cache", "info").out
    assert re.search(r"\b\d+ numbers? of (a pair|pairs)", kept), kept
    monkeypatch.setattr("tests.plugged.Slow.seconds", 0.0)
    assert nearid("score", "refs", "gens", "-m", "slow").code == 0


def test_pairs_are_own_or_all(nearid: Nearid, data: Path) -> None:
    finished = nearid("score", "refs", "gens", "-m", "hog", "--pairs", "some")
    assert finished.error == "--pairs must be own or all, found 'some'"


def test_distractors_are_for_embeddings_and_the_others_are_named(nearid: Nearid, plugged: Path) -> None:
    shutil.copytree(plugged / "refs", plugged / "alike")
    finished = nearid("score", "refs", "gens", "-m", "hog,pairs", "--distractors", "alike")
    assert "no margins, SSR and PA by pairs: distractors are for embeddings" in finished.err


def test_one_subject_needs_a_second_one_and_not_all_pairs(nearid: Nearid, plugged: Path) -> None:
    for name in ("cup", "ship"):
        shutil.rmtree(plugged / "refs" / name)
        shutil.rmtree(plugged / "gens" / name)
    finished = nearid("score", "refs", "gens", "-m", "pairs", "--pairs", "all")
    assert "need a second subject" in finished.out
    assert "--pairs all" not in finished.out
