"""The metrics that have a name, and what `--metric` may say.

    --metric nearid                    a name from the registry or the configuration
    --metric nearid=./my-checkpoint    a name for a local folder or a Hub id
    --metric facebook/dinov2-base      a Hub id or a local folder, named as it is written
    --metric clip-i@refs/pr/3          a revision of a Hub repository: branch, tag, commit
    --metric org/model//image_encoder  a subfolder of a Hub repository; org/model@v2//image_encoder with a revision
    --metric siglip2::mean             another readout: projected, pooled, cls, mean
    --metric judge=MODEL               for a metric that is no embedding of ours, what it is made of

A metric without `NAME=` is named exactly as it was written, so that two readouts or revisions of
one checkpoint never hide each other in a result.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any

from nearid_cli.configuration import GIVEN_KEYS, OVERRIDE, is_given
from nearid_cli.encoders.architectures import READOUTS
from nearid_cli.errors import UsageError
from nearid_cli.opening import expanded
from nearid_cli.text import did_you_mean, printable, shown

SHIPPED = "nearid-cli:nearid-mini"
"""The checkpoint inside this package. No folder and no Hub id is written so, and it is the same on every machine."""

_NAME = re.compile(r"\w[\w.+-]*")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"(?!.*\.\.)[\w][\w./-]*")
_SUBFOLDER = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*")


@dataclass(frozen=True)
class MetricRequest:
    """A metric that was asked for and not looked up yet.

    Attributes:
        name: its name in results.
        checkpoint: Hub id, local folder or `SHIPPED`; `""` for an encoder without weights.
        readout: one of `READOUTS`, or None for what the architecture suggests.
        revision: branch, tag or commit of a Hub repository, or None for its main branch.
        note: one line about it for `nearid models list`.
        subfolder: of a Hub repository, where the checkpoint lies; `""` for the repository's own files.
        image_processor: settings in the form of `preprocessor_config.json` that count in place of the
            checkpoint's own, or None.
        plugin: `module:Class` of a metric that is made otherwise than from a checkpoint that `resolve` reads; see
            `nearid_cli.plugins`.
        settings: keywords of that class.
        folder: where its module may lie besides where Python looks; `""` for nowhere.
        text: whether the checkpoint's text half and its tokenizer are needed, too.
    """

    name: str
    checkpoint: str
    readout: str | None = None
    revision: str | None = None
    note: str = ""
    subfolder: str = ""
    image_processor: Mapping[str, Any] | None = field(default=None, hash=False)
    plugin: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    folder: str = ""
    text: bool = False

    @property
    def place(self) -> str:
        """Where the checkpoint is, without its revision: as one would write it after `NAME=`."""
        return f"{self.checkpoint}//{self.subfolder}" if self.subfolder else self.checkpoint


_DREAMBOOTH_DINO = {
    "image_processor_type": "BitImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "even_crop": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
"""DINO's own evaluation transform by torchvision, with which the figure in the DreamBooth paper is had again."""


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
        MetricRequest(
            "dino-s16",
            "facebook/dino-vits16",
            "cls",
            note="DINO of the DreamBooth paper: resize 256, crop 224",
            image_processor=_DREAMBOOTH_DINO,
        ),
        MetricRequest(
            "dino-s16-hf", "facebook/dino-vits16", "cls", note="the same, prepared as its Hub config says"
        ),
        MetricRequest(
            "nearid-mini",
            SHIPPED,
            "pooled",
            note="for demos, tests and air-gapped smoke checks, not for papers; 64 px",
        ),
        MetricRequest("hog", "", note="classical appearance baseline; no weights, no torch"),
        MetricRequest(
            "clip-t",
            "openai/clip-vit-large-patch14",
            "projected",
            note="prompt against picture; with ViT-L/14",
            plugin="nearid_cli.measures.clip_text:ClipText",
            text=True,
        ),
        MetricRequest(
            "clip-t-b32",
            "openai/clip-vit-base-patch32",
            "projected",
            note="prompt against picture; with ViT-B/32",
            plugin="nearid_cli.measures.clip_text:ClipText",
            text=True,
        ),
        *(
            MetricRequest(
                name,
                "abdo-eldesokey/mind-the-glitch",
                note=f"Visual Semantic Matching above {threshold}, pair by pair; extra [vsm]",
                plugin="nearid_cli.measures.vsm:VisualSemanticMatching",
                settings={"threshold": threshold},
            )
            for name, threshold in (("vsm", 0.6), ("vsm-0.5", 0.5), ("vsm-0.7", 0.7))
        ),
        MetricRequest(
            "judge",
            "",
            note="judge=MODEL: a vision-language model behind an endpoint; extra [judge]",
            plugin="nearid_cli.measures.judge:Judge",
        ),
        MetricRequest(
            "face",
            "opencv/face_recognition_sface",
            note="faces of people, by YuNet and SFace; extra [face]",
            plugin="nearid_cli.measures.face:Face",
        ),
    )
}

