"""What is logged of a result: made once, and the same for every tracker."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.reports.formats.base import FORMATS
from nearid_cli.reports.formats.data import to_csv
from nearid_cli.reports.scalars import common_step
from nearid_cli.text import printable, storable
from nearid_cli.trackers.names import part, spelled

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.reports.blocks import Document
    from nearid_cli.reports.table import Table
    from nearid_cli.results import GateResult, ScoreResult

logger = logging.getLogger(__name__)

WORST = 8
"""So many of the worst generations of each method are logged as pictures."""

_SIDE = 512  # pixels of the longest side of these


@dataclass(frozen=True)
class LoggedPicture:
    """One of the worst generations.

    Attributes:
        name: by its place among them, such as `result/worst/1`, so that a picture takes the place of the one before it.
        caption: its path and its scores.
        image: RGB, the longest side at most 512 px.
    """

    name: str
    caption: str
    image: Image.Image

    @property
    def png(self) -> bytes:
        """The picture as a PNG file."""
        encoded = BytesIO()
        self.image.save(encoded, "PNG")
        return encoded.getvalue()


def columns(table: Table) -> dict[str, list[Any]]:
    """What data files hold of a table, by name; None for a number that does not exist."""
    return {
        storable(name): [storable(cell) if isinstance(cell, str) else cell for cell in cells]
        for name, _, cells in table.stored()
    }


@dataclass(frozen=True)
class LoggedResult:
    """All that is logged of one result.

    Attributes:
        document: of the result.
        step: of a training; None for that of the result, where all of its generations have one.
    """

    document: Document
    step: int | None = None

    @property
    def title(self) -> str:
        """What a run is called that has no name: the kind of result, and what it is of."""
        return " ".join(filter(None, [self.kind, printable(self._subject())]))

    def prepare(self) -> None:
        """Make what takes time, or might fail."""
        _ = self.steps, self.pictures, self.files

    @property
    def slug(self) -> str:
        """The title as part of a file's name."""
        return part(self.title).replace(" ", "-")

    @property
    def kind(self) -> str:
        """Which command makes such results: `score`, `compare`, `gate`, `bench mtg`."""
        schema: str = self.document.result.schema
        return schema.partition("/")[0].removeprefix("nearid.").replace(".", " ")

    @cached_property
    def steps(self) -> Mapping[int | None, Mapping[str, float]]:
        """The scalars by step and name; those that belong to none stand at None."""
        judged = self.document.judged
        found = [*self.document.scalars(), *(judged.scalars() if judged else ())]
        numbers: dict[tuple[tuple[str, ...], int | None], float] = {}
        for one in found:
            *above, last = path = one.path
            for further in count(2):
                # Two rules of a gate may judge one number, which is one; two numbers of one name are two.
                if numbers.setdefault((path, one.step), one.value) == one.value:
                    break
                path = (*above, f"{last} {further}")
        paths = list(dict.fromkeys(path for path, _ in numbers))
        names = dict(zip(paths, spelled(paths), strict=True))
        own = self.own_step
        made: dict[int | None, dict[str, float]] = {}
        for (path, step), value in numbers.items():
            made.setdefault(own if step is None else step, {})[names[path]] = value
        return made

    @cached_property
    def config(self) -> Mapping[str, str | int]:
        """What made the numbers, flat: tool, metrics with their fingerprints, and what was scored."""
        result = self.document.result
        made = {"command": self.kind, "version": result.tool.version, "schema": result.schema}
        for metric in getattr(result, "metrics", ()):
            for field in fields(metric):
                if isinstance(value := getattr(metric, field.name), str) and value and field.name != "name":
                    made[f"metrics/{part(metric.name)}/{field.name}"] = storable(value)
        for method, run in self._runs.items():
            place = "inputs" if method is None else f"inputs/{part(method)}"
            for name in ("references", "generations", "distractors", "layout"):
                if value := getattr(run.inputs, name):
                    made[f"{place}/{name}"] = storable(value)
        return {f"nearid/{name}": value for name, value in made.items()}

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """When the result was made, the verdict of a gate, and which checkpoint of a training to take."""
        found = {"nearid/created": self.document.result.created}
        if answers := [curve.answer for curve in getattr(self.document.result, "curves", ()) if curve.answer]:
            found["nearid/answer"] = printable("; ".join(answers))
        if (gate := self._gate()) is not None:
            found["nearid/gate"] = "passed" if gate.passed else "failed"
        return found

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables of the result by name: the first is that of `-o FILE.csv`."""
        judged = self.document.judged
        found = [*(self.document.tables or [self.document.table]), *([judged.table] if judged else [])]
        return {part(table.label.removeprefix("nearid-")): table for table in found}

    @cached_property
    def pictures(self) -> Sequence[LoggedPicture]:
        """The worst generations by the first metric, of each method, that are files; those that are gone are named."""
        return list(self._pictures())

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The report, the whole result, and every table, as `-o` writes them."""
        made = {
            "report.html": FORMATS[".html"].render(self.document),
            "result.json": FORMATS[".json"].render(self.document),
            **{f"{name}.csv": to_csv(table) for name, table in self.tables.items()},
        }
        return {name: one if isinstance(one, bytes) else one.encode() for name, one in made.items()}

    @property
    def _runs(self) -> Mapping[str | None, ScoreResult]:
        runs: Mapping[str | None, ScoreResult] = getattr(self.document.result, "runs", {})
        return runs

    def _subject(self) -> str:
        result = self.document.result
        if self.document.kind == "score":
            return Path(result.inputs.generations).name
        return Path(result.run).name if self.document.kind == "gate" else ""

    @cached_property
    def own_step(self) -> int | None:
        """The step of the result itself; None for one that is of no step, or of several."""
        if self.step is not None:
            return self.step
        steps = {common_step(run) for run in self._runs.values()}
        return steps.pop() if len(steps) == 1 else None

    def _gate(self) -> GateResult | None:
        judged = self.document if self.document.kind == "gate" else self.document.judged
        gate: GateResult | None = None if judged is None else judged.result
        return gate

    def _pictures(self) -> Iterator[LoggedPicture]:
        from nearid_cli.images.decode import UnreadableImage, decode
        from nearid_cli.reports.gauge import gauges
        from nearid_cli.reports.locations import generation_file
        from nearid_cli.reports.order import worst_images
        from nearid_cli.results.score import is_in_memory

        for method, run in self._runs.items():
            shown = gauges(run)
            own = "result/worst" if method is None else f"result/worst/{part(method)}"
            files = (image for image in worst_images(run, WORST) if not is_in_memory(image.path))
            for place, image in enumerate(files, start=1):
                try:
                    picture = decode(generation_file(run, image.path), at_least=_SIDE)
                except (UnreadableImage, OSError, MemoryError) as error:
                    logger.warning("not logged as a picture: %s: %s", printable(image.path), error)
                    continue
                picture.thumbnail((_SIDE, _SIDE))
                scores = [f"{name} {one.score.say(image.scores[name])}" for name, one in shown.items()]
                caption = f"{printable(image.path)}: {printable(', '.join(scores))}"
                yield LoggedPicture(f"{own}/{place}", caption, picture)
