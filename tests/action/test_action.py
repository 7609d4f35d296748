"""The GitHub Action: its steps' own shell, run as a runner would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]


class Runner:
    """Runs the shell steps of the action in a folder, with the environment files that GitHub gives them."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.summary, self.outputs = folder / "summary file", folder / "outputs file"
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.outputs),
        }
        self.summary.touch()
        self.outputs.touch()

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        (step,) = (step for step in STEPS if step["name"] == name)
        given = {key: value.get("default") for key, value in ACTION["inputs"].items()} | {
            key.replace("_", "-"): value for key, value in inputs.items()
        }
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "inputs must not be written into the script"
        environment = {
            key: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: given[found[1]], value)
            for key, value in step["env"].items()
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )

    def output(self, name: str) -> Path:
        lines = dict(line.split("=", 1) for line in self.outputs.read_text().splitlines())
        return self.folder / lines[name]


@pytest.fixture
def runner(data: Path) -> Runner:
    return Runner(data, Path(sys.executable).parent)


SCORE = {"name": "Score, judge and summarise", "references": "refs", "generations": "gens", "metrics": "hog"}
RULES = """
[[gate.rules]]
metric = "hog"
min = {minimum}
max_drop = 0.02
"""


def test_every_step_is_known_and_every_input_is_used() -> None:
    assert [step.get("uses", "run") for step in STEPS] == ["run", "run", "actions/cache@v4", "run"]
    used = set(re.findall(r"inputs\.([a-z-]+)", str(STEPS)))
    assert used == set(ACTION["inputs"])
    assert all(f"steps.score.outputs.{name} " in out["value"] for name, out in ACTION["outputs"].items())


def test_scoring_without_a_gate_writes_the_summary(runner: Runner) -> None:
    finished = runner.run(**SCORE)
    assert finished.returncode == 0, finished.stderr
    assert runner.output("result").is_file()
    assert runner.output("report").read_text().startswith("<!doctype html>")
    assert "nearid score" in runner.summary.read_text()
    assert (runner.folder / ".nearid-cache" / "format").exists()


def test_a_gate_passes_fails_and_is_summarised(runner: Runner) -> None:
    assert runner.run(**SCORE).returncode == 0
    runner.summary.write_text("")
    (runner.folder / "base.json").write_bytes(runner.output("result").read_bytes())
    (runner.folder / "my rules.toml").write_text(RULES.format(minimum=0.1))
    gated = SCORE | {"config": "my rules.toml", "baseline": "base.json"}
    finished = runner.run(**gated)
    assert finished.returncode == 0, finished.stderr
    assert "passed" in runner.summary.read_text().lower()
    assert "<testsuite" in (runner.folder / "nearid-results/gate.xml").read_text()

    (runner.folder / "my rules.toml").write_text(RULES.format(minimum=0.999))
    finished = runner.run(**gated)
    assert finished.returncode == 1, finished.stderr
    assert "::error" in finished.stdout + finished.stderr
    assert "failed" in runner.summary.read_text().lower()

    assert runner.run(**gated | {"baseline": "nowhere.json"}).returncode == 1


def test_the_exit_code_of_a_job_that_cannot_be_done_comes_through(runner: Runner) -> None:
    assert runner.run(**SCORE | {"references": "nowhere"}).returncode == 2


def test_an_earlier_summary_is_not_that_of_a_failed_run(runner: Runner) -> None:
    assert runner.run(**SCORE).returncode == 0
    runner.summary.write_text("")
    assert runner.run(**SCORE | {"references": "nowhere"}).returncode == 2
    assert runner.summary.read_text() == ""
    assert not runner.output("report").exists()


def test_inputs_are_never_code(runner: Runner) -> None:
    (runner.folder / "refs").rename(runner.folder / 'r"; touch pwned; echo "$(touch pwned)')
    assert runner.run(**SCORE | {"references": 'r"; touch pwned; echo "$(touch pwned)'}).returncode == 0
    assert not (runner.folder / "pwned").exists()


@pytest.mark.parametrize("name", ["references", "generations", "metrics", "config", "baseline"])
def test_an_input_is_no_option(runner: Runner, name: str) -> None:
    assert runner.run(**SCORE | {name: "--help"}).returncode == 2


def test_names_that_begin_like_options_work(runner: Runner) -> None:
    (runner.folder / "refs").rename(runner.folder / "--refs")
    finished = runner.run(**SCORE | {"references": "--refs", "output": "-o ut", "cache": "--help"})
    assert finished.returncode == 0, finished.stderr
    assert runner.output("result").is_file()
    assert (runner.folder / "--help" / "format").exists()


def test_inputs_of_several_lines_or_none_are_refused(runner: Runner) -> None:
    check = {key: value for key, value in SCORE.items() if key != "name"} | {"name": "Check the inputs"}
    assert runner.run(**check).returncode == 0
    for name in (
        "references",
        "generations",
        "metrics",
        "config",
        "baseline",
        "cache",
        "output",
        "torch_index",
    ):
        for value in ("a\nreport=/etc/passwd", "a\r\nb"):
            finished = runner.run(**check | {name: value})
            assert finished.returncode == 2
            assert finished.stderr == f"nearid: the input {name.replace('_', '-')} must be one line\n"
    for name in ("references", "metrics", "cache", "output"):
        finished = runner.run(**check | {name: ""})
        assert (finished.returncode, finished.stderr) == (2, f"nearid: the input {name} must not be empty\n")


def test_further_arguments_are_lines(runner: Runner) -> None:
    (runner.folder / "gens/bird").mkdir()
    (runner.folder / "gens/cat/0.png").rename(runner.folder / "gens/bird/0.png")
    assert runner.run(**SCORE).returncode == 2
    assert runner.run(**SCORE | {"arguments": "--allow-unmatched\n--thumbnails\nnone\n"}).returncode == 0
    assert runner.run(**SCORE | {"arguments": "--allow-unmatched\r\n  --thumbnails \r\nnone"}).returncode == 0


def test_the_installation(tmp_path: Path) -> None:
    """Into an environment of its own that finds pip and what is needed here: only the build tool is downloaded."""
    venv.create(tmp_path / "env")
    programs = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    site = subprocess.run(
        [programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # A .pth file is read after the environment's own packages, so what is installed now comes first.
    (Path(site) / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    finished = Runner(tmp_path, programs).run("Install nearid", torch_index="")
    assert finished.returncode == 0, finished.stderr
    where = subprocess.run(
        [programs / "python", "-c", "import nearid_cli; print(nearid_cli.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(site)
    assert subprocess.run([programs / "nearid", "--version"], capture_output=True, text=True).returncode == 0
