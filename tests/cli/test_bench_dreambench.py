"""`nearid bench dreambench`: samples in, files out, and what it says when something is wrong."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearid_cli.encoders.descriptors import HogEncoder
from nearid_cli.images.decode import decode
from tests.commandline import Finished, Nearid
from tests.rating import METHODS, group_file, metric_key, save, write_ratings

FOLDERS = {
    "emu2_gs3_0_step_50_seed_42": "emu2",
    "ip_adapter_vit_giant_sdxl_scale_0_6": "ip_adapter_vit_g_sdxl",
}
ITEMS = [
    f"{category}_{subject}-{prompt}"
    for category, subject in (
        ("object", "20_magic_cube"),
        ("object", "21_mug"),
        ("object", "22_t-shirt"),
        ("live_subject_animal", "00_kitten"),
        ("style", "00_ukiyo-e"),
    )
    for prompt in range(2)
]


@pytest.fixture
def samples(tmp_path: Path, photographs: dict[str, Image.Image]) -> Path:
    """Two methods of ten pairs, targets ever further from their sources."""
    root = tmp_path / "samples"
    pictures = list(photographs.values())
    for shift, folder in enumerate(FOLDERS):
        for number, item in enumerate(ITEMS):
            subject, _, prompt = metric_key(item).rpartition("-")
            source = pictures[number % len(pictures)]
            crop = 20 * number + 5 * shift
            target = source.crop((crop, crop, source.width - crop // 2, source.height))
            for side, picture, ending in (("src_image", source, "png"), ("tgt_image", target, "jpg")):
                path = root / folder / side / subject / f"{prompt}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture.resize((72, 64)).save(path)
            text = root / folder / "text" / subject / f"{prompt}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("a prompt")
    return root


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Ratings of the pictures in `samples`."""
    root = tmp_path / "ratings"
    random = np.random.default_rng(1)
    for method in FOLDERS.values():
        for group in (1, 2):
            save(
                group_file(root, group, method),
                {item: int(random.integers(0, 5)) for item in reversed(ITEMS)},
            )
    return root


@pytest.fixture
def bench(nearid: Nearid) -> Callable[..., Finished]:
    return lambda *arguments: nearid("bench", "dreambench", *arguments)


