"""What `nearid train` is told: one object, checked before anything is opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nearid_cli.errors import UsageError
from nearid_cli.text import printable, unknown
from nearid_cli.training.augment import Augmentations
from nearid_cli.training.objective import parse_objective

HEADS = ("map", "mlp")
OPTIMISERS = ("adamw", "muon")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("no", "fp16", "bf16")
TRACKERS = ("tensorboard", "wandb")

# What a resumed run may set anew, because no weight depends on it; and its length, which may grow.
_FREE = {"output", "features", "resume", "workers", "log", "save_steps", "keep"}
_GROWING = {"epochs", "max_steps"}


@dataclass(frozen=True)
class TrainOptions:
    """Data, model, objective, optimisation and bookkeeping of one training run.

    Attributes:
        positives: data set of identities: a Hub id, a `save_to_disk` folder, a Parquet file or folder.
        distractors: data sets of distractors, aligned with `positives` by row; a slot draws one of them.
        rows: JSON list of the rows to train on; None for all that are not validation rows.
        validation_rows: JSON list of the rows to evaluate on, of `validation_positives`.
        validation_positives: None for `positives`.
        validation_distractors: empty for `distractors`; needed with `validation_positives`.
        mtg: data set in the form of Mind-the-Glitch, trained on jointly.
        mtg_repeat: how many times it counts in an epoch.
        backbone: a checkpoint, or with `from_scratch` a folder with config.json and preprocessor_config.json.
        head: one of `HEADS`.
        embed_dim: length of the embedding; None for the backbone's width.
        unfreeze: train the backbone too.
        from_scratch: random weights in place of the backbone's.
        init_from: a checkpoint of an earlier stage whose weights to start from.
        cache_features: compute the frozen backbone's token features once, and keep them on disk.
        features: where to keep them, for several runs; None for `output`/features.
        loss: objective, as `name:weight:parameter=value+...`.
        loss_masking: one of `objective.MASKINGS`.
        anchors: one of `objective.ANCHORS`.
        optimizer: one of `OPTIMISERS`.
        lr: the learning rate after warm-up.
        weight_decay: on matrices only; biases, norms and other vectors are not decayed.
        warmup_steps: steps over which the learning rate rises linearly.
        schedule: one of `SCHEDULES`, what the learning rate does after that.
        clip_norm: largest norm of the gradient; 0 for no limit.
        epochs: passes over the rows.
        max_steps: optimiser steps, in place of `epochs`.
        batch_size: rows of a batch, over all processes together.
        gradient_accumulation: batches of an optimiser step.
        mixed_precision: one of `PRECISIONS`.
        workers: processes that decode and augment; 0 for none but the training process.
        seed: everything random follows from it.
        save_steps: steps between two evaluations and checkpoints; None for an epoch.
        keep: how many of the newest checkpoints to keep, besides the best.
        resume: go on from the newest checkpoint in `output`.
        log: trackers, of `TRACKERS`.
        augmentations: how training pictures are varied.
        output: folder of checkpoints and logs.
    """

    positives: str
    backbone: str
    output: Path
    distractors: tuple[str, ...] = ()
    rows: Path | None = None
    validation_rows: Path | None = None
    validation_positives: str | None = None
    validation_distractors: tuple[str, ...] = ()
    mtg: str | None = None
    mtg_repeat: int = 1
    head: str = "map"
    embed_dim: int | None = None
    unfreeze: bool = False
    from_scratch: bool = False
    init_from: Path | None = None
    cache_features: bool = False
    features: Path | None = None
    loss: str = "infonce_ext:1.0"
    loss_masking: str = "strict"
    anchors: str = "first"
    optimizer: str = "adamw"
    lr: float = 1e-4
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    schedule: str = "cosine"
    clip_norm: float = 1.0
    epochs: int = 11
    max_steps: int | None = None
    batch_size: int = 128
    gradient_accumulation: int = 1
    mixed_precision: str = "no"
    workers: int = 0
    seed: int = 0
    save_steps: int | None = None
    keep: int = 2
    resume: bool = False
    log: tuple[str, ...] = ()
    augmentations: Augmentations = field(default_factory=Augmentations)

    def __post_init__(self) -> None:
        """Refuse what can be refused without opening anything.

        Raises:
            UsageError: naming the flag, what it takes and what it got.
        """
        for flag, value, known in (
            ("--head", self.head, HEADS),
            ("--optimizer", self.optimizer, OPTIMISERS),
            ("--schedule", self.schedule, SCHEDULES),
            ("--mixed-precision", self.mixed_precision, PRECISIONS),
            *(("--log", name, TRACKERS) for name in self.log),
        ):
            if value not in known:
                raise UsageError(unknown(flag, value, known))
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
        if self.validation_distractors and not self.evaluates:
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

    @property
    def evaluates(self) -> bool:
        """Whether there are validation rows."""
        return self.validation_rows is not None or self.validation_positives is not None

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
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
