"""The training loop: set up through accelerate, step, log, evaluate, save, and go on after a stop."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nearid_cli.errors import InputError, UsageError
from nearid_cli.text import count, printable
from nearid_cli.training import checkpoints, record
from nearid_cli.training.batches import Plan, load
from nearid_cli.training.checkpoints import Checkpoint
from nearid_cli.training.data import open_data
from nearid_cli.training.dataset import collate
from nearid_cli.training.evaluation import evaluate
from nearid_cli.training.log import FILE, TIMING, Display, MetricsFile, check_trackers
from nearid_cli.training.objective import parse_objective
from nearid_cli.training.optimisers import make_optimiser, schedule
from nearid_cli.training.options import TrainOptions, differences
from nearid_cli.training.stopping import StopRequest
from nearid_cli.training.trainee import make_trainee

# How many steps may be under way before their numbers are fetched from the device: fetching waits for it.
_FETCH = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        output: its folder.
        step: optimiser steps done.
        steps: optimiser steps planned.
        checkpoint: the newest checkpoint.
        metrics: the last evaluation; empty without validation rows.
        interrupted: whether it was stopped, and saved, before its end.
    """

    output: Path
    step: int
    steps: int
    checkpoint: Path
    metrics: dict[str, Any]
    interrupted: bool

    @property
    def model(self) -> Path:
        """The model to use: the best, or the newest where nothing was evaluated."""
        best = self.output / checkpoints.BEST
        return (best if best.exists() else self.checkpoint) / checkpoints.MODEL


def train(options: TrainOptions, bar: bool = False) -> TrainResult:
    """Train a model, from the start or from the newest checkpoint.

    Everything that is computed follows from the options: the order of the rows, the augmentations and whatever the
    model draws come from the seed and the step. On a CPU, with as many threads, a run that was stopped and resumed
    ends with the very weights of one that was not.

    Args:
        options: what to do.
        bar: show a progress bar on stderr.

    Raises:
        UsageError: options that go together with nothing, or not with the checkpoint to go on from.
        InputError: data that is not as it should be, a disk that takes no more, or a loss that is not finite.
        ModelError: a backbone or start weights that cannot be used.
    """
    check_trackers(options.log)
    accelerator = _accelerator(options)
    resumed = _resumed(options)
    trainee = make_trainee(options, accelerator.device.type)
    data = open_data(options, trainee.preprocessing)
    plan = Plan(
        len(data.training),
        options.batch_size,
        options.gradient_accumulation,
        options.seed,
        accelerator.process_index,
        accelerator.num_processes,
    )
    run = _Run(options, accelerator, trainee, data, plan, resumed, bar)
    return run.go()


def _accelerator(options: TrainOptions) -> Any:
    """What runs the steps on this machine's devices and processes.

    Raises:
        UsageError: accelerate is not installed, or this machine has no such precision.
    """
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ModuleNotFoundError as error:
        raise UsageError('training needs the accelerate library: pip install "nearid-cli[train]"') from error
    # An earlier run of this process may have had another precision.
    AcceleratorState._reset_state()
    try:
        return Accelerator(
            mixed_precision=options.mixed_precision,
            gradient_accumulation_steps=options.gradient_accumulation,
            log_with=list(options.log) or None,
            project_dir=options.output,
        )
    except ValueError as error:
        raise UsageError(f"--mixed-precision {options.mixed_precision}: {error}") from error


def _resumed(options: TrainOptions) -> Checkpoint | None:
    """The checkpoint to go on from.

    Raises:
        UsageError: there is a run in the output folder and no wish to resume it, or one with other options.
    """
    found = checkpoints.newest(options.output)
    if not options.resume:
        if found is not None:
            raise UsageError(
                f"{printable(options.output)} holds a training run ({found.folder.name}): "
                f"go on with --resume, or choose another --output"
            )
        return None
    if found is None:
        _log.info(f"nothing to resume in {printable(options.output)}: starting at step 0")
        return None
    if changed := differences(options, found.state()["options"]):
        raise UsageError(
            f"{printable(found.folder)} was made with other options; resume with the same ones, or start a stage of "
            f"its own with --init-from",
            changed,
        )
    return found