_GIVEN = "nearid_cli.measures.given:ScoresFile"
DIRECTIONS = {"higher": True, "lower": False}
"""What may be better."""

ENTRY_POINTS = "nearid.metrics"
"""The group of entry points by which installed packages bring metrics."""


def installed_metrics() -> dict[str, MetricRequest]:
    """The metrics of installed packages by name. Reads what every package says of itself, which takes a while."""
    from importlib.metadata import entry_points

    return {
        one.name: MetricRequest(
            one.name, "", plugin=one.value, note=f"of {one.dist.name}" if one.dist else ""
        )
        for one in entry_points(group=ENTRY_POINTS)
    }


def known_metrics(configured: Mapping[str, object] | None = None) -> dict[str, MetricRequest]:
    """The registry's metrics and those of the configuration, which win where they say `override`.

    Args:
        configured: name -> table with `checkpoint` and optionally `readout` and `revision`, or one with `plugin`, or
            one of `GIVEN_KEYS`; any of them with `override`.

    Raises:
        UsageError: a configured metric is not a table of these keys, names an unknown readout, or has the name of a
            built-in one and no `override`.
    """
    _refuse_taken(configured or {}, REGISTRY, "built in")
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
    texts = [part.strip() for value in values for part in value.split(",")]
    configured = configured or {}
    if asked := own_metrics(texts, configured):  # or what is installed need not be known
        _refuse_taken(
            {name: configured[name] for name in asked}, installed_metrics(), "of an installed package"
        )
    found: dict[str, MetricRequest] = {}
    for text in texts:
        if not text:
            raise UsageError(f"expected a metric between commas, found none; {did_you_mean('', known)}")
        metric = _parse(text, known)
        other = found.setdefault(metric.name, metric)
        if other != metric:
            own = "[metrics.NAME] in the configuration" if metric.plugin else "NAME=PATH_OR_ID"
            raise UsageError(
                f'two metrics have the name "{metric.name}"; give each its own: {own}',
                [_written(other), _written(metric)],
            )
    if not found:
        raise UsageError(f"expected at least one metric, found none; {did_you_mean('', known)}")
    return list(found.values())


def own_metrics(values: Iterable[str], configured: Mapping[str, object]) -> list[str]:
    """Which metrics of the configuration are asked for, however they are written.

    >>> own_metrics(["ours::mean,hog", "x=org/model"], {"ours": {}, "theirs": {}})
    ['ours']
    """
    heads = [re.split("=|::|@|//", part.strip())[0] for value in values for part in value.split(",")]
    return list(dict.fromkeys(name for name in heads if name in configured))


def _refuse_taken(configured: Mapping[str, object], taken: Mapping[str, object], whose: str) -> None:
    """Refuse a configured metric that hides another one without saying so."""
    names = [
        name
        for name, table in configured.items()
        if name in taken and isinstance(table, Mapping) and not table.get(OVERRIDE)
    ]
    if names:
        raise UsageError(
            f"the configuration gives another meaning to {', '.join(names)}, {whose}: choose another name, or write "
            f"{OVERRIDE} = true into [metrics.{names[0]}] if it is meant"
        )


