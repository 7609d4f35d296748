"""MLflow: a run of an experiment, on a server or on this machine, or the run that a program has open."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.trackers.base import Tracker, discreet

if TYPE_CHECKING:
    from nearid_cli.trackers.record import LoggedResult

_AT_A_TIME = {"metrics": 1000, "params": 100, "tags": 100}
"""So many of them MLflow takes in one request."""

_HASTE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""For the question whether a server is there; MLflow itself would ask it for minutes."""


class Mlflow(Tracker):
    """Scalars as metrics, what made them as parameters, everything else as artifacts below `result/`."""

    name = "mlflow"
    place = "a tracking URI"

    def reach(self, package: Any) -> None:
        """The server answers, or the folder or database on this machine opens."""
        with _environment(_HASTE):
            self._client(package).search_experiments(max_results=1)

    def keep(self, package: Any, record: LoggedResult) -> str:
        """To the run that is open or that MLFLOW_RUN_ID names, which stays open, or to one of its own."""
        client = self._client(package)
        active = None if self.where else package.active_run()
        joined = active.info.run_id if active else os.environ.get("MLFLOW_RUN_ID")
        if joined:
            # A parameter has one value for ever, and another result may be logged to this run.
            _log(package, client, joined, record, {}, {**record.config, **record.tags})
            return _place(client, client.get_run(joined))
        name = os.environ.get("MLFLOW_RUN_NAME") or record.title
        run = client.create_run(self._experiment(package, client), run_name=name)
        try:
            _log(package, client, run.info.run_id, record, record.config, record.tags)
        except BaseException:
            client.set_terminated(run.info.run_id, "FAILED")
            raise
        client.set_terminated(run.info.run_id)
        return _place(client, run)

    def _client(self, package: Any) -> Any:
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table of a new database
        logging.getLogger("alembic").setLevel(logging.WARNING)
        uri = self.where or package.get_tracking_uri()
        with _alone(uri):
            return package.MlflowClient(tracking_uri=uri)

    def _experiment(self, package: Any, client: Any) -> str:
        """The experiment that the environment names, or ours, made where it is not there."""
        if found := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return found
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.project
        there = client.get_experiment_by_name(name)
        if there is None:
            try:
                return f"{client.create_experiment(name)}"
            except package.MlflowException:  # another process was faster
                there = client.get_experiment_by_name(name)
                if there is None:
                    raise
        return f"{there.experiment_id}"


def _log(
    package: Any,
    client: Any,
    run: str,
    record: LoggedResult,
    params: Mapping[str, str | int],
    tags: Mapping[str, str | int],
) -> None:
    from tempfile import TemporaryDirectory

    now = int(time.time() * 1000)
    entities = package.entities
    made = {
        "params": (entities.Param(name, str(value)) for name, value in params.items()),
        "tags": (entities.RunTag(name, str(value)) for name, value in tags.items()),
        "metrics": (
            entities.Metric(name, value, now, step or 0)
            for step, scalars in record.steps.items()
            for name, value in scalars.items()
        ),
    }
    for kind, every in made.items():
        while some := list(islice(every, _AT_A_TIME[kind])):
            client.log_batch(run, **{kind: some})
    step = record.own_step
    with TemporaryDirectory() as folder:
        for name, content in record.files.items():
            Path(folder, name).write_bytes(content)
        captions = []
        for picture in record.pictures:
            path = Path(folder, f"{picture.name.removeprefix('result/')}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture.png)
            captions.append(f"{path.relative_to(folder)}  {picture.caption}\n")
        Path(folder, "pictures.txt").write_text("".join(captions), encoding="utf-8")
        client.log_artifacts(run, folder, "result" if step is None else f"result/step-{step}")


def _place(client: Any, run: Any) -> str:
    """Where a run is, for people."""
    server, info = client.tracking_uri, run.info
    if server.startswith("http"):
        return discreet(f"{server.rstrip('/')}/#/experiments/{info.experiment_id}/runs/{info.run_id}")
    return discreet(f"{server}, run {info.run_name} ({info.run_id})")


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """One process at a time: two that make the tables of a new database together leave it broken."""
    if not uri.startswith("sqlite:"):
        yield
        return
    from hashlib import sha256  # help names the trackers, and so imports this module
    from tempfile import gettempdir

    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # exported lazily

    name = f"nearid-{sha256(uri.encode()).hexdigest()[:16]}.lock"
    with WeakFileLock(Path(gettempdir(), name)):
        yield


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that are set for a while unless the user has set them."""
    ours = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
