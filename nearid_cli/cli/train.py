"""`nearid train`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nearid_cli.text import count, printable

_INTERRUPTED = 130


def _option(name: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    """An option that the configuration file does not know: a run is described by its command alone."""
    return typer.Option(name, help=help, metavar=metavar, show_default=metavar is not None, **more)


def _share(name: str, help: str) -> Any:
    """The probability of an augmentation."""
    return _option(name, help, "P", min=0.0, max=1.0)


def train(
    positives: Annotated[
        str,
        _option(
            "--positives", "Identities: a Hub id, a save_to_disk folder, a Parquet file or folder.", "SOURCE"
        ),
    ],
    distractors: Annotated[
        list[str],
        _option("--distractors", "Their distractors, row by row; repeat for several to draw from.", "SOURCE"),
    ],
    backbone: Annotated[
        str,
        _option(
            "--backbone",
            "A SigLIP, SigLIP2, CLIP, DINOv2, ViT or NearID checkpoint: a Hub id or a folder.",
            "MODEL",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints and logs.", metavar="DIR")
    ],
    rows: Annotated[
        Path | None,
        _option(
            "--rows", "JSON list of the rows to train on; all that are not for validation by default.", "FILE"
        ),
    ] = None,
    validation_rows: Annotated[
        Path | None, _option("--validation-rows", "JSON list of the rows to evaluate on.", "FILE")
    ] = None,
    validation_positives: Annotated[
        str | None,
        _option("--validation-positives", "Identities to evaluate on; --positives by default.", "SOURCE"),
    ] = None,
    validation_distractors: Annotated[
        list[str] | None,
        _option(
            "--validation-distractors", "Their distractors; each source is evaluated, and all.", "SOURCE"
        ),
    ] = None,
    mtg: Annotated[
        str | None, _option("--mtg", "Data set of Mind-the-Glitch to train on jointly.", "SOURCE")
    ] = None,
    mtg_repeat: Annotated[
        int, _option("--mtg-repeat", "How many times it counts in an epoch.", "N", min=1)
    ] = 1,
    head: Annotated[
        str, _option("--head", "map (attention pooling, from the backbone's own) or mlp.", "HEAD")
    ] = "map",
    embed_dim: Annotated[
        int | None,
        _option("--embed-dim", "Length of the embedding; the backbone's width by default.", "N", min=1),
    ] = None,
    unfreeze: Annotated[bool, _option("--unfreeze", "Train the backbone too, not only the head.")] = False,
    from_scratch: Annotated[
        bool,
        _option(
            "--from-scratch",
            "Random weights; --backbone is a folder with config.json and preprocessor_config.json.",
        ),
    ] = False,
    init_from: Annotated[
        Path | None,
        _option("--init-from", "Start from the weights of this checkpoint, with a new optimiser.", "DIR"),
    ] = None,
    cache_features: Annotated[
        bool,
        _option("--cache-features", "Run a frozen backbone over all pictures once, and keep its features."),
    ] = False,
    features: Annotated[
        Path | None,
        _option("--features", "Where to keep them, for several runs; OUTPUT/features by default.", "DIR"),
    ] = None,
    loss: Annotated[
        str,
        _option(
            "--loss",
            "name:weight:parameter=value, joined by +, of infonce_ext, circle, triplet, siglip, arcface.",
            "LOSS",
        ),
    ] = "infonce_ext:1.0",
    loss_masking: Annotated[
        str,
        _option(
            "--loss-masking", "Empty slots: strict (never count) or reference (as published).", "MASKING"
        ),
    ] = "strict",
    anchors: Annotated[
        str, _option("--anchors", "first (one view a row) or all (each view in turn).", "ANCHORS")
    ] = "first",
    optimizer: Annotated[
        str,
        _option(
            "--optimizer", "adamw, or muon for the matrices of the layers with adamw for the rest.", "NAME"
        ),
    ] = "adamw",
    lr: Annotated[float, _option("--lr", "Learning rate after warm-up.", "RATE", min=0.0)] = 1e-4,
    weight_decay: Annotated[
        float, _option("--weight-decay", "Decay of matrices; vectors have none.", "RATE", min=0.0)
    ] = 1e-4,
    warmup_steps: Annotated[
        int, _option("--warmup-steps", "Steps over which the learning rate rises.", "N", min=0)
    ] = 100,
    schedule: Annotated[
        str, _option("--schedule", "cosine or constant, after the warm-up.", "NAME")
    ] = "cosine",
    clip_norm: Annotated[
        float, _option("--clip-norm", "Largest norm of the gradient; 0 for no limit.", "NORM", min=0.0)
    ] = 1.0,
    epochs: Annotated[int, _option("--epochs", "Passes over the rows.", "N", min=1)] = 11,
    max_steps: Annotated[
        int | None, _option("--max-steps", "Optimiser steps, in place of --epochs.", "N", min=1)
    ] = None,
    batch_size: Annotated[
        int, _option("--batch-size", "Rows of a batch, over all processes together.", "N", min=1)
    ] = 128,
    gradient_accumulation: Annotated[
        int, _option("--gradient-accumulation", "Batches of an optimiser step.", "N", min=1)
    ] = 1,
    mixed_precision: Annotated[str, _option("--mixed-precision", "no, fp16 or bf16.", "PRECISION")] = "no",
    workers: Annotated[
        int, _option("--workers", "Processes that decode pictures; 0 for the training process.", "N", min=0)
    ] = 0,
    seed: Annotated[int, _option("--seed", "Everything random follows from it.", "N", min=0)] = 0,
    save_steps: Annotated[
        int | None,
        _option(
            "--save-steps", "Steps between evaluations with checkpoints; an epoch by default.", "N", min=1
        ),
    ] = None,
    keep: Annotated[int, _option("--keep", "Newest checkpoints to keep, besides the best.", "N", min=1)] = 2,
    resume: Annotated[
        bool, _option("--resume", "Go on from the newest whole checkpoint in the output folder.")
    ] = False,
    log: Annotated[
        list[str] | None,
        _option("--log", "Also log to tensorboard or wandb; repeat for both.", "TRACKER"),
    ] = None,
    flip: Annotated[float, _share("--flip", "Mirror a picture with this probability.")] = 0.0,
    jitter: Annotated[float, _share("--jitter", "Vary brightness, contrast, colour.")] = 0.0,
    translate: Annotated[float, _share("--translate", "Shift and scale a picture.")] = 0.0,
    translate_fraction: Annotated[
        float, _option("--translate-fraction", "Largest shift, in widths and heights.", "SHARE", min=0.0)
    ] = 0.1,
    scale_min: Annotated[float, _option("--scale-min", "Smallest scale of --translate.", "SCALE")] = 0.9,
    scale_max: Annotated[float, _option("--scale-max", "Largest scale of --translate.", "SCALE")] = 1.1,
    mask_anchor: Annotated[float, _share("--mask-anchor", "Show only the foreground of the anchor.")] = 0.0,
    mask_positive: Annotated[
        float, _share("--mask-positive", "Show only the foreground of the other views.")
    ] = 0.0,
    mask_distractor: Annotated[
        float, _share("--mask-distractor", "Show only the foreground of distractors.")
    ] = 0.0,
    background: Annotated[
        float, _share("--background", "Give views with their distractors new backgrounds.")
    ] = 0.0,
) -> None:
    """Train an encoder, or its head, with the NearID loss.

    `accelerate launch -m nearid_cli.training` takes the same options and trains on several GPUs.
    """
    given = locals()
    from nearid_cli.training.augment import Augmentations
    from nearid_cli.training.options import TrainOptions

    augmentations = Augmentations(**{name: given.pop(name) for name in Augmentations.__dataclass_fields__})
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    for name in ("validation_distractors", "log"):
        values[name] = values[name] or ()
    options = TrainOptions(**values, augmentations=augmentations)

    from nearid_cli.training.loop import train as run

    result = run(options, bar=sys.stderr.isatty())
    # A log record, because of several processes only the first speaks.
    say = logging.getLogger(__name__).info
    if result.interrupted:
        say(f"stopped and saved at step {result.step:,} of {result.steps:,}: go on with --resume")
        raise typer.Exit(_INTERRUPTED)
    say(f"{count(result.step, 'step')} done; the model is in {printable(result.model)}")
