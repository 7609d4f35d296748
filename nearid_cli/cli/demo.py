"""`nearid demo`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import show
from nearid_cli.flags import CacheFolder
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.results import ScoreResult

METRICS = ("nearid-mini", "hog")
_TO_SEE = {
    "faithful": "the same object in new contexts: the identity is kept",
    "swapped": "a look-alike in the very contexts of the references: the identity is lost",
    "copied": "references handed back: high scores, and copies",
}
_METRICS = """\
hog compares appearance; nearid-mini was trained to tell objects apart whatever the context.
It is in this package, for demos, tests and smoke checks, not for papers."""
_ENDING = """
hog prefers look-alikes in the same scene; nearid-mini sees another object.
Look at the pictures: open {report} in a browser.
Now your own, a folder a subject (without --metric: NearID, CLIP-I and DINO):
  nearid score refs gens --metric nearid-mini -o report.html
  nearid compare methods --refs refs --metric nearid-mini -o report.html"""


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the demo.", metavar="DIR")] = Path(
        "nearid-demo"
    ),
    cache: CacheFolder = None,
) -> None:
    """Try it: a small data set, scored and compared, and how to go on.

    The pictures are rendered. Three pretend methods keep the identity of eight subjects, swap it for
    a look-alike, and copy the references. Nothing is downloaded.
    """
    from nearid_cli.demo import METHODS, SUBJECTS, write_demo
    from nearid_cli.evaluate.compare import compare
    from nearid_cli.evaluate.score import score
    from nearid_cli.options import Options
    from nearid_cli.reports.document import document
    from nearid_cli.reports.files import write
    from nearid_cli.reports.terminal import render

    with doing("rendering pictures"):
        write_demo(folder)
    typer.echo(
        f"Rendered {len(SUBJECTS)} subjects and three pretend methods into {printable(folder)}", err=True
    )
    typer.echo(_METRICS)
    results: dict[Path, ScoreResult] = {}
    metrics = ",".join(METRICS)
    for method in METHODS:
        references, generations = folder / "references", folder / "methods" / method
        output = folder / "results" / f"{method}.json"
        command = _command("score", references, generations, "--metric", metrics, "-o", output)
        typer.echo(f"\n# {method}: {_TO_SEE[method]}\n$ {command}")
        options = Options(metrics=METRICS, cache=cache, progress=sys.stderr.isatty())
        results[output] = score(references, generations, options)
        write(results[output], output)
        render(document(results[output]), show.console())
    report = folder / "results" / "report.html"
    command = _command("compare", *results, "-o", report)
    typer.echo(f"\n# All three: which keeps the objects, and is the difference real?\n$ {command}")
    compared = compare({path.stem: result for path, result in results.items()})
    with doing(f"writing {printable(report)}"):
        write(compared, report)
    render(document(compared), show.console())
    typer.echo(_ENDING.format(report=printable(report)))


def _command(name: str, *arguments: str | Path) -> str:
    return printable(shlex.join(["nearid", name, *map(str, arguments)]))
