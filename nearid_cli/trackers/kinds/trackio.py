"""Trackio: a run of a project on this machine, in a Space of the Hub or on a server, as TRACKIO_* variables say."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import TrackingError
from nearid_cli.text import few
from nearid_cli.trackers.base import Tracker, discreet

if TYPE_CHECKING:
    from nearid_cli.trackers.record import LoggedResult


class Trackio(Tracker):
    """Scalars, tables and pictures as Trackio's own, the report and the result as an artifact."""

    name = "trackio"
    place = "a project"

    def reach(self, package: Any) -> None:
        """The folder takes files, and a server answers. A Space is asked when a run begins."""
        if self.where and _open_run() is not None:
            raise TrackingError(
                "cannot log to trackio: a run is open, which another one would end; log to it, without a place, or "
                "finish it first"
            )
        package.TRACKIO_DIR.mkdir(parents=True, exist_ok=True)
        from tempfile import TemporaryFile

        with TemporaryFile(dir=package.TRACKIO_DIR):
            pass
        server = os.environ.get("TRACKIO_SERVER_URL")
        if server and not os.environ.get("TRACKIO_SPACE_ID"):
            from urllib.error import HTTPError
            from urllib.request import urlopen

            with contextlib.suppress(HTTPError):  # that is an answer, too
                urlopen(server, timeout=10).close()

    def keep(self, package: Any, record: LoggedResult) -> str:
        """To the run that is open, which stays open, or to one of its own."""
        joined = _open_run()
        # What Trackio could not do it says as a warning, and goes on. What it prints we say ourselves.
        with warnings.catch_warnings(record=True) as failures, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            run = joined or self._begun(package, record)
            try:
                _log(package, run, record)
            finally:
                if joined is None:
                    package.finish()
        if failures:
            said = few([discreet(f"{one.message}") for one in failures])
            raise TrackingError(f"cannot log all of it to trackio: {said}")
        return f"project {run.project}, run {run.name}"

    def _begun(self, package: Any, record: LoggedResult) -> Any:
        return package.init(
            project=self.where or self.project,
            name=record.title,
            config={**record.config, **record.tags},
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )


def _open_run() -> Any:
    """The run that a program has open, or None."""
    from trackio import context_vars

    return context_vars.current_run.get()


def _log(package: Any, run: Any, record: LoggedResult) -> None:
    from nearid_cli.trackers.record import columns

    shown = {one.name: package.Image(one.image, caption=one.caption) for one in record.pictures}
    for name, table in record.tables.items():
        stored = columns(table)
        rows = [[*row] for row in zip(*stored.values(), strict=True)]
        shown[f"result/{name} table"] = package.Table(columns=[*stored], data=rows)
    for step, scalars in record.steps.items():
        run.log({**scalars, **(shown if step == record.own_step else {})}, step=step)
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        for name, content in record.files.items():
            Path(folder, name).write_bytes(content)
        artifact = package.Artifact(f"nearid-{record.kind.replace(' ', '-')}", "nearid-result")
        artifact.add_dir(folder)
        run.log_artifact(artifact)