def with_scores(
    configured: Mapping[str, Any], scores: Mapping[str, Any], directions: Mapping[str, str]
) -> dict[str, Any]:
    """The metrics of the configuration with the numbers that `--scores` gives, and what `--direction` says of them.

    Args:
        configured: see `known_metrics`.
        scores: by metric, as `nearid_cli.measures.given.ScoresFile` takes them.
        directions: by metric one of `DIRECTIONS`.

    Raises:
        UsageError: a name is none, or that of a metric which is computed here; or a direction is none, or of no metric
            whose numbers are given.

    >>> with_scores({"m": {"range": [0, 1]}}, {"m": "m.csv"}, {"m": "lower"})
    {'m': {'range': [0, 1], 'scores': 'm.csv', 'higher_is_better': False}}
    """
    found = dict(configured)
    for name, given in scores.items():
        table = configured.get(name, {})
        if not _NAME.fullmatch(name):
            raise UsageError(
                f'--scores: expected a name of letters, digits, dots, dashes and underscores, found "{printable(name)}"'
            )
        if name in REGISTRY or (table and not is_given(table)):
            raise UsageError(
                f"--scores {name}: {name} is a metric that is computed here; call numbers from elsewhere otherwise, "
                f"such as {name}-given"
            )
        found[name] = {**table, "scores": given}
    for name, word in directions.items():
        known = [name for name, table in found.items() if is_given(table)]
        if name not in known:
            raise UsageError(
                f"--direction {printable(name)}: no --scores are called so; {did_you_mean(name, known)}"
            )
        if word not in DIRECTIONS:
            raise UsageError(f"--direction {name}={printable(word)}: expected {' or '.join(DIRECTIONS)}")
        found[name] = {**found[name], "higher_is_better": DIRECTIONS[word]}
    return found


def pull_argument(metric: MetricRequest) -> str:
    """What `nearid models pull` takes to fetch a metric's checkpoint, whatever the metric was called.

    >>> [pull_argument(metric) for metric in parse_metrics(["dino", "x=org/model@v2//vit", "siglip2::mean"])]
    ['dino', 'org/model@v2//vit', 'google/siglip2-so400m-patch14-384']
    >>> [pull_argument(metric) for metric in parse_metrics(["clip-t", "clip-t-b32=org/model@v2"])]
    ['clip-t', 'clip-t-b32=org/model@v2']
    >>> [pull_argument(metric) for metric in parse_metrics(["clip-t@v2"])]
    ['clip-t=openai/clip-vit-large-patch14@v2']
    """
    entry = REGISTRY.get(metric.name)
    if entry and (entry.place, entry.revision) == (metric.place, metric.revision):
        return metric.name
    revision = f"@{metric.revision}" if metric.revision else ""
    subfolder = f"//{metric.subfolder}" if metric.subfolder else ""
    name = f"{_bare(metric)}=" if metric.text else ""  # which asks for the tokenizer, too
    return quote(f"{name}{metric.checkpoint}{revision}{subfolder}")


def local_argument(metric: MetricRequest) -> str:
    """What `--metric` takes to use a local folder, written PATH, in place of a metric's checkpoint.

    >>> [local_argument(metric) for metric in parse_metrics(["dino", "x=org/model", "org/model@v2::mean"])]
    ['dino=PATH', 'x=PATH', 'model=PATH::mean']
    >>> [local_argument(metric) for metric in parse_metrics(["clip-t@v2"])]
    ['clip-t=PATH']
    """
    name = _bare(metric) if metric.text else metric.name
    name = name if _NAME.fullmatch(name) else metric.checkpoint.rpartition("/")[2]
    implied = REGISTRY[name].readout if name in REGISTRY else None
    return f"{name}=PATH" if metric.readout == implied else f"{name}=PATH::{metric.readout}"


def _bare(metric: MetricRequest) -> str:
    """The name of a metric that has one, without a revision or subfolder that it was written with."""
    return re.split("@|//", metric.name)[0]


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
    if (name or rest) not in known:
        known = installed_metrics() | dict(known)  # asked last, since it takes a while
    if name and name in known and known[name].plugin == _GIVEN:
        raise UsageError(
            f'metric "{name}" is of numbers that something else computed; say where they are with '
            f"--scores {printable(text)}"
        )
    if name and name in known and known[name].plugin:
        if not rest:
            raise UsageError(f'expected something behind "{name}=", found nothing')
        if colons:
            raise UsageError(f'metric "{name}" has no readout to choose, found "{printable(text)}"')
        target, revision, subfolder = _split(rest, {})
        return replace(known[name], checkpoint=target, revision=revision, subfolder=subfolder)

    target, revision, subfolder = _split(rest, known)
    entry = known.get(target)
    if entry is not None and not name:
        if not entry.checkpoint and (readout or revision or subfolder):
            raise UsageError(f'metric "{entry.name}" has no checkpoint, so no readout or revision to choose')
        if entry.plugin and readout:
            raise UsageError(f'metric "{entry.name}" has no readout to choose, found "{printable(text)}"')
        return replace(
            entry,
            name=text,
            readout=readout or entry.readout,
            revision=revision or entry.revision,
            subfolder=subfolder or entry.subfolder,
        )
    if name and name in known and not known[name].checkpoint:
        raise UsageError(f'metric "{name}" has no checkpoint that could be replaced; choose another name')
    _check_target(target, name, known)
    processor = None
    if name in known and rest:
        # The name promises its readout and preparation: siglip2-mean=./mine is the mean of ./mine.
        readout = readout or known[name].readout
        processor = known[name].image_processor
    return MetricRequest(
        name or printable(text), target, readout, revision, subfolder=subfolder, image_processor=processor
    )


