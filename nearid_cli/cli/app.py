"""The command line's frame: the list of commands, global options, and how an error reads.

Commands live in their own modules and import what they need when they run, so that `--help`
and argument errors cost nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nearid_cli import __version__
from nearid_cli.cli import cache, demo, doctor, embed, models, pair, score
from nearid_cli.cli import options as shared
from nearid_cli.errors import NearIDError

INTERRUPTED = 130
FAILED = 2

# Typer raises the exceptions of Click, and its newer versions carry a Click of their own: these are
# the ones of the Typer that is installed.
_UsageError, _CommandLineError = typer.BadParameter.__mro__[1:3]

app = typer.Typer(
    name="nearid",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: it starts three times faster than panels, and reads the same in a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command("score")(score.score)
app.command("pair")(pair.pair)
app.command("embed")(embed.embed)
app.add_typer(models.app, name="models")
app.add_typer(cache.app, name="cache")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nearid {__version__}")
        raise typer.Exit


@app.callback()
def nearid(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.", envvar="NEARID_DEBUG")] = False,
) -> None:
    """Did the generated picture keep the identity of its subject?

    Scores generations against references with NearID, next to CLIP-I and DINO.
    """
    from nearid_cli.configuration import load_configuration

    context.obj = configuration = load_configuration(Path.cwd())
    # Click ranks these exactly as DESIGN does: flags, then the environment, then the configuration.
    context.default_map = shared.default_map(configuration)


class _Messages(logging.Handler):
    """Log records of nearid as lines on stderr, each once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._said:
            return
        self._said.add(message)
        label = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        if "tqdm" in sys.modules:
            # A line that must not land in the middle of a progress bar.
            sys.modules["tqdm"].tqdm.write(label + message, file=sys.stderr)
        else:
            print(label + message, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 done, 2 the job could not be done, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # Names that the terminal's encoding cannot show must not stop a run.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    logger = logging.getLogger("nearid_cli")
    handler = _Messages()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result: Any = app(arguments, prog_name="nearid", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; what is embedded is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`nearid ... | head`): nothing is wrong with the job.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if _wants_traceback(arguments):
            raise
        for line in _lines(error):
            print(line, file=sys.stderr)
        return FAILED
    finally:
        logger.removeHandler(handler)


def _wants_traceback(arguments: list[str]) -> bool:
    return "--debug" in arguments or os.environ.get("NEARID_DEBUG", "0") not in {"", "0"}


def _lines(error: Exception) -> list[str]:
    """An exception as what to print: one line, and one more for each detail."""
    if isinstance(error, NearIDError):
        return [f"error: {error.message}", *(f"  {line}" for line in error.details)]
    if isinstance(error, _CommandLineError):
        text: str = error.format_message()  # type: ignore[attr-defined]
        if type(error).__name__ == "NoArgsIsHelpError":
            return text.splitlines()
        message = " ".join(text.split()).rstrip(".")
        context = getattr(error, "ctx", None)
        if isinstance(error, _UsageError) and context is not None:
            message += f" (see {context.command_path} --help)"
        return [f"error: {message[0].lower()}{message[1:]}"]
    if isinstance(error, OSError) and error.filename is not None:
        return [f"error: {os.fsdecode(error.filename)}: {(error.strerror or str(error)).lower()}"]
    what = " ".join(str(error).split())
    return [
        f"error: unexpected {type(error).__name__}: {what} (--debug shows where, and `nearid doctor` what to report)"
    ]
