from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.benchmarks import contents
from nearid_cli.benchmarks.nearid import bench as nearid_bench
from nearid_cli.benchmarks.nearid.bench import NearidJob, bench_nearid
from nearid_cli.benchmarks.nearid.result import NearidBenchResult
from nearid_cli.errors import BadImagesError, InputError, UsageError
from nearid_cli.images.decode import Decoded
from nearid_cli.options import Options
from tests.benchmarks.nearid_sets import CATEGORIES, IDS, Sets, by_hand, made, margins
from tests.nearid_data.making import encoded, png, saved, slots, table

Embed = Callable[[list[Image.Image]], np.ndarray[Any, Any]]
PLAIN = ("sample_id", "category", "n_pos", "n_neg")


@pytest.fixture(scope="module")
def sets(photographs: dict[str, Image.Image]) -> Sets:
    return made(photographs)


@pytest.fixture(scope="module")
def folder(sets: Sets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets that no test may change."""
    return sets.save(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def hog() -> Embed:
    encoder = nearid_cli.load_encoder("hog")
    known: dict[bytes, np.ndarray[Any, Any]] = {}

    def embed(pictures: list[Image.Image]) -> np.ndarray[Any, Any]:
        (picture,) = pictures
        key = repr(picture.size).encode() + picture.tobytes()
        if key not in known:
            known[key] = encoder.embed([picture])
        return known[key]

    return embed


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Hog, and a cache that the tests of this module share."""
    return Options(metrics=["hog"], cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=2)


@pytest.fixture
def job(folder: Path) -> NearidJob:
    sources = (str(folder / "NearID-Flux_1024"), str(folder / "NearID-Qwen"))
    return NearidJob(str(folder / "NearID"), sources, mode="fullneg")


def check(path: Path, expected: list[dict[str, object]]) -> None:
    """The file holds exactly the expected samples, in order, to 1e-6; and its twin in Parquet the same."""
    found = pd.read_csv(path, dtype={"sample_id": str}, keep_default_na=False, na_values={"sim_01": [""]})
    assert found["sample_id"].tolist() == [sample["sample_id"] for sample in expected]
    for (_, row), sample in zip(found.iterrows(), expected, strict=True):
        for name, value in row.items():
            if name in PLAIN:
                assert value == sample[name], (name, sample)
            elif name in sample:
                assert abs(float(value) - float(str(sample[name]))) < 1e-6, (name, sample)
            else:
                assert value == "" or pd.isna(value), (name, sample)
        assert set(sample) <= set(row.index), sample
    twin = pd.read_parquet(path.with_suffix(".parquet"))
    numbers = [name for name in twin.columns if name not in PLAIN]
    read = pd.read_csv(path)[numbers].to_numpy(float)
    assert np.array_equal(read, twin[numbers].to_numpy(float), equal_nan=True)


@pytest.mark.parametrize("compact", [False, True], ids=["slots", "compact"])
@pytest.mark.parametrize("masks", ["none", "foreground", "background"])
@pytest.mark.parametrize("mode", ["positives", "full", "fullneg"])
def test_equal_to_plain_loops_over_the_pictures(
    sets: Sets,
    job: NearidJob,
    hog: Embed,
    options: Options,
    tmp_path: Path,
    mode: str,
    masks: str,
    compact: bool,
) -> None:
    result = bench_nearid(replace(job, mode=mode, masks=masks, compact_slots=compact), tmp_path, options)
    variant = "image" if masks == "none" else masks
    every = []
    for name, distractors in (("NearID-Flux_1024", sets.flux), ("NearID-Qwen", sets.qwen)):
        expected = by_hand(sets, distractors, mode, masks, compact, hog)
        check(tmp_path / name / f"sims_{variant}_trainall_{mode}_hog.csv", expected)
        every.append(expected)
    assert [one.samples for one in result.similarities] == [len(expected) for expected in every]
    assert {one.rows for one in result.similarities} == {len(IDS)}
    if mode == "positives":
        assert result.tables is None
        return
    assert result.tables is not None
    cells = {
        cell.name: cell for cell in result.tables.cells if cell.category is None and cell.scope == "source"
    }
    for name, expected in zip(("flux_1024", "qwen"), every, strict=True):
        tried = [own for sample in expected if (own := margins(sample))]
        outcome = cells[name].outcome
        assert outcome.samples == len(tried)
        assert outcome.trials == sum(map(len, tried))
        assert outcome.ssr == pytest.approx(np.mean([min(own) > 0 for own in tried]), abs=1e-9)
        assert outcome.pa == pytest.approx(np.mean([m > 0 for own in tried for m in own]), abs=1e-9)
    (pooled,) = [cell for cell in result.tables.cells if cell.name == "all" and cell.category is None]
    tried = [own for expected in every for sample in expected if (own := margins(sample))]
    assert pooled.outcome.ssr == pytest.approx(np.mean([min(own) > 0 for own in tried]), abs=1e-9)
    assert pooled.outcome.pa == pytest.approx(np.mean([m > 0 for own in tried for m in own]), abs=1e-9)


def test_slots_and_compact_slots_differ_where_a_view_is_missing(sets: Sets, hog: Embed) -> None:
    """Or the test above would not tell them apart."""
    plain, compact = (by_hand(sets, sets.flux, "full", "none", compact, hog) for compact in (False, True))
    assert [a != b for a, b in zip(plain, compact, strict=True)] == [False, True, True, True, False, False]


def test_a_checkpoint(sets: Sets, job: NearidJob, checkpoint: Path, tmp_path: Path) -> None:
    chosen = Options(metrics=[f"mine={checkpoint}", "hog"], device="cpu")
    result = bench_nearid(replace(job, masks="foreground"), tmp_path / "out", chosen)
    encoder = nearid_cli.load_encoder(f"mine={checkpoint}", device="cpu")
    tag = str(checkpoint).replace("/", "~")
    for name, distractors in (("NearID-Flux_1024", sets.flux), ("NearID-Qwen", sets.qwen)):
        expected = by_hand(sets, distractors, "fullneg", "foreground", False, encoder.embed)
        check(tmp_path / "out" / name / f"sims_foreground_trainall_fullneg_{tag}.csv", expected)
    assert [metric.name for metric in result.metrics] == ["mine", "hog"]
    assert result.metrics[0].fingerprint == encoder.spec.fingerprint
    assert [one.metric for one in result.similarities] == ["mine", "hog"] * 2


def test_rows_and_the_first_of_them(
    sets: Sets, job: NearidJob, hog: Embed, options: Options, tmp_path: Path
) -> None:
    rows = tmp_path / "test.json"
    rows.write_text("[5, 0, 2, 4, 1]")
    bench_nearid(replace(job, rows=rows), tmp_path, options)
    expected = by_hand(sets, sets.qwen, "fullneg", "none", False, hog, [5, 0, 2, 4, 1])
    check(tmp_path / "NearID-Qwen/sims_image_testall_fullneg_hog.csv", expected)
    result = bench_nearid(replace(job, rows=rows, max_samples=3), tmp_path, options)
    check(tmp_path / "NearID-Qwen/sims_image_test3_fullneg_hog.csv", expected[:2])
    assert {one.rows for one in result.similarities} == {3}


def test_rows_of_the_data_set_s_own_split(
    sets: Sets, job: NearidJob, hog: Embed, options: Options, tmp_path: Path
) -> None:
    """The distractors have no such column, as in the published data sets; the file is that of splits/test.json."""
    split = ["val", "test", "test", None, "train", "test", "val", "train"]
    positives = slots("images", sets.views) | slots("masks", sets.masks)
    saved(table(positives, id=sets.ids, category=CATEGORIES, split=split), tmp_path / "NearID")
    own = replace(job, positives=str(tmp_path / "NearID"), rows="split=test")
    result = bench_nearid(own, tmp_path / "out", options)
    expected = by_hand(sets, sets.qwen, "fullneg", "none", False, hog, [1, 2, 5])
    path = tmp_path / "out/NearID-Qwen/sims_image_testall_fullneg_hog.csv"
    check(path, expected)
    assert result.inputs.rows == "split=test"
    made_at = path.stat().st_mtime_ns
    bench_nearid(own, tmp_path / "out", options)
    assert path.stat().st_mtime_ns == made_at  # nothing to do again
    rows = tmp_path / "test.json"
    rows.write_text("[4]")
    bench_nearid(replace(own, rows=rows), tmp_path / "out", options)  # other rows of the same name
    check(path, by_hand(sets, sets.qwen, "fullneg", "none", False, hog, [4]))


def test_positives_alone(sets: Sets, job: NearidJob, hog: Embed, options: Options, tmp_path: Path) -> None:
    result = bench_nearid(replace(job, distractors=(), mode="positives"), tmp_path, options)
    expected = by_hand(sets, None, "positives", "none", False, hog)
    check(tmp_path / "NearID/sims_image_trainall_positives_hog.csv", expected)
    assert result.similarities[0].source == "nearid"
    sims = [value for sample in expected for name, value in sample.items() if name.startswith("sim_")]
    assert result.similarities[0].mean_sim == pytest.approx(np.mean(sims))
    assert result.similarities[0].mean_cross is None
    assert list(result.inputs.data) == [job.positives]


def test_a_distractor_that_is_the_other_view_is_a_tie(
    tmp_path: Path, photographs: dict[str, Image.Image]
) -> None:
    """The two similarities are of the same pictures, so they must be equal to the last bit: no trial is won."""
    rng = np.random.default_rng(0)
    first, second, third = (encoded(rng.integers(0, 256, (20, 20, 3), np.uint8)) for _ in range(3))
    saved(table(slots("images", [(first, second, None), (first, third, None)])), tmp_path / "NearID")
    saved(table(slots("nimg", [(second, first, None), (third, first, None)])), tmp_path / "NearID-Flux")
    job = NearidJob(str(tmp_path / "NearID"), (str(tmp_path / "NearID-Flux"),))
    result = bench_nearid(job, tmp_path / "out", Options(metrics=["hog"]))
    assert result.tables is not None
    (cell,) = [cell for cell in result.tables.cells if cell.scope == "source"]
    assert (cell.outcome.trials, cell.outcome.pa, cell.outcome.mean_margin) == (4, 0.0, 0.0)
    similarities = pd.read_csv(tmp_path / "out/NearID-Flux/sims_image_trainall_full_hog.csv")
    assert similarities["sample_id"].tolist() == [0, 1]  # no ids: positions


def test_what_is_there_is_not_computed_again(
    job: NearidJob, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench_nearid(job, tmp_path, options)
    monkeypatch.setattr(nearid_bench, "_make", None)
    again = bench_nearid(job, tmp_path, options)
    assert replace(again, created="", tables=None) == replace(first, created="", tables=None)
    assert again.tables is not None
    assert first.tables is not None
    assert again.tables.cells == first.tables.cells
    # It may skip bad pictures, but there were none to skip.
    assert bench_nearid(replace(job, skip_bad=True), tmp_path, options).skipped == ()


def recomputed(job: NearidJob, output: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The folders and metrics that a run computes."""
    written: list[Path] = []
    write = nearid_bench.write_similarities

    def noted(path: Path, similarities: Any) -> None:
        written.append(path)
        write(path, similarities)

    monkeypatch.setattr(nearid_bench, "write_similarities", noted)
    bench_nearid(job, output, options)
    monkeypatch.undo()
    return {f"{path.parent.name} {path.stem.rpartition('_')[2]}" for path in written}


FLUX, QWEN = "NearID-Flux_1024 hog", "NearID-Qwen hog"


def test_what_has_changed_is_computed_again(
    sets: Sets, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path
) -> None:
    sets.save(tmp_path)
    rows = tmp_path / "rows.json"
    rows.write_text("[0, 1, 4]")
    flux, qwen = str(tmp_path / "NearID-Flux_1024"), str(tmp_path / "NearID-Qwen")
    job = NearidJob(str(tmp_path / "NearID"), (flux,), rows=rows)
    out = tmp_path / "out"

    def run(job: NearidJob, options: Options = options) -> set[str]:
        return recomputed(job, out, options, monkeypatch)

    assert run(job) == {FLUX}
    assert run(job) == set()
    both = replace(job, distractors=(flux, qwen))
    assert run(both) == {QWEN}
    more = replace(options, metrics=["hog", f"m={checkpoint}"])
    assert {name.split()[0] for name in run(both, more)} == {"NearID-Flux_1024", "NearID-Qwen"}
    assert run(both, more) == set()
    assert run(replace(both, compact_slots=True)) == {FLUX, QWEN}
    assert run(both) == {FLUX, QWEN}  # the same name, another request
    rows.write_text("[0, 1, 5]")
    assert run(both) == {FLUX, QWEN}
    # Written again with the same content: that it is the same is not known without reading it.
    shutil.rmtree(qwen)
    saved(table(slots("nimg", sets.qwen), id=IDS), Path(qwen))
    assert run(both) == {QWEN}
    similarities = out / "NearID-Qwen/sims_image_rowsall_full_hog.csv"
    similarities.write_text(similarities.read_text().replace("0.", "0.1"))
    assert run(both) == {QWEN}
    similarities.with_name(f"{similarities.name}.made.json").write_text("[1")
    assert run(both) == {QWEN}
    similarities.unlink()
    assert run(both) == {QWEN}
    assert run(both) == set()


def test_verify_content_trusts_no_record(
    job: NearidJob, tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench_nearid(job, tmp_path, options)
    assert recomputed(job, tmp_path, options, monkeypatch) == set()
    assert recomputed(job, tmp_path, replace(options, verify_content=True), monkeypatch) == {FLUX, QWEN}


def test_a_run_that_is_stopped_goes_on(
    job: NearidJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Options(metrics=["hog"], cache=tmp_path / "cache")
    write = nearid_bench.write_similarities

    def stop_at_the_second(path: Path, similarities: Any) -> None:
        if path.parent.name == "NearID-Qwen":
            raise KeyboardInterrupt
        write(path, similarities)

    monkeypatch.setattr(nearid_bench, "write_similarities", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        bench_nearid(job, tmp_path / "out", chosen)
    monkeypatch.undo()
    monkeypatch.setattr(
        "nearid_cli.encoders.load.load_encoder",
        lambda *_, **__: pytest.fail("every embedding is in the cache"),
    )
    assert recomputed(job, tmp_path / "out", chosen, monkeypatch) == {QWEN}


def test_equal_pictures_are_embedded_once_and_masked_ones_apart(
    folder: Path, job: NearidJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = contents.StoredPicture.open

    def counted(self: contents.StoredPicture, *arguments: object) -> Decoded:
        opened.append(self.name)
        return real(self, *arguments)

    monkeypatch.setattr(contents.StoredPicture, "open", counted)
    chosen = Options(metrics=["hog"], cache=tmp_path / "cache")
    (tmp_path / "more").mkdir()
    shutil.copytree(folder / "NearID-Qwen", tmp_path / "more/NearID-SDXL")
    twins = replace(job, distractors=(*job.distractors, str(tmp_path / "more/NearID-SDXL")))
    bench_nearid(twins, tmp_path / "out", chosen)
    whole = set(opened)
    assert not any("SDXL" in name for name in whole)
    for masks in ("foreground", "background"):
        opened.clear()
        bench_nearid(replace(job, masks=masks), tmp_path / "out", chosen)
        assert len(set(opened)) > 20
        assert set(opened) <= whole
    opened.clear()
    bench_nearid(replace(job, masks="foreground"), tmp_path / "elsewhere", chosen)
    assert opened == []


@pytest.fixture
def bad(sets: Sets, tmp_path: Path) -> NearidJob:
    """A truncated view, a distractor that is no picture in two places, and a mask that is empty."""
    changed = Sets(
        *([list(row) for row in cells] for cells in (sets.views, sets.masks, sets.flux, sets.qwen))
    )
    changed.views[0][1] = png(3)[:-30]
    changed.flux[0][0] = changed.flux[4][2] = b"hello"
    changed.masks[1][0] = b""
    changed.save(tmp_path)
    return NearidJob(
        str(tmp_path / "NearID"), (str(tmp_path / "NearID-Flux_1024"), str(tmp_path / "NearID-Qwen"))
    )


def test_bad_pictures_are_all_named(bad: NearidJob, options: Options, tmp_path: Path) -> None:
    with pytest.raises(
        BadImagesError, match=r"3 pictures of \d+ cannot be used; the others are embedded"
    ) as caught:
        bench_nearid(bad, tmp_path / "out", options)
    positives, (flux, _) = bad.positives, bad.distractors
    assert sorted(caught.value.details) == sorted(
        [
            f"{positives}, row 0, column images2: truncated PNG",
            f"{flux}, row 0, column nimg1: not an image: text",
            f"{flux}, row 4, column nimg3: not an image: text",
        ]
    )
    assert list((tmp_path / "out").rglob("*.csv")) == []
    with pytest.raises(BadImagesError) as caught:
        bench_nearid(replace(bad, masks="background", distractors=(flux,)), tmp_path / "out", options)
    named = [detail for detail in caught.value.details if "mask" in detail]
    assert named == [
        f"{positives}, row 1, column images1: its mask ({positives}, row 1, column masks1): empty file"
    ]


@pytest.mark.parametrize("masks", ["none", "foreground"])
def test_bad_pictures_that_are_skipped_are_missing_ones(
    sets: Sets, bad: NearidJob, hog: Embed, options: Options, tmp_path: Path, masks: str
) -> None:
    job = replace(bad, skip_bad=True, masks=masks)
    result = bench_nearid(job, tmp_path / "out", options)
    left = Sets(*([list(row) for row in cells] for cells in (sets.views, sets.masks, sets.flux, sets.qwen)))
    left.views[0][1] = left.flux[0][0] = left.flux[4][2] = None
    left.masks[1][0] = None
    variant = "image" if masks == "none" else masks
    for name, distractors in (("NearID-Flux_1024", left.flux), ("NearID-Qwen", left.qwen)):
        expected = by_hand(left, distractors, "full", masks, False, hog)
        check(tmp_path / "out" / name / f"sims_{variant}_trainall_full_hog.csv", expected)
    assert len(result.skipped) >= 3
    assert len(set(result.skipped)) == len(result.skipped)
    # A file that lacks pictures is what a run that skips them makes, and no other.
    assert bench_nearid(job, tmp_path / "out", options).skipped == result.skipped
    with pytest.raises(BadImagesError):
        bench_nearid(replace(job, skip_bad=False), tmp_path / "out", options)


def test_sources_that_do_not_align(sets: Sets, options: Options, tmp_path: Path) -> None:
    sets.save(tmp_path)
    job = NearidJob(str(tmp_path / "NearID"), (str(tmp_path / "NearID-SDXL"),))
    shuffled = [IDS[row] for row in (1, 0, 2, 3, 4, 5, 6, 7)]
    saved(table(slots("nimg", sets.flux), id=shuffled), tmp_path / "NearID-SDXL")
    with pytest.raises(InputError, match=r"does not go with .*: the ids of 2 rows of 8 differ"):
        bench_nearid(job, tmp_path / "out", options)
    shutil.rmtree(tmp_path / "NearID-SDXL")
    saved(table(slots("nimg", sets.flux[:5]), id=IDS[:5]), tmp_path / "NearID-SDXL")
    with pytest.raises(InputError, match=r"has 5 rows and .* has 8"):
        bench_nearid(job, tmp_path / "out", options)


def test_rows_with_one_id(sets: Sets, options: Options, tmp_path: Path) -> None:
    twice = [70, 7, 700, 8, 70, 9, 7, 11]
    replace(sets, ids=twice).save(tmp_path)
    job = NearidJob(str(tmp_path / "NearID"), (str(tmp_path / "NearID-Qwen"),))
    with pytest.raises(InputError, match="2 rows with the id of another row") as caught:
        bench_nearid(job, tmp_path / "out", options)
    assert caught.value.details == ("70: rows 0 and 4", "7: rows 1 and 6")


def test_no_sample(sets: Sets, options: Options, tmp_path: Path, job: NearidJob) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text("[2, 3]")
    flux = replace(job, distractors=job.distractors[:1], rows=rows)
    with pytest.raises(InputError, match=r"Flux_1024: none of 2 rows has two views and a distractor$"):
        bench_nearid(flux, tmp_path / "out", options)
    rows.write_text("[6]")
    with pytest.raises(InputError, match=r"NearID: none of 1 row has two views with a mask$"):
        bench_nearid(replace(flux, mode="positives", masks="background", distractors=()), tmp_path, options)
    saved(table(slots("images", sets.views)), tmp_path / "bare")
    with pytest.raises(
        InputError, match="bare has no columns masks1 to masks3, so --masks foreground has nothing"
    ):
        bench_nearid(
            NearidJob(str(tmp_path / "bare"), mode="positives", masks="foreground"), tmp_path, options
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "ful"}, 'unknown mode "ful": did you mean full'),
        ({"masks": "forground"}, 'unknown masks "forground": did you mean foreground'),
        ({"mode": "full", "distractors": ()}, "mode full compares views with distractors: add --distractors"),
        (
            {"distractors": ("a/NearID-Flux-1024", "b/NearID-Flux_1024/", "b/NearID-Qwen")},
            "every --distractors needs a source of its own",
        ),
    ],
)
def test_jobs_that_cannot_be(job: NearidJob, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        replace(job, **wrong)
    if "distractors" in message and "source" in message:
        assert caught.value.details == ("flux_1024: a/NearID-Flux-1024, b/NearID-Flux_1024/",)


def test_metrics_that_would_share_a_file(job: NearidJob, checkpoint: Path, tmp_path: Path) -> None:
    chosen = Options(metrics=[f"a={checkpoint}", f"b={checkpoint}"], device="cpu")
    with pytest.raises(UsageError, match="the metrics a and b are one checkpoint"):
        bench_nearid(job, tmp_path / "out", chosen)


def test_a_list_of_rows_that_is_not_there(job: NearidJob, options: Options, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        bench_nearid(replace(job, rows=tmp_path / "none.json"), tmp_path, options)


def test_libraries_that_are_not_installed(
    job: NearidJob, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r'OpenCV: pip install "nearid-cli\[bench\]"$'):
        bench_nearid(replace(job, masks="foreground"), tmp_path, options)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'datasets library: pip install "nearid-cli\[bench\]"$'):
        bench_nearid(job, tmp_path, options)


def test_what_the_summary_says(job: NearidJob, options: Options, tmp_path: Path) -> None:
    result = bench_nearid(replace(job, masks="foreground"), tmp_path, options)
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert found["schema"] == "nearid.bench.nearid/2"
    assert found["tool"] == {"name": "nearid-cli", "version": nearid_cli.__version__}
    assert found["metrics"][0]["fingerprint"]
    inputs = found["inputs"]
    assert (inputs["positives"], inputs["distractors"]) == (job.positives, list(job.distractors))
    assert list(inputs["data"]) == [job.positives, *job.distractors]
    assert all(known.startswith(f"{name}: ") for name, known in inputs["data"].items())
    assert (inputs["mode"], inputs["masks"], inputs["split"], inputs["rows"]) == (
        "fullneg",
        "foreground",
        "train",
        None,
    )
    assert [one["source"] for one in found["similarities"]] == ["flux_1024", "qwen"]
    assert all((tmp_path / one["path"]).is_file() for one in found["similarities"])
    assert {cell["name"] for cell in found["cells"]} >= {"all", "qwen", "flux_1024"}
    assert isinstance(result, NearidBenchResult)


def test_a_run_that_finds_everything_imports_nothing_heavy(
    job: NearidJob, checkpoint: Path, tmp_path: Path
) -> None:
    arguments = [
        "bench",
        "nearid",
        "--positives",
        job.positives,
        "--metric",
        f"hog,m={checkpoint}",
        "--device",
        "cpu",
    ]
    arguments += [part for source in job.distractors for part in ("--distractors", source)]
    program = (
        "import sys; from nearid_cli.cli.app import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'pandas', 'scipy', 'skimage', 'datasets', 'cv2', 'matplotlib'};"
        "print('heavy:', code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    outputs = []
    for _ in range(2):
        finished = subprocess.run(
            [sys.executable, "-c", program, *arguments, "-o", "out"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        outputs.append((finished.stdout, finished.stderr.splitlines()[-1]))
    (cold, said), (warm, last) = outputs
    assert "torch" in said
    assert last == "heavy: 0 []"
    assert warm == cold != ""
