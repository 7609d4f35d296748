"""`nearid train`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import typer

from nearid_cli.cli import INTERRUPTED
from nearid_cli.cli.options import reads_no_urls, types_of
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from nearid_cli.training.options import TrainOptions


@reads_no_urls
@types_of("nearid_cli.training.options")
def train(options: TrainOptions) -> None:
    """Train an encoder, or its head, with the NearID loss.

    `accelerate launch -m nearid_cli.training` takes the same options and trains on several GPUs.
    """
    from nearid_cli.training.loop import train as run

    result = run(options, bar=sys.stderr.isatty())
    # A log record, because of several processes only the first speaks.
    say = logging.getLogger(__name__).info
    if result.interrupted:
        say(f"stopped and saved at step {result.step:,} of {result.steps:,}: go on with --resume")
        raise typer.Exit(INTERRUPTED)
    say(f"{count(result.step, 'step')} done; the model is in {printable(result.model)}")
