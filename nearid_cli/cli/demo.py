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
    """Try it: write a small data set, score it, and say how to go on.

    The pictures are rendered. Three pretend methods keep the identity of six subjects, swap it for
    a look-alike, and copy the references. Nothing is downloaded.
    """
    from nearid_cli import reports
    from nearid_cli.demo import METHODS, SUBJECTS, write_demo
    from nearid_cli.evaluate.embedding import Options
    from nearid_cli.evaluate.score import score

    write_demo(folder)
    typer.echo(
        f"Rendered {len(SUBJECTS)} subjects and three pretend methods into {printable(folder)}", err=True
    )
    results, commands = {}, []
    for method in METHODS:
        references, generations = folder / "references", folder / "methods" / method
        output = folder / "results" / f"{method}.json"
        places = [str(references), str(generations), "--metric", ",".join(METRICS), "-o", str(output)]
        commands.append(printable(shlex.join(["nearid", "score", *places])))
        typer.echo(f"\n# {method}: {_TO_SEE[method]}\n$ {commands[-1]}")
        results[method] = score(references, generations, Options(metrics=METRICS, cache=cache))
        reports.write(results[method], output)
        reports.render_score(results[method], show.console())
    typer.echo("\n# All three\n")
    show.rows(("method", *METRICS), [(method, *_cells(result)) for method, result in results.items()], (1, 2))
    typer.echo(
        f"\n{_LESSON}\n\nThe results are in {printable(folder / 'results')}. With the NearID checkpoint here, or a "
        "network to fetch it, leave out --metric. Repeat on your own folders:\n"
    )
    for command in commands:
        typer.echo(f"    {command}")


def _cells(result: ScoreResult) -> list[str]:
    return [f"{result.aggregate[metric].score:.3f}" for metric in METRICS]
