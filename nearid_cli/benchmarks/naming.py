"""Names of files of similarities: what tells the files of one metric from those of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from nearid_cli.encoders.registry import SHIPPED, MetricRequest
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import UsageError
from nearid_cli.text import printable

_LONGEST_NAME = 240  # bytes; file systems take 255, and the record beside the file has a longer name


def file_names(
    requests: Sequence[MetricRequest], specs: Sequence[EncoderSpec], name_of: Callable[[str], str]
) -> dict[str, str]:
    """The name of each metric's file.

    Args:
        requests: the metrics as they were asked for.
        specs: the metrics as they were found, in the same order.
        name_of: makes a file's name of what tells the metric from others, see `checkpoint_tag`.

    Raises:
        UsageError: two metrics would write one file, or a file's name would be too long.
    """
    names: dict[str, str] = {}
    for request, spec in zip(requests, specs, strict=True):
        name = name_of(checkpoint_tag(request, spec))
        if other := next((metric for metric, taken in names.items() if taken == name), None):
            raise UsageError(
                f"the metrics {printable(other)} and {printable(spec.name)} are one checkpoint "
                "and would write one file; leave one out"
            )
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise UsageError(
                f"metric {printable(spec.name)}: {printable(name)} is too long for the name of a file; "
                "run from a folder nearer to the checkpoint, or link it there"
            )
        names[spec.name] = name
    return names


def checkpoint_tag(request: MetricRequest, spec: EncoderSpec) -> str:
    """What tells a metric's files from those of others.

    The checkpoint, and what it leaves open: a revision that was asked for, and a readout that is not the architecture's
    own, which the published code knows nothing of.
    """
    if request.checkpoint in ("", SHIPPED) or spec.folder is None:
        return request.checkpoint.rpartition(":")[2] or request.name
    from nearid_cli.encoders.files import read_files

    revision = f"@{request.revision}" if request.revision else ""
    own = read_files(spec.folder, weights=False).readouts[0]
    readout = "" if spec.readout == own else f"+{spec.readout}"
    return f"{request.place}{revision}{readout}"
