"""`nearid demo`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.results import ScoreResult

METRICS = ("nearid-mini", "hog")
_TO_SEE = {
    "faithful": "the same object in new contexts: the identity is kept",
    "swapped": "a look-alike in the very contexts of the references: the identity is lost",
    "copied": "references handed back: high scores, and copies",
}
_LESSON = """\
hog compares appearance. It rates `swapped` above `faithful`, because a swapped picture has the background of a
reference. nearid-mini was trained to tell objects apart whatever the context, and rates `swapped` below `faithful`.
nearid-mini is for demos, tests and smoke checks, not for papers."""


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the demo.", metavar="DIR")] = Path(
        "nearid-demo"
    ),
    cache: shared.CacheFolder = None,
) -> None:
    """Try it: a small data set, scored and compared, and how to go on.

    The pictures are rendered. Three pretend methods keep the identity of eight subjects, swap it for
    a look-alike, and copy the references. Nothing is downloaded.
    """
    from nearid_cli import reports
    from nearid_cli.demo import METHODS, SUBJECTS, write_demo
    from nearid_cli.evaluate.compare import compare
    from nearid_cli.evaluate.embedding import Options
    from nearid_cli.evaluate.score import score
    from nearid_cli.reports.compare_terminal import render_compare

    write_demo(folder)
    typer.echo(
        f"Rendered {len(SUBJECTS)} subjects and three pretend methods into {printable(folder)}", err=True
    )
    results: dict[Path, ScoreResult] = {}
    commands: list[str] = []
    metrics = ",".join(METRICS)
    for method in METHODS:
        references, generations = folder / "references", folder / "methods" / method
        output = folder / "results" / f"{method}.json"
        commands.append(_command("score", references, generations, "--metric", metrics, "-o", output))
        typer.echo(f"\n# {method}: {_TO_SEE[method]}\n$ {commands[-1]}")
        results[output] = score(references, generations, Options(metrics=METRICS, cache=cache))
        reports.write(results[output], output)
        reports.render_score(results[output], show.console())
    report = folder / "results" / "report.html"
    commands.append(_command("compare", *results, "-o", report))
    typer.echo(f"\n# All three: which keeps the objects, and is the difference real?\n$ {commands[-1]}")
    compared = compare({path.stem: result for path, result in results.items()})
    reports.write(compared, report)
    render_compare(compared, show.console())
    typer.echo(
        f"\n{_LESSON}\n\nLook at the pictures: open {printable(report)} in a browser. With the NearID checkpoint here, "
        "or a network to fetch it, leave out --metric. Repeat on your own folders:\n"
    )
    for command in commands:
        typer.echo(f"    {command}")


def _command(name: str, *arguments: str | Path) -> str:
    return printable(shlex.join(["nearid", name, *map(str, arguments)]))
