"""The frame of the command line: version, help by name, and what the shell is offered at TAB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli import __version__
from nearid_cli.encoders.registry import REGISTRY
from nearid_cli.flags import DEVICES
from nearid_cli.layouts.registry import NAMES
from tests.commandline import Finished, Nearid

Complete = Callable[[str], list[str]]
HEAVY = {"torch", "transformers", "pandas", "scipy", "skimage", "pyarrow", "PIL"}


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(nearid: Nearid, flag: str) -> None:
    assert nearid(flag) == Finished(0, f"nearid {__version__}\n", "")


class TestHelp:
    @pytest.mark.parametrize(
        "names", [[], ["score"], ["gate"], ["gate", "init"], ["bench", "mtg"], ["help"]], ids=" ".join
    )
    def test_it_is_what_the_command_says_itself(self, nearid: Nearid, names: list[str]) -> None:
        asked = nearid("help", *names)
        assert asked.code == 0
        assert asked == nearid(*names, "--help")

    @pytest.mark.parametrize(
        ("names", "error"),
        [
            (["scroe"], 'unknown command "scroe": did you mean score?'),
            (["gate", "innit"], 'unknown command "innit": did you mean init?'),
            (["score", "gate"], "nearid score has no commands"),
        ],
    )
    def test_of_no_command(self, nearid: Nearid, names: list[str], error: str) -> None:
        assert nearid("help", *names).error == error

    def test_in_spite_of_a_broken_configuration(self, nearid: Nearid, tmp_path: Path) -> None:
        (tmp_path / "nearid.toml").write_text("broken")
        assert nearid("help", "score").code == 0
        assert nearid("models", "list").code == 2


class TestCompletion:
    @pytest.fixture
    def complete(self, nearid: Nearid, monkeypatch: pytest.MonkeyPatch) -> Complete:
        """What bash is offered for the last word of a line."""

        def ask(line: str) -> list[str]:
            monkeypatch.setenv("_NEARID_COMPLETE", "complete_bash")
            monkeypatch.setenv("COMP_WORDS", line)
            monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
            finished = nearid()
            assert (finished.code, finished.err) == (0, "")
            return finished.out.split()

        return ask

    def test_commands(self, complete: Complete) -> None:
        assert {"score", "compare", "gate", "help"} <= set(complete("nearid "))
        assert complete("nearid sc") == ["score"]
        assert complete("nearid gate ") == ["check", "init"]
        assert complete("nearid help gate i") == ["init"]

    def test_options(self, complete: Complete) -> None:
        assert complete("nearid score refs gens --allow-m") == ["--allow-mismatch"]
        assert complete("nearid gate run.json --update") == ["--update-baseline"]

    def test_metrics(self, complete: Complete, tmp_path: Path) -> None:
        assert complete("nearid compare --metric ") == list(REGISTRY)
        assert complete("nearid score -m clip-i") == [name for name in REGISTRY if name.startswith("clip-i")]
        assert complete("nearid score -m hog,nearid-") == ["hog,nearid-mini"]
        (tmp_path / "nearid.toml").write_text('[metrics.ours]\ncheckpoint = "org/model"\n')
        assert complete("nearid score -m ou") == ["ours"]
        (tmp_path / "nearid.toml").write_text("broken")
        assert complete("nearid score -m hog") == ["hog"]

    def test_other_values(self, complete: Complete) -> None:
        assert complete("nearid score --layout ") == list(NAMES)
        assert complete("nearid score --device ") == list(DEVICES)
        assert complete("nearid score --dtype b") == ["bfloat16"]
        assert complete("nearid score --format ") == ["table", "json"]

    def test_paths_are_left_to_the_shell(self, complete: Complete, tmp_path: Path) -> None:
        (tmp_path / "refs").mkdir()
        assert complete("nearid score re") == complete("nearid score refs --distractors re") == []

    @pytest.mark.parametrize(
        ("shell", "variables", "answer"),
        [
            ("zsh", {}, '"clip-i"\n"clip-i-b32"'),
            ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "clip-i\nclip-i-b32\n"),
        ],
    )
    def test_other_shells(
        self,
        nearid: Nearid,
        monkeypatch: pytest.MonkeyPatch,
        shell: str,
        variables: dict[str, str],
        answer: str,
    ) -> None:
        line = {"_TYPER_COMPLETE_ARGS": "nearid score -m clip-i"}
        for name, value in {"_NEARID_COMPLETE": f"complete_{shell}", **line, **variables}.items():
            monkeypatch.setenv(name, value)
        assert answer in nearid().out

    def test_nothing_heavy_is_imported(self, tmp_path: Path) -> None:
        program = (
            "import sys; from nearid_cli.cli.app import main; main([]);"
            f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
        )
        for line in ("nearid ", "nearid score --metric ", "nearid score --layout ", "nearid score --device "):
            asked = {
                "_NEARID_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(line.count(" ")),
            }
            finished = subprocess.run(
                [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True
            )
            assert finished.stdout
            assert finished.stderr == "heavy: []\n"

    @pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
    def test_in_a_shell(self, tmp_path: Path) -> None:
        """The script that is shown, taken in by bash, asked as bash asks it."""
        (tmp_path / "nearid").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nearid_cli "$@"\n')
        (tmp_path / "nearid").chmod(0o755)
        script = (
            'eval "$(nearid --show-completion bash)"; complete -p nearid; '
            "COMP_WORDS=(nearid score --metric clip-); COMP_CWORD=3; "
            '_nearid_completion nearid; echo "${COMPREPLY[@]}"'
        )
        finished = subprocess.run(
            ["bash", "--norc", "-c", script],
            env=os.environ
            | {
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
            },
            capture_output=True,
            text=True,
        )
        assert finished.stderr == ""
        complete, offered = finished.stdout.splitlines()
        assert complete == "complete -o default -F _nearid_completion nearid"
        assert offered.split() == [name for name in REGISTRY if name.startswith("clip-")]

    def test_installed_for_the_shell(self, tmp_path: Path) -> None:
        finished = subprocess.run(
            [sys.executable, "-m", "nearid_cli", "--install-completion", "bash"],
            env=os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
            capture_output=True,
            text=True,
        )
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith("bash completion installed in ")
        assert str(tmp_path) in (tmp_path / ".bashrc").read_text()

    def test_a_shell_that_is_not_known(self, tmp_path: Path) -> None:
        finished = subprocess.run(
            [sys.executable, "-m", "nearid_cli", "--install-completion", "tcsh"],
            env=os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 2
        assert list(tmp_path.iterdir()) == []
