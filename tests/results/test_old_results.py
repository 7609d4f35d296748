"""Results of the release before `nearid.score/2`: read, said to be old, and never judged against today's numbers.

`old/` holds what commit 635f79b wrote about four subjects of `nearid demo`, by nearid-mini and hog.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from nearid_cli.errors import InputError
from nearid_cli.evaluate.compare import compare
from nearid_cli.evaluate.kinds.embedding import PROTOCOL
from nearid_cli.gate.judge import judge
from nearid_cli.reports.files import write
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import CompareResult, Rule, ScoreResult
from nearid_cli.results.reading import read_result, read_score

OLD = Path(__file__).parent / "old"
RULE = Rule("hog", "score", "aggregate", None, None, 0.1, None, "error")


def today(old: ScoreResult) -> ScoreResult:
    """The same run as this release would have made it, so far as a gate can tell."""
    metrics = tuple(replace(metric, protocol=PROTOCOL) for metric in old.metrics)
    return replace(old, metrics=metrics, schema=ScoreResult.schema)


def test_an_old_score_is_read_with_every_number_and_said_to_be_old(caplog):
    with caplog.at_level(logging.WARNING):
        result = read_score(OLD / "faithful.json")
    document = json.loads((OLD / "faithful.json").read_text())
    assert result.schema == "nearid.score/1"
    assert json.loads(to_json(result)) == document
    (line,) = caplog.messages
    assert line.startswith(str(OLD / "faithful.json"))
    assert "older nearid (nearid.score/1), in which aggregate retention, the intervals, SSR and PA" in line


@pytest.mark.parametrize("name", ["faithful", "compare"])
def test_what_was_called_ssr_and_pa_is_of_all_pairs(name, tmp_path):
    document = json.loads((OLD / f"{name}.json").read_text())
    methods = [one["result"] for one in document["methods"]] if name == "compare" else [document]
    for method in methods:
        method["aggregate"]["hog"] |= {"ssr": 0.25, "ssr_ci95": [0.0, 0.5], "pa": 0.6, "pa_ci95": [0.5, 0.7]}
    (tmp_path / "old.json").write_text(json.dumps(document))
    result = read_result(tmp_path / "old.json")
    for one in [result] if isinstance(result, ScoreResult) else [method.result for method in result.methods]:
        hog = one.aggregate["hog"]
        assert (hog.ssr, hog.ssr_ci95, hog.pa, hog.pa_ci95) == (None,) * 4
        assert (hog.all_pairs_ssr, hog.all_pairs_ssr_ci95) == (0.25, (0.0, 0.5))
        assert (hog.all_pairs_pa, hog.all_pairs_pa_ci95) == (0.6, (0.5, 0.7))
    (tmp_path / "again.json").write_text(to_json(result))
    assert read_result(tmp_path / "again.json") == result


def test_an_old_comparison_holds_old_scores(caplog):
    with caplog.at_level(logging.WARNING):
        result = read_result(OLD / "compare.json")
    assert result.schema == "nearid.compare/1"
    assert [method.result.schema for method in result.methods] == ["nearid.score/1"] * 2
    assert len(caplog.messages) == 1
    written = json.loads(to_json(result))
    assert written["schema"] == "nearid.compare/1"
    assert {one.pop("verdict") for one in written["comparisons"]} == {"of an older nearid: compare anew"}
    assert {rank for method in result.methods for rank in method.ranks.values()} == {None}
    assert written["comparisons"] == json.loads((OLD / "compare.json").read_text())["comparisons"]


def test_old_scores_are_compared_among_themselves_and_stay_old(tmp_path):
    results = {name: read_score(OLD / f"{name}.json") for name in ("faithful", "swapped")}
    result = compare(results)
    assert result.schema == CompareResult.schema
    (tmp_path / "again.json").write_text(to_json(result))
    again = read_result(tmp_path / "again.json")
    assert again == result
    assert {method.result.schema for method in again.methods} == {"nearid.score/1"}


def test_old_scores_are_not_compared_with_new_ones():
    old, other = read_score(OLD / "faithful.json"), today(read_score(OLD / "swapped.json"))
    with pytest.raises(InputError) as caught:
        compare({"old": old, "new": other})
    assert "new: hog has another meaning (that is of an older nearid)" in str(caught.value)


@pytest.mark.parametrize("baseline_is_old", [True, False])
def test_a_gate_does_not_judge_across_meanings_unless_asked_to(baseline_is_old):
    old = read_score(OLD / "faithful.json")
    run, baseline = (today(old), old) if baseline_is_old else (old, today(old))
    result = judge(run, baseline, [RULE], run_name="run.json", baseline_name="base.json")
    assert not result.passed
    side = "baseline" if baseline_is_old else "run"
    assert result.verdicts[0].reason.startswith(
        f"hog was scored by an older nearid in the {side}, whose numbers mean something else; "
    )
    asked = judge(run, baseline, [RULE], run_name="run.json", baseline_name="base.json", allow_mismatch=True)
    assert asked.passed


def test_a_result_that_is_new_says_nothing(tmp_path, caplog):
    (tmp_path / "run.json").write_text(to_json(today(read_score(OLD / "faithful.json"))))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert read_score(tmp_path / "run.json").schema == ScoreResult.schema
    assert not caplog.messages


@pytest.mark.parametrize("name", ["faithful", "compare"])
@pytest.mark.parametrize("extension", [".html", ".md", ".tex"])
def test_documents_of_old_results_say_so(tmp_path, name, extension):
    write(read_result(OLD / f"{name}.json"), tmp_path / f"r{extension}")
    written = (tmp_path / f"r{extension}").read_text().replace("\\.", ".")
    assert "/1, of an older release, in which some numbers meant something else" in written


@pytest.mark.parametrize("name", ["faithful", "compare"])
@pytest.mark.parametrize("extension", [".csv", ".parquet", ".json"])
def test_every_other_format_takes_old_results(tmp_path, name, extension):
    write(read_result(OLD / f"{name}.json"), tmp_path / f"r{extension}")
    assert (tmp_path / f"r{extension}").stat().st_size


def test_commands_take_old_results(nearid, tmp_path):
    compared = nearid("compare", OLD / "faithful.json", OLD / "swapped.json", "-o", "c.json", "-o", "c.html")
    assert compared.code == 0, compared.err
    assert compared.err.count("older nearid (nearid.score/1)") == 2
    assert json.loads((tmp_path / "c.json").read_text())["schema"] == CompareResult.schema
    (tmp_path / "nearid.toml").write_text(
        '[[gate.rules]]\nmetric = "hog"\nstatistic = "score"\nlevel = "subject"\nmin = 0.1\n'
    )
    for name, kind in {"faithful": "score", "compare": "compare"}.items():
        judged = nearid("gate", OLD / f"{name}.json", "-o", f"{name}.md")
        assert judged.code == 0, judged.err
        assert f"older nearid (nearid.{kind}/1)" in judged.err