def test_samples_become_scores_as_published(
    bench: Nearid, samples: Path, ratings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    finished = bench("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", out)
    assert finished.code == 0, finished.err
    assert "samples: 2 methods, 20 pairs of pictures" in finished.err
    for folder, method in FOLDERS.items():
        scores = json.loads((out / f"scores/hog/{method}.json").read_text())
        assert list(scores) == sorted(metric_key(item) for item in ITEMS)
        for key in ("object_20_rubik's_cube-1_0", "style_00_ukiyo-e-0_0"):
            subject, _, prompt = key.rpartition("-")
            source, target = (
                _embedding(samples / folder / side / subject / f"{prompt}.{ending}")
                for side, ending in (("src_image", "png"), ("tgt_image", "jpg"))
            )
            cosine = source @ target / np.linalg.norm(source) / np.linalg.norm(target)
            assert scores[key] == pytest.approx(100 * cosine, abs=1e-9)


def _embedding(path: Path) -> np.ndarray:
    encoder = HogEncoder()
    return np.asarray(encoder.embed([encoder.prepare(decode(path))])[0], dtype=np.float64)


def test_written_scores_are_read_back_to_the_same_numbers(
    bench: Nearid, samples: Path, ratings: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert bench("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", first).code == 0
    finished = bench("--scores", f"hog={first / 'scores/hog'}", "--ratings", ratings, "-o", second)
    assert finished.code == 0, finished.err
    one, other = (json.loads((folder / "summary.json").read_text()) for folder in (first, second))
    assert one["human"] == other["human"]
    assert one["alignments"][0]["categories"] == other["alignments"][0]["categories"]
    assert one["alignments"][0]["mean"] == other["alignments"][0]["mean"]
    assert (first / "scores.csv").read_text() == (second / "scores.csv").read_text()
    assert one["metrics"][0]["protocol"] == "100 x cosine of source and target"


def test_a_second_run_embeds_nothing(
    bench: Nearid, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench("--samples", samples, "-m", "hog", "-o", "first").code == 0
    monkeypatch.delattr(HogEncoder, "prepare")
    assert bench("--samples", samples, "-m", "hog", "-o", "second").code == 0
    assert _scores(tmp_path / "first") == _scores(tmp_path / "second")


def _scores(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (out / "scores/hog").iterdir()}


def test_samples_without_ratings_are_scored(bench: Nearid, samples: Path, tmp_path: Path) -> None:
    finished = bench("--samples", samples, "-m", "hog", "-o", "out")
    assert finished.code == 0, finished.err
    assert "nothing to correlate it with" in finished.out
    assert "ip_adapter" in finished.out
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["human"], summary["alignments"]) == (None, [])
    scores = json.loads((tmp_path / "out/scores/hog/emu2.json").read_text())
    (emu2, _) = summary["scored"]
    assert emu2["mean"] == pytest.approx(np.mean(list(scores.values())), abs=1e-9)


def test_the_files_of_a_run(bench: Nearid, tmp_path: Path) -> None:
    root = write_ratings(tmp_path / "ratings")
    finished = bench(
        *("--scores", f"data_good_rating={root}", "--scores", f"poor={root / 'data_poor_rating'}"),
        *("--ratings", root, "--against", "poor", "-o", "out", "--published-rounding"),
    )
    assert finished.code == 0, finished.err
    out = tmp_path / "out"
    tables = {
        f"{name}.{ending}" for name in ("table", "methods", "differences") for ending in ("csv", "md", "tex")
    }
    assert {path.name for path in out.iterdir()} == tables | {"summary.json", "scores.csv", "scores.parquet"}
    summary = json.loads((out / "summary.json").read_text())
    good = summary["alignments"][0]["categories"][0]
    table = {row["metric"]: row for row in _rows(out / "table.csv")}
    assert list(table) == ["human-human", "data_good_rating", "poor"]
    assert float(table["data_good_rating"]["object"]) == good["mh"]
    assert [float(table["data_good_rating"][f"object_{end}"]) for end in ("low", "high")] == good["ci95"]
    assert summary["published_rounding"] is True
    assert "rounded to four decimals first" in finished.out
    assert len(_rows(out / "methods.csv")) == 3 * 4 * 7
    rows = pq.read_table(out / "scores.parquet").to_pylist()
    assert len(rows) == 7 * 80
    emu2 = json.loads((root / "data_good_rating/emu2.json").read_text())
    (row,) = (row for row in rows if (row["method"], row["item"]) == ("emu2", "object_20_magic_cube-3"))
    assert row["data_good_rating"] == emu2["object_20_rubik's_cube-3_0"]
    assert row["group2"] == json.loads(group_file(root, 2, "emu2").read_text())["object_20_magic_cube-3"]
    assert (row["category"], row["subject"]) == ("object", "object_20_magic_cube")
    assert r"data\_good\_rating" in (out / "table.tex").read_text()
    for name in METHODS:
        assert name.replace("_", r"\_") in (out / "methods.md").read_text()


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_table_in_a_terminal(bench: Nearid, tmp_path: Path) -> None:
    root = write_ratings(tmp_path / "ratings")
    finished = bench("--scores", root / "data_good_rating", "--ratings", root)
    assert finished.code == 0, finished.err
    lines = finished.out.splitlines()
    assert "Fisher-z mean over 7 methods" in lines[0]
    (header,) = (line for line in lines if "object (n = 140)" in line)
    pictures = {"object": "140", "animal": "112", "human": "168", "style": "140"}
    assert dict(re.findall(r"(\w+) \(n = (\d+)\)", header)) == pictures
    assert {line.split()[0] for line in lines if "[" in line} == {"human-human", "data_good_rating"}
    summary = json.loads(
        bench("--scores", root / "data_good_rating", "--ratings", root, "--format", "json").out
    )
    assert f"{summary['alignments'][0]['categories'][0]['mh']:.3f} [" in finished.out


def test_bad_pictures_are_listed_or_skipped(
    bench: Nearid, samples: Path, ratings: Path, tmp_path: Path
) -> None:
    bad = samples / "emu2_gs3_0_step_50_seed_42/tgt_image/object_21_mug/1_0.jpg"
    bad.write_bytes(b"no picture")
    arguments = ("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", "out")
    finished = bench(*arguments)
    assert "1 picture of 40 cannot be used" in finished.error
    assert any(str(bad) in line for line in finished.details)
    finished = bench(*arguments, "--skip-bad")
    assert finished.code == 0, finished.err
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert [one["path"] for one in summary["skipped"]] == [str(bad)]
    assert f"warning: 1 picture skipped: {bad} (not an image: text)" in finished.err
    assert "style (n" in finished.out
    assert r"object (n $\leq$ 12)" in (tmp_path / "out/table.tex").read_text()
    assert summary["unjoined"] == []
    scored = {one["method"]: one["items"] for one in summary["scored"]}
    assert scored == {"emu2": 9, "ip_adapter_vit_g_sdxl": 10}


def test_samples_without_a_partner(bench: Nearid, samples: Path, ratings: Path, tmp_path: Path) -> None:
    folder = samples / "emu2_gs3_0_step_50_seed_42"
    (folder / "src_image/object_21_mug/1_0.png").unlink()
    (folder / "tgt_image/style_00_ukiyo-e/0_0.jpg").unlink()
    arguments = ("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", "out")
    finished = bench(*arguments)
    assert "2 pictures of the samples without a partner" in finished.error
    assert finished.details == [
        "emu2: no source for object_21_mug/1_0",
        "emu2: no target for style_00_ukiyo-e/0_0",
    ]
    finished = bench(*arguments, "--allow-missing")
    assert finished.code == 0, finished.err
    assert "left out: not in hog: emu2, 2 items: object_21_mug-1, style_00_ukiyo-e-0" in finished.err
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    left_out = "emu2: no source for object_21_mug/1_0, emu2: no target for style_00_ukiyo-e/0_0"
    assert f"warning: 2 pictures left out, without a partner: {left_out}" in finished.err
    assert len(summary["unpaired"]) == 2
    assert summary["unjoined"] == [
        {"lacking": "hog", "method": "emu2", "items": ["object_21_mug-1", "style_00_ukiyo-e-0"]}
    ]


def test_scores_are_written_even_if_ratings_do_not_join(
    bench: Nearid, samples: Path, ratings: Path, tmp_path: Path
) -> None:
    (samples / "emu2_gs3_0_step_50_seed_42").rename(samples / "my_method")
    finished = bench("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", "out")
    assert finished.details == ["not in hog: emu2", "not in the human ratings: my_method"]
    assert (tmp_path / "out/scores/hog/my_method.json").exists()
    assert not (tmp_path / "out/summary.json").exists()


def test_one_method_may_be_given_itself(bench: Nearid, samples: Path, tmp_path: Path) -> None:
    finished = bench("--samples", samples / "emu2_gs3_0_step_50_seed_42", "-m", "hog", "-o", "out")
    assert finished.code == 0, finished.err
    assert [path.name for path in (tmp_path / "out/scores/hog").iterdir()] == ["emu2.json"]


def test_folders_that_are_no_methods_are_said(bench: Nearid, samples: Path) -> None:
    whole = samples / "emu2_gs3_0_step_50_seed_42"
    (whole / "tgt_image").rename(whole / "generated")
    finished = bench("--samples", samples, "-m", "hog")
    assert finished.code == 0, finished.err
    expected = (
        "1 folder of the samples left out, without src_image and tgt_image in it: emu2_gs3_0_step_50_seed_42"
    )
    assert f"warning: {expected}" in finished.err


def test_samples_that_stand_for_two_things(bench: Nearid, samples: Path) -> None:
    folder = samples / "emu2_gs3_0_step_50_seed_42"
    (folder / "tgt_image/object_21_mug/1_0.png").write_bytes(b"")
    (samples / "emu2_other").mkdir()
    for side in ("src_image", "tgt_image"):
        (samples / "emu2_other" / side).mkdir()
    finished = bench("--samples", samples, "-m", "hog")
    assert "2 names in the samples stand for two things" in finished.error
    assert any("1_0.jpg and" in line for line in finished.details)
    assert any(line.startswith("emu2: ") and line.endswith("emu2_other") for line in finished.details)


def test_several_images_of_a_prompt_are_scored_but_have_no_rating(
    bench: Nearid, samples: Path, ratings: Path, tmp_path: Path
) -> None:
    folder = samples / "emu2_gs3_0_step_50_seed_42"
    for side, ending in (("src_image", "png"), ("tgt_image", "jpg")):
        first = folder / side / "object_21_mug" / f"1_0.{ending}"
        first.with_name(f"1_1.{ending}").write_bytes(first.read_bytes())
    finished = bench("--samples", samples, "--ratings", ratings, "-m", "hog", "-o", "out")
    assert finished.details == [
        "emu2: object_21_mug-1_0 and object_21_mug-1_1 are the same item, rated twice"
    ]
    assert len(json.loads((tmp_path / "out/scores/hog/emu2.json").read_text())) == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to rate: give --samples DIR, scores in files: --scores NAME=DIR, or published ones"),
        (["--scores", "a=b"], "--scores needs human ratings to correlate with: --ratings DIR"),
        (
            ["--scores", "a=b", "--ratings", "c", "-m", "hog"],
            "--metric scores samples: give --samples DIR too",
        ),
        (["--samples", "s", "-m", "hog", "--against", "hog"], "--against needs human ratings: --ratings DIR"),
        (["--samples", "s", "-m", "hgo"], 'unknown metric "hgo"'),
        (["--samples", "nowhere", "-m", "hog"], "no samples: nowhere is no folder"),
        (
            ["--samples", ".", "-m", "hog"],
            "no samples in .: expected a folder a method with src_image and tgt_image",
        ),
        (["--scores", "a=b", "--ratings", "c", "--format", "xml"], 'unknown format "xml"'),
        (["--scores", "a=b", "--ratings", "."], "no scores of a: b is no folder"),
        (["--scores", "a=b", "--ratings", ".", "-o", "file"], "cannot make the folder file: "),
    ],
)
def test_what_cannot_work_is_said(bench: Nearid, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "file").write_text("")
    assert message in bench(*arguments).error


