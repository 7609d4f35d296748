"""MTG from data sets against the same worked out by hand, and what becomes of all that can be missing or bad."""

from __future__ import annotations

import json
import logging
import math
import os
import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

import nearid_cli
from nearid_cli.benchmarks.mtg.bench import MtgJob, evaluate_mtg
from nearid_cli.benchmarks.mtg.report import report
from nearid_cli.benchmarks.mtg.result import MtgResult
from nearid_cli.errors import BadImagesError, InputError, UsageError
from nearid_cli.options import Options
from nearid_cli.reports.formats.html import Html
from tests.benchmarks.part_edits import SIMILARITIES, Columns, by_hand, mask, part_edits, written
from tests.nearid_data.making import table

TOLERANCE = 1e-6


def measure(
    data: str, metrics: tuple[str, ...] = ("hog",), output: Path | None = None, **job: Any
) -> MtgResult:
    return evaluate_mtg(MtgJob(data, "train", **job), Options(metrics=metrics), output)


def check(result: MtgResult, metric: str, expected: dict[str, Any]) -> None:
    found = result.scores[metric]
    for name in ("mo", "mo_pair", "ssr", "pa"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=TOLERANCE), name
    assert [one.r for one in found.correlations] == pytest.approx(expected["r"], abs=TOLERANCE)
    assert (found.samples, found.trials) == (expected["samples"], expected["trials"])


def table_of(output: Path, metric: str = "hog", variant: str = "image", rows: str = "train") -> pd.DataFrame:
    stem = output / "MTG-Dataset" / f"sims_{variant}_{rows}_mtg_{metric}"
    frame = pd.read_parquet(f"{stem}.parquet")
    pd.testing.assert_frame_equal(
        pd.read_csv(f"{stem}.csv").astype(float), frame.astype(float), check_exact=True
    )
    return frame


@pytest.fixture
def columns() -> Columns:
    """With everything that may be missing: a picture, a twin, an object mask, a part mask; an empty object."""
    made = part_edits()
    made["image_1_original"][1] = None
    made["image_2_inpainted"][2] = None
    made["image_1_object_mask"][3] = None
    made["image_2_part_mask"][4] = None
    made["image_1_object_mask"][5] = mask(0, 11)
    return made


@pytest.fixture
def data(columns: Columns, tmp_path: Path) -> str:
    return written(columns, tmp_path / "mtg")


@pytest.mark.parametrize("masks", ["none", "object"])
def test_against_the_same_by_hand(
    columns: Columns, data: str, checkpoint: Path, tmp_path: Path, masks: str
) -> None:
    metrics = ("hog", f"tiny={checkpoint}")
    result = measure(data, metrics, tmp_path / "out", masks=masks)
    variant = "image" if masks == "none" else "foreground"
    tags = {"hog": "hog", "tiny": str(checkpoint).replace("/", "~")}
    for metric, request in zip(("hog", "tiny"), metrics, strict=True):
        encoder = nearid_cli.load_encoder(request)
        expected: dict[str, Any] = by_hand(columns, encoder.embed, masks=masks == "object")
        check(result, metric, expected)
        frame = table_of(tmp_path / "out", tags[metric], variant)
        for place, pair in enumerate(SIMILARITIES):
            own = [row[place] for row in expected["similarities"]]
            assert frame[f"mtg_sim_{pair}"].tolist() == pytest.approx(own, abs=TOLERANCE, nan_ok=True)
        for twin in (1, 2):
            own = [row[twin - 1] for row in expected["oracles"]]
            assert frame[f"mtg_oracle_{twin}"].tolist() == pytest.approx(own, abs=1e-12)
            assert (frame[f"mtg_ratio_{twin}"] + frame[f"mtg_oracle_{twin}"]).tolist() == pytest.approx(
                [1] * 8
            )
    assert result.inputs.zero_oracles == 3
    assert result.files["hog"] == f"MTG-Dataset/sims_{variant}_train_mtg_hog.csv"


def test_the_published_columns(data: str, tmp_path: Path) -> None:
    measure(data, output=tmp_path)
    frame = table_of(tmp_path)
    assert frame.columns.tolist() == [
        "sample_id",
        *("mtg_ratio_1", "mtg_oracle_1", "mtg_ratio_2", "mtg_oracle_2"),
        *("mtg_sim_1_2", "mtg_sim_1_1p", "mtg_sim_1_2p", "mtg_sim_2_2p", "mtg_sim_2_1p"),
        *("mtg_margin_1", "mtg_margin_2", "mtg_win_1", "mtg_win_2", "mtg_overall_win"),
    ]
    assert frame["sample_id"].tolist() == list(range(8))
    margins = frame["mtg_sim_1_2"] - frame["mtg_sim_1_1p"]
    assert frame["mtg_margin_1"].tolist() == pytest.approx(margins.tolist(), nan_ok=True)
    assert frame["mtg_win_1"].isna().tolist() == margins.isna().tolist()
    assert pd.isna(frame["mtg_overall_win"][1])  # its first original is missing, so it has no trial
    assert not pd.isna(frame["mtg_overall_win"][2])  # one twin is missing, the other trial counts


