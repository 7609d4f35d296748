"""`nearid models list | info | pull | verify`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli.groups import group
from nearid_cli.cli.show import rows
from nearid_cli.errors import ModelError
from nearid_cli.flags import ENGINES, CacheFolder, Flag, SafetensorsOnly
from nearid_cli.text import file_size, printable

if TYPE_CHECKING:
    from nearid_cli.configuration import Configuration
    from nearid_cli.encoders.models import ModelRow

app = group(
    "See, fetch and check checkpoints.",
    {
        "list": "nearid_cli.cli.models:show_all",
        **{name: f"nearid_cli.cli.models:{name}" for name in ("info", "pull", "verify")},
    },
)

Name = Annotated[str, typer.Argument(help="A metric, as for --metric.", metavar="NAME")]


def _configuration(context: typer.Context) -> Configuration:
    found: Configuration = context.obj
    return found


def show_all(context: typer.Context) -> None:
    """List the metrics that have a name, and which checkpoints are here."""
    from nearid_cli.encoders.models import available

    found = available(_configuration(context).metrics)
    rows(
        ("metric", "checkpoint", "readout", "here", "note"),
        [
            (
                row.metric,
                printable(row.checkpoint) or "none",
                row.readout or "none",
                _here(row),
                row.note,
            )
            for row in found
        ],
    )


def _here(row: ModelRow) -> str:
    if not row.checkpoint:
        return "no weights needed"
    if row.size is None:
        return "no"
    return f"{file_size(row.size)}, in the package" if row.is_shipped else file_size(row.size)


def info(context: typer.Context, name: Name) -> None:
    """Show what a metric is made of."""
    from nearid_cli.encoders import models

    with doing(f"looking at {name}"):
        row, spec = models.info(name, _configuration(context).metrics)
    lines = [
        ("metric", row.metric),
        ("checkpoint", printable(row.checkpoint) or "none"),
        ("note", row.note or "none"),
        ("folder", printable(row.folder) if row.folder else "none"),
    ]
    if spec is None:
        lines.append(("here", f"no; fetch it: nearid models pull {printable(name)}"))
    else:
        lines += [
            ("size", file_size(row.size) if row.size is not None else "none"),
            ("revision", spec.revision or "none"),
            ("readout", spec.readout),
            ("preprocessing", spec.preprocessing),
            ("fingerprint", f"{spec.fingerprint} ({spec.dtype})"),
        ]
    rows(None, lines)


def pull(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="Metrics, as for --metric.", metavar="NAMES")],
    safetensors_only: SafetensorsOnly = False,
    engine: Annotated[
        str,
        Flag(
            "openvino: convert them for it, too, and keep that in the cache; auto and torch: nothing more.",
            "ENGINE",
            words=ENGINES,
            shared=True,
        ),
    ] = "auto",
    cache: CacheFolder = None,
) -> None:
    """Fetch checkpoints, for use without network."""
    from nearid_cli.embedding.devices import choose_engine
    from nearid_cli.encoders import models
    from nearid_cli.files import cache_folder

    converts = choose_engine(engine, "cpu", "float32") == "openvino"
    notify = logging.getLogger("nearid_cli").info
    for row in models.pull(
        names,
        _configuration(context).metrics,
        notify,
        safetensors_only,
        convert_in=cache_folder(cache) if converts else None,
    ):
        place = f"{printable(row.folder)} ({file_size(row.size or 0)})" if row.folder else "needs no weights"
        typer.echo(f"{row.metric}: {place}" + (", part of nearid-cli" if row.is_shipped else ""))


def verify(
    context: typer.Context, name: Name, safetensors_only: SafetensorsOnly = False, cache: CacheFolder = None
) -> None:
    """Check a checkpoint's files and weights.

    The files are hashed again, and the model that was converted for OpenVINO; the weights must be complete and finite.
    """
    from nearid_cli.encoders import models
    from nearid_cli.files import cache_folder

    with doing(f"checking {name}"):
        found = models.verify(
            name,
            _configuration(context).metrics,
            safetensors_only=safetensors_only,
            cache=cache_folder(cache),
        )
    if found.files:
        rows(
            ("file", "digest", "check"),
            [
                (
                    file.name,
                    f"{file.algorithm}:{file.digest}",
                    "damaged" if file.damaged else "ok" if file.expected else "nothing to compare with",
                )
                for file in found.files
            ],
        )
    if found.damaged:
        # The snapshot's files are links: the damage is in the repository's `blobs`, beside `snapshots`.
        places = [place for file in found.damaged for place in file.path.parents if place.name == "snapshots"]
        repositories = dict.fromkeys(printable(place.parent) for place in places)
        raise ModelError(
            f"{printable(found.spec.checkpoint)}: {len(found.damaged)} damaged: "
            f"{', '.join(file.name for file in found.damaged)}; delete {' and '.join(repositories)} "
            f"and fetch it again: nearid models pull {printable(name)}"
        )
    state = "complete and finite" if found.files else "needs no weights"
    typer.echo(f"{found.spec.name}: {state}; fingerprint {found.spec.fingerprint}")
