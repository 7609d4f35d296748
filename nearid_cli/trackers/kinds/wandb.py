"""Weights & Biases: a run of a project, online or offline as WANDB_MODE says, or the run that a program has open."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import TrackingError
from nearid_cli.opening import read_regular
from nearid_cli.trackers.base import Tracker, discreet

if TYPE_CHECKING:
    from nearid_cli.trackers.record import LoggedResult

_STEP = "nearid_step"
"""W&B's own step only rises, and is one for all that a program logs: numbers are drawn over this one instead."""

_ENDED = '"stream: all finished"'
_PATIENCE = 100
"""So often that is looked for, 20 times a second: W&B closes its files a moment after a run has finished."""

_QUIET = {
    "silent": True,
    "console": "off",  # what we print is not theirs
    "disable_git": True,
    "disable_code": True,
    "x_disable_meta": True,  # the command line, which may name what is private
    "x_disable_stats": True,
    "x_disable_machine_info": True,
}
"""Settings of a run of our own: nothing of the machine goes along."""


class WeightsAndBiases(Tracker):
    """Scalars in charts, tables and pictures as W&B's own, the report and the result as an artifact."""

    name = "wandb"
    place = "[ENTITY/]PROJECT"

    def reach(self, package: Any) -> None:
        """A key is there, and the server knows it; nothing is asked where no server is meant."""
        if package.setup().settings.mode in ("offline", "disabled", "dryrun"):
            return
        joined = package.run is not None and self.where is None
        if not joined and not package.login(prompt=False, verify=True):
            raise TrackingError(
                "cannot log to wandb: no API key; run `wandb login` or set WANDB_API_KEY, or log to this machine "
                "with WANDB_MODE=offline"
            )

    def keep(self, package: Any, record: LoggedResult) -> str:
        """To the run that is open, which stays open, or to one of its own."""
        if package.run is not None and self.where is None:
            _log(package, package.run, record)
            return _place(package.run)
        settings = package.setup().settings
        entity, _, project = (self.where or settings.project or self.project).rpartition("/")
        run = package.init(
            entity=entity or None,
            project=project,
            name=settings.run_name or record.title,
            job_type="nearid",
            reinit="create_new",
            settings=package.Settings(**_QUIET),
        )
        try:
            _log(package, run, record)
            place = _place(run)
        except BaseException:
            run.finish(exit_code=1)
            raise
        run.finish()
        if lost := _lost(Path(run.settings.log_internal)):
            raise TrackingError(f"cannot log all of it to wandb: {discreet(lost)}")
        return place


def _log(package: Any, run: Any, record: LoggedResult) -> None:
    from nearid_cli.trackers.record import columns

    run.config.update(dict(record.config), allow_val_change=True)
    if any(step is not None for step in record.steps):
        run.define_metric(_STEP, hidden=True)
        for chart in {name.partition("/")[0] for scalars in record.steps.values() for name in scalars}:
            run.define_metric(f"{chart}/*", step_metric=_STEP)
    shown = {one.name: package.Image(one.image, caption=one.caption) for one in record.pictures}
    for name, table in record.tables.items():
        stored = columns(table)
        rows = list(zip(*stored.values(), strict=True))
        shown[f"result/{name} table"] = package.Table(columns=[*stored], data=rows)
    for step, scalars in record.steps.items():
        here = shown if step == record.own_step else {}
        row = {**scalars, **here, **({} if step is None else {_STEP: step})}
        # A log without a step ends W&B's own step, and what a program then logs at that step would be lost.
        run.log(row, step=step if step is not None and step >= run.step else None)
    run.summary.update(dict(record.tags))
    artifact = package.Artifact(f"nearid-{record.kind.replace(' ', '-')}", "nearid-result")
    for name, content in record.files.items():
        with artifact.new_file(name, mode="xb") as file:
            file.write(content)
    run.log_artifact(artifact)


def _lost(log: Path) -> str:
    """What W&B's own process could not write or send. It goes on then, and says so in its log alone."""
    if not log.is_file():
        return ""
    for _ in range(_PATIENCE):
        lines = read_regular(log).decode(errors="replace").splitlines()
        if any(_ENDED in line for line in lines):
            break
        time.sleep(0.05)
    return next((f"{json.loads(line)['msg']}" for line in lines if '"level":"ERROR"' in line), "")


def _place(run: Any) -> str:
    """Where a run is, for people."""
    if run.disabled:
        return "nowhere, since WANDB_MODE is disabled"
    return f"{run.settings.sync_dir} (wandb sync)" if run.offline else f"{run.url}"