def test_rows_in_the_order_of_the_list(columns: Columns, data: str, tmp_path: Path) -> None:
    rows = tmp_path / "some rows.json"
    rows.write_text("[7, 0, 4, 2, 6]")
    result = measure(data, output=tmp_path, rows=rows)
    check(result, "hog", by_hand(columns, nearid_cli.load_encoder("hog").embed, [7, 0, 4, 2, 6]))
    assert table_of(tmp_path, rows="some rows")["sample_id"].tolist() == [7, 0, 4, 2, 6]


def test_the_page_draws_correlations_and_rates(data: str) -> None:
    result = measure(data)
    page = Html().render(report(result).document)
    (one,) = result.scores.values()
    told = dict(
        re.findall(r"<title id=\"part-level-\d-t\">([^<]+)</title><desc [^>]*>hog: ([^<]*)</desc>", page)
    )
    assert told == {
        title: f"{scale * value:.{digits}f} [{scale * ends[0]:.{digits}f}, {scale * ends[1]:.{digits}f}]"
        for title, value, ends, scale, digits in (
            ("MO", one.mo, one.mo_ci95, 1, 3),
            ("MOpair", one.mo_pair, one.mo_pair_ci95, 1, 3),
            ("SSR in percent", one.ssr, one.ssr_ci95, 100, 1),
            ("PA in percent", one.pa, one.pa_ci95, 100, 1),
        )
    }


def test_rows_by_a_column_of_the_data(columns: Columns, tmp_path: Path) -> None:
    kinds = ["a/b", "c", "a/b", "c", "c", "a/b", "c", "c"]
    source = tmp_path / "mtg.parquet"
    table(columns, kind=kinds).to_parquet(source)
    result = measure(str(source), output=tmp_path, rows="kind=a/b")
    check(result, "hog", by_hand(columns, nearid_cli.load_encoder("hog").embed, [0, 2, 5]))
    assert table_of(tmp_path, rows="a~b")["sample_id"].tolist() == [0, 2, 5]
    assert result.inputs.rows == "kind=a/b"


def test_twins_like_their_originals(tmp_path: Path) -> None:
    """Nothing was edited: s11p and s22p are 1 for all samples, which leaves nothing to correlate."""
    columns = part_edits()
    for k in (1, 2):
        columns[f"image_{k}_inpainted"] = columns[f"image_{k}_original"]
    result = measure(written(columns, tmp_path / "mtg"))
    found = result.scores["hog"]
    assert [one.varies for one in found.correlations] == [False, False, True, True]
    assert (found.mo_pair, found.ssr, found.pa) == (0.0, 0.0, 0.0)
    check(result, "hog", by_hand(columns, nearid_cli.load_encoder("hog").embed))
    assert "hog: r(s11p, o1), r(s22p, o2) do not exist and count 0, for lack of variance" in list(
        report(result).findings
    )


def test_twins_that_show_the_other_picture_are_ties(tmp_path: Path) -> None:
    columns = part_edits()
    columns["image_1_inpainted"] = columns["image_2_original"]
    columns["image_2_inpainted"] = columns["image_1_original"]
    found = measure(written(columns, tmp_path / "mtg")).scores["hog"]
    assert (found.pa, found.trials, found.mean_margin) == (0.0, 16, 0.0)


def test_without_columns_of_masks(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in part_edits().items() if "mask" not in name}
    data = written(columns, tmp_path / "mtg")
    result = measure(data)
    assert (result.scores["hog"].mo, result.inputs.zero_oracles) == (0.0, 16)
    with pytest.raises(InputError, match="image_2_object_mask, so --masks object has nothing to go by"):
        measure(data, masks="object")


