"""Names and values that do not exist: exit 2, one line, the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commandline import Nearid

SCORE = ("score", "refs", "gens", "-m", "hog")
WRONG = {
    "metric": ([*SCORE, "-m", "claip-i"], 'unknown metric "claip-i"', "did you mean clip-i"),
    "readout": ([*SCORE, "-m", "nearid::poled"], "poled", "pooled"),
    "layout": ([*SCORE, "--layout", "fodlers"], 'unknown layout "fodlers"', "did you mean folders?"),
    "option": ([*SCORE, "--dtpe", "float32"], "no such option: --dtpe", "--dtype"),
    "dtype": ([*SCORE, "--dtype", "float31"], "float31", "did you mean float32 or float16?"),
    "device": ([*SCORE, "--device", "cdua"], "cdua", "did you mean cuda?"),
    "format": ([*SCORE, "--format", "jsn"], "jsn", "did you mean json?"),
    "sort": ([*SCORE, "--sort", "hgo"], "hgo", "did you mean hog?"),
    "output": ([*SCORE, "-o", "out.jsn"], "it has the extension .jsn", "known: .json, .csv"),
    "command": (["scor", "refs", "gens"], "no such command 'scor'", "did you mean 'score'"),
    "cache command": (["cache", "inf"], "no such command 'inf'", "did you mean 'info'"),
    "models command": (["models", "lst"], "no such command 'lst'", "did you mean 'list'"),
    "models name": (["models", "info", "nearidd"], "nearidd", "did you mean nearid"),
    "batch size": ([*SCORE, "--batch-size", "0"], "--batch-size must be auto or a positive number", "'0'"),
    "batch size text": ([*SCORE, "--batch-size", "many"], "--batch-size must be auto", "'many'"),
    "batch size of 5,000 digits": ([*SCORE, "--batch-size", "9" * 5000], "--batch-size must be auto", "'999"),
    "thumbnails of 5,000 digits": ([*SCORE, "--thumbnails", "9" * 5000], "--thumbnails must be", "'999"),
    "identities without end": (["synth", "o", "--identities", "9" * 30], "--identities", "less than"),
    "worst": ([*SCORE, "--worst", "-1"], "invalid value for '--worst'", "greater than or equal to 0"),
    "workers": ([*SCORE, "--workers", "0"], "invalid value for '--workers'", "greater than or equal to 1"),
    "max pixels": ([*SCORE, "--max-pixels", "x"], "invalid value for '--max-pixels'", "integer"),
    "one more argument": ([*SCORE, "more"], "unexpected extra argument", "more"),
    "age": (["cache", "clear", "--older-than", "1 year"], "such as 30d, 12h or 2w", "'1 year'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_named_with_what_is_right(nearid: Nearid, data: Path, case: str) -> None:
    arguments, found, hint = WRONG[case]
    finished = nearid(*arguments)
    message = " ".join([finished.error, *finished.details])
    assert found in message
    assert hint.lower() in message.lower()


@pytest.mark.parametrize("metrics", [",", "hog,,"])
def test_no_metric_between_commas(nearid: Nearid, data: Path, metrics: str) -> None:
    error = nearid("score", "refs", "gens", "-m", metrics).error
    assert error.startswith("expected a metric between commas, found none; known: nearid, clip-i, dino")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["score", "", "", "--cache", ""], "REFS, GENS and --cache"),
        ([*SCORE, "-o", "run.json", "-o", ""], "--output"),
        ([*SCORE, "--cache="], "--cache"),
        (["synth", ""], "OUT"),
        (["gate", ""], "RUN"),
        (["bench", "mtg", "--data", ""], "--data"),
        (["cache", "info", "--cache="], "--cache"),
    ],
)
def test_an_empty_text_is_never_the_current_folder(
    nearid: Nearid, data: Path, arguments: list[str], named: str
) -> None:
    before = sorted(data.rglob("*"))
    assert nearid(*arguments).error == (
        f"{named}: expected a value, found an empty text; is a variable not set?"
    )
    assert sorted(data.rglob("*")) == before


def test_no_command_shows_the_help(nearid: Nearid) -> None:
    finished = nearid()
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith("Usage: nearid [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('metrc = "hog"', 'unknown key "metrc": did you mean metric'),
        ('workers = "two"', "workers must be int, found 'two'"),
        (
            "[metrics.ours]\nreadout = 'pooled'",
            'metrics.ours must be a table with checkpoint = "PATH or Hub id"',
        ),
        ('cache = ""', "cache must be a value, found an empty text"),
        ("metric = [", "is not TOML"),
        ("\x00", "is not TOML"),
    ],
)
def test_wrong_configuration(nearid: Nearid, data: Path, text: str, expected: str) -> None:
    (data / "nearid.toml").write_text(text)
    finished = nearid(*SCORE)
    assert "nearid.toml" in finished.error
    assert expected in " ".join([finished.error, *finished.details])


@pytest.mark.parametrize(
    "command", [[], ["score"], ["compare"], ["gate", "check"], ["cache", "info"]], ids=" ".join
)
def test_help_comes_even_where_the_configuration_is_broken(
    nearid: Nearid, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "nearid.toml").write_text("metrik = 1")
    finished = nearid(*command, "--help")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith("Usage: nearid")
