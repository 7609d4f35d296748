"""How a command gets its options: from declarations (`nearid_cli.flags.Flag`), or spelled here for all commands."""

from __future__ import annotations

import functools
import inspect
import keyword
import logging
import operator
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from types import GenericAlias, MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nearid_cli.errors import NearIDError, UsageError
from nearid_cli.flags import MOST_DIGITS, Flag, Given, given
from nearid_cli.remote.stores import in_a_store, url_of
from nearid_cli.text import listed, printable, shown, unknown

if TYPE_CHECKING:
    from nearid_cli.configuration import Configuration

_log = logging.getLogger(__name__)

FORMATS = ("table", "json")


def _thumbnails(value: str) -> int | None:
    if value == "none":
        return None
    if not value.isdecimal() or len(value) > MOST_DIGITS:
        raise UsageError(f"--thumbnails must be a number or none, found {shown(value)}")
    return int(value)


def _format(value: str) -> str:
    if value not in FORMATS:
        raise UsageError(unknown("format", value, FORMATS))
    return value


def _named(flag: str, values: Iterable[str] | None) -> Iterator[tuple[str, str]]:
    for value in values or ():
        name, _, rest = value.partition("=")
        if not (name.strip() and rest.strip()):
            raise UsageError(f"expected {flag}, found {printable(value)!r}")
        yield name.strip(), rest.strip()


def _scores(values: Iterable[str] | None) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for name, file in _named("--scores NAME=FILE", values):
        files.setdefault(name, []).append(file)
    return files


def _directions(values: Iterable[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, word in _named("--direction NAME=lower|higher", values):
        if found.setdefault(name, word) != word:
            raise UsageError(f"--direction: {printable(name)} is said to be better in both directions")
    return found


NOTHING: Mapping[str, Any] = MappingProxyType({})
Scores = Annotated[
    Mapping[str, Any],
    Flag(
        "Numbers that something else computed, as one more metric: a CSV, TSV, JSON, JSONL or Parquet file with a row "
        "a generation, found by path, or by subject, prompt and seed; repeat.",
        "NAME=FILE[::COLUMN]",
        kind=list[str] | None,
        default=None,
        read=_scores,
    ),
]
Directions = Annotated[
    Mapping[str, str],
    Flag(
        "Which numbers of --scores NAME are better: lower, as of distances, or higher, which is the default.",
        "NAME=lower|higher",
        name="direction",
        kind=list[str] | None,
        default=None,
        read=_directions,
    ),
]
Distractors = Annotated[
    Path | None,
    Flag(
        "Folder of each subject's look-alikes (SUBJECT/picture), or a manifest; adds margins, and SSR and PA "
        "where each has the context of a reference (named alike).",
        "DIR",
    ),
]
Thumbnails = Annotated[
    int | None,
    Flag(
        "How many pictures an .html report may hold, the most telling first, or none.",
        "N|none",
        kind=str,
        default="6000",
        read=_thumbnails,
    ),
]
Format = Annotated[
    str, Flag("What stdout gets: table or json.", "FORMAT", name="format", words=FORMATS, read=_format)
]
Yes = Annotated[bool, Flag("Do not ask.", short="y")]

_Read = Callable[[Mapping[str, Any]], Any]
"""What makes an argument of a command's function of what Typer gives."""


C = TypeVar("C", bound=Callable[..., None])


def types_of(*modules: str) -> Callable[[C], C]:
    """Where the classes of a command's annotations are, when it is built.

    `nearid --help` imports every command for the first sentence of its help, and shall not wait for those.
    """

    def said(function: C) -> C:
        function.types_of = modules  # type: ignore[attr-defined]
        return function

    return said


def reads_no_urls(function: C) -> C:
    """What a command reads lies on this machine or on the Hub: a URL is refused, and a line says what to do."""
    function.reads_no_urls = True  # type: ignore[attr-defined]
    return function


def _refuse_urls(values: Mapping[str, Any]) -> None:
    """Raise UsageError where a URL of a store is given for what is read."""
    for name, given_value in values.items():
        for one in given_value if isinstance(given_value, list | tuple) else (given_value,):
            if not isinstance(one, str | Path) or name in ("cache", "output"):
                continue
            url = url_of(one) or url_of(str(one).partition("=")[2])
            if url and in_a_store(url):
                raise UsageError(
                    f"{printable(url)}: expected a path on this machine or a Hub id, since this command reads no URLs; "
                    "download it (hf download, aws s3 sync), and give the folder"
                )


def with_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The function of a command, with its options as Typer wants them: one parameter each.

    A parameter whose annotation holds a `Flag` becomes that flag. One that is a dataclass becomes a flag for each field
    that has one, and the function gets the object. A flag of a field that is also a parameter by itself stands where
    the parameter stands and has its default; its value is in both.
    """
    types: dict[str, Any] = {}
    for module in getattr(function, "types_of", ()):
        types |= vars(import_module(module))
    own = inspect.signature(function, eval_str=True, locals=types).parameters
    taken = {one.name for name, value in own.items() if (one := given(name, value.annotation))}
    asked: dict[str, inspect.Parameter] = {"context": _parameter("context", typer.Context)}
    reads = {name: _take(name, value.annotation, value.default, asked, taken) for name, value in own.items()}

    @functools.wraps(function)
    def run(**values: Any) -> None:
        if getattr(function, "reads_no_urls", False):
            _refuse_urls(values)
        function(**{name: read(values) for name, read in reads.items()})

    run.__signature__ = inspect.Signature(list(asked.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in asked.items()}
    return run


def _take(
    name: str,
    annotation: Any,
    default: Any,
    asked: dict[str, inspect.Parameter],
    taken: set[str] | frozenset[str] = frozenset(),
) -> _Read:
    """Add what Typer is to ask for a parameter or field to `asked`; gives what reads the value from the answers."""
    if is_dataclass(annotation):
        return _take_group(annotation, asked, taken)
    one = given(name, annotation, default)
    if one is None:
        asked[name] = _parameter(name, annotation, default)
        return operator.itemgetter(name)
    key = _key(one)
    asked[key] = _parameter(key, Annotated[_kind(one), typer_option(one)], _default(one))
    return functools.partial(_read, one, key)


def _take_group(group: Any, asked: dict[str, inspect.Parameter], taken: set[str] | frozenset[str]) -> _Read:
    hints = typing.get_type_hints(group, include_extras=True)
    reads: dict[str, _Read] = {}
    for field in fields(group):
        hint = hints[field.name]
        one = given(field.name, hint, field.default)
        if one is not None and one.name in taken:
            reads[field.name] = functools.partial(_read, one, _key(one))
        elif one is not None or is_dataclass(hint):
            reads[field.name] = _take(field.name, hint, field.default, asked)

    def read(values: Mapping[str, Any]) -> Any:
        from nearid_cli.options import Options

        made = group(**{name: read(values) for name, read in reads.items()})
        if isinstance(made, Options):
            made = replace(made, configured=values["context"].obj.metrics, progress=sys.stderr.isatty())
        return made

    return read


def _key(one: Given) -> str:
    """What Typer calls a flag's value, and the configuration's defaults, too."""
    key = one.name.replace("-", "_")
    return f"{key}_" if keyword.iskeyword(key) else key


def _read(one: Given, key: str, values: Mapping[str, Any]) -> Any:
    value = values[key]
    if one.flag.read is not None:
        return one.flag.read(value)
    return tuple(value or ()) if typing.get_origin(one.type) is tuple else value


def _kind(one: Given) -> Any:
    """The type of a flag's value on the command line."""
    if one.flag.kind is not None:
        return one.flag.kind
    if typing.get_origin(one.type) is tuple:
        return GenericAlias(list, typing.get_args(one.type)[:1])
    return one.type


def _default(one: Given) -> Any:
    default = one.default if one.flag.default is ... else one.flag.default
    if default is MISSING:
        return inspect.Parameter.empty
    return list(default) or None if isinstance(default, tuple) else default


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def typer_option(one: Given) -> Any:
    """A declared option as Typer's."""
    flag = one.flag
    offered = flag.words
    help = flag.help if isinstance(flag.help, str) else flag.help()
    if "{words}" in help:
        *first, last = offered or _WORDS[one.name]("")
        help = help.replace("{words}", f"{', '.join(first)} or {last}")
    return typer.Option(
        f"--{one.name}",
        *([f"-{flag.short}"] if flag.short else []),
        help=help,
        metavar=flag.metavar,
        envvar=f"NEARID_{one.name.replace('-', '_').upper()}" if flag.shared else None,
        min=flag.low,
        max=flag.high,
        readable=False,  # who opens a path says better what is wrong with it, or does without
        # A shell asks at every TAB, so nothing heavy is imported.
        autocompletion=(lambda incomplete: starting(offered, incomplete))
        if offered
        else _WORDS.get(one.name),
    )


def starting(names: Iterable[str], incomplete: str) -> list[str]:
    """Of what a shell may offer, what begins like what was typed."""
    return [name for name in names if name.startswith(incomplete)]


def _metrics(incomplete: str) -> list[str]:
    """Metrics that have a name, also behind the comma of a list."""
    from nearid_cli.configuration import load_configuration
    from nearid_cli.encoders.registry import known_metrics

    known = known_metrics()
    with suppress(NearIDError):  # a broken configuration is told when a command runs
        known = known_metrics(load_configuration(Path.cwd()).metrics)
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in starting(known, last)]


def _layouts(incomplete: str) -> list[str]:
    from nearid_cli.layouts.registry import NAMES

    return starting(NAMES, incomplete)


def _trackers(incomplete: str) -> list[str]:
    """Trackers, also behind the comma of a list."""
    from nearid_cli.trackers import known

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in starting(known(), last)]


