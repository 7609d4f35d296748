"""`nearid view`."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.errors import UsageError
from nearid_cli.flags import Flag
from nearid_cli.mirrors import here
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.results import CompareResult, ScoreResult

logger = logging.getLogger(__name__)


def view(
    results: Annotated[
        list[Path], typer.Argument(help="Finished results (.json) of score or compare.", metavar="RESULTS")
    ],
    port: Annotated[int, Flag("Port to serve on; 0 for a free one.", "N", low=0, high=65535)] = 0,
    open_browser: Annotated[bool, Flag("Open the page in the browser.", name="open")] = False,
) -> None:
    """Show results in the browser, with every picture in full size.

    Serves the page of the HTML report on this machine alone, until Ctrl-C. Several results of score are compared.
    """
    from nearid_cli.reports.document import document
    from nearid_cli.reports.html import page_files, page_masks, served, to_html
    from nearid_cli.view.server import Server, serve

    result = _read(results)
    with doing("making the page"):
        files = page_files(result)
        masks = page_masks(result)
        server = Server(to_html(document(result), served(files, masks)), files, port, masks)

    def started(url: str) -> None:
        typer.echo(url)
        typer.echo("Ctrl-C stops it", err=True)
        if open_browser:
            # Some browsers run in this very terminal, and until they end.
            threading.Thread(target=_open, args=[url], daemon=True).start()

    serve(server, started)


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        logger.warning("no browser was found; open the address above in yours")


def _read(paths: list[Path]) -> ScoreResult | CompareResult:
    """The result, or a comparison of the results of several methods, which are named after their files."""
    from nearid_cli.reports.locations import anchored
    from nearid_cli.results.reading import read_result, read_score

    if len(paths) == 1:
        file = here(paths[0])
        return read_result(file).with_runs(lambda run: anchored(run, file.parent))
    from nearid_cli.evaluate.compare import compare

    names = [path.stem for path in paths]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(
            f"two results are called {printable(twice[0])}; name them with "
            "`nearid compare --method NAME=FILE.json ... -o both.json` and view that"
        )
    files = [here(path) for path in paths]
    return compare({file.stem: anchored(read_score(file), file.parent) for file in files})
