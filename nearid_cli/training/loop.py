"""The training loop: step, write down, evaluate, save; and stopping after the step at hand."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from nearid_cli.errors import InputError, UsageError
from nearid_cli.interrupts import raises_interrupt
from nearid_cli.text import count, printable
from nearid_cli.training import checkpoints
from nearid_cli.training.batches import load
from nearid_cli.training.dataset import Batch, collate
from nearid_cli.training.evaluation import evaluate
from nearid_cli.training.log import Journal
from nearid_cli.training.objective import parse_objective
from nearid_cli.training.optimisers import make_optimiser, schedule
from nearid_cli.training.options import TrainOptions
from nearid_cli.training.setup import Setup, set_up, write_record

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAME_SECONDS = 1.0


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """A context in which the first Ctrl-C or SIGTERM only sets an event; a later one acts as it always does.

    A launcher of several processes hands on the Ctrl-C that they got from the terminal already, so what comes
    within a second is still the first.

    Does nothing in other threads, and where a signal is ignored or somebody else's (`nohup`, a notebook).
    """
    stop, first = threading.Event(), 0.0
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not stop.is_set():
            stop.set()
            first = time.monotonic()
        elif time.monotonic() - first > _SAME_SECONDS:
            give_back()
            signal.raise_signal(number)

    def give_back() -> None:
        while previous:
            signal.signal(*previous.popitem())

    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler is signal.SIG_DFL or raises_interrupt(handler):
                previous[number] = handler
                signal.signal(number, note)
    try:
        yield stop
    finally:
        give_back()


# How many steps may be under way before their numbers are fetched from the device: fetching waits for it.
_FETCH = 10


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        output: its folder.
        step: optimiser steps done.
        steps: optimiser steps planned.
        checkpoint: the newest checkpoint.
        metrics: the evaluation there; empty without validation rows, and for a run that was stopped.
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

    The first Ctrl-C (or SIGTERM) ends the run after the step at hand, with a checkpoint; the second at once.

    Args:
        options: what to do.
        bar: show a progress bar on stderr.

    Raises:
        UsageError: options that do not go together, or not with the checkpoint to go on from.
        InputError: data that is not as it should be, a disk that takes no more, or a loss that is not finite.
        ModelError: a backbone or start weights that cannot be used.
        CacheError: there is no room for `cache_features`.
    """
    return _Run(set_up(options), bar).go()


