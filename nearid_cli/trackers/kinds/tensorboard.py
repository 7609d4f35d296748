"""TensorBoard: an event file in a folder, written with TensorBoard's own package and without TensorFlow or torch.

Scalars are float32 there, as TensorBoard's always are; the files beside the event file have all digits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.files import replace_file
from nearid_cli.trackers.base import Tracker

if TYPE_CHECKING:
    from nearid_cli.trackers.record import LoggedPicture, LoggedResult

_RUNS = Path("runs")


class TensorBoard(Tracker):
    """A run is a folder: `PLACE`, or a new one in `runs/`."""

    name = "tensorboard"
    place = "the folder of a run"

    def reach(self, package: Any) -> None:
        """The folder, or the first one above it that is there, takes files."""
        folder = (Path(self.where) if self.where else _RUNS).absolute()
        there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(f"no permission to write into {there}")

    def keep(self, package: Any, record: LoggedResult) -> str:
        """One event file, with the report and the result beside it."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = self._folder(record)
        writer = EventFileWriter(str(folder))
        try:
            for event in _events(record):
                writer.add_event(event)
            writer.flush()
        finally:
            writer.close()
        beside = folder if record.own_step is None else folder / f"step-{record.own_step}"
        beside.mkdir(exist_ok=True)
        for name, content in record.files.items():
            replace_file(beside / name, content)
        return f"{folder} (tensorboard --logdir {folder.parent})"

    def _folder(self, record: LoggedResult) -> Path:
        """The folder of the run, made; what is in it stays."""
        if self.where is not None:
            folder = Path(self.where)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        _RUNS.mkdir(exist_ok=True)
        name = f"{time.strftime('%Y-%m-%d-%H-%M-%S')}-{record.slug}"
        for further in range(1, 1000):  # two that begin in one second are two
            folder = _RUNS / (name if further == 1 else f"{name}-{further}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
        raise FileExistsError(f"{_RUNS / name} and 998 like it")


def _events(record: LoggedResult) -> Iterator[Any]:
    """The scalars of every step; tables, pictures, and what made the numbers at that of the result."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    from nearid_cli.reports.formats.markdown import table_piece

    def event(step: int | None, values: Iterable[Any]) -> Any:
        return Event(wall_time=time.time(), step=step or 0, summary=Summary(value=values))

    for step, scalars in record.steps.items():
        yield event(step, (Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()))
    texts = {
        f"{name} table": "\n".join(table_piece(0, table).lines(table.size))
        for name, table in record.tables.items()
    }
    texts["made by"] = _facts({**record.config, **record.tags})
    if record.pictures:
        texts["captions"] = _facts({one.name: one.caption for one in record.pictures})
    yield event(record.own_step, (_text(f"result/{name}", text) for name, text in texts.items()))
    for picture in record.pictures:
        yield event(record.own_step, [_picture(picture)])


def _text(tag: str, text: str) -> Any:
    """A text of Markdown."""
    from tensorboard.plugins.text.metadata import create_summary_metadata

    return _strings(tag, create_summary_metadata(display_name="", description=""), [text.encode()])


def _picture(picture: LoggedPicture) -> Any:
    """A picture. TensorBoard keeps one description for all steps of a tag, so captions are texts."""
    from tensorboard.plugins.image.metadata import create_summary_metadata

    sides = (f"{side}".encode() for side in picture.image.size)
    metadata = create_summary_metadata(display_name="", description="")
    return _strings(picture.name, metadata, [*sides, picture.png])


def _strings(tag: str, metadata: Any, strings: Sequence[bytes]) -> Any:
    """A string, or a tensor of several, which is how TensorBoard holds texts and pictures."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(strings))] if len(strings) > 1 else [])
    tensor = TensorProto(dtype=DT_STRING, string_val=strings, tensor_shape=shape)
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def _facts(facts: Mapping[str, Any]) -> str:
    """Names and values as a table in Markdown."""
    rows = (f"| {_escaped(name)} | {_escaped(value)} |" for name, value in facts.items())
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _escaped(text: Any) -> str:
    from nearid_cli.reports.formats.markdown import escape

    return escape(f"{text}").replace("|", "\\|")
