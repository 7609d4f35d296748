"""What trackers kept, read back with their own packages."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image


@dataclass
class Kept:
    """What is in one run.

    Attributes:
        scalars: by name every (step, value).
        config, summary: by name.
        tables: by name the columns and the rows.
        pictures: by name the caption, which TensorBoard has in the text `result/captions`.
        files: by name their bytes.
        name, project: of the run.
    """

    scalars: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, tuple[list[str], list[list[Any]]]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    project: str = ""

    def number(self, name: str) -> float:
        """The only value of a scalar."""
        ((_, value),) = self.scalars[name]
        return value


def wandb_runs(folder: Path) -> list[Kept]:
    """The offline runs below a folder, from their files and W&B's own messages."""
    return [_wandb(run) for run in sorted(folder.glob("wandb/offline-run-*"))]


def _wandb(run: Path) -> Kept:
    from wandb.proto.wandb_internal_pb2 import Record

    kept = Kept()
    (log,) = run.glob("run-*.wandb")
    for data in _wandb_records(log.read_bytes()):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            kept.name, kept.project = record.run.display_name, record.run.project
            kept.config |= {_key(one): json.loads(one.value_json) for one in record.run.config.update}
        elif kind == "config":
            kept.config |= {_key(one): json.loads(one.value_json) for one in record.config.update}
        elif kind == "summary":
            kept.summary |= {_key(one): json.loads(one.value_json) for one in record.summary.update}
        elif kind == "history":
            row: dict[str, Any] = {}
            for one in record.history.item:
                name, *inner = one.nested_key or [one.key]
                value = json.loads(one.value_json)
                if inner:
                    row.setdefault(name, {})[".".join(inner)] = value
                else:
                    row[name] = value
            for name, value in row.items():
                if isinstance(value, dict) and value["_type"] == "table-file":
                    table = json.loads((run / "files" / value["path"]).read_text())
                    kept.tables[name] = table["columns"], table["data"]
                elif isinstance(value, dict) and value["_type"] == "image-file":
                    assert (run / "files" / value["path"]).is_file()
                    kept.pictures[name] = value["caption"]
                elif not name.startswith("_") and name != "nearid_step":
                    kept.scalars.setdefault(name, []).append((row.get("nearid_step", 0), value))
        elif kind == "artifact" and record.artifact.type == "nearid-result":
            for entry in record.artifact.manifest.contents:
                kept.files[entry.path] = Path(entry.local_path).read_bytes()
        elif kind == "request" and record.request.HasField("log_artifact"):
            artifact = record.request.log_artifact.artifact
            for entry in artifact.manifest.contents:
                kept.files[entry.path] = Path(entry.local_path).read_bytes()
    return kept


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _wandb_records(data: bytes) -> Iterator[bytes]:
    """Records of a log in LevelDB's format, which W&B writes: blocks of 32 KiB with pieces of records."""
    block, whole, place = 32768, b"", 7  # behind W&B's own header
    while place + 7 <= len(data):
        left = block - place % block
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield whole
            whole = b""


def event_folder(folder: Path) -> Kept:
    """A run of TensorBoard, by its own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    kept = Kept(name=folder.name)
    for name in tags["scalars"]:
        kept.scalars[name] = [(one.step, one.value) for one in events.Scalars(name)]
    for name in tags["tensors"]:
        strings = events.Tensors(name)[-1].tensor_proto.string_val
        about = events.SummaryMetadata(name)
        if about.plugin_data.plugin_name == "images":
            kept.pictures[name] = ""
            width, height, content = strings
            assert Image.open(BytesIO(content)).size == (int(width), int(height))
        else:
            assert about.plugin_data.plugin_name == "text"
            kept.summary[name] = strings[0].decode()
    kept.files = {one.name: one.read_bytes() for one in folder.glob("*.*") if "tfevents" not in one.name}
    return kept


def mlflow_runs(uri: str, experiment: str = "nearid") -> list[Kept]:
    """The runs of an experiment, the oldest first."""
    from mlflow import MlflowClient

    with warnings.catch_warnings():  # of its own use of SQLAlchemy
        warnings.simplefilter("ignore", DeprecationWarning)
        return _mlflow(MlflowClient(tracking_uri=uri), experiment)


def _mlflow(client: Any, experiment: str) -> list[Kept]:
    there = client.get_experiment_by_name(experiment)
    assert there is not None, [one.name for one in client.search_experiments()]
    runs = client.search_runs([there.experiment_id], order_by=["attributes.start_time ASC"])
    found = []
    for run in runs:
        kept = Kept(config=dict(run.data.params), summary=dict(run.data.tags), name=run.info.run_name)
        kept.summary["status"] = run.info.status
        for name in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, name)
            kept.scalars[name] = [(one.step, one.value) for one in history]
        root = Path(client.download_artifacts(run.info.run_id, ""))
        kept.files = {
            path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
        }
        found.append(kept)
    return found


def trackio_runs(project: str) -> list[Kept]:
    """The runs of a project in TRACKIO_DIR."""
    from trackio.sqlite_storage import SQLiteStorage

    found = []
    for run in SQLiteStorage.get_run_records(project):
        kept = Kept(name=run["name"], project=project)
        kept.config = SQLiteStorage.get_run_config(project, run["name"], run_id=run["id"]) or {}
        for row in SQLiteStorage.get_logs(project, run["name"], run_id=run["id"]):
            for name, value in row.items():
                if isinstance(value, dict) and value.get("_type") == "trackio.table":
                    rows = value["_value"]
                    kept.tables[name] = list(rows[0]), [list(one.values()) for one in rows]
                elif isinstance(value, dict) and value.get("_type") == "trackio.image":
                    kept.pictures[name] = value["caption"]
                elif name not in ("step", "timestamp"):
                    kept.scalars.setdefault(name, []).append((row["step"], value))
        found.append(kept)
    return found
