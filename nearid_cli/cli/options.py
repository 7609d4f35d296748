"""Options that several commands share, spelled once."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearid_cli.cli import completing
from nearid_cli.errors import UsageError

if TYPE_CHECKING:
    from nearid_cli.configuration import Configuration
    from nearid_cli.evaluate.embedding import Options

Metrics = Annotated[
    list[str],
    typer.Option(
        "--metric",
        "-m",
        help="Metric, repeated or as a comma list: a name (see `nearid models list`), NAME=PATH_OR_ID, "
        "a folder or a Hub id; ::mean, ::cls, ::pooled, ::projected choose a readout.",
        envvar="NEARID_METRIC",
        metavar="METRIC",
        autocompletion=completing.metrics,
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder of the embedding cache; the user's cache folder by default.",
        metavar="DIR",
        envvar="NEARID_CACHE",
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither read nor keep embeddings.", envvar="NEARID_NO_CACHE")
]
VerifyContent = Annotated[
    bool,
    typer.Option(
        "--verify-content",
        help="Read every picture again instead of trusting its size and time.",
        envvar="NEARID_VERIFY_CONTENT",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, cuda:N or mps.",
        metavar="DEVICE",
        envvar="NEARID_DEVICE",
        autocompletion=completing.devices,
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="auto (float16 on CUDA, else float32), float32, float16 or bfloat16.",
        envvar="NEARID_DTYPE",
        metavar="DTYPE",
        autocompletion=completing.dtypes,
    ),
]
BatchSize = Annotated[
    str,
    typer.Option(
        "--batch-size",
        help="Pictures a forward pass: auto or a number.",
        envvar="NEARID_BATCH_SIZE",
        metavar="N",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Decoding threads; one a core by default.",
        envvar="NEARID_WORKERS",
        metavar="N",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=1,
        help="Largest picture to open, in pixels; 178 million by default.",
        envvar="NEARID_MAX_PIXELS",
        metavar="N",
    ),
]
SafetensorsOnly = Annotated[
    bool,
    typer.Option(
        "--safetensors-only",
        help="Refuse checkpoints that hold their weights as a pickle only (pytorch_model.bin).",
        envvar="NEARID_SAFETENSORS_ONLY",
    ),
]
ColorProfile = Annotated[
    str,
    typer.Option(
        "--color-profile",
        help="Colour profiles in pictures: ignore, as published computations do, or convert to sRGB.",
        envvar="NEARID_COLOR_PROFILE",
        metavar="ignore|convert",
    ),
]
SixteenBit = Annotated[
    str,
    typer.Option(
        "--sixteen-bit",
        help="Grey levels of 16 bits: scale to 8, or clip at 255, as published computations do.",
        envvar="NEARID_SIXTEEN_BIT",
        metavar="scale|clip",
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Go on without pictures that cannot be read, and record them.",
        envvar="NEARID_SKIP_BAD",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="What stdout gets: table or json.",
        metavar="FORMAT",
        autocompletion=completing.formats,
    ),
]
Images = Annotated[
    list[Path] | None,
    typer.Option("--images", help="Write one row a generation: .csv, .parquet or .jsonl.", metavar="FILE"),
]
Layout = Annotated[
    str,
    typer.Option(
        "--layout",
        help="How the folders are laid out: auto, folders, flat, prefix, dreambench++-samples, dreambench++, "
        "dreambooth, customconcept101, imagefolder or manifest (see `nearid layout`).",
        envvar="NEARID_LAYOUT",
        metavar="LAYOUT",
        autocompletion=completing.layouts,
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="What the paths of generations are, like '{prompt}/{subject}/{seed}.png': subject, method, prompt, seed, "
        "step, category, any other {name} as a label; * and ** match what does not matter.",
        envvar="NEARID_PATTERN",
        metavar="PATTERN",
    ),
]
ReferencesPattern = Annotated[
    str | None,
    typer.Option(
        "--refs-pattern",
        help="What the paths of references are, likewise.",
        envvar="NEARID_REFS_PATTERN",
        metavar="PATTERN",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Name every file that is left out.", envvar="NEARID_VERBOSE")
]
Distractors = Annotated[
    Path | None,
    typer.Option(
        "--distractors",
        help="Folder of each subject's look-alikes (SUBJECT/picture), or a manifest; adds margins, and SSR and PA "
        "where each has the context of a reference (named alike).",
        metavar="DIR",
    ),
]
AllowUnmatched = Annotated[
    bool,
    typer.Option(
        "--allow-unmatched",
        help="Go on without subjects that lack references or generations.",
        envvar="NEARID_ALLOW_UNMATCHED",
    ),
]
Thumbnails = Annotated[
    str,
    typer.Option(
        "--thumbnails",
        help="How many pictures an .html report may hold, the most telling first, or none.",
        metavar="N|none",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


# Shared flags that an option of the job is called after and means the same.
_AS_THEY_ARE = (
    *("verify_content", "device", "dtype", "workers", "max_pixels"),
    *("color_profile", "sixteen_bit", "safetensors_only"),
)


def default_map(configuration: Configuration) -> dict[str, Any]:
    """The configuration as Click's defaults: command -> parameter -> value."""
    values = {name.replace("-", "_"): value for name, value in configuration.options.items()}
    if "metric" in values:
        metric = values.pop("metric")
        values["metrics"] = [metric] if isinstance(metric, str) else metric
    place = {"cache": values["cache"]} if "cache" in values else {}
    formats = {name: values[name] for name in ("safetensors_only",) if name in values}
    return {
        **dict.fromkeys(("score", "compare", "layout", "embed", "pair"), values),
        **dict.fromkeys(("demo", "doctor"), place),
        "bench": dict.fromkeys(("nearid", "mtg", "dreambench", "table1"), values),
        "cache": dict.fromkeys(("info", "verify", "compact", "clear"), place),
        "models": dict.fromkeys(("pull", "verify"), formats),
    }


def say_more(verbose: bool) -> None:
    """Show what is said to those who ask for all of it."""
    if verbose:
        logging.getLogger("nearid_cli").setLevel(logging.DEBUG)


def options(context: typer.Context) -> Options:
    """The flags that several commands share, as one object: those of the command that runs.

    Raises:
        UsageError: a batch size that is neither `auto` nor a positive number.
    """
    from nearid_cli.evaluate.embedding import Options

    configuration: Configuration = context.obj
    given = context.params  # as Click has them; Typer makes them what a command's signature says later
    return Options(
        metrics=list(given["metrics"]),
        configured=configuration.metrics,
        cache=None if given["cache"] is None else Path(given["cache"]),
        use_cache=not given["no_cache"],
        batch_size=_batch_size(given["batch_size"]),
        progress=sys.stderr.isatty(),
        **{name: given[name] for name in _AS_THEY_ARE},
    )


def on_command_line(context: typer.Context, parameter: str) -> bool:
    """Whether a flag stands on the command line, not just in the environment or the configuration."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def thumbnails(value: str) -> int | None:
    """What `--thumbnails` says, None for none.

    Raises:
        UsageError: neither `none` nor a number.
    """
    if value == "none":
        return None
    if not value.isdecimal():
        raise UsageError(f"--thumbnails must be a number or none, found {value!r}")
    return int(value)


def _batch_size(value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"--batch-size must be auto or a positive number, found {value!r}")
    return int(value)
