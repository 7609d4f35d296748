"""What `nearid train` is told: one object, checked before anything is opened."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from nearid_cli.errors import UsageError
from nearid_cli.flags import Flag, all_given
from nearid_cli.text import printable, unknown

HEADS = ("map", "mlp")
OPTIMISERS = ("adamw", "muon")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("no", "fp16", "bf16")
TRACKERS = ("tensorboard", "wandb")

# What a resumed run may set anew, because no weight depends on it; and its length, which may grow.
_FREE = {"output", "features", "resume", "workers", "log", "save_steps", "keep"}
_GROWING = {"epochs", "max_steps"}


def _share(help: str) -> Flag:
    """How people give the probability of an augmentation."""
    return Flag(help, "P", low=0.0, high=1.0)


@dataclass(frozen=True)
class Augmentations:
    """How often each change is made. All of them are off by default.

    Attributes:
        flip: probability of a horizontal flip, for each picture.
        jitter: probability of a colour jitter, for each picture.
        translate: probability of a shift together with a change of size, for each picture.
        translate_fraction: the largest shift, as a fraction of width and of height.
        scale_min, scale_max: range of the change of size; below 1 the object becomes smaller.
        mask_anchor: probability of a black background for the anchor, the first view after the permutation.
        mask_positive: the same for each of the other views.
        mask_distractor: the same for each distractor.
        background: probability that all pictures of a row get new backgrounds; a view and its distractor get
            the same one.

    Raises:
        UsageError: naming every value that is out of range.
    """

    flip: Annotated[float, _share("Mirror a picture with this probability.")] = 0.0
    jitter: Annotated[float, _share("Vary brightness, contrast, colour.")] = 0.0
    translate: Annotated[float, _share("Shift and scale a picture.")] = 0.0
    translate_fraction: Annotated[float, Flag("Largest shift, in widths and heights.", "SHARE", low=0.0)] = (
        0.1
    )
    scale_min: Annotated[float, Flag("Smallest scale of --translate.", "SCALE")] = 0.9
    scale_max: Annotated[float, Flag("Largest scale of --translate.", "SCALE")] = 1.1
    mask_anchor: Annotated[float, _share("Show only the foreground of the anchor.")] = 0.0
    mask_positive: Annotated[float, _share("Show only the foreground of the other views.")] = 0.0
    mask_distractor: Annotated[float, _share("Show only the foreground of distractors.")] = 0.0
    background: Annotated[float, _share("Give views with their distractors new backgrounds.")] = 0.0

    def __post_init__(self) -> None:
        wrong = [
            f"{field.name} is {getattr(self, field.name):g}, expected 0 to 1"
            for field in fields(self)
            if not field.name.startswith("scale") and not 0 <= getattr(self, field.name) <= 1
        ]
        if not 0 < self.scale_min <= self.scale_max < float("inf"):
            wrong.append(f"scale is {self.scale_min:g} to {self.scale_max:g}, expected 0 < min <= max")
        if wrong:
            raise UsageError(f"augmentation out of range: {wrong[0]}", wrong[1:])


@dataclass(frozen=True)
class TrainOptions:
    """Data, model, objective, optimisation and bookkeeping of one training run.

    What each field is for, its `Flag` says; None and an empty tuple stand for what it calls the default.

    Attributes:
        distractors: aligned with `positives` by row; a slot draws from one of them.
        validation_rows: of `validation_positives`, or of `positives` without.
        validation_distractors: empty for `distractors`; needed with `validation_positives`.
        mtg: in the form of Mind-the-Glitch.
        loss: see `objective.parse_objective`, which reads it with `loss_masking` and `anchors`.
        weight_decay: on matrices only; biases, norms and other vectors are not decayed.
        warmup_steps: the learning rate rises linearly.
        augmentations: how training pictures are varied.
    """

    positives: Annotated[
        str, Flag("Identities: a Hub id, a save_to_disk folder, a Parquet file or folder.", "SOURCE")
    ]
    distractors: Annotated[
        tuple[str, ...], Flag("Their distractors, row by row; repeat for several to draw from.", "SOURCE")
    ]
    backbone: Annotated[
        str, Flag("A SigLIP, SigLIP2, CLIP, DINOv2, ViT or NearID checkpoint: a Hub id or a folder.", "MODEL")
    ]
    output: Annotated[Path, Flag("Folder for checkpoints and logs.", "DIR", short="o")]
    rows: Annotated[
        str | None,
        Flag(
            "Rows to train on: a JSON list of them, or a column and its value (split=train); all that are not for "
            "validation by default.",
            "FILE|COLUMN=VALUE",
        ),
    ] = None
    validation_rows: Annotated[
        str | None,
        Flag("Rows to evaluate on, given likewise (split=val).", "FILE|COLUMN=VALUE"),
    ] = None
    validation_positives: Annotated[
        str | None, Flag("Identities to evaluate on; --positives by default.", "SOURCE")
    ] = None
    validation_distractors: Annotated[
        tuple[str, ...], Flag("Their distractors; each source is evaluated, and all.", "SOURCE")
    ] = ()
    mtg: Annotated[str | None, Flag("Data set of Mind-the-Glitch to train on jointly.", "SOURCE")] = None
    mtg_repeat: Annotated[int, Flag("How many times it counts in an epoch.", "N", low=1)] = 1
    head: Annotated[
        str, Flag("map (attention pooling, from the backbone's own) or mlp.", "HEAD", words=HEADS)
    ] = "map"
    embed_dim: Annotated[
        int | None, Flag("Length of the embedding; the backbone's width by default.", "N", low=1)
    ] = None
    unfreeze: Annotated[bool, Flag("Train the backbone too, not only the head.")] = False
    from_scratch: Annotated[
        bool, Flag("Random weights; --backbone is a folder with config.json and preprocessor_config.json.")
    ] = False
    init_from: Annotated[
        Path | None, Flag("Start from the weights of this checkpoint, with a new optimiser.", "DIR")
    ] = None
    cache_features: Annotated[
        bool, Flag("Run a frozen backbone over all pictures once, and keep its features.")
    ] = False
    features: Annotated[
        Path | None, Flag("Where to keep them, for several runs; OUTPUT/features by default.", "DIR")
    ] = None
    loss: Annotated[
        str,
        Flag(
            "name:weight:parameter=value, joined by +, of infonce_ext, circle, triplet, siglip, arcface.",
            "LOSS",
        ),
    ] = "infonce_ext:1.0"
    loss_masking: Annotated[
        str, Flag("Empty slots: strict (never count) or reference (as published).", "MASKING")
    ] = "strict"
    anchors: Annotated[str, Flag("first (one view a row) or all (each view in turn).", "ANCHORS")] = "first"
    optimizer: Annotated[
        str,
        Flag(
            "adamw, or muon for the matrices of the layers with adamw for the rest.", "NAME", words=OPTIMISERS
        ),
    ] = "adamw"
    lr: Annotated[float, Flag("Learning rate after warm-up.", "RATE", low=0.0)] = 1e-4
    weight_decay: Annotated[float, Flag("Decay of matrices; vectors have none.", "RATE", low=0.0)] = 1e-4
    warmup_steps: Annotated[int, Flag("Steps over which the learning rate rises.", "N", low=0)] = 100
    schedule: Annotated[str, Flag("cosine or constant, after the warm-up.", "NAME", words=SCHEDULES)] = (
        "cosine"
    )
    clip_norm: Annotated[float, Flag("Largest norm of the gradient; 0 for no limit.", "NORM", low=0.0)] = 1.0
    epochs: Annotated[int, Flag("Passes over the rows.", "N", low=1)] = 11
    max_steps: Annotated[int | None, Flag("Optimiser steps, in place of --epochs.", "N", low=1)] = None
    batch_size: Annotated[int, Flag("Rows of a batch, over all processes together.", "N", low=1)] = 128
    gradient_accumulation: Annotated[int, Flag("Batches of an optimiser step.", "N", low=1)] = 1
    mixed_precision: Annotated[str, Flag("no, fp16 or bf16.", "PRECISION", words=PRECISIONS)] = "no"
    workers: Annotated[
        int, Flag("Processes that decode pictures; 0 for the training process.", "N", low=0)
    ] = 0
    seed: Annotated[int, Flag("Everything random follows from it.", "N", low=0)] = 0
    save_steps: Annotated[
        int | None, Flag("Steps between evaluations with checkpoints; an epoch by default.", "N", low=1)
    ] = None
    keep: Annotated[int, Flag("Newest checkpoints to keep, besides the best.", "N", low=1)] = 2
    resume: Annotated[bool, Flag("Go on from the newest whole checkpoint in the output folder.")] = False
    log: Annotated[
        tuple[str, ...], Flag("Also log to tensorboard or wandb; repeat for both.", "TRACKER", words=TRACKERS)
    ] = ()
    augmentations: Augmentations = field(default_factory=Augmentations)

    def __post_init__(self) -> None:
        """Refuse what can be refused without opening anything.

        Raises:
            UsageError: naming the flag, what it takes and what it got.
        """
        from nearid_cli.training.objective import parse_objective

        for one in all_given(TrainOptions):
            value = getattr(self, one.field)
            for word in value if isinstance(value, tuple) else (value,):
                if one.flag.words and word not in one.flag.words:
                    raise UsageError(unknown(f"--{one.name}", word, one.flag.words))
        for name in ("lr", "weight_decay", "clip_norm"):
            if not math.isfinite(value := getattr(self, name)):
                raise UsageError(f"{_flag(name)} takes a finite number, found {value}")
        parse_objective(self.loss, self.loss_masking, self.anchors)
        if not self.distractors:
            raise UsageError("expected --distractors: the NearID losses learn from look-alikes, found none")
        if self.from_scratch and not self.unfreeze:
            raise UsageError("--from-scratch needs --unfreeze: a random backbone must be trained")
        if self.cache_features:
            self._check_cached()
        elif self.features is not None:
            raise UsageError("--features says where --cache-features keeps them; add that, or leave it out")
        if self.validation_positives is not None and not self.validation_distractors:
            raise UsageError("--validation-positives needs --validation-distractors, aligned with it by row")
        evaluates = self.validation_rows is not None or self.validation_positives is not None
        if self.validation_distractors and not evaluates:
            raise UsageError("--validation-distractors needs --validation-rows or --validation-positives")

    def _check_cached(self) -> None:
        """Refuse what needs the backbone, or pictures, at every step."""
        drawn = [field.name for field in fields(Augmentations) if field.default == 0.0]
        varied = [_flag(name) for name in drawn if getattr(self.augmentations, name)]
        if flags := ["--unfreeze"] * self.unfreeze + ["--mtg"] * (self.mtg is not None) + varied:
            raise UsageError(
                "--cache-features keeps what a frozen backbone makes of the pictures as they are: "
                f"leave out {', '.join(flags)}"
            )

    def as_json(self) -> dict[str, Any]:
        """Every option as JSON holds it, nested only in `augmentations`."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def differences(options: TrainOptions, recorded: Mapping[str, Any]) -> list[str]:
    """How options differ from those that a checkpoint was made with, as lines for people.

    Left out: what a resumed run may choose anew (where it writes, workers, logging, how often it saves), and a
    length that has grown.
    """
    now = options.as_json()
    bound = {
        name: value
        for name, value in now.items()
        if name not in _FREE and not (name in _GROWING and _grown(value, recorded.get(name)))
    }
    return changed(
        {_flag(name): recorded.get(name) for name in bound}, {_flag(name): bound[name] for name in bound}
    )


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two JSON objects with the same keys, as lines for people.

    >>> changed({"--lr": 0.1, "--seed": 0}, {"--lr": 0.2, "--seed": 0})
    ['--lr: 0.1 then, 0.2 now']
    """
    return [
        f"{name}: {_shown(then.get(name))} then, {_shown(now.get(name))} now"
        for name in dict.fromkeys([*now, *then])
        if now.get(name) != then.get(name)
    ]


def _grown(now: Any, then: Any) -> bool:
    return now is not None and then is not None and now > then


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {entry}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(printable(str(entry)) for entry in value) or "none"
    return "none" if value is None else printable(str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return list(value) if isinstance(value, tuple) else value
