"""`nearid demo`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show

METRIC = "hog"
_TO_SEE = {
    "faithful": "keeps the identity: retention near 1",
    "drifted": "slips towards another subject: retention near 0",
    "copied": "hands back the references: high scores, and copies",
}


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the demo.", metavar="DIR")] = Path(
        "nearid-demo"
    ),
    cache: shared.CacheFolder = None,
) -> None:
    """Try it: write a small data set, score it, and say how to go on.

    The pictures are real photographs; three pretend methods keep, lose and copy the identity of
    five subjects. Nothing is downloaded.
    """
    from nearid_cli import reports
    from nearid_cli.demo import METHODS, write_demo
    from nearid_cli.evaluate.embedding import Options
    from nearid_cli.evaluate.score import score

    write_demo(folder)
    typer.echo(f"Wrote photographs of 5 subjects and three pretend methods to {folder}", err=True)
    commands = []
    for method in METHODS:
        references, generations = folder / "references", folder / "methods" / method
        output = folder / "results" / f"{method}.json"
        commands.append(
            shlex.join(
                [
                    "nearid",
                    "score",
                    *map(str, (references, generations)),
                    "--metric",
                    METRIC,
                    "-o",
                    str(output),
                ]
            )
        )
        typer.echo(f"\n# {method} {_TO_SEE[method]}\n$ {commands[-1]}")
        result = score(references, generations, Options(metrics=[METRIC], cache=cache))
        reports.write(result, output)
        reports.render_score(result, show.console())
    typer.echo(
        f"\nThe results are in {folder / 'results'}. {METRIC} needs no download; it compares appearance only.\n"
        "With the NearID checkpoint here, or a network to fetch it, leave out --metric. Repeat on your own folders:\n"
    )
    for command in commands:
        typer.echo(f"    {command}")
