"""Options of commands come from declarations: the fields of a dataclass, and parameters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from nearid_cli.cli import groups
from nearid_cli.cli.options import with_flags
from nearid_cli.cli.train import train
from nearid_cli.configuration import Configuration
from nearid_cli.errors import UsageError
from nearid_cli.flags import Flag, Metrics, Verbose, all_given
from nearid_cli.training.options import Augmentations, TrainOptions

Colour = Annotated[str, Flag("Which colour.", "COLOUR", short="c")]


def _even(value: str) -> int:
    if int(value) % 2:
        raise UsageError(f"--coats must be even, found {value}")
    return int(value)


@dataclass(frozen=True)
class Varnish:
    gloss: Annotated[float, Flag("How much.", "SHARE", low=0.0, high=1.0)] = 0.5


@dataclass(frozen=True)
class Paint:
    surface: Annotated[str, Flag("What is painted.", "WHAT")]
    colour: Colour = "red"
    layers: Annotated[int, Flag("How many.", "N", low=1)] = 1
    coats: Annotated[int, Flag("Even.", "N", kind=str, default="2", read=_even)] = 2
    tools: Annotated[tuple[str, ...], Flag("Repeat.", "TOOL", name="tool")] = ()
    brush: str = "round"
    varnish: Varnish = field(default_factory=Varnish)


Ask = Callable[..., dict[str, Any]]


def asked(function: Callable[..., None], *arguments: str) -> Any:
    """The outcome of a command line."""
    app = typer.Typer(rich_markup_mode=None)
    app.command()(with_flags(function))
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def paint() -> Ask:
    """What a command with one group of options gets."""

    def _ask(*arguments: str) -> dict[str, Any]:
        got: dict[str, Any] = {}

        def command(*, paint: Paint) -> None:
            got["paint"] = paint

        outcome = asked(command, *arguments)
        return {**got, "code": outcome.exit_code, "error": outcome.exception, "said": outcome.output}

    return _ask


def test_fields_have_their_defaults(paint: Ask) -> None:
    assert paint("--surface", "wall")["paint"] == Paint("wall")


def test_fields_are_what_was_given(paint: Ask) -> None:
    line = "--surface wall -c green --layers 3 --coats 4 --tool a --tool b --gloss 0.25"
    assert paint(*line.split())["paint"] == Paint("wall", "green", 3, 4, ("a", "b"), varnish=Varnish(0.25))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "Missing option"),
        ("--surface wall --layers 0", "Invalid value for '--layers'"),
        ("--surface wall --gloss 1.5", "Invalid value for '--gloss'"),
        ("--surface wall --brush flat", "No such option"),
        ("--surface wall --tools a", "No such option"),
    ],
)
def test_what_was_not_declared_is_refused(paint: Ask, line: str, reason: str) -> None:
    got = paint(*line.split())
    assert got["code"] == 2
    assert reason in got["said"]
    assert "paint" not in got


def test_a_value_that_is_refused_when_read(paint: Ask) -> None:
    assert str(paint("--surface", "wall", "--coats", "3")["error"]) == "--coats must be even, found 3"


def test_a_parameter_stands_for_the_field_of_its_name() -> None:
    got: list[Any] = []

    def command(*, colour: Colour = "blue", paint: Paint) -> None:
        got.append((colour, paint.colour))

    assert list(inspect.signature(with_flags(command)).parameters)[:3] == ["context", "colour", "surface"]
    asked(command, "--surface", "wall")
    asked(command, "--surface", "wall", "-c", "green")
    assert got == [("blue", "blue"), ("green", "green")]


def test_the_configuration_gives_what_the_environment_may_give(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []

    def command(
        *,
        metrics: Metrics = ("nearid",),
        verbose: Verbose = False,
        layers: Annotated[int, Flag("How many.", "N")] = 1,
    ) -> None:
        got.append((metrics, verbose, layers))

    def run(*arguments: str) -> None:
        groups.run(app, "paint", arguments, Configuration({"metric": "hog", "verbose": True, "layers": 5}))

    app = groups.group("Paint.", {"it": f"{__name__}:it"})
    monkeypatch.setattr(sys.modules[__name__], "it", command, raising=False)
    run("it")
    run("it", "--metric", "dino")
    assert got == [(["hog"], True, 1), (["dino"], True, 1)]


def test_the_flags_of_train_are_its_options() -> None:
    flags = dict(inspect.signature(with_flags(train)).parameters)
    del flags["context"]
    declared = [*all_given(TrainOptions), *all_given(Augmentations)]
    assert list(flags) == [one.name.replace("-", "_") for one in declared]
    assert {one.name for one in fields(TrainOptions)} - {one.field for one in declared} == {"augmentations"}
    assert {one.name for one in fields(Augmentations)} == {one.field for one in all_given(Augmentations)}
    defaults = [
        inspect.Parameter.empty if one.default is MISSING else one.default or None for one in declared
    ]
    assert [flag.default or None for flag in flags.values()] == defaults