def test_a_broken_name_cannot_break_the_message(bench: Nearid, tmp_path: Path) -> None:
    root = write_ratings(tmp_path / "ratings")
    save(root / "data_good_rating/evil\nerror: x\x1b[31m.json", {"object_00_\x1b[31m\n-0": "\x1b[31m"})
    finished = bench("--scores", root / "data_good_rating", "--ratings", root)
    assert "1 problem in the scores of data_good_rating" in finished.error
    assert "\x1b" not in finished.err


def test_by_label(bench: Nearid, samples: Path, tmp_path: Path) -> None:
    root = write_ratings(tmp_path / "all")
    given = ("--scores", f"good={root / 'data_good_rating'}", "--ratings", str(root))
    finished = bench(*given, "--by", "category,method")
    assert finished.code == 0, finished.err
    assert "category animal" in finished.out
    assert "method emu2" in finished.out
    wrong = bench(
        "--samples", str(samples), "--ratings", str(root), "--metric", "hog", "--by", "kind", "-o", "out"
    )
    assert (wrong.code, (tmp_path / "out").exists()) == (2, False)
    assert 'unknown label "kind"' in wrong.err
    alone = bench("--samples", str(samples), "--metric", "hog", "--by", "category")
    assert "--by breaks down how metrics agree with people: --ratings DIR" in alone.err