class _Run:
    """A training run, from the step where it begins to its last."""

    def __init__(self, setup: Setup, bar: bool) -> None:
        options, accelerator, resumed = setup.options, setup.accelerator, setup.resumed
        self.setup, self.options, self.accelerator, self.trainee = setup, options, accelerator, setup.trainee
        self.steps = options.max_steps or options.epochs * setup.plan.steps_per_epoch
        self.save_steps = options.save_steps or setup.plan.steps_per_epoch
        self.objective = parse_objective(options.loss, options.loss_masking, options.anchors)
        self.factor = schedule(options.schedule, options.warmup_steps, self.steps)
        self.step, self.elapsed = 0, 0.0
        self.checkpoint: Path | None = None
        self.metrics: dict[str, Any] = {}
        optimiser = make_optimiser(self.trainee, options.optimizer, options.lr, options.weight_decay)
        if resumed is not None:
            self.step, self.elapsed = resumed.step, float(resumed.state()["seconds"])
            self.checkpoint, self.metrics = resumed.folder, resumed.metrics()
            if self.step > self.steps:
                raise UsageError(f"{count(self.step, 'step')} done, and only {self.steps:,} asked for")
            tensors = resumed.tensors()
            self.trainee.load_trained(tensors["trained"])
            optimiser.load_state_dict(tensors["optimiser"])
            if accelerator.scaler is not None:
                accelerator.scaler.load_state_dict(tensors["scaler"])
        self.model, self.optimiser = accelerator.prepare(self.trainee, optimiser)
        if accelerator.is_main_process:
            write_record(setup, self.steps)
            checkpoints.clear_leftovers(options.output)
            # The run before may not have come so far.
            checkpoints.thin_out(options.output, self.step, options.keep)
        self.journal = Journal(options, accelerator, self.step, self.steps, bar)
        self.pending: list[torch.Tensor] = []
        self.names: list[str] = []
        self.clock = self.since = time.perf_counter()
        self.pictures = 0

    def go(self) -> TrainResult:
        """Do the steps that are left."""
        try:
            with stop_requests() as stop:
                interrupted = self._steps(stop)
        finally:
            self.journal.close()
        assert self.checkpoint is not None
        return TrainResult(
            self.options.output, self.step, self.steps, self.checkpoint, self.metrics, interrupted
        )

    def _steps(self, stop: threading.Event) -> bool:
        """All steps that are left; returns whether it was asked to stop before the last."""
        if self.step == 0:
            self._evaluate()
        batches = load(self.setup.rows, self.setup.plan, self.step, self.steps, self.options.workers, collate)
        self.model.train()
        while self.step < self.steps:
            self._step(batches)
            due = self.step % self.save_steps == 0 or self.step == self.steps
            if due or len(self.pending) == _FETCH:
                self._write_down()
            if due:
                if not all(weight.isfinite().all() for weight in self.trainee.trained().values()):
                    raise self._diverged("the weights are not finite", self.step)
                self._evaluate()
                self._save()
            if self.step < self.steps and self._asked(stop):
                if not due:
                    self._write_down()
                    self.metrics = {}
                    self._save()
                return True
        return False

    def _step(self, batches: Iterator[Batch]) -> None:
        """One optimiser step."""
        options, accelerator = self.options, self.accelerator
        rate = options.lr * self.factor(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # Whatever the model draws (dropout) follows from here, so no generator's state needs to be kept.
        torch.manual_seed(_mixed(options.seed, self.step, accelerator.process_index))
        values, norm = torch.zeros(()), torch.zeros(())
        for _ in range(options.gradient_accumulation):
            batch = next(batches)
            pixels = batch["pixels"].to(accelerator.device, non_blocking=True)
            valid = batch["valid"].to(accelerator.device, non_blocking=True)
            with accelerator.accumulate(self.model):
                loss, losses = self.objective(self.model(pixels), valid)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    trained = self.trainee.trained().values()
                    norm = accelerator.clip_grad_norm_(trained, options.clip_norm or math.inf)
                self.optimiser.step()
                self.optimiser.zero_grad()
            self.names = ["loss", *losses, "gradient_norm"]
            values = values.to(loss.device) + torch.stack([loss.detach(), *losses.values()])
            self.pictures += valid.numel() * accelerator.num_processes
        self.pending.append(torch.cat([values / options.gradient_accumulation, norm.reshape(1)]))
        self.step += 1

    def _write_down(self) -> None:
        """Fetch the numbers of the steps since the last time, and record them."""
        if not self.pending:
            return
        rows = self.accelerator.reduce(torch.stack(self.pending), reduction="mean").tolist()
        self.pending = []
        lines = []
        for step, row in enumerate(rows, self.step - len(rows) + 1):
            epoch = (step - 1) // self.setup.plan.steps_per_epoch
            rate = self.options.lr * self.factor(step - 1)
            values = dict(zip(self.names, row, strict=True))
            lines.append({"step": step, "epoch": epoch, "lr": rate, **values})
            if not math.isfinite(values["loss"]):
                self.journal.steps(lines[:-1], 0)
                raise self._diverged(f"the loss is {values['loss']}", step)
        now = time.perf_counter()
        self.journal.steps(lines, self.pictures / max(now - self.since, 1e-9))
        self._restart_clock()

    def _evaluate(self) -> None:
        """Measure SSR and PA on the validation rows."""
        self.metrics, validation = {}, self.setup.validation
        begun = time.perf_counter()
        if validation is not None:
            share = self.options.batch_size // self.accelerator.num_processes
            self.model.eval()
            self.metrics = evaluate(self.accelerator, self.trainee, validation, share, self.options.workers)
            self.model.train()
        timing = {"seconds": self._seconds(), "evaluation_seconds": time.perf_counter() - begun}
        self.journal.evaluation(self.step, self.metrics, timing)
        self._restart_clock()

    def _save(self) -> None:
        """Write a checkpoint."""
        output, scaler = self.options.output, self.accelerator.scaler
        if self.accelerator.is_main_process:
            checkpoints.save(
                output,
                self.step,
                write_model=lambda folder: self.trainee.save(folder, self.metrics),
                tensors={
                    "trained": {name: weight.detach() for name, weight in self.trainee.trained().items()},
                    "optimiser": self.optimiser.state_dict(),
                    "scaler": scaler.state_dict() if scaler is not None else {},
                },
                state={
                    "options": self.options.as_json(),
                    "data": self.setup.fingerprint,
                    "seconds": self._seconds(),
                },
                metrics=self.metrics,
            )
            checkpoints.thin_out(output, self.step, self.options.keep)
        self.accelerator.wait_for_everyone()
        self.checkpoint = checkpoints.folder(output, self.step)
        self._restart_clock()

    def _diverged(self, what: str, step: int) -> InputError:
        """What to raise when numbers have left the finite."""
        saved = f"{printable(self.checkpoint)} is whole" if self.checkpoint else "nothing is saved yet"
        return InputError(
            f"{what} at step {step:,}: try a lower --lr, a longer --warmup-steps or --mixed-precision no; {saved}"
        )

    def _asked(self, stop: threading.Event) -> bool:
        """Whether any process was asked to stop; several ask each other only when they talk anyhow."""
        if self.accelerator.num_processes == 1:
            return stop.is_set()
        if self.pending:
            return False
        asked = torch.tensor([float(stop.is_set())], device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, reduction="sum").item())

    def _restart_clock(self) -> None:
        """Measure the speed of steps from here: evaluations and checkpoints take time too."""
        self.since, self.pictures = time.perf_counter(), 0

    def _seconds(self) -> float:
        """How long all sessions of this run have taken."""
        return self.elapsed + time.perf_counter() - self.clock


def _mixed(*numbers: int) -> int:
    """One seed of several numbers."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
