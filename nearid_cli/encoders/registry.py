"""The metrics that have a name, and what `--metric` may say.

    --metric nearid                    a name from the registry or the configuration
    --metric nearid=./my-checkpoint    a name for a local folder or a Hub id
    --metric facebook/dinov2-base      a Hub id or a local folder, named as it is written
    --metric clip-i@refs/pr/3          a revision of a Hub repository: branch, tag, commit
    --metric siglip2::mean             another readout: projected, pooled, cls, mean

A metric without `NAME=` is named exactly as it was written, so that two readouts or revisions of
one checkpoint never hide each other in a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.encoders.architectures import READOUTS
from nearid_cli.errors import UsageError
from nearid_cli.text import did_you_mean, printable

DEFAULT_METRICS = ("nearid", "clip-i", "dino")

SHIPPED = "nearid-cli:nearid-mini"
"""The checkpoint inside this package. No folder and no Hub id is written so, and it is the same on every machine."""

_NAME = re.compile(r"\w[\w.+-]*")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"(?!.*\.\.)[\w][\w./-]*")


@dataclass(frozen=True)
class MetricRequest:
    """A metric that was asked for and not looked up yet.

    Attributes:
        name: its name in results.
        checkpoint: Hub id, local folder or `SHIPPED`; `""` for an encoder without weights.
        readout: one of `READOUTS`, or None for what the architecture suggests.
        revision: branch, tag or commit of a Hub repository, or None for its main branch.
        note: one line about it for `nearid models list`.
    """

    name: str
    checkpoint: str
    readout: str | None = None
    revision: str | None = None
    note: str = ""


REGISTRY = {
    metric.name: metric
    for metric in (
        MetricRequest("nearid", "Aleksandar/nearid-siglip2", "pooled", note="the default; 1152-d, 384 px"),
        MetricRequest("clip-i", "openai/clip-vit-large-patch14", "projected", note="baseline of the paper"),
        MetricRequest("dino", "facebook/dinov2-large", "cls", note="baseline of the paper: pooler output"),
        MetricRequest("siglip2", "google/siglip2-so400m-patch14-384", "pooled", note="the frozen backbone"),
        MetricRequest(
            "siglip2-mean", "google/siglip2-so400m-patch14-384", "mean", note="baseline of DreamBench++"
        ),
        MetricRequest(
            "clip-i-b32", "openai/clip-vit-base-patch32", "projected", note="CLIP-I of the DreamBooth paper"
        ),
        MetricRequest("dino-s16", "facebook/dino-vits16", "cls", note="DINO of the DreamBooth paper"),
        MetricRequest(
            "nearid-mini",
            SHIPPED,
            "pooled",
            note="for demos, tests and air-gapped smoke checks, not for papers; 64 px",
        ),
        MetricRequest("hog", "", note="classical appearance baseline; no weights, no torch"),
    )
}


def known_metrics(configured: Mapping[str, object] | None = None) -> dict[str, MetricRequest]:
    """The registry's metrics and those of the configuration, which win where names meet.

    Args:
        configured: name -> table with `checkpoint` and optionally `readout` and `revision`.

    Raises:
        UsageError: a configured metric is not a table of these keys, or names an unknown readout.
    """
    return REGISTRY | {name: _configured(name, table) for name, table in (configured or {}).items()}


def parse_metrics(
    values: Iterable[str], configured: Mapping[str, object] | None = None
) -> list[MetricRequest]:
    """Read the values of `--metric`, each of which may be a comma list.

    Args:
        values: as written by the user. A comma always separates; a folder with a comma in its
            name can be given in the configuration.
        configured: metrics of the configuration, see `known_metrics`.

    Returns:
        The metrics in the order written; one that is written twice counts once.

    Raises:
        UsageError: an unknown metric or readout, a malformed value, or one name for two metrics.

    >>> [metric.checkpoint for metric in parse_metrics(["dino,clip-i", "x=org/model@v2::mean"])]
    ['facebook/dinov2-large', 'openai/clip-vit-large-patch14', 'org/model']
    """
    known = known_metrics(configured)
    found: dict[str, MetricRequest] = {}
    for text in (part.strip() for value in values for part in value.split(",")):
        if not text:
            raise UsageError(f"expected a metric between commas, found none; {did_you_mean('', known)}")
        metric = _parse(text, known)
        other = found.setdefault(metric.name, metric)
        if other != metric:
            raise UsageError(
                f'two metrics have the name "{metric.name}"; give each its own: NAME=PATH_OR_ID',
                [_written(other), _written(metric)],
            )
    if not found:
        raise UsageError(f"expected at least one metric, found none; {did_you_mean('', known)}")
    return list(found.values())


def _parse(text: str, known: Mapping[str, MetricRequest]) -> MetricRequest:
    """One metric as written."""
    target, colons, suffix = text.rpartition("::")
    readout = _readout(suffix, text) if colons else None
    target = target if colons else text

    name, equals, rest = target.partition("=")
    if not equals or _is_folder(target) or "/" in name:
        name, rest = "", target
    elif not _NAME.fullmatch(name):
        raise UsageError(f'expected NAME=PATH_OR_ID, found "{printable(text)}"')

    target, revision = _split_revision(rest, known)
    entry = known.get(target)
    if entry is not None and not name:
        if not entry.checkpoint and (readout or revision):
            raise UsageError(f'metric "{entry.name}" has no checkpoint, so no readout or revision to choose')
        return MetricRequest(
            text, entry.checkpoint, readout or entry.readout, revision or entry.revision, entry.note
        )
    if name and name in known and not known[name].checkpoint:
        raise UsageError(f'metric "{name}" has no checkpoint that could be replaced; choose another name')
    _check_target(target, name, known)
    if name in known and readout is None and rest:
        # The name promises its readout: siglip2-mean=./mine is the mean of ./mine.
        readout = known[name].readout
    return MetricRequest(name or printable(text), target, readout, revision)


def _check_target(target: str, name: str, known: Mapping[str, MetricRequest]) -> None:
    """Refuse what is neither a folder, nor written like a path, nor a Hub id."""
    if Path(target).expanduser().is_file():
        raise UsageError(f'"{printable(target)}" is a file; expected the folder that holds config.json')
    looks_like_path = target.startswith((".", "/", "~", "\\")) or target.count("/") > 1
    if not (looks_like_path or _is_folder(target) or target == SHIPPED or HUB_ID.fullmatch(target)):
        subject = f'"{printable(target)}"'
        if name:
            raise UsageError(f"metric {name}: {subject} is no folder here and no Hub id (organisation/model)")
        raise UsageError(
            f"unknown metric {subject}: {did_you_mean(target, known)}",
            ["a local folder is written ./folder, a model of the Hub organisation/model"],
        )


def _split_revision(text: str, known: Mapping[str, MetricRequest]) -> tuple[str, str | None]:
    """Take `@revision` off a known name or a Hub id; in a path, `@` is a character like any other."""
    target, at, revision = text.rpartition("@")
    if not at or _is_folder(text) or not (target in known or HUB_ID.fullmatch(target)):
        return text, None
    if not _REVISION.fullmatch(revision):
        raise UsageError(f'"{printable(text)}": expected a branch, tag or commit after @')
    return target, revision


def _readout(readout: str, text: str) -> str:
    if readout not in READOUTS:
        raise UsageError(
            f'unknown readout "{printable(readout)}" of "{printable(text)}": '
            f"{did_you_mean(readout, READOUTS)}"
        )
    return readout


def _configured(name: str, table: object) -> MetricRequest:
    """One metric of the configuration."""
    where = f'metric "{printable(name)}" in the configuration'
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: expected a table with a checkpoint, found {type(table).__name__}")
    keys = ("checkpoint", "readout", "revision")
    for key, value in table.items():
        if key not in keys:
            raise UsageError(f'{where}: unknown key "{printable(str(key))}": {did_you_mean(str(key), keys)}')
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where}: expected text for {key}, found {value!r}")
    if "checkpoint" not in table:
        raise UsageError(f"{where}: expected a checkpoint (a Hub id or a local folder), found none")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name has letters, digits, dots, dashes and underscores only")
    readout = table.get("readout")
    return MetricRequest(
        name,
        table["checkpoint"],
        None if readout is None else _readout(readout, name),
        table.get("revision"),
        "from the configuration",
    )


def _is_folder(text: str) -> bool:
    return Path(text).expanduser().is_dir()


def _written(metric: MetricRequest) -> str:
    """A metric as one would write it out in full."""
    revision = f"@{metric.revision}" if metric.revision else ""
    readout = f"::{metric.readout}" if metric.readout else ""
    return printable(f"{metric.name}={metric.checkpoint}{revision}{readout}")
