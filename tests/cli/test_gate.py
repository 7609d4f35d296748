"""`nearid gate` through the real command line: exit codes, files, messages, and the baseline."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import junitparser
import pytest

from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import ScoreResult
from tests.commandline import Nearid
from tests.gating import SUBJECTS, change_metric, change_subject, make_comparison, make_prompted, make_run

RULES = """
[[gate.rules]]
metric = "nearid"
min = 0.6
max_drop = 0.02

[[gate.rules]]
statistic = "copies"
max = 0
"""
BY_SUBJECT = '[[gate.rules]]\nmetric = "nearid"\nlevel = "subject"\nmax_drop = 0.02\n'
HALF = dict.fromkeys(["s0", "s2", "s4"], 0.03)


@pytest.fixture(autouse=True)
def no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`base.json`, `run.json` with a planted drop on half of the subjects, and rules that it passes."""
    write(tmp_path / "base.json", make_run())
    write(tmp_path / "run.json", make_run(drops=HALF))
    (tmp_path / "nearid.toml").write_text(RULES)
    return tmp_path


def write(path: Path, result: object) -> bytes:
    path.write_text(to_json(result) + "\n", encoding="utf-8")
    return path.read_bytes()


class TestExitCodes:
    def test_passed(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert (finished.code, finished.said) == (0, "")
        assert "nearid score  passed   0.760     0.775  0.015" in finished.out
        assert finished.out.splitlines()[-1] == "gate passed: 2 checks, 2 passed"

    def test_planted_drop_by_subject(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert (finished.code, finished.said) == (1, "")
        failures = [line for line in finished.out.splitlines() if line.startswith("FAILED")]
        assert failures == [f"FAILED nearid score, subject {name}" for name in HALF]
        assert finished.out.splitlines()[-1] == "gate failed: 6 checks, 3 failed, 3 passed"

    def test_missing_subject(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "run.json", make_run({name: SUBJECTS[name] for name in ("s0", "s1", "s2", "s5")}))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "the run lacks 2 subjects of the baseline: s3, s4" in finished.out

    def test_prompt_that_the_run_lacks(self, nearid: Nearid, folder: Path) -> None:
        prompts = {"on the beach": [0.8], "at night": [0.5]}
        write(folder / "base.json", make_prompted(dict.fromkeys(SUBJECTS, prompts)))
        easy = dict.fromkeys(SUBJECTS, prompts) | {"s1": {"on the beach": [0.8]}}
        write(folder / "run.json", make_prompted(easy))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "the run lacks 1 prompt of the baseline: at night (s1); generate them, or let" in finished.out
        assert nearid("gate", "run.json", "--baseline", "base.json", "--update-baseline").code == 0
        assert nearid("gate", "run.json", "--baseline", "base.json").code == 0

    def test_null(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "run.json", change_subject(make_run(), "s3", retention=None))
        (folder / "nearid.toml").write_text(BY_SUBJECT.replace("level", 'statistic = "retention"\nlevel'))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "FAILED nearid retention, subject s3\n  the run has no retention here" in finished.out

    @pytest.mark.parametrize("side", ["run", "baseline"])
    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    def test_null_in_place_of_a_score(self, nearid: Nearid, folder: Path, side: str, level: str) -> None:
        whole = json.loads((folder / "base.json").read_text())
        whole["subjects"][3]["scores"]["nearid"]["score"] = None
        (folder / ("run.json" if side == "run" else "base.json")).write_text(json.dumps(whole))
        (folder / "nearid.toml").write_text(BY_SUBJECT.replace("subject", level).replace("0.02", "0.5"))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert (finished.code, finished.said) == (1, "")
        if level == "aggregate":
            assert "1 subject without score in the run or the baseline: s3" in finished.out
        else:
            assert f"FAILED nearid score, subject s3\n  the {side} has no score here" in finished.out

    @pytest.mark.parametrize("where", ["aggregate", "subject"])
    def test_null_fails_a_minimum_of_the_mean(self, nearid: Nearid, folder: Path, where: str) -> None:
        whole = json.loads((folder / "run.json").read_text())
        scores = whole["aggregate"] if where == "aggregate" else whole["subjects"][3]["scores"]
        scores["nearid"]["score"] = None
        (folder / "run.json").write_text(json.dumps(whole))
        (folder / "nearid.toml").write_text('[[gate.rules]]\nmetric = "nearid"\nmin = 0.1\n')
        finished = nearid("gate", "run.json")
        assert finished.code == 1
        assert "the run has no score here" in finished.out

    def test_another_checkpoint(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "base.json", change_metric(make_run(), checkpoint="org/v2", fingerprint="0" * 40))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "run org/nearid (fingerprint ffffffffffff" in finished.out
        assert "baseline org/v2 (fingerprint 000000000000" in " ".join(finished.out.split())
        assert nearid("gate", "run.json", "--baseline", "base.json", "--allow-mismatch").code == 0

    @pytest.mark.parametrize("baseline", [[], ["--baseline", "absent.json"]])
    def test_no_baseline(self, nearid: Nearid, folder: Path, baseline: list[str]) -> None:
        finished = nearid("gate", "run.json", *baseline)
        assert finished.code == 1
        assert "--update-baseline" in finished.out

    def test_a_baseline_that_is_not_there_is_said_once_with_a_command_that_makes_it(
        self, nearid: Nearid, folder: Path
    ) -> None:
        (folder / "nearid.toml").write_text(
            '[gate]\nbaseline = "kept/it.json"\n' + RULES + BY_SUBJECT + RULES.replace("score", "pair_mean")
        )
        (folder / "kept").mkdir()
        finished = nearid("gate", "run.json")
        assert finished.code == 1
        said = "  the baseline kept/it.json does not exist; make it from a good run:\n"
        assert finished.out.count(said) == 1
        command, *_ = finished.out.partition(said)[2].splitlines()
        assert nearid(*shlex.split(command)[1:]).code == 0
        assert (folder / "kept" / "it.json").read_bytes() == (folder / "run.json").read_bytes()
        assert nearid("gate", "run.json").code == 0

    def test_a_warning_passes(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").write_text(BY_SUBJECT + 'on_fail = "warn"\n')
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 0
        assert finished.out.splitlines()[-1] == "gate passed: 6 checks, 3 warned, 3 passed"

    def test_unknown_rule_key(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").write_text(RULES.replace("max_drop", "max_dorp").replace("max =", "maxx ="))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert (
            finished.error
            == f"{folder / 'nearid.toml'}: 2 problems in the rules of the gate; see docs/guides/gate.md"
        )
        assert finished.details == [
            'rule 1: unknown key "max_dorp": did you mean max_drop?',
            'rule 2: unknown key "maxx": did you mean max?',
        ]

    def test_no_rules(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").unlink()
        assert "nearid gate init" in nearid("gate", "run.json").error

    def test_a_baseline_that_cannot_be_read(self, nearid: Nearid, folder: Path) -> None:
        (folder / "base.json").write_text('{"schema": "nearid.gate/2"}')
        assert nearid("gate", "run.json", "--baseline", "base.json").error.startswith(
            "base.json is not a result"
        )
        (folder / "link.json").symlink_to(folder / "nowhere.json")
        assert "cannot read link.json" in nearid("gate", "run.json", "--baseline", "link.json").error

    def test_a_baseline_of_another_kind(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "base.json", make_comparison(ours=make_run()))
        assert (
            "give a baseline of the same kind" in nearid("gate", "run.json", "--baseline", "base.json").error
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["absent.json"], "cannot read absent.json"),
            (["nearid.toml"], "nearid.toml is not a result of"),
            ([], "missing argument 'RUN'"),
            (["--baseline", "base.json"], "missing argument 'RUN'"),
            (["run.json", "--config", "absent.toml"], "the configuration absent.toml does not exist"),
            (["run.json", "--update-baseline"], "--update-baseline needs --baseline FILE"),
            (["run.json", "-o", "gate.txt"], "known: .json, .csv, .parquet, .md, .tex, .html, .xml"),
            (["run.json", "-o", "run.json"], "the output run.json is an input, too"),
            (
                ["run.json", "--baseline", "base.json", "-o", "./base.json"],
                "the output base.json is an input",
            ),
            (["run.json", "--format", "tabel"], 'unknown format "tabel": did you mean table?'),
            (["run.json", "--basline", "base.json"], "no such option: --basline"),
        ],
    )
    def test_usage(self, nearid: Nearid, folder: Path, arguments: list[str], message: str) -> None:
        assert message in nearid("gate", *arguments).error
        assert {path.name for path in folder.iterdir()} == {"base.json", "run.json", "nearid.toml"}

    @pytest.mark.parametrize("form", ["table", "json"])
    def test_a_failed_gate_stays_failed_when_nobody_reads(self, folder: Path, form: str) -> None:
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "nearid_cli", "gate", "run.json", "--baseline", "base.json"]
        finished = subprocess.run(
            [*command, "--format", form], cwd=folder, stdout=writer, stderr=subprocess.PIPE, check=False
        )
        os.close(writer)
        assert finished.returncode == 1
        assert finished.stderr.startswith(b"configuration: ")
        assert finished.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run.json", "--baseline", "base.json"],
        ["--baseline", "base.json", "run.json"],
        ["check", "run.json", "--baseline", "base.json"],
        ["check", "--baseline", "base.json", "run.json"],
    ],
)
def test_the_command_may_be_left_out(nearid: Nearid, folder: Path, arguments: list[str]) -> None:
    finished = nearid("gate", *arguments)
    assert finished.code == 0
    assert "0.015" in finished.out


