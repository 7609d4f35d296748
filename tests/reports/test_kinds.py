"""Metrics of all kinds in tables, notes, findings and files: scores that do not exist, distances, other ranges."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nearid_cli.reports import formats
from nearid_cli.reports.document import document, images_document
from nearid_cli.reports.findings import score_findings
from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.reports.notes import missing_scores
from nearid_cli.reports.order import sorted_subjects, worst_images
from nearid_cli.reports.scores import images_table, metrics_table, subjects_table, worst_table
from nearid_cli.results import PairResult, ScoreResult
from tests.comparing import metric
from tests.kinds import CLIP_T, COSINES, FACE, KINDS, LPIPS, PSNR, SUBJECTS, VSM, result_of


def written(result: ScoreResult, extension: str, **asked: object) -> str:
    data = formats.render(document(result, **asked), Path(f"run{extension}"))
    return data.decode()


@pytest.fixture
def mixed() -> ScoreResult:
    return result_of()


# Scores that do not exist


def test_a_score_that_does_not_exist_is_a_dash_and_a_note_says_why(mixed: ScoreResult) -> None:
    (column,) = [one for one in subjects_table(mixed).shown if one.title == "face"]
    assert [column.spelled(place) for place in range(len(SUBJECTS))].count("-") == 1
    assert column.spelled(SUBJECTS.index("mug")) == "-"
    assert missing_scores(mixed) == [
        "-: no number by face: no face (3 generations); the aggregate is over the other 3 subjects",
        "-: no number by clip-t: no prompt (3 generations); the aggregate is over the other 3 subjects",
    ]


def test_the_most_frequent_reason_comes_first() -> None:
    result = result_of((FACE,), absent={"face": {"mug": "no face", "dog": "unreadable"}})
    images = [
        dataclasses.replace(one, reasons={"face": "unreadable"}) if one.path == "mug/0.png" else one
        for one in result.images
    ]
    result = dataclasses.replace(result, images=tuple(images[::-1][6:] + images[::-1][:6]))
    assert missing_scores(result)[0].startswith(
        "-: no number by face: no face (2 generations), unreadable (1);"
    )
    images[6] = dataclasses.replace(images[6], reasons={"face": "no face"})
    result = dataclasses.replace(result, images=tuple(images))
    assert [one.line() for one in score_findings(result)][:2] == [
        "face: 3 of 12 generations without a score: no face: mug/0.png, mug/1.png, mug/2.png",
        "face: 1 of 12 generations without a score: unreadable: dog/0.png",
    ]


def test_a_metric_without_any_score_has_no_aggregate_to_speak_of() -> None:
    result = result_of((FACE,), absent={"face": dict.fromkeys(SUBJECTS, "no face")}, per_subject=1)
    assert missing_scores(result) == ["-: no number by face: no face (4 generations)"]
    assert document(result).story.heading == "gens has no score by face"


def test_generations_without_a_score_are_a_finding(mixed: ScoreResult) -> None:
    found = [one.line() for one in score_findings(mixed)]
    assert found[:2] == [
        "face: 4 of 12 generations without a score: no face: dog/0.png, mug/0.png, mug/1.png and 1 more",
        "clip-t: 3 of 12 generations without a score: no prompt: red car/0.png, red car/1.png, red car/2.png",
    ]
    assert "that of the aggregate by face on 3 subjects" in found[-1]


def test_of_many_reasons_the_rare_ones_are_counted_together() -> None:
    result = result_of((FACE,), subjects=[f"s{i}" for i in range(7)], per_subject=1, absent={})
    images = tuple(
        dataclasses.replace(one, scores={"face": None}, reasons={"face": f"reason {i}"})
        for i, one in enumerate(result.images)
    )
    found = [one.line() for one in score_findings(dataclasses.replace(result, images=images))]
    assert found[3] == "face: 1 of 7 generations without a score: reason 3: s3/0.png"
    assert found[4] == (
        "face: 3 of 7 generations without a score for 3 other reasons: s4/0.png, s5/0.png, s6/0.png"
    )


def test_no_finding_and_no_note_where_every_score_exists(render) -> None:
    result = result_of((COSINES,), absent={})
    assert missing_scores(result) == []
    assert "without a score" not in written(result, ".md", worst=3)


def test_the_worst_list_leaves_out_what_has_no_score_and_says_so() -> None:
    result = result_of((FACE, CLIP_T))
    table = worst_table(result, 20)
    assert table.size == 8
    assert table.notes == (
        "4 generations without a score by face left out",
        "-: no number by clip-t: no prompt (3 generations)",
    )


def test_a_worst_list_of_nothing_is_a_sentence(render) -> None:
    nobody = {"face": dict.fromkeys(SUBJECTS, "no face")}
    result = result_of((FACE, COSINES), absent=nobody, per_subject=1)
    text = written(result, ".md", worst=3)
    assert "4 generations without a score by face left out" in text
    assert "worst by face" not in text


@pytest.mark.parametrize("sort", ["face", "-face"])
def test_what_has_no_score_is_sorted_last_both_ways(mixed: ScoreResult, sort: str) -> None:
    assert [one.subject for one in sorted_subjects(mixed, sort)][-1] == "mug"


def test_data_files_hold_null_and_the_reason(mixed: ScoreResult, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(written(mixed, ".csv"))))
    assert [row["face_score"] for row in rows].count("") == 1
    assert [row["face_missing"] for row in rows] == ["0", "1", "3", "0"]
    assert "nearid_missing" not in rows[0]
    path = tmp_path / "images.parquet"
    path.write_bytes(formats.render(images_document(mixed), path))
    images = pq.read_table(path).to_pylist()
    (first,) = [one for one in images if one["path"] == "dog/0.png"]
    assert (first["face"], first["face_reason"], first["nearid"] is None) == (None, "no face", False)
    assert images[0]["face_reason"] is None
    assert "nearid_reason" not in images[0]
    read = json.loads(written(mixed, ".json"))
    assert read["subjects"][2]["scores"]["face"]["score"] is None
    assert read["images"][6]["reasons"] == {"face": "no face"}


def test_a_label_called_like_a_reason_keeps_its_column(mixed: ScoreResult) -> None:
    images = (dataclasses.replace(mixed.images[0], labels={"face_reason": "mine"}), *mixed.images[1:])
    names = [name for name, _, _ in images_table(dataclasses.replace(mixed, images=images)).stored()]
    assert "label_face_reason" in names
    assert names.count("face_reason") == 1


# Distances


def test_the_worst_by_a_distance_is_the_highest() -> None:
    result = result_of((LPIPS, COSINES))
    worst = [image.scores["lpips"] for image in worst_images(result, 12)]
    assert worst == sorted(worst, reverse=True)
    ordered = [one.scores["lpips"].score for one in sorted_subjects(result, "lpips")]
    assert ordered == sorted(ordered, reverse=True)
    assert [one.scores["lpips"].score for one in sorted_subjects(result, "-lpips")] == ordered[::-1]


def test_a_distance_that_agrees_with_a_similarity_disagrees_with_nothing() -> None:
    result = result_of((COSINES, LPIPS))
    images = tuple(
        dataclasses.replace(one, scores={**one.scores, "lpips": 1 - (one.scores["nearid"] or 0.0)})
        for one in result.images
    )
    assert document(dataclasses.replace(result, images=images)).story.result.disagreements == ()
    assert document(result).story.result.disagreements


def test_the_worst_by_a_similarity_is_the_lowest() -> None:
    worst = [image.scores["nearid"] for image in worst_images(result_of((COSINES,)), 12)]
    assert worst == sorted(worst)


@pytest.mark.parametrize(
    ("extension", "title", "meaning"),
    [
        (".md", "| lpips ↓ |", "\n↓: lower is better."),
        (
            ".tex",
            r"& lpips $\downarrow$ \\",
            r"\caption{Mean score of the generations of each subject. $\downarrow$: lower",
        ),
        (".html", "<bdi>lpips ↓</bdi>", "↓: lower is better."),
    ],
)
def test_a_distance_says_so_beside_its_name(extension: str, title: str, meaning: str) -> None:
    text = written(result_of((COSINES, LPIPS)), extension)
    assert title in text
    assert meaning in text


def test_data_files_have_the_bare_name() -> None:
    assert "↓" not in written(result_of(), ".csv")


def test_nothing_is_said_of_directions_where_higher_is_better(render) -> None:
    result = result_of((COSINES, VSM))
    for extension in (".md", ".tex"):
        assert "lower is better" not in written(result, extension)
        assert "↓" not in written(result, extension)


def test_a_terminal_says_it_at_80_columns(render) -> None:
    from nearid_cli.reports.terminal import render as show

    text = render(show, document(result_of(), worst=2), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "lpips ↓" in text
    assert "↓: lower is better." in text


def test_a_change_of_a_distance_says_what_it_means() -> None:
    result = result_of((LPIPS,))
    better = result_of((LPIPS,), quality=1.0)  # the same but for that
    text = written(result, ".md", baseline=better)
    assert "▲ +0.030 worse" in text
    assert "better" not in text.replace("lower is better", "")
    assert "▼ -0.030 better" in written(better, ".md", baseline=result)


def test_a_change_of_a_similarity_is_an_arrow_alone() -> None:
    text = written(result_of((COSINES,)), ".md", baseline=result_of((COSINES,), quality=1.0))
    assert "▼ -0.030 |" in text


def test_references_closer_to_strangers_by_a_distance_are_found() -> None:
    """By a distance, references that are alike have a low ceiling, and a floor below it is what is wrong."""
    result = result_of((LPIPS,))
    for ceiling, floor, wrong in ((0.1, 0.6, False), (0.6, 0.1, True)):
        subjects = tuple(
            dataclasses.replace(
                one,
                scores={"lpips": dataclasses.replace(one.scores["lpips"], ceiling=ceiling, floor=floor)},
            )
            for one in result.subjects
        )
        found = [one.line() for one in score_findings(dataclasses.replace(result, subjects=subjects))]
        assert any("no more alike than those of strangers" in line for line in found) is wrong


# Ranges


@pytest.mark.parametrize(
    ("ends", "largest", "spelled"),
    [
        ((-1.0, 1.0), 0.00001, "0.031"),
        ((0.0, 10.0), 3.0, "0.031"),
        ((0.0, 100.0), 73.2, "0.03"),
        ((None, None), 0.5, "0.031"),
        ((0.0, None), 31.0, "0.03"),
        ((None, None), 250.0, "0.0"),
        ((None, None), 5_000.0, "0"),
        ((0.0, None), 0.032, "0.0312"),
        ((0.0, None), 0.0, "0.031"),
    ],
)
def test_a_metric_has_as_many_decimals_as_its_numbers_need(
    ends: tuple[float | None, float | None], largest: float, spelled: str
) -> None:
    assert Gauge(metric("m", range=ends), largest).score.say(0.03123) == spelled


def test_an_axis_covers_a_twentieth_of_what_can_be() -> None:
    assert Gauge(COSINES, 0.9).span == 0.1
    assert Gauge(VSM, 0.3).span == 0.05
    assert Gauge(PSNR, 30.0).span == 1.5
    assert Gauge(PSNR, 0.0).span > 0


def test_numbers_around_24_have_two_decimals_in_every_column(mixed: ScoreResult) -> None:
    shown = gauges(mixed)
    assert (shown["psnr"].decimals, shown["nearid"].decimals) == (2, 3)
    text = written(mixed, ".md", worst=2)
    (row,) = [line for line in text.splitlines() if line.startswith("| psnr |")]
    assert row.split("|")[2].strip().count(".") == 3
    assert all(
        len(number.split(".")[1]) == 2
        for number in row.split("|")[2].replace("[", "").replace("]", "").replace(",", "").split()
    )


def test_captions_speak_of_cosines_only_where_all_numbers_are() -> None:
    usual, other = result_of((COSINES, FACE)), result_of((COSINES, VSM, CLIP_T))
    assert "Mean cosine similarity" in written(usual, ".tex")
    assert "cosine similarities" in written(usual, ".md")
    assert "Mean cosine similarity" not in written(other, ".tex").partition(r"\caption")[2]
    markdown = written(other, ".md").partition("<details>")[0]
    assert "Scores are mean cosine similarities" not in markdown
    assert f"vsm: {VSM.protocol}" in markdown
    assert f"clip-t: {CLIP_T.protocol}" in markdown
    assert "nearid: " not in markdown


def test_a_pair_has_one_decimal_more_and_says_which_way_is_better(render) -> None:
    from nearid_cli.reports.terminal import render as show

    similarity = {"nearid": 0.71234, "lpips": 0.41234, "psnr": 24.12345}
    usual = PairResult("a.png", "b.png", (COSINES,), {"nearid": 0.71234})
    assert render(show, document(usual)).splitlines()[3:6:2] == ["metric  similarity", "nearid      0.7123"]
    lines = render(show, document(PairResult("a.png", "b.png", (COSINES, LPIPS, PSNR), similarity)))
    assert "metric    score" in lines
    assert "lpips ↓  0.4123" in lines
    assert "psnr     24.123" in lines
    assert "↓: lower is better." in lines


# What a kind cannot have


@pytest.mark.parametrize("one", [CLIP_T, LPIPS, PSNR], ids=lambda one: one.name)
def test_what_has_no_context_has_no_columns_and_no_notes_of_it(one) -> None:
    for subjects in (("cat",), SUBJECTS):
        result = result_of((one,), subjects=subjects, absent={})
        titles = [column.title for column in subjects_table(result).shown]
        assert titles == ["refs", "gens", one.name]
        assert missing_scores(result) == []
        header = written(result, ".csv").splitlines()[0].split(",")
        assert not [
            name for name in header if name.endswith(("floor", "ceiling", "retention", "identification"))
        ]


def test_the_metric_in_context_is_the_first_that_has_any() -> None:
    result = result_of((CLIP_T, LPIPS, COSINES, FACE))
    assert {column.by for column in subjects_table(result).shown if column.by} == {"nearid"}
    baseline = result_of((CLIP_T, LPIPS, COSINES, FACE), seed=1)
    text = written(result, ".md", baseline=baseline)
    assert "| ceiling by nearid |" in text
    assert "| change by clip-t |" in text


def test_pairs_have_a_ceiling_and_a_floor_is_said_to_be_a_matter_of_all_pairs() -> None:
    for subjects, reason in (
        (("cat",), "Floor, retention and identification need a second subject."),
        (
            SUBJECTS,
            "No floor, retention and identification without every generation against every reference (--pairs all).",
        ),
    ):
        result = result_of((VSM,), subjects=subjects)
        assert [column.title for column in subjects_table(result).shown] == ["refs", "gens", "vsm", "ceiling"]
        assert missing_scores(result) == [reason]


def test_the_metrics_side_by_side_say_why_some_lack_what_others_have(mixed: ScoreResult) -> None:
    assert metrics_table(mixed).notes == (
        "↓: lower is better.",
        "-: no floor, ceiling, retention and identification but by similarity to references: clip-t, lpips, psnr",
        "-: no floor, retention and identification without every generation against every reference (--pairs all): vsm",
    )
    assert metrics_table(result_of((COSINES, FACE))).notes == ()


def test_a_subject_whose_references_have_no_number_lacks_a_ceiling_for_that() -> None:
    result = result_of((FACE,), absent={})
    subjects = list(result.subjects)
    scores = dataclasses.replace(subjects[1].scores["face"], ceiling=None, retention=None)
    subjects[1] = dataclasses.replace(subjects[1], scores={"face": scores})
    assert missing_scores(dataclasses.replace(result, subjects=tuple(subjects))) == [
        "-: no ceiling, since the metric has no number for the pairs it takes: dog"
    ]


# What made it


def test_what_made_a_number_names_what_is_unusual_of_it(mixed: ScoreResult) -> None:
    facts = {line.split(":")[0]: line for line in document(mixed).draft.made_by}
    assert facts["metric nearid"].endswith("protocol mean cosine similarity of all pairs")
    assert facts["metric vsm"].endswith("kind pairwise; range 0 to 1; not symmetric")
    assert facts["metric clip-t"].endswith("kind text; against prompts")
    assert facts["metric lpips"].endswith("kind given; range from 0; lower is better; against nothing known")


def test_every_kind_goes_through_every_format() -> None:
    for one in KINDS:
        result = result_of((one,))
        for extension in formats.known("score"):
            if extension != ".xml":
                assert formats.render(document(result, worst=2), Path(f"run{extension}"))
