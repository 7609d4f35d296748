"""The command line's frame: the list of commands, global options, and how an error reads.

Commands live in their own modules and import what they need when they run, so that `--help`
and argument errors cost nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from nearid_cli import __version__
from nearid_cli.activity import shown_on
from nearid_cli.cli import FAILED, INTERRUPTED, groups
from nearid_cli.cli.groups import HELP, LazyGroup
from nearid_cli.errors import NearIDError, UsageError
from nearid_cli.interrupts import interrupts_noted
from nearid_cli.remote.stores import refuse_empty_parts
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.cli.spinner import Spinner

_log = logging.getLogger(__name__)
_NAME = "nearid"
_COMPLETE = "_NEARID_COMPLETE"
_COMPLETIONS = {"--install-completion", "--show-completion"}
_LONGEST = 5_000
"""Characters of a line on stderr: more than a path has, and less than a file that was given as one."""
_INTERRUPTED, _KEPT = "interrupted; {}", "what is embedded is kept"
_NO_MEMORY = re.compile(r"failed to map segment|cannot allocate memory", re.IGNORECASE)  # the loader's words
_NO = {"", "0", "f", "false", "n", "no", "off"}  # as Typer reads a switch from the environment


class _Commands(LazyGroup):
    """All commands: those that people use every day first."""

    entries: ClassVar[Mapping[str, str]] = {
        "score": "nearid_cli.cli.score:score",
        "compare": "nearid_cli.cli.compare:compare",
        "layout": "nearid_cli.cli.layout:layout",
        "gate": "nearid_cli.cli.gate:app",
        "view": "nearid_cli.cli.view:view",
        "pair": "nearid_cli.cli.pair:pair",
        "embed": "nearid_cli.cli.embed:embed",
        "bench": "nearid_cli.cli.bench:app",
        "train": "nearid_cli.cli.train:train",
        "export": "nearid_cli.cli.export:export",
        "synth": "nearid_cli.cli.synth:synth",
        "models": "nearid_cli.cli.models:app",
        "cache": "nearid_cli.cli.cache:app",
        "demo": "nearid_cli.cli.demo:demo",
        "doctor": "nearid_cli.cli.doctor:doctor",
        "help": "nearid_cli.cli.groups:show_help",
    }


app = typer.Typer(
    name=_NAME,
    cls=_Commands,
    no_args_is_help=True,
    # Plain help: it starts three times faster than panels, and reads the same in a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nearid {__version__}")
        raise typer.Exit


@app.callback()
def nearid(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.", envvar="NEARID_DEBUG")] = False,
) -> None:
    """Did the generated picture keep the identity of its subject?

    Scores generations against references with NearID, next to CLIP-I and DINO.
    """
    if context.obj == HELP:
        return
    from nearid_cli.configuration import load_configuration

    context.obj = load_configuration(Path.cwd())
    for line in context.obj.ignored:
        _log.warning("%s", line)


class _Messages(logging.Handler):
    """Log records of nearid as lines on stderr, each once."""

    def __init__(self, spinner: Spinner | None) -> None:
        super().__init__()
        self._spinner = spinner
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._said:
            return
        self._said.add(message)
        with self._spinner.away() if self._spinner else nullcontext():
            _say(f"{record.levelname.lower()}: {message}" if record.levelno > logging.INFO else message)


def _say(line: str) -> None:
    """Print one line on stderr. Whatever it holds, it stays one line and moves no terminal's cursor.

    A terminal that is too narrow for it gets it broken at spaces.
    """
    line = printable(line)
    if len(line) > _LONGEST:
        line = f"{line[:_LONGEST]}... ({len(line) - _LONGEST:,} more characters)"
    # A line must not land in the middle of a progress bar.
    bars = (
        sys.modules["tqdm"].tqdm.external_write_mode(sys.stderr) if "tqdm" in sys.modules else nullcontext()
    )
    with contextlib.suppress(BrokenPipeError), bars:  # nobody listens any more; the job goes on
        if sys.stderr.isatty() and len(line) > shutil.get_terminal_size().columns:
            from nearid_cli.cli import show
            from nearid_cli.reports.terminal import say

            sentence = line.lstrip(" ")
            say(show.console(stderr=True), sentence, indent=len(line) - len(sentence))
        else:
            print(line, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 done, 1 a gate failed, 2 the job could not be done, 130 interrupted.
    """
    _prepare_streams()
    # Read by torch when it is imported: its threads sleep when they wait, and leave the cores to the decoders.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logger = logging.getLogger("nearid_cli")
    spinner = _spinner()
    handler = _Messages(spinner)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    arguments = sys.argv[1:] if arguments is None else arguments
    code = 0
    interrupts: list[int] = []
    try:
        with interrupts_noted() as interrupts, shown_on(spinner) if spinner else nullcontext():
            code = _run(arguments)
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        # What was at work says what is kept of it; mostly pictures are being embedded.
        _say(_INTERRUPTED.format(str(interrupt) or _KEPT))
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`nearid ... | head`): nothing is wrong with the job, and what it came
        # to, such as a failed gate, stands.
        return code
    except Exception as error:
        if _wants_traceback(arguments):
            raise
        if interrupts and not isinstance(error, NearIDError):
            _say(_INTERRUPTED.format(_KEPT))
            return INTERRUPTED
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error, file=sys.stderr)
            return FAILED
        for line in _lines(error):
            _say(line)
        return FAILED
    finally:
        logger.removeHandler(handler)
        _let_go_of_output()


