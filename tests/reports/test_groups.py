"""What reports say of groups: every number with how many subjects it is of, and nothing lost in any format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from nearid_cli.errors import InputError
from nearid_cli.evaluate.compare import compare
from nearid_cli.evaluate.compared_groups import BASELINE, RUN, changed_groups
from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.reports import groups
from nearid_cli.reports.document import document
from nearid_cli.reports.files import write, write_groups
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.reports.groups import Changes, groups_table
from nearid_cli.results import AggregateScores, CompareResult, ScoredGroup, ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import scored, unscored
from tests.printing import show

CATEGORIES = ("animal", "human", "object", "style")


def printed(result: ScoreResult | CompareResult, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(result, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def labelled(subject: str, i: int) -> dict[str, Any]:
    category = subject.split()[0]
    return {
        "path": f"{subject}/{i}.png",
        "prompt": f"a {subject} {('on a beach', 'in snow')[i % 2]}",
        "labels": {"prompt_number": str(i % 2)} | ({} if category == "object" else {"category": category}),
    }


def method(seed: int, drop: float = 0.0, metrics: tuple[str, ...] = ("hog",)) -> ScoreResult:
    random = np.random.default_rng(seed)
    return scored(
        {
            f"{category} {i}": 0.7 - drop * (category == "style") + random.normal(0, 0.01, (4, len(metrics)))
            for category in CATEGORIES
            for i in range(10)
        },
        metrics,
        image=labelled,
    )


@pytest.fixture(scope="module")
def compared() -> CompareResult:
    return compare({"old": method(1), "<b>|new": method(2, 0.05)}, "old", by=["category", "prompt_number"])


def grouped(result: ScoreResult, *own_groups: tuple[dict[str, str | None], int]) -> ScoreResult:
    own = result.aggregate["hog"]
    return replace(
        result,
        groups=tuple(
            ScoredGroup(
                labels, subjects, 4 * subjects, {"hog": own if subjects > 2 else replace(own, ci95=None)}
            )
            for labels, subjects in own_groups
        ),
    )


def test_a_terminal_says_where_it_dropped_and_over_how_many_subjects(compared: CompareResult) -> None:
    text = printed(compared, width=100)
    assert "Where does it hold, by category?" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("style 10 40 0.69") for line in lines)
    assert any(line.startswith("no category 10 40 0.7") for line in lines)
    assert "By hog: <b>|new is worse in category style; in 3 groups no difference was shown" in " ".join(
        lines
    )
    assert any(line.startswith("style -0.0") and line.endswith("worse") for line in lines)
    assert sum("by category, by hog: <b>|new is worse in category style" in line for line in lines) == 1


def test_json_holds_the_groups_and_is_read_back(compared: CompareResult, tmp_path: Path) -> None:
    write(compared, tmp_path / "c.json")
    found = json.loads((tmp_path / "c.json").read_text())["groups"]
    assert [one["labels"] for one in found[:4]] == [
        {"category": "animal"},
        {"category": "human"},
        {"category": "style"},
        {"category": None},
    ]
    assert found[2]["comparisons"][0]["verdict"] == "worse"
    assert found[2]["methods"]["old"]["subjects"] == 10
    assert read_result(tmp_path / "c.json") == compared


def test_every_format_shows_every_group(compared: CompareResult, tmp_path: Path) -> None:
    text = markdown(document(compared))
    assert "| style | 10 | 40 |" in text
    assert "| no category | 10 | 40 |" in text
    assert r"\<b\>&#124;new" in text
    for file in ("c.tex", "c.html"):
        write(compared, tmp_path / file)
    paper, page = (tmp_path / "c.tex").read_text(), (tmp_path / "c.html").read_text()
    assert paper.count(r"\begin{table}") == 3
    assert "style & 10 & 40 &" in paper
    assert 'id="groups"' in page
    assert "<b>|new" not in page.partition("<body")[2].partition("<script")[0]
    assert page.count("no category") >= 2


def test_groups_as_a_table_for_programs(compared: CompareResult, tmp_path: Path) -> None:
    for name in ("g.csv", "g.parquet"):
        write_groups(compared, tmp_path / name)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "g.csv").read_text())))
    assert len(rows) == 2 * (4 + 2)
    (style,) = [row for row in rows if row["category"] == "style" and row["method"] != "old"]
    assert (style["by"], style["subjects"], style["generations"]) == ("category", "10", "40")
    assert style["hog_verdict"] == "worse"
    group = next(one for one in compared.groups if one.labels == {"category": "style"})
    assert float(style["hog_delta"]) == group.comparisons[0].delta
    assert float(style["hog_p_adjusted"]) == group.comparisons[0].p_adjusted
    assert float(style["hog_score"]) == group.methods["<b>|new"].aggregate["hog"].score
    table = pq.read_table(tmp_path / "g.parquet")
    assert table.num_rows == len(rows)
    assert json.loads(table.schema.metadata[b"nearid"])["schema"] == "nearid.compare/2"


def test_labels_that_are_called_like_columns_keep_a_column(compared: CompareResult) -> None:
    own = ({"subjects": "1", "Method": "x", "hog_score": "y"}, 3)
    table = groups_table(grouped(method(1), own))
    names = [name for name, _, _ in table.stored()]
    assert names[:6] == ["by", "label_subjects", "label_Method", "label_hog_score", "subjects", "generations"]
    assert len({name.casefold() for name in names}) == len(names)


def test_a_metric_may_be_called_as_what_sets_labels_apart() -> None:
    result = method(1, metrics=("label",))
    result = replace(
        result, groups=(ScoredGroup({"subjects": "1", "label_score": "x"}, 3, 12, result.aggregate),)
    )
    names = [name for name, _, _ in groups_table(result).stored()]
    assert names[:3] == ["by", "label_subjects", "label_label_score"]
    assert "label_score" in names


def test_groups_of_few_subjects_have_no_interval_and_say_so() -> None:
    result = grouped(method(1), ({"category": "animal"}, 2), ({"category": None}, 10))
    text = printed(result)
    assert "no interval below 3 subjects: category animal" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("animal 2 8 0.") and "[" not in line for line in lines)
    assert any(line.startswith("no category 10 40 0.") and "[" in line for line in lines)


def test_every_table_of_a_comparison_says_which_metric_it_is_of() -> None:
    runs = {"old": method(1, metrics=("hog", "d")), "new": method(2, metrics=("hog", "d"))}
    compared = compare(runs, "old", by=["category", "category+prompt_number"])
    for text in (printed(compared, width=200), markdown(document(compared))):
        heads = [" ".join(line.replace("|", " ").split()) for line in text.splitlines()]
        for metric in ("hog", "d"):
            found = [one for one in heads if one.startswith(f"category by {metric} ")]
            assert len(found) == 4, "scores and differences, of both breakdowns"
            assert sum("subjects gens old new" in one for one in found) == 2


def test_groups_that_could_show_nothing_are_not_said_to_be_alike() -> None:
    def few(seed: int, subjects: dict[str, int], drop: float = 0.0) -> ScoreResult:
        random = np.random.default_rng(seed)
        return scored(
            {
                f"{category} {i}": 0.7 - drop + random.normal(0, 0.01, (4, 1))
                for category, number in subjects.items()
                for i in range(number)
            },
            ("hog",),
            image=labelled,
        )

    def said(subjects: dict[str, int], drop: float) -> str:
        runs = {"old": few(1, subjects), "new": few(2, subjects, drop)}
        return " ".join(printed(compare(runs, "old", by=["category"])).split())

    small = {"animal": 6, "human": 6, "style": 6}
    assert "no difference of new was shown in 3 groups with too few subjects to show one" in said(small, 0.05)
    mixed = {"animal": 10, "human": 10, "style": 2}
    assert (
        "new is worse in category animal, category human; in 1 group with too few subjects to show one"
        in said(mixed, 0.05)
    )
    assert "was shown in 3 groups (1 with too few subjects to show one)" in said(mixed, 0.0)
    everywhere = said({"animal": 10, "human": 10}, 0.05)
    assert "new is worse in category animal, category human" in everywhere
    assert "0 groups" not in everywhere


def test_a_group_without_a_number_says_so() -> None:
    result = method(1)
    nothing = AggregateScores(None, None, None, None, None, None, None, missing=8)
    own = (ScoredGroup({"category": "animal"}, 2, 8, {"hog": nothing}),)
    assert "-: hog has no number of category animal" in printed(replace(result, groups=own))


def test_prompts_that_name_their_subjects_are_told_from_templates() -> None:
    runs = {"old": method(1), "new": method(2)}
    text = " ".join(printed(compare(runs, "old", by=["prompt"])).split())
    assert "each group by prompt has one subject, and one subject tells nothing of others" in text
    assert "try --by prompt_number" in text
    assert "--by prompt_number" not in printed(compare(runs, "old", by=["prompt_number"]))


def test_a_category_called_style_is_said_to_be_judged_less_well() -> None:
    text = " ".join(printed(method(1)).split())
    assert "0.349" in text
    assert "0.441" in text
    plain = replace(
        method(1), images=tuple(replace(one, labels={"category": "mug"}) for one in method(1).images)
    )
    assert "0.349" not in printed(plain)


def test_what_changed_since_a_baseline_by_group() -> None:
    before, after = method(1), method(2, 0.05)
    changes = Changes(RUN, BASELINE, changed_groups(after, before, ["category"]))
    whole = compare({BASELINE: before, RUN: after}, BASELINE, by=["category"])
    assert changes.groups == whole.groups
    run = grouped(after, *((one.labels, 10) for one in whole.groups))
    made = document(run, baseline=before, changes=changes)
    text = " ".join(markdown(made).split())
    assert "What changed since the baseline, by category?" in text
    assert "the run is worse in category style; in 3 groups no difference was shown" in text
    assert made.findings[-1].startswith("by category, by hog: the run is worse in category style")


def test_groups_that_a_run_lost_since_the_baseline_are_named() -> None:
    before = method(1)
    after = replace(
        method(2),
        images=tuple(
            replace(one, labels={**one.labels, "category": "statue"})
            if one.labels.get("category") == "style"
            else one
            for one in method(2).images
        ),
    )
    changes = Changes(RUN, BASELINE, changed_groups(after, before, ["category"]))
    run = grouped(after, ({"category": "statue"}, 10))
    text = " ".join(markdown(document(run, baseline=before, changes=changes)).split())
    assert "the run has none of category style the baseline has none of category statue" in text


def test_crossed_groups_are_told_apart_in_a_sentence() -> None:
    runs = {"old": method(1), "new": method(2, 0.05)}
    text = " ".join(printed(compare(runs, "old", by=["category+prompt_number"])).split())
    assert "worse in category style + prompt_number 0, category style + prompt_number 1; in" in text


def test_changes_are_of_metrics_that_mean_the_same() -> None:
    other = method(1)
    other = replace(other, metrics=(replace(other.metrics[0], fingerprint="another"),))
    assert changed_groups(method(2), other, ["category"]) == ()


def test_many_groups_are_cut_in_a_terminal_and_in_no_file(tmp_path: Path) -> None:
    result = grouped(method(1), *(({"seed": str(i)}, 3) for i in range(50)))
    text = " ".join(printed(result).split())
    assert "30 of 50 groups are shown here; a file (-o, --groups) has all of them" in text
    assert len(list(csv.reader(io.StringIO(_csv(result, tmp_path))))) == 51


def _csv(result: ScoreResult, folder: Path) -> str:
    write_groups(result, folder / "g.csv")
    return (folder / "g.csv").read_text()


def test_a_result_without_groups_says_nothing_of_them() -> None:
    assert "Where does it hold" not in printed(compare({"a": method(1), "b": method(2)}))


def test_intervals_take_as_many_subjects_as_is_said() -> None:
    assert groups._FOR_INTERVALS == MIN_UNITS


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (lambda one: one["groups"][0].update(aggregate={}), "groups[0] has no scores of the metric hog"),
        (
            lambda one: one["groups"][0].update(labels=3),
            "expected groups[0].labels to be an object but got 3",
        ),
    ],
)
def test_a_file_with_broken_groups_is_refused(place: Any, problem: str, tmp_path: Path) -> None:
    found = grouped(method(1), ({"category": "animal"}, 10)).to_dict()
    place(found)
    (tmp_path / "r.json").write_text(json.dumps(found))
    with pytest.raises(InputError) as refused:
        read_result(tmp_path / "r.json")
    assert problem in str(refused.value)


def test_a_comparison_with_broken_groups_is_refused(compared: CompareResult, tmp_path: Path) -> None:
    found = json.loads(json.dumps(compared.to_dict()))
    found["groups"][1]["methods"]["old"]["aggregate"] = {}
    found["groups"][1]["methods"]["ghost"] = found["groups"][0]["methods"]["old"]
    (tmp_path / "c.json").write_text(json.dumps(found))
    with pytest.raises(InputError) as refused:
        read_result(tmp_path / "c.json")
    assert "groups[1].methods.old has no scores of the metric hog" in str(refused.value)
    assert "groups[1].methods has ghost, which is no method" in str(refused.value)


def test_a_group_that_was_not_judged_is_not_said_to_be_alike() -> None:
    new = unscored(method(2, 0.05), [f"human {i}/{g}.png" for i in range(10) for g in range(4)], ["hog"])
    new = unscored(new, ["animal 0/0.png"], ["hog"])
    text = " ".join(printed(compare({"old": method(1), "new": new}, "old", by=["category"])).split())
    assert (
        "new is worse in category style; in 2 groups no difference was shown; new was not judged in 1 group"
        in text
    )
    assert "new: generations without a number: 1 of 40 in category animal, 40 of 40 in category human" in text