def test_masks_of_different_sizes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Their pixels are compared as they are, which the definition says and a reader must know."""
    columns = part_edits(3)
    columns["image_1_object_mask"], columns["image_1_part_mask"] = [mask(30, 0)] * 3, [mask(20, 1)] * 3
    with caplog.at_level(logging.WARNING):
        result = measure(written(columns, tmp_path / "mtg"), output=tmp_path)
    assert caplog.messages == [
        "3 twins with a part mask of another size than the object mask; the oracle compares their pixels as they are"
    ]
    assert table_of(tmp_path)["mtg_oracle_1"].tolist() == pytest.approx([1 - 4 * 20 / 30] * 3)
    assert result.inputs.negative_oracles == 3
    assert "oracles below 0: 3 of 6 (the part is larger than the object)" in list(report(result).findings)


@pytest.fixture
def damaged(columns: Columns, tmp_path: Path) -> str:
    columns["image_2_inpainted"][0] = b"not a picture"
    columns["image_1_part_mask"][6] = (columns["image_1_part_mask"][6] or b"")[:60]
    columns["image_2_object_mask"][6] = b""
    columns["image_1_original"][7] = columns["image_2_inpainted"][0]  # the same bytes: each place is named
    return written(columns, tmp_path / "damaged")


def test_all_that_is_bad_is_named_in_order(damaged: str) -> None:
    with pytest.raises(BadImagesError, match="4 pictures of 60 cannot be used") as error:
        measure(damaged)
    assert [bad.path for bad in error.value.bad] == [
        f"{damaged}, row 0, column image_2_inpainted",
        f"{damaged}, row 6, column image_1_part_mask",
        f"{damaged}, row 6, column image_2_object_mask",
        f"{damaged}, row 7, column image_1_original",
    ]
    assert "truncated PNG" in error.value.bad[1].reason


@pytest.mark.parametrize("masks", ["none", "object"])
def test_going_on_without_what_is_bad(columns: Columns, damaged: str, tmp_path: Path, masks: str) -> None:
    """A bad picture is as a missing one; a bad mask leaves an oracle unknown, where a missing one makes it 0."""
    result = measure(damaged, output=tmp_path, skip_bad=True, masks=masks)
    assert len(result.inputs.skipped) == 4
    variant = "image" if masks == "none" else "foreground"
    frame = table_of(tmp_path, variant=variant)
    assert frame.loc[6, ["mtg_oracle_1", "mtg_oracle_2"]].isna().all()
    assert result.inputs.oracles == 14
    gone = frame[[f"mtg_sim_{pair}" for pair in SIMILARITIES]].isna()
    assert gone.loc[0].tolist() == [False, False, True, True, False]
    assert gone.loc[7].tolist() == [True, True, True, False, False]
    assert gone.loc[6].tolist() == ([False] * 5 if masks == "none" else [True, False, True, True, True])
    for row, k, suffix in ((0, 2, "inpainted"), (7, 1, "original"), (6, 2, "object_mask")):
        columns[f"image_{k}_{suffix}"][row] = None
    columns["image_1_part_mask"][6] = None
    expected = by_hand(columns, nearid_cli.load_encoder("hog").embed, masks=masks == "object")
    for place, pair in enumerate(SIMILARITIES):
        own = [row[place] for row in expected["similarities"]]  # type: ignore[attr-defined]
        assert frame[f"mtg_sim_{pair}"].tolist() == pytest.approx(own, abs=TOLERANCE, nan_ok=True)
    assert (result.scores["hog"].ssr, result.scores["hog"].pa) == (expected["ssr"], expected["pa"])


def test_nothing_to_embed(tmp_path: Path) -> None:
    columns = part_edits(2)
    for k in (1, 2):
        columns[f"image_{k}_original"] = columns[f"image_{k}_inpainted"] = [None, None]
    with pytest.raises(InputError, match="2 rows without any picture to embed"):
        measure(written(columns, tmp_path / "mtg"))


def test_another_kind_of_data_set(columns: Columns, tmp_path: Path) -> None:
    del columns["image_2_inpainted"]
    with pytest.raises(
        InputError, match="not in the form of Mind-the-Glitch: expected columns image_2_inpainted"
    ):
        measure(written(columns, tmp_path / "mtg"))


def test_wrong_options(data: str) -> None:
    with pytest.raises(UsageError, match='unknown masks "objects": did you mean object'):
        measure(data, masks="objects")


def test_data_without_splits_pass_for_any(
    data: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = evaluate_mtg(MtgJob(data, "test"), Options(metrics=["hog"]), tmp_path)
    assert (result.inputs.samples, result.inputs.split) == (8, "test")
    assert result.files == {"hog": "MTG-Dataset/sims_image_test_mtg_hog.csv"}
    assert f"{data} is not divided into splits; all of it is taken as test" in caplog.messages


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    datasets.DatasetDict({"test": table(part_edits(2))}).save_to_disk(str(tmp_path / "mtg"))
    with pytest.raises(InputError, match='has no split "val"; it has test'):
        evaluate_mtg(MtgJob(str(tmp_path / "mtg"), "val"), Options(metrics=["hog"]))


def test_without_any_twin_there_is_no_correlation(tmp_path: Path) -> None:
    columns = part_edits(4)
    for k in (1, 2):
        columns[f"image_{k}_inpainted"] = [None] * 4
    result = measure(written(columns, tmp_path / "mtg"))
    assert result.scores["hog"].mo is None
    assert list(report(result).findings) == [
        "hog: no MO, because no sample has both an oracle and a similarity with a twin",
        "hog: 4 of 4 samples without a trial",
    ]


@pytest.mark.parametrize("form", ["folder", "divided", "Parquet file", "Parquet folder", "divided Parquet"])
def test_the_split_is_test_where_there_are_splits(tmp_path: Path, form: str) -> None:
    whole, part = table(part_edits(4)), table(part_edits(3, seed=1))
    data = tmp_path / ("edits.parquet" if form == "Parquet file" else "edits")
    if form == "folder":
        whole.save_to_disk(str(data))
    elif form == "divided":
        datasets.DatasetDict({"train": part, "test": whole}).save_to_disk(str(data))
    elif form == "Parquet file":
        whole.to_parquet(str(data))
    elif form == "Parquet folder":
        data.mkdir()
        whole.to_parquet(str(data / "all.parquet"))
    else:
        (data / "data").mkdir(parents=True)
        whole.to_parquet(str(data / "data/test-00000-of-00001.parquet"))
        part.to_parquet(str(data / "data/train-00000-of-00001.parquet"))
    inputs = evaluate_mtg(MtgJob(str(data)), Options(metrics=["hog"])).inputs
    assert (inputs.samples, inputs.split) == (4, "test" if "divided" in form else "train")


def test_a_finished_metric_is_not_computed_again(
    columns: Columns, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measure(data, output=tmp_path)
    file = tmp_path / "MTG-Dataset/sims_image_train_mtg_hog.csv"
    with monkeypatch.context() as patched:
        patched.setattr("nearid_cli.nearid_data.PartEdits.open", None)
        again = measure(data, output=tmp_path)
    assert (again.scores, again.inputs, again.files) == (first.scores, first.inputs, first.files)

    opened = []
    real = nearid_cli.nearid_data.PartEdits.open

    def noting(source: str, *more: Any) -> Any:
        opened.append(source)
        return real(source, *more)

    monkeypatch.setattr("nearid_cli.nearid_data.PartEdits.open", noting)
    rows = tmp_path / "train.json"  # would write the same file
    rows.write_text("[0, 1, 2, 3]")
    assert measure(data, output=tmp_path, rows=rows).inputs.samples == 4
    assert measure(data, output=tmp_path).scores == first.scores
    assert len(opened) == 2
    file.write_text(file.read_text().replace("0.9", "0.8", 1))
    assert measure(data, output=tmp_path).scores == first.scores
    assert len(opened) == 3
    for part in Path(data).iterdir():  # the same, so far as content tells
        os.utime(part, (1, 1))
    measure(data, output=tmp_path)
    assert len(opened) == 3
    names = list(columns)
    written(columns | {names[-1]: columns[names[-1]][::-1]}, Path(data))  # another data set in its place
    measure(data, output=tmp_path)
    assert len(opened) == 4
    evaluate_mtg(MtgJob(data, "train"), Options(metrics=["hog"], verify_content=True), tmp_path)
    assert len(opened) == 5


def test_what_was_skipped_is_kept_with_the_file(damaged: str, tmp_path: Path) -> None:
    first = measure(damaged, output=tmp_path, skip_bad=True)
    again = measure(damaged, output=tmp_path, skip_bad=True)
    assert again.inputs == first.inputs
    with pytest.raises(BadImagesError):  # a file that lacks something is only for those who said so
        measure(damaged, output=tmp_path)


def test_the_result_is_json(data: str) -> None:
    found = measure(data).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["schema"] == "nearid.bench.mtg/2"
    assert found["metrics"][0]["name"] == "hog"
    assert found["inputs"]["skipped"] == []
    assert set(found["scores"]["hog"]) >= {"mo", "mo_ci95", "mo_pair", "ssr", "pa", "samples", "trials"}
    assert [one["similarity"] for one in found["scores"]["hog"]["correlations"]] == [
        "s11p",
        "s22p",
        "s12p",
        "s21p",
    ]
    assert not math.isnan(np.sum([one["r"] for one in found["scores"]["hog"]["correlations"]]))