class _Run:
    """A training run in the making, from its first step to its last."""

    def __init__(
        self,
        options: TrainOptions,
        accelerator: Any,
        trainee: Any,
        data: Any,
        plan: Plan,
        resumed: Checkpoint | None,
        bar: bool,
    ) -> None:
        self.options, self.accelerator, self.trainee, self.data, self.plan = (
            options,
            accelerator,
            trainee,
            data,
            plan,
        )
        self.objective = parse_objective(options.loss, options.loss_masking, options.anchors)
        self.steps = options.max_steps or options.epochs * plan.steps_per_epoch
        self.save_steps = options.save_steps or plan.steps_per_epoch
        self.factor = schedule(options.schedule, options.warmup_steps, self.steps)
        self.main = accelerator.is_main_process
        self.step = resumed.step if resumed else 0
        if self.step > self.steps:
            raise UsageError(f"step {self.step:,} is done, beyond the {count(self.steps, 'step')} asked for")
        self.checkpoint = resumed.folder if resumed else None
        self.metrics: dict[str, Any] = resumed.metrics() if resumed else {}
        self.elapsed = float(resumed.state()["seconds"]) if resumed else 0.0
        optimiser = make_optimiser(trainee, options.optimizer, options.lr, options.weight_decay)
        if resumed:
            tensors = resumed.tensors()
            trainee.load_trained(tensors["trained"])
            optimiser.load_state_dict(tensors["optimiser"])
            if accelerator.scaler is not None:
                accelerator.scaler.load_state_dict(tensors["scaler"])
        self.model, self.optimiser = accelerator.prepare(trainee, optimiser)
        self.pending: list[torch.Tensor] = []
        self.names: list[str] = []
        self.display: Display | None = None
        self.file: MetricsFile | None = None
        if self.main:
            options.output.mkdir(parents=True, exist_ok=True)
            checkpoints.clear_leftovers(options.output)
            record.write(
                options.output,
                options,
                {
                    "steps": self.steps,
                    "steps_per_epoch": plan.steps_per_epoch,
                    "processes": accelerator.num_processes,
                    "device": str(accelerator.device),
                    "parameters": sum(p.numel() for p in trainee.parameters()),
                    "trained_parameters": sum(p.numel() for p in trainee.trained().values()),
                    "data": data.fingerprint,
                },
            )
            self.file = MetricsFile(options.output / FILE, self.step)
            self.display = Display(self.step, self.steps, bar)
        if options.log:
            accelerator.init_trackers("nearid", config=record.flat(options))
        self.clock = time.perf_counter()
        self.since, self.pictures = self.clock, 0

    def go(self) -> TrainResult:
        """Do the steps that are left."""
        if self.step == 0 and self.data.validation:
            self._evaluate()
        interrupted = False
        try:
            with StopRequest() as stop:
                batches = load(
                    self.data.training, self.plan, self.step, self.steps, self.options.workers, collate
                )
                self.model.train()
                while self.step < self.steps:
                    self._step(batches)
                    due = self.step % self.save_steps == 0 or self.step == self.steps
                    if due or len(self.pending) == _FETCH:
                        self._fetch()
                    if due:
                        self._evaluate()
                        self._save()
                    if self._agreed(stop.came) and self.step < self.steps:
                        interrupted = True
                        break
                if interrupted and not due:
                    self._fetch()
                    self.metrics = {}
                    self._save()
        finally:
            if self.display is not None and self.file is not None:
                self.display.close()
                self.file.close()
        self.accelerator.end_training()
        assert self.checkpoint is not None
        return TrainResult(
            self.options.output, self.step, self.steps, self.checkpoint, self.metrics, interrupted
        )

    def _step(self, batches: Any) -> None:
        """One optimiser step."""
        options, accelerator = self.options, self.accelerator
        rate = options.lr * self.factor(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # Whatever the model draws (dropout) follows from here, so no generator's state needs to be kept.
        torch.manual_seed(_mixed(options.seed, self.step, accelerator.process_index))
        total: torch.Tensor | None = None
        for _ in range(options.gradient_accumulation):
            batch = next(batches)
            with accelerator.accumulate(self.model):
                embeddings = self.model(batch["pixels"].to(accelerator.device, non_blocking=True))
                valid = batch["valid"].to(accelerator.device, non_blocking=True)
                loss, parts = self.objective(embeddings, valid)
                self.pictures += valid.numel() * accelerator.num_processes
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(
                        self.trainee.trained().values(), options.clip_norm or math.inf
                    )
                self.optimiser.step()
                self.optimiser.zero_grad()
            self.names = ["loss", *parts]
            values = torch.stack([loss.detach(), *parts.values()])
            total = values if total is None else total + values
        assert total is not None
        self.pending.append(torch.cat([total / options.gradient_accumulation, norm.reshape(1)]))
        self.step += 1

    def _fetch(self) -> None:
        """Write down the steps since the last time."""
        if not self.pending:
            return
        rows = self.accelerator.reduce(torch.stack(self.pending), reduction="mean").tolist()
        first = self.step - len(rows) + 1
        self.pending = []
        lines = []
        for step, row in enumerate(rows, first):
            values = dict(zip((*self.names, "gradient_norm"), row, strict=True))
            rate = self.options.lr * self.factor(step - 1)
            lines.append(
                {"step": step, "epoch": (step - 1) // self.plan.steps_per_epoch, "lr": rate, **values}
            )
            if not math.isfinite(values["loss"]):
                where = (
                    f"{printable(self.checkpoint)} is whole" if self.checkpoint else "nothing is saved yet"
                )
                raise InputError(
                    f"the loss is {values['loss']} at step {step:,}: try a lower --lr, a longer --warmup-steps or "
                    f"--mixed-precision no; {where}"
                )
        if self.main:
            assert self.file is not None
            assert self.display is not None
            self.file.write(lines)
            self.display.steps(lines, self._speed())
        if self.options.log:
            for line in lines:
                self.accelerator.log({k: v for k, v in line.items() if k != "step"}, step=line["step"])

    def _speed(self) -> float:
        """Pictures a second in the steps since this was last asked."""
        now = time.perf_counter()
        speed = self.pictures / max(now - self.since, 1e-9)
        self.since, self.pictures = now, 0
        return speed

    def _evaluate(self) -> None:
        """Measure SSR and PA on the validation rows."""
        self.metrics = {}
        begun = time.perf_counter()
        if self.data.validation:
            share = self.options.batch_size // self.accelerator.num_processes
            self.model.eval()
            self.metrics = evaluate(
                self.accelerator, self.trainee, self.data.validation, share, self.options.workers
            )
            self.model.train()
        if self.main:
            assert self.file is not None
            assert self.display is not None
            line = {"step": self.step, **self.metrics}
            if self.metrics:
                timing = {"seconds": self._seconds(), "evaluation_seconds": time.perf_counter() - begun}
                self.file.write([{**line, TIMING: timing}])
            self.display.evaluation(line)
        if self.options.log and self.metrics:
            numbers = {name: self.metrics[name] for name in ("ssr", "pa", "mean_margin")}
            self.accelerator.log(numbers, step=self.step)
        # The time that this took is not the steps'.
        self.since, self.pictures = time.perf_counter(), 0

    def _save(self) -> None:
        """Write a checkpoint."""
        if self.main:
            scaler = self.accelerator.scaler
            saved = checkpoints.save(
                self.options.output,
                self.step,
                lambda folder: self.trainee.save(folder, self.metrics or None),
                {
                    "trained": {name: weight.detach() for name, weight in self.trainee.trained().items()},
                    "optimiser": self.optimiser.state_dict(),
                    "scaler": scaler.state_dict() if scaler is not None else {},
                },
                {
                    "options": self.options.as_json(),
                    "data": self.data.fingerprint,
                    "seconds": self._seconds(),
                },
                self.metrics,
            )
            checkpoints.thin_out(self.options.output, self.options.keep)
            self.checkpoint = saved.folder
        self.accelerator.wait_for_everyone()
        self.checkpoint = self.options.output / f"checkpoint-{self.step}"
        self.since, self.pictures = time.perf_counter(), 0

    def _seconds(self) -> float:
        """How long all sessions of this run have taken."""
        return self.elapsed + time.perf_counter() - self.clock

    def _agreed(self, came: bool) -> bool:
        """Whether any process was asked to stop; several processes ask each other only now and then."""
        if self.accelerator.num_processes == 1:
            return came
        if self.pending:
            return False
        asked = torch.tensor([float(came)], device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, reduction="sum").item())


def _mixed(*numbers: int) -> int:
    """One seed of several numbers."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