def _run(arguments: list[str]) -> int:
    """Run the command that the arguments name, and give its exit code."""
    for argument in arguments:
        refuse_empty_parts(argument)
    # Typer does not show the group's own function what the command's arguments are.
    wanted = HELP if {"-h", "--help"} & set(arguments) or arguments[:1] == [HELP] else None
    try:
        if _COMPLETE in os.environ:  # the shell asks what may come next
            groups.complete(app, _NAME)
        groups.run(app, _NAME, arguments, wanted)
    except typer.Exit as end:
        # Typer gives 1 to a shell that it does not know, and that is a failed gate's.
        return FAILED if end.exit_code and set(arguments) & _COMPLETIONS else end.exit_code
    except RuntimeError as error:  # of Typer, where it finds no home
        if not set(arguments) & _COMPLETIONS:
            raise
        raise UsageError(
            "completion cannot be installed (there is no home folder: set HOME); --show-completion prints it"
        ) from error
    except SystemExit as end:  # how Typer ends after it has shown or installed a completion
        return end.code if isinstance(end.code, int) else 0
    return 0


def _prepare_streams() -> None:
    """Make stdout and stderr take any text, even where they are closed (`nearid ... >&-`)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - for good
        # Names that the terminal's encoding cannot show must not stop a run.
        getattr(sys, name).reconfigure(errors="backslashreplace")


def _let_go_of_output() -> None:
    """Give up output that cannot be written, or Python would exit with 120 because of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _spinner() -> Spinner | None:
    """What shows on a terminal that a job goes on; None in a pipe, and where a line cannot be taken back."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from nearid_cli.cli.spinner import Spinner

    return Spinner(sys.stderr)


def _wants_traceback(arguments: list[str]) -> bool:
    return "--debug" in arguments or os.environ.get("NEARID_DEBUG", "0").lower() not in _NO


def _lines(error: Exception) -> list[str]:
    """An exception as what to print: one line, and one more for each detail."""
    if isinstance(error, NearIDError):
        return [f"error: {error.message}", *(f"  {line}" for line in error.details)]
    if isinstance(error, groups.ArgumentError):
        message = " ".join(error.format_message().split()).rstrip(".")
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return [f"error: {message[0].lower()}{message[1:]}{where}"]
    if isinstance(error, FileNotFoundError) and error.filename is None:  # of os.getcwd
        return ["error: the current folder is there no more; go to one that is (cd)"]
    if isinstance(error, OSError) and error.strerror is not None:
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return [f"error: {where}{error.strerror[:1].lower()}{error.strerror[1:]}"]
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _NO_MEMORY.search(str(error))):
        return ["error: out of memory; fewer --workers, a smaller --batch-size or less at a time need less"]
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return [
            "error: the system starts no more threads: out of memory, or too many processes (ulimit -u, pids.max of a "
            "container); fewer --workers need less"
        ]
    what = " ".join(str(error).split())
    return [
        f"error: unexpected {type(error).__name__}: {what} (--debug shows where, and `nearid doctor` what to report)"
    ]