def test_help(nearid: Nearid) -> None:
    group = nearid("gate", "--help")
    assert group.code == 0
    assert "nearid gate check" in group.out
    assert "init" in group.out
    for arguments in (["check", "--help"], ["run.json", "--help"], ["check", "-h"]):
        finished = nearid("gate", *arguments)
        assert finished.code == 0
        assert "--update-baseline" in finished.out


class TestOutputs:
    def test_json_on_stdout(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "run.json", "--baseline", "base.json", "--format", "json")
        found = json.loads(finished.out)
        assert list(found) == ["schema", "tool", "created", "run", "baseline", "passed", "verdicts"]
        assert (found["schema"], found["passed"], found["run"]) == ("nearid.gate/2", True, "run.json")
        first = found["verdicts"][0]
        assert first["drop"] == pytest.approx(0.015)
        assert first["moved"][0] == {"subject": "s0", "delta": pytest.approx(-0.03)}
        assert first["rule"]["max_drop"] == 0.02

    def test_files(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        outputs = ["-o", "gate.json", "-o", "gate.md", "-o", "gate.xml"]
        finished = nearid("gate", "run.json", "--baseline", "base.json", *outputs)
        assert finished.code == 1
        assert json.loads((folder / "gate.json").read_text())["passed"] is False
        assert "nearid gate failed" in (folder / "gate.md").read_text(encoding="utf-8")
        (suite,) = junitparser.JUnitXml.fromfile(str(folder / "gate.xml"))
        assert (suite.tests, suite.failures) == (6, 3)

    def test_a_comparison(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "base.json", make_comparison(ours=make_run(), theirs=make_run()))
        write(folder / "run.json", make_comparison(ours=make_run(), theirs=make_run(drops=HALF)))
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "FAILED nearid score, method theirs, subject s0" in finished.out

    def test_another_configuration(self, nearid: Nearid, folder: Path) -> None:
        (folder / "other").mkdir()
        (folder / "other" / "pyproject.toml").write_text(
            '[[tool.nearid.gate.rules]]\nmetric = "nearid"\nmin = 0.9\n'
        )
        finished = nearid("gate", "run.json", "--config", "other/pyproject.toml")
        assert finished.code == 1
        assert "below the minimum of 0.900" in finished.out

    def test_many_verdicts_are_counted(self, nearid: Nearid, folder: Path) -> None:
        many = {f"s{i:02d}": 0.7 for i in range(30)}
        write(folder / "base.json", make_run(many))
        write(folder / "run.json", make_run(many, drops={"s07": 0.1}))
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert "s07" in finished.out
        assert "s08" not in finished.out
        assert finished.out.splitlines()[-1] == "gate failed: 30 checks, 1 failed, 29 passed"

    def test_names_cannot_move_the_cursor(self, nearid: Nearid, folder: Path) -> None:
        awkward = {"a\x1b[2J\n::error::b": 0.7, "[red]x[/red]": 0.7}
        write(folder / "base.json", make_run(awkward))
        write(folder / "run.json", make_run(awkward, drops=dict.fromkeys(awkward, 0.1)))
        (folder / "nearid.toml").write_text(BY_SUBJECT)
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert "\x1b" not in finished.out
        assert "[red]x[/red]" in finished.out
        assert [line for line in finished.out.splitlines() if line.lstrip().startswith("::")] == []


class TestGithub:
    @pytest.fixture(autouse=True)
    def on_github(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
        (folder / "nearid.toml").write_text(BY_SUBJECT)

    def test_annotations_and_summary(self, nearid: Nearid, folder: Path) -> None:
        (folder / "summary.md").write_text("before\n")
        finished = nearid("gate", "run.json", "--baseline", "base.json", "--format", "json")
        assert finished.code == 1
        assert json.loads(finished.out)["passed"] is False
        assert len(finished.said.splitlines()) == 3
        assert finished.said.startswith(
            "::error title=nearid gate%3A nearid score%2C subject s0::score fell by 0.030"
        )
        summary = (folder / "summary.md").read_text(encoding="utf-8")
        assert summary.startswith("before\n# ")
        assert "nearid gate failed" in summary

    @pytest.mark.parametrize("name", ["absent/summary.md", "pipe"])
    def test_a_summary_that_cannot_be_written_is_said(
        self, nearid: Nearid, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(folder / "pipe")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / name))
        finished = nearid("gate", "run.json", "--baseline", "base.json")
        assert finished.code == 1
        assert "warning: cannot write the step's summary" in finished.said


class TestUpdateBaseline:
    def test_the_run_becomes_the_baseline(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "run.json", make_run(drops=dict.fromkeys(SUBJECTS, 0.1)))
        assert nearid("gate", "run.json", "--baseline", "base.json").code == 1
        finished = nearid("gate", "run.json", "--baseline", "base.json", "--update-baseline")
        assert finished.code == 0
        first, second = finished.said.splitlines()
        assert first == "run.json is now the baseline base.json"
        assert second.startswith("nearid: score 0.775 -> 0.675; fell most: s")
        assert (folder / "base.json").read_bytes() == (folder / "run.json").read_bytes()
        assert nearid("gate", "run.json", "--baseline", "base.json").code == 0

    def test_a_first_baseline(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "run.json", "--baseline", "new.json", "--update-baseline")
        assert (finished.code, finished.said) == (0, "run.json is now the baseline new.json\n")
        assert (folder / "new.json").read_bytes() == (folder / "run.json").read_bytes()

    @pytest.mark.parametrize("fault", ["minimum", "copies", "null"])
    def test_not_if_the_run_itself_fails(self, nearid: Nearid, folder: Path, fault: str) -> None:
        before = (folder / "base.json").read_bytes()
        if fault == "minimum":
            write(folder / "run.json", make_run(drops=dict.fromkeys(SUBJECTS, 0.5)))
        elif fault == "copies":
            write(folder / "run.json", make_run(copies={"s0/0.png"}))
        else:
            write(folder / "run.json", change_subject(make_run(), "s3", retention=None))
            (folder / "nearid.toml").write_text(BY_SUBJECT.replace("level", 'statistic = "retention"\nlevel'))
        finished = nearid(
            "gate", "run.json", "--baseline", "base.json", "--update-baseline", "-o", "gate.json"
        )
        assert finished.code == 1
        assert finished.said == "wrote gate.json\nwarning: base.json stays as it was\n"
        assert (folder / "base.json").read_bytes() == before
        assert (folder / "gate.json").exists()

    def test_a_damaged_baseline_is_replaced(self, nearid: Nearid, folder: Path) -> None:
        (folder / "base.json").write_text("{")
        finished = nearid("gate", "run.json", "--baseline", "base.json", "--update-baseline")
        assert finished.code == 0
        assert finished.said.startswith(
            "warning: the old baseline could not be read: base.json is not a result"
        )
        assert (folder / "base.json").read_bytes() == (folder / "run.json").read_bytes()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_baseline_that_cannot_be_written(self, nearid: Nearid, folder: Path) -> None:
        (folder / "kept").mkdir(mode=0o500)
        assert (
            "no permission"
            in nearid("gate", "run.json", "--baseline", "kept/b.json", "--update-baseline").error
        )

    def test_a_baseline_in_no_folder(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "run.json", "--baseline", "absent/b.json", "--update-baseline")
        assert "make it first" in finished.error


class TestNamedBaseline:
    @pytest.fixture(autouse=True)
    def named(self, folder: Path) -> None:
        (folder / "nearid.toml").write_text('[gate]\nbaseline = "base.json"\n' + BY_SUBJECT)

    def test_it_counts_from_the_configuration(self, nearid: Nearid, folder: Path) -> None:
        here = nearid("gate", "run.json", "--format", "json")
        assert here.code == 1
        assert json.loads(here.out)["baseline"] == "base.json"
        (folder / "below").mkdir()
        os.chdir(folder / "below")
        assert (
            nearid("gate", "../run.json").out
            == nearid("gate", "../run.json", "--config", "../nearid.toml").out
        )
        assert nearid("gate", "../run.json").code == 1
        assert nearid("gate", "../base.json", "--format", "json").code == 0

    def test_the_flag_wins(self, nearid: Nearid, folder: Path) -> None:
        write(folder / "low.json", make_run(drops=HALF))
        assert nearid("gate", "run.json", "--baseline", "low.json").code == 0

    def test_it_is_what_update_baseline_replaces(self, nearid: Nearid, folder: Path) -> None:
        assert nearid("gate", "run.json", "--update-baseline").code == 0
        assert (folder / "base.json").read_bytes() == (folder / "run.json").read_bytes()

    def test_verdicts_do_not_replace_it(self, nearid: Nearid, folder: Path) -> None:
        assert "is an input, too" in nearid("gate", "run.json", "-o", "base.json").error

    def test_a_run_that_is_its_own_baseline_is_told(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "./base.json")
        assert finished.said == "warning: base.json is its own baseline, so no drop can show\n"
        assert finished.code == 0

    @pytest.mark.parametrize("value", ["true", '""', '["base.json"]'])
    def test_it_must_be_a_path(self, nearid: Nearid, folder: Path, value: str) -> None:
        (folder / "nearid.toml").write_text(f"[gate]\nbaseline = {value}\n{BY_SUBJECT}")
        (problem,) = nearid("gate", "run.json").details
        assert problem.startswith("gate.baseline must be the path of a result (.json), found ")


class TestInit:
    @pytest.fixture(autouse=True)
    def no_rules(self, folder: Path) -> None:
        (folder / "nearid.toml").unlink()

    def test_what_it_writes_passes_by_the_command_that_it_names(self, nearid: Nearid, folder: Path) -> None:
        finished = nearid("gate", "init", "run.json", "-o", "nearid.toml")
        assert (finished.code, finished.out) == (0, "")
        assert finished.said == "wrote nearid.toml, nearid-baseline.json\nnext: nearid gate run.json\n"
        judged = nearid("gate", "run.json")
        assert (judged.code, judged.said) == (0, "")
        assert judged.out.splitlines()[-1] == "gate passed: 2 checks, 2 passed"
        assert (folder / "nearid-baseline.json").read_bytes() == (folder / "run.json").read_bytes()
        write(folder / "run.json", make_run(drops=dict.fromkeys(SUBJECTS, 0.1)))
        assert nearid("gate", "run.json").code == 1, "the next run of this name is not its own baseline"

    def test_what_it_prints_passes(self, nearid: Nearid, folder: Path) -> None:
        printed = nearid("gate", "init", "base.json")
        assert printed.code == 0
        assert printed.said == "save this as nearid.toml; then: nearid gate base.json\n"
        (folder / "nearid.toml").write_text(printed.out)
        assert nearid("gate", "base.json").code == 0

    def test_rules_by_group(self, nearid: Nearid, folder: Path) -> None:
        def labelled(run: ScoreResult) -> ScoreResult:
            label = {name: "animal" if i % 2 else "style" for i, name in enumerate(SUBJECTS)}
            return replace(
                run, images=tuple(replace(one, labels={"category": label[one.subject]}) for one in run.images)
            )

        write(folder / "run.json", labelled(make_run()))
        assert nearid("gate", "init", "run.json", "-o", "nearid.toml", "--by", "Category").code == 0
        assert nearid("gate", "run.json").out.splitlines()[-1] == "gate passed: 4 checks, 4 passed"
        write(folder / "run.json", labelled(make_run(drops=dict.fromkeys(["s0", "s2", "s4"], 0.08))))
        judged = nearid("gate", "run.json")
        assert judged.code == 1
        assert "FAILED nearid score, category style" in judged.out
        assert "category animal" not in judged.out.partition("check ")[0]
        wrong = nearid("gate", "init", "run.json", "--by", "categry")
        assert (wrong.code, wrong.out) == (2, "")
        assert 'unknown label "categry": did you mean category?' in wrong.said

    @pytest.mark.parametrize("name", ["rules.toml", "a b/nearid.toml", "a b/it's.toml"])
    def test_rules_at_another_place(self, nearid: Nearid, folder: Path, name: str) -> None:
        (folder / "a b").mkdir()
        finished = nearid("gate", "init", "run.json", "-o", name)
        command = shlex.split(finished.said.partition("next: ")[2])
        assert command == ["nearid", "gate", "run.json", "--config", name]
        assert nearid(*command[1:]).code == 0

    def test_another_baseline_is_kept(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid-baseline.json").write_bytes((folder / "base.json").read_bytes())
        error = nearid("gate", "init", "run.json", "-o", "nearid.toml").error
        assert error.startswith("nearid-baseline.json exists and is another result; ")
        assert not (folder / "nearid.toml").exists()
        assert nearid("gate", "init", "base.json", "-o", "nearid.toml").code == 0

    def test_settings_that_are_hidden_are_named(self, nearid: Nearid, folder: Path) -> None:
        (folder / "pyproject.toml").write_text('[tool.nearid]\nmetric = "hog"\n')
        finished = nearid("gate", "init", "run.json", "-o", "nearid.toml")
        assert finished.code == 0
        hidden = folder / "pyproject.toml"
        assert f"warning: from now on nearid.toml hides the settings in {hidden}\n" in finished.said

    @pytest.mark.parametrize("kind", ["hog of one subject", "one reference", "copies", "comparison"])
    def test_runs_as_they_really_are(self, nearid: Nearid, data: Path, kind: str) -> None:
        """One subject, one reference, nulls, copies, several metrics, methods that lack subjects."""
        metrics = ("-m", "hog,nearid-mini")
        if kind == "hog of one subject":
            command = ["score", "refs/cat", "gens/cat", "-m", "hog"]
        elif kind == "one reference":
            for path in (data / "refs").glob("*/1.jpg"):
                path.unlink()
            (data / "gens/cat/1.png").unlink()
            (data / "gens/cat/2.png").unlink()
            command = ["score", "refs", "gens", *metrics]
        elif kind == "copies":
            shutil.copytree(data / "refs", data / "same")
            command = ["score", "refs", "same", *metrics]
        else:
            shutil.copytree(data / "gens", data / "methods" / "whole")
            shutil.copytree(data / "gens" / "cat", data / "methods" / "part" / "cat")
            shutil.copytree(data / "refs", data / "methods" / "copied")
            command = ["compare", "methods", "--refs", "refs", *metrics]
        assert nearid(*command, "-o", "real.json").code == 0
        assert nearid("gate", "init", "real.json", "-o", "nearid.toml").code == 0
        judged = nearid("gate", "real.json")
        assert (judged.code, judged.said) == (0, ""), judged.out

    def test_a_result_without_its_generations(self, nearid: Nearid, folder: Path) -> None:
        document = json.loads((folder / "run.json").read_text()) | {"images": []}
        (folder / "run.json").write_text(json.dumps(document))
        assert nearid("gate", "init", "run.json", "-o", "nearid.toml").code == 0
        assert "copies" not in (folder / "nearid.toml").read_text()
        assert nearid("gate", "run.json").code == 0

    def test_nothing_is_overwritten(self, nearid: Nearid, folder: Path) -> None:
        (folder / "nearid.toml").write_text(RULES)
        assert "nearid.toml exists" in nearid("gate", "init", "base.json", "-o", "nearid.toml").error
        assert (folder / "nearid.toml").read_text() == RULES

    @pytest.mark.parametrize(
        ("name", "message"),
        [("rules.yaml", "known: .toml"), ("pyproject.toml", "[[tool.nearid.gate.rules]]")],
    )
    def test_files_that_it_does_not_write(
        self, nearid: Nearid, folder: Path, name: str, message: str
    ) -> None:
        assert message in nearid("gate", "init", "base.json", "-o", name).error
        assert not (folder / name).exists()


def test_it_imports_nothing_heavy(folder: Path) -> None:
    heavy = {"torch", "transformers", "pandas", "scipy", "skimage", "pyarrow", "PIL"}
    program = (
        "import sys; from nearid_cli.cli.app import main; main(sys.argv[1:]);"
        f"print('heavy:', sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in (["gate", "run.json", "--baseline", "base.json"], ["gate", "init", "run.json"]):
        finished = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True
        )
        assert finished.stderr.splitlines()[-1] == "heavy: []", finished.stderr