_WORDS = {"metric": _metrics, "layout": _layouts, "log": _trackers}
"""Flags whose words are found when a shell asks; others have them in their declaration."""


def defaults(configuration: Configuration) -> dict[str, Any]:
    """What a configuration gives, by the names that Typer calls the values."""
    values = {name.replace("-", "_"): value for name, value in configuration.options.items()}
    for name in ("metric", "strip_token"):  # one of a list
        if isinstance(value := values.get(name), str):
            values[name] = [value]
    return values


def described(metric: str, configuration: Configuration) -> str:
    """A metric of the configuration by its key, and whether it hides another."""
    hides = configuration.metrics[metric].get("override")
    return f"metrics.{metric}" + (" in the place of the built-in one" if hides else "")


def say_what_counts(
    configuration: Configuration, settings: Iterable[str], metrics: Iterable[str] = ()
) -> None:
    """Say in a line what a command has from the configuration, where it has anything.

    Args:
        configuration: the one in force.
        settings: keys of it that count, as Typer spells them.
        metrics: values that name metrics; those of the configuration count.
    """
    found = [name.rstrip("_").replace("_", "-") for name in settings]
    if configuration.metrics:
        from nearid_cli.encoders.registry import own_metrics

        found += [described(name, configuration) for name in own_metrics(metrics, configuration.metrics)]
    if found and (path := configuration.path) is not None:
        here = path.name if path.parent == Path.cwd() else path
        _log.info("configuration: %s sets %s", printable(here), listed(found))


def say_more(verbose: bool) -> None:
    """Show what is said to those who ask for all of it."""
    if verbose:
        logging.getLogger("nearid_cli").setLevel(logging.DEBUG)
