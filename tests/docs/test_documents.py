"""What the documentation shows is true: its commands run, its code runs, its links lead somewhere."""

from __future__ import annotations

import csv
import doctest
import io
import json
import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import nearid_cli
from nearid_cli.configuration import load_configuration

from .conftest import ROOT
from .markdown import Block, Command, anchors, blocks, commands, links, prose

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PACKAGE = Path(nearid_cli.__file__).parent
LANGUAGES = {"console", "python", "toml", "json", "csv", "yaml", "text", "bibtex"}
# What a console block may hold besides nearid itself. None of these is run here.
OTHERS = {"pip", "make", "export", "git", "cd", "python"}
# Figures may differ a little between versions of Pillow, NumPy and libjpeg.
NUMBER = re.compile(r"-?\d+\.\d+")
TOLERANCE = 0.02

Nearid = Callable[[list[str]], tuple[int, str]]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def same(shown: str, printed: str) -> bool:
    """Whether output is as shown, up to the last digits; a line `...` stands for any lines."""
    shown, printed = (
        "\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (shown, printed)
    )
    pieces = [re.escape(NUMBER.sub("#", piece)) for piece in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)]
    if not re.fullmatch(".*".join(pieces), NUMBER.sub("#", printed), re.DOTALL):
        return False
    if len(pieces) > 1:
        return True  # which number stands for which is not known
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("cat  0.81", "cat  0.82\n", True),
        ("cat  0.81", "cat  0.91", False),
        ("cat  0.81", "dog  0.81", False),
        ("cat  0.81", "cat  0.81\nmore", False),
        ("cat\n...\nend 0.5", "cat\n1\n2\nend 0.1", True),
        ("cat\n...\nend", "cat\n1\n2\nand", False),
    ],
)
def test_same(shown: str, printed: str, expected: bool) -> None:
    assert same(shown, printed) is expected


@each_page
def test_what_it_shows_runs(
    page: Path, workshop: Path, nearid: Nearid, request: pytest.FixtureRequest
) -> None:
    if page.name == "remote.md":
        request.getfixturevalue("my_bucket")
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        if block.note.startswith("not run:"):
            continue
        if block.language == "console":
            for command in commands(block):
                run_command(command, block.note, f"{page.name}:{block.line}", nearid)
        elif block.language == "python":
            run_python(block, page.name, names)


def run_command(command: Command, note: str, where: str, nearid: Nearid) -> None:
    program, *arguments = shlex.split(command.line, comments=True)
    if program != "nearid":
        assert program in OTHERS, f"{where}: {command.line}"
        return
    code, printed = nearid(arguments)
    expected = int(note.removeprefix("exit ")) if note.startswith("exit ") else 0
    assert code == expected, f"{where}: {command.line}\n{printed}"
    if command.output.strip():
        assert same(command.output, printed), f"{where}: {command.line}\n{printed}"