def _check_target(target: str, name: str, known: Mapping[str, MetricRequest]) -> None:
    """Refuse what is neither a folder, nor written like a path, nor a Hub id."""
    if os.path.isfile(expanded(target)):  # noqa: PTH113 - Path's raises where a text is too long for a name
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


def _split(text: str, known: Mapping[str, MetricRequest]) -> tuple[str, str | None, str]:
    """Take `@revision` and `//subfolder` off a known name or a Hub id, in either order.

    In a path, `@` and `//` are characters like any others.

    >>> _split("org/model@v2//vision", {}), _split("org/model//vision@v2", {})
    (('org/model', 'v2', 'vision'), ('org/model', 'v2', 'vision'))
    """
    before, slashes, subfolder = text.partition("//")
    target, at, revision = before.partition("@")
    if slashes and not at:
        subfolder, at, revision = subfolder.partition("@")
    if not (at or slashes) or _is_folder(text) or not (target in known or HUB_ID.fullmatch(target)):
        return text, None, ""
    if at and not _REVISION.fullmatch(revision):
        raise UsageError(f'"{printable(text)}": expected a branch, tag or commit after @')
    if slashes and not _SUBFOLDER.fullmatch(subfolder):
        raise UsageError(f'"{printable(text)}": expected a folder of the repository after //')
    return target, revision or None, subfolder


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
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name has letters, digits, dots, dashes and underscores only")
    table = {key: value for key, value in table.items() if key != OVERRIDE}
    if "plugin" in table:
        settings = {key: value for key, value in table.items() if key not in ("plugin", "folder")}
        return MetricRequest(
            name,
            "",
            note="from the configuration",
            plugin=str(table["plugin"]),
            settings=settings,
            folder=str(table.get("folder", "")),
        )
    if is_given(table):
        if name in REGISTRY:
            raise UsageError(f"{where}: {name} is computed here; call numbers from elsewhere otherwise")
        for key in table:
            if key not in GIVEN_KEYS:
                raise UsageError(f'{where}: unknown key "{printable(key)}": {did_you_mean(key, GIVEN_KEYS)}')
        settings = {"name": name, **table}
        return MetricRequest(name, "", note="numbers from elsewhere", plugin=_GIVEN, settings=settings)
    keys = ("checkpoint", "readout", "revision")
    for key, value in table.items():
        if key not in keys:
            raise UsageError(f'{where}: unknown key "{printable(str(key))}": {did_you_mean(str(key), keys)}')
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where}: expected text for {key}, found {shown(value)}")
    if "checkpoint" not in table:
        raise UsageError(
            f"{where}: expected a checkpoint (a Hub id or a local folder), a plugin or scores, found none"
        )
    readout = table.get("readout")
    checkpoint, revision, subfolder = _split(table["checkpoint"], {})
    if revision and "revision" in table:
        raise UsageError(f"{where}: two revisions, {printable(revision)} and {printable(table['revision'])}")
    return MetricRequest(
        name,
        checkpoint,
        None if readout is None else _readout(readout, name),
        revision or table.get("revision"),
        "from the configuration",
        subfolder,
    )


def _is_folder(text: str) -> bool:
    return os.path.isdir(expanded(text))  # noqa: PTH112 - likewise


def _written(metric: MetricRequest) -> str:
    """A metric as one would write it out in full."""
    revision = f"@{metric.revision}" if metric.revision else ""
    readout = f"::{metric.readout}" if metric.readout else ""
    return printable(f"{metric.name}={metric.place}{revision}{readout}")
