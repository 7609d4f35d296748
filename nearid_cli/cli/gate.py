"""`nearid gate RUN` (which is short for `nearid gate check RUN`) and `nearid gate init RUN`."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nearid_cli.cli import GATE_FAILED, show
from nearid_cli.cli.groups import group
from nearid_cli.cli.options import Format, say_what_counts, types_of
from nearid_cli.errors import InputError, UsageError
from nearid_cli.flags import Flag
from nearid_cli.mirrors import here
from nearid_cli.remote.stores import check_on_disk, named, url_of
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.breakdown.labels import Breakdown
    from nearid_cli.cli.outputs import Log, listing
    from nearid_cli.results import CompareResult, GateResult, Rule, ScoreResult

logger = logging.getLogger(__name__)

app = group(
    "Judge a finished run by rules, for CI. `nearid gate RUN` is short for `nearid gate check RUN`.",
    {"check": "nearid_cli.cli.gate:check", "init": "nearid_cli.cli.gate:init"},
    fallback="check",
)

Run = Annotated[Path, typer.Argument(help="A result (.json) of score or compare.", metavar="RUN")]


@types_of("nearid_cli.cli.outputs")
def check(
    run: Run,
    baseline: Annotated[
        Path | None,
        Flag(
            "An accepted result (.json), for rules with max_drop; by default the one that [gate] names.",
            "FILE",
        ),
    ] = None,
    config: Annotated[
        Path | None, Flag("A nearid.toml or pyproject.toml with rules; by default the nearest one.", "FILE")
    ] = None,
    allow_mismatch: Annotated[
        bool, Flag("Compare with a baseline of another checkpoint or protocol.")
    ] = False,
    update_baseline: Annotated[
        bool, Flag("Make the run the new baseline if it passes all rules but max_drop.")
    ] = False,
    output: Annotated[
        tuple[Path, ...],
        Flag(
            listing("Also write {}, of which .xml is JUnit; repeat for several.", "gate"), "FILE", short="o"
        ),
    ] = (),
    form: Format = "table",
    log: Log = (),
) -> None:
    """Judge a run by the rules of the configuration.

    Exit code 0: passed. 1: failed. 2: could not be judged.
    """
    from nearid_cli.cli.outputs import check_log, log_to
    from nearid_cli.reports import formats
    from nearid_cli.reports.document import document
    from nearid_cli.reports.files import check_outputs
    from nearid_cli.results.reading import read_result

    check_outputs(output, known=formats.known("gate"))
    rules, baseline = _rules(config, baseline)
    _keep_inputs(output, run, baseline)
    check_log(log)
    if update_baseline and baseline is None:
        raise UsageError(
            '--update-baseline needs --baseline FILE, or baseline = "FILE" in [gate]: where the new baseline goes'
        )
    result = read_result(here(run), holes=True)
    if update_baseline and baseline is not None:
        check_outputs([baseline], known=(".json",))
        verdicts = Rulebook(rules, run, result).judge(result, _name(run))
        code = finish(verdicts, form, output)
        if code == 0:
            _update(baseline, run, result)
        else:
            logger.warning("%s stays as it was", named(baseline))
    else:
        if baseline is not None and _same(run, baseline):
            logger.warning("%s is its own baseline, so no drop can show", named(run))
        before = _read_baseline(baseline)
        verdicts = Rulebook(rules, baseline, before).judge(result, _name(run), allow_mismatch)
        code = finish(verdicts, form, output)
    log_to(log, document(verdicts))
    raise typer.Exit(code)


def init(
    run: Run,
    output: Annotated[
        Path | None, Flag("Write to this file, which must not exist yet.", "FILE", short="o")
    ] = None,
    by: Annotated[
        tuple[str, ...],
        Flag("Also by prompt, seed, category or any other label; + joins several, repeat for more.", "LABEL"),
    ] = (),
) -> None:
    """Make rules to start from, with bounds that the run passes.

    With --by, also a rule for every group of generations with one value of a label.

    With -o, a copy of the run is written beside the rules as their baseline, NAME-baseline.json.
    """
    from nearid_cli.files import replace_file
    from nearid_cli.gate.starter import starter
    from nearid_cli.reports.files import check_outputs
    from nearid_cli.results.reading import read_result

    if output is None:
        result = read_result(here(run))
        name = url_of(run) or run.as_posix()
        print(starter(result, _name(run), name, _breakdowns(by, result)), end="")
        sys.stdout.flush()
        logger.info("save this as nearid.toml; then: %s", shlex.join(["nearid", "gate", _name(run)]))
        return
    check_outputs([output], known=(".toml",))
    check_on_disk(output)
    if output.name == "pyproject.toml":
        raise UsageError(
            "rules in pyproject.toml stand below your own tables: print them without -o, and paste them in "
            "with [tool.nearid.gate] and [[tool.nearid.gate.rules]] in the place of [gate] and [[gate.rules]]"
        )
    if output.exists():
        raise UsageError(f"{printable(output)} exists; print the rules without -o and paste them in")
    baseline = output.with_name(f"{output.stem}-baseline.json")
    result = read_result(here(run))
    text = starter(result, _name(run), baseline.name, _breakdowns(by, result))
    _hides(output)
    _store(run, baseline)
    replace_file(output, text.encode())
    show.wrote(output, baseline)
    logger.info("next: %s", shlex.join(["nearid", "gate", _name(run), *_found_by(output)]))


def _breakdowns(by: Sequence[str], result: ScoreResult | CompareResult) -> Sequence[Breakdown]:
    """What was asked for of the generations of all methods."""
    from nearid_cli.breakdown.labels import read_breakdowns

    return read_breakdowns(by, (image for run in result.runs.values() for image in run.images))


def _hides(output: Path) -> None:
    """Warn where a new configuration takes the place of one that is in force there."""
    from nearid_cli.configuration import load_configuration
    from nearid_cli.opening import real_path

    hidden = load_configuration(real_path(output).parent).path
    if output.name == "nearid.toml" and hidden is not None:
        logger.warning("from now on %s hides the settings in %s", printable(output), printable(hidden))


def _store(run: Path, baseline: Path) -> None:
    """Copy the run, so that the next one may have its name without becoming its own baseline."""
    from nearid_cli.files import replace_file

    content = _read_bytes(run)
    if not baseline.exists():
        replace_file(baseline, content)
    elif _read_bytes(baseline) != content:
        raise UsageError(
            f"{printable(baseline)} exists and is another result; give the rules another name than "
            f"{printable(baseline.name.replace('-baseline.json', '.toml'))}, or remove it"
        )


def _found_by(output: Path) -> list[str]:
    """What `nearid gate` needs to be told to find the configuration from here."""
    from nearid_cli.configuration import load_configuration
    from nearid_cli.opening import real_path

    nearest = load_configuration(Path.cwd()).path
    found = nearest is not None and real_path(nearest) == real_path(output)
    return [] if found else ["--config", str(output)]


class Rulebook(NamedTuple):
    """Rules, and what `max_drop` is counted from.

    Attributes:
        rules: the rules.
        baseline: the file of the baseline; None if there is none.
        before: what it holds; None if it does not exist yet.
    """

    rules: tuple[Rule, ...]
    baseline: Path | None
    before: ScoreResult | CompareResult | None

    @classmethod
    def of(cls, config: Path, baseline: Path | None) -> Rulebook:
        """The rules of a configuration, with its baseline unless another is given."""
        rules, baseline = _rules(config, baseline)
        return cls(rules, baseline, _read_baseline(baseline))

    def judge(
        self, result: ScoreResult | CompareResult, name: str, allow_mismatch: bool = False
    ) -> GateResult:
        """The verdicts on a run of this name."""
        from nearid_cli.gate.judge import judge

        baseline = None if self.baseline is None else _name(self.baseline)
        return judge(
            result,
            self.before,
            self.rules,
            run_name=name,
            baseline_name=baseline,
            allow_mismatch=allow_mismatch,
        )


def _rules(config: Path | None, baseline: Path | None) -> tuple[tuple[Rule, ...], Path | None]:
    from nearid_cli.configuration import load_configuration
    from nearid_cli.gate.rules import load_rules, named_baseline

    rules = load_rules(config, Path.cwd())
    if config is None:
        say_what_counts(load_configuration(Path.cwd()), ["gate"])
    return rules, named_baseline(config, Path.cwd()) if baseline is None else baseline


def _read_baseline(path: Path | None) -> ScoreResult | CompareResult | None:
    """The baseline, or None if none is given or the file does not exist yet: rules that need it fail then.

    Raises:
        InputError: the file is there and cannot be read, or is not a result.
    """
    from nearid_cli.results.reading import read_result

    if path is None:
        return None
    if url_of(path):
        from nearid_cli.remote.attempts import AbsentError, NoBucketError

        try:
            return read_result(here(path), holes=True)
        except NoBucketError:
            raise
        except AbsentError:
            return None
    return read_result(path, holes=True) if path.exists() or path.is_symlink() else None


def finish(gate: GateResult, form: str, outputs: Sequence[Path] = ()) -> int:
    """Say how a gate ended, everywhere where somebody may be looking.

    Args:
        gate: the verdicts.
        form: as of `outputs.give`.
        outputs: files to write.

    Returns:
        The exit code: 0 passed, 1 failed.
    """
    from nearid_cli.cli.outputs import give
    from nearid_cli.reports.document import document
    from nearid_cli.reports.formats.markdown import markdown
    from nearid_cli.reports.gate import github_annotations

    verdicts = document(gate)
    give(verdicts, form, outputs)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_annotations(gate):
            print(line, file=sys.stderr)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            # A pipe that nobody reads is an error, in place of a wait for who does.
            opened = os.open(
                summary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666
            )
            with os.fdopen(opened, "a", encoding="utf-8") as file:
                file.write(markdown(verdicts))
        except OSError as error:
            logger.warning("cannot write the step's summary %s: %s", printable(summary), error.strerror)
    return 0 if gate.passed else GATE_FAILED


def _keep_inputs(outputs: Sequence[Path], *inputs: Path | None) -> None:
    """Refuse to write verdicts over what they are about."""
    for path in outputs:
        if any(one is not None and _same(path, one) for one in inputs):
            raise UsageError(f"the output {named(path)} is an input, too; give the verdicts another file")


def _update(baseline: Path, run: Path, result: ScoreResult | CompareResult) -> None:
    """Copy the run over the baseline, and say what that changes."""
    from nearid_cli.files import replace_file
    from nearid_cli.gate.drops import changes

    try:
        old = _read_baseline(baseline)
    except InputError as error:
        old = None
        logger.warning("the old baseline could not be read: %s", error.message)
    replace_file(baseline, _read_bytes(run))
    logger.info("%s is now the baseline %s", named(run), named(baseline))
    for line in changes(result, old) if old is not None else ():
        logger.info("%s", line)


def _read_bytes(path: Path) -> bytes:
    from nearid_cli.opening import read_regular
    from nearid_cli.results.reading import RESULT_BYTES

    try:
        return read_regular(here(path), RESULT_BYTES)
    except OSError as error:
        raise InputError(f"cannot read {named(path)}: {error.strerror}") from error


def _same(a: Path, b: Path) -> bool:
    """Whether two paths, or URLs, name one file."""
    from nearid_cli.opening import real_path

    return (url_of(a) or real_path(a)) == (url_of(b) or real_path(b))


def _name(path: Path) -> str:
    """What verdicts call a file."""
    return url_of(path) or str(path)