def run_python(block: Block, page: str, names: dict[str, object]) -> None:
    if ">>>" not in block.text:
        exec(compile(block.text, f"{page}:{block.line}", "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(block.text, {}, page, page, block.line)
    test.globs = names
    assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0


@each_page
def test_its_data_parses(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page.name}:{block.line}"
        if block.language == "toml":
            name = "pyproject.toml" if "[tool.nearid" in block.text else "nearid.toml"
            (tmp_path / name).write_text(block.text, encoding="utf-8")
            found = load_configuration(tmp_path)
            assert found.options or found.metrics or found.gate, f"{page.name}:{block.line}"
            (tmp_path / name).unlink()
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "yaml":
            assert_actions_get_known_inputs(yaml.safe_load(block.text), f"{page.name}:{block.line}")
        elif block.language == "csv":
            assert len({len(row) for row in csv.reader(io.StringIO(block.text))}) == 1


def assert_actions_get_known_inputs(workflow: dict[str, object], where: str) -> None:
    known = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    for job in workflow.get("jobs", {}).values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("nearid/"):
                assert set(step["with"]) <= set(known), where
                assert {name for name, entry in known.items() if entry.get("required")} <= set(
                    step["with"]
                ), where


@each_page
def test_commands_stand_in_console_blocks(page: Path) -> None:
    assert re.findall(r"^ {4,}(?:\$ )?nearid .*", prose(page), re.MULTILINE) == []
    for block in blocks(page):
        if block.language in {"text", ""}:
            assert not re.search(r"^\$ ", block.text, re.MULTILINE), f"{page.name}:{block.line}"
        if block.note and block.language in {"console", "python"}:
            assert re.fullmatch(r"exit \d+|not run: .+", block.note), f"{page.name}:{block.line}"


@each_page
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {link}"


def test_the_readme_leads_to_every_page() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            ahead += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    assert set(PAGES) <= reached


def test_every_public_name_is_documented() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in nearid_cli.__all__ if f"{name}" not in text] == []


def test_every_part_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    parts = [path.name + "/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    parts += [path.name for path in PACKAGE.glob("[!_]*.py")]
    assert [part for part in parts if f"`{part}`" not in text] == []


def test_the_architecture_names_only_what_is_there() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    places = [
        f"/{path.relative_to(ROOT)}"
        for folder in (PACKAGE, ROOT / "scripts", ROOT / "tests")
        for path in folder.rglob("*.*")
    ]
    named = set(re.findall(r"`(?:python )?([\w/]+\.(?:py|js|html))`", text))
    assert len(named) > 40
    assert sorted(name for name in named if not any(place.endswith(f"/{name}") for place in places)) == []


def test_the_command_reference_is_up_to_date() -> None:
    program = runpy.run_path(str(ROOT / "scripts" / "cli_reference.py"))
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == program["reference"](), (
        "run python scripts/cli_reference.py"
    )


def test_the_messages_of_troubleshooting_are_those_of_the_program() -> None:
    program = runpy.run_path(str(ROOT / "scripts" / "troubleshooting.py"))
    page = program["PAGE"].read_text(encoding="utf-8")
    assert program["unknown_messages"](page) == [], "say it as the program does"
    assert program["unknown_messages"]("### `no ... says this`\n| `nor this one, ever` | x |") == [
        "no ... says this",
        "nor this one, ever",
    ]


def test_the_help_names_every_layout() -> None:
    from nearid_cli.layouts.registry import NAMES

    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    (row,) = {
        line for line in text.splitlines() if line.startswith("| `--layout`")
    }  # score and compare say the same
    assert [name for name in NAMES if name not in re.split(r"[ ,.|]+", row)] == []


def test_every_option_of_the_configuration_is_documented() -> None:
    from nearid_cli.configuration import METRIC_KEYS, known_options

    text = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert [name for name in (*known_options(), *METRIC_KEYS) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(script: Path, workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(workshop / "examples" / script.name), run_name="__main__")
    assert capsys.readouterr().out


def test_the_example_configuration_is_right_with_all_its_lines_in_force(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "nearid.toml").read_text(encoding="utf-8")
    (tmp_path / "nearid.toml").write_text(re.sub(r"^# (?=\[|[a-z-]+ = )", "", text, flags=re.MULTILINE))
    found = load_configuration(tmp_path)
    assert set(found.options) == {"metric", "device", "batch-size", "cache"}
    assert set(found.metrics) == {"ours"}


@pytest.mark.parametrize(
    "group",
    [[], ["models"], ["cache"], ["bench"], ["gate"]],
    ids=["nearid", "models", "cache", "bench", "gate"],
)
def test_no_summary_is_cut_off(group: list[str], nearid: Nearid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, printed = nearid([*group, "--help"])
    assert code == 0
    summaries = printed.partition("Commands:\n")[2].splitlines()
    assert len(summaries) >= 2
    assert [line for line in summaries if line.endswith("...") or not line.split("  ")[-1].strip()] == []


def test_every_option_says_what_it_takes() -> None:
    rows = re.findall(
        r"^\| `.*$", (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 40
    assert [row for row in rows if "`None`" in row or row.split(" | ")[1].strip(" |") == ""] == []
