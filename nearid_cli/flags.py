"""How people give values: what a flag is, the words that flags take, and flags that commands take one by one.

Apart from the groups of options (`options.py`), whose classes `nearid --help` would wait for in vain.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, NamedTuple

MOST_DIGITS = 9
"""Of a number of anything that is made or shown."""
DEFAULT_METRICS = ("nearid", "clip-i", "dino")
DEVICES = ("auto", "cpu", "cuda", "mps", "all")
DTYPES = ("auto", "float32", "float16", "bfloat16")
ENGINES = ("auto", "torch", "openvino", "ray")
COLOR_PROFILES = ("ignore", "convert")
SIXTEEN_BIT = ("scale", "clip")
PREPROCESSINGS = ("exact", "fast")
PAIRS = ("own", "all")
MASK_SOURCES = ("manifest", "sidecar", "both", "none")
MASK_KEEPS = ("foreground", "background", "both")
MASK_FILLS = ("black", "white", "mean")
LATENTS = ("sample", "mean")


class Flag(NamedTuple):
    """How people give a value: by a flag, and by the environment and the configuration where it is shared.

    Attributes:
        help: what it is for, or what finds that out when it is asked for; `{words}` stands for what a shell may
            offer.
        metavar: what stands for the value in the help; None for a switch.
        name: the flag's long name without dashes in front; the field's by default.
        short: its letter.
        kind: what the command line makes of the text, where that is not the field's own type.
        default: of that kind, where the field's own default is not; `...` for that one.
        read: makes the field's value of it.
        low: the smallest number.
        high: the largest.
        words: what a shell may offer.
        shared: whether `NEARID_*` and the configuration give it, too.
    """

    help: str | Callable[[], str]
    metavar: str | None = None
    name: str | None = None
    short: str | None = None
    kind: Any = None
    default: Any = ...
    read: Callable[[Any], Any] | None = None
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    shared: bool = False


class Given(NamedTuple):
    """A field as people give it.

    Attributes:
        field: the field's name.
        name: the flag's long name without dashes in front.
        type: of the field.
        default: of the field; `dataclasses.MISSING` where it has none.
        flag: how people give it.
    """

    field: str
    name: str
    type: Any
    default: Any
    flag: Flag


def given(name: str, annotation: Any, default: Any = MISSING) -> Given | None:
    """A field, or a parameter, as people give it; None where its annotation holds no `Flag`."""
    kind, *more = typing.get_args(annotation) if typing.get_origin(annotation) is Annotated else (annotation,)
    for flag in more:
        if isinstance(flag, Flag):
            return Given(name, flag.name or name.replace("_", "-"), kind, default, flag)
    return None


def all_given(group: type) -> Iterator[Given]:
    """The fields of a dataclass that people give."""
    hints = typing.get_type_hints(group, include_extras=True)
    for one in fields(group):
        found = given(one.name, hints[one.name], one.default)
        if found is not None:
            yield found


Metrics = Annotated[
    Sequence[str],
    Flag(
        "Metric, repeated or as a comma list: a name (see `nearid models list`), NAME=PATH_OR_ID, "
        "a folder or a Hub id; ::mean, ::cls, ::pooled, ::projected choose a readout.",
        "METRIC",
        name="metric",
        short="m",
        kind=list[str],
        shared=True,
    ),
]
By = Annotated[
    tuple[str, ...],
    Flag(
        "Break the result down by labels of the generations, repeated or as a comma list: prompt, seed, step, "
        "category, any column of a manifest; crossed as category+seed.",
        "LABEL",
    ),
]
CacheFolder = Annotated[
    str | os.PathLike[str] | None,
    Flag(
        "Folder or URL of the embedding cache; the user's cache folder by default.",
        "DIR|URL",
        name="cache",
        kind=str | None,
        shared=True,
    ),
]
TrustCache = Annotated[
    bool, Flag("Use what other users put into the cache, too: they decide about numbers then.", shared=True)
]
SafetensorsOnly = Annotated[
    bool,
    Flag("Refuse checkpoints that hold their weights as a pickle only (pytorch_model.bin).", shared=True),
]
Verbose = Annotated[bool, Flag("Name every file that is left out.", short="v", shared=True)]
FollowSymlinks = Annotated[
    bool, Flag("Follow links that lead out of the folders that are given.", shared=True)
]
SkipBad = Annotated[bool, Flag("Go on without pictures that cannot be read, and record them.", shared=True)]

Rows = Annotated[
    str | None,
    Flag(
        "Which rows to take: a JSON list of them, or a column and its value (split=test); all by default.",
        "FILE|COLUMN=VALUE",
    ),
]
