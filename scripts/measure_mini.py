"""SSR and PA of encoders on held-out identities: rendered ones, and cut-outs of real photographs.

    python scripts/measure_mini.py --data DIR --metric nearid-mini --metric hog [--json FILE]

Prints the tables of docs/explanation/nearid-mini.md. Test sets are kept in DIR: a set that is there is used as it is.
Embedded by the product's own encoders, computed by `nearid_cli.metrics.margins`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from photograph_cutouts import KINDS as LOOK_ALIKES
from photograph_cutouts import write_cutouts

import nearid_cli
from nearid_cli.evaluate.embedding import Job, refuse_bad, requested
from nearid_cli.metrics.margins import Success, sample_margins, success
from nearid_cli.options import Options
from nearid_cli.synth.sample import CATEGORIES, DIFFICULTIES, KINDS, SynthOptions
from nearid_cli.synth.writing import write_identities

SEEN, UNSEEN = CATEGORIES[:8], CATEGORIES[8:]
"""The families that nearid-mini was trained on, and those that it never saw."""

# Seeds of the test sets. Nothing is ever trained on them.
RENDERED = {
    "easy, seen families": SynthOptions(difficulty="easy", categories=SEEN, seed=900_001),
    "easy, unseen families": SynthOptions(difficulty="easy", categories=UNSEEN, seed=900_002),
    "mixed, seen families": SynthOptions(difficulty="mixed", categories=SEEN, seed=900_003),
}


@dataclass(frozen=True)
class Sample:
    """Three views, their distractors, and what was changed."""

    views: tuple[Path, ...]
    distractors: tuple[Path, ...]
    difficulty: str
    kinds: str


@dataclass(frozen=True)
class Figure:
    """One metric on one test."""

    test: str
    metric: str
    result: Success


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sets that are not there, embed them, print the tables."""
    asked = _parser().parse_args(arguments)
    options = Options(metrics=asked.metric, cache=asked.data / "cache", progress=sys.stderr.isatty())
    figures: list[Figure] = []
    for name, rendered in RENDERED.items():
        rendered = replace(rendered, size=asked.size)
        folder = asked.data / f"{name.replace(', ', '-').replace(' ', '-')}-{asked.identities}-{asked.size}px"
        if not folder.exists():
            write_identities(rendered, folder, range(asked.identities), workers=asked.workers)
        figures += measure(name, _read(folder), options, parts=rendered.difficulty == "mixed")
    folder = asked.data / f"photographs-{asked.identities}-{asked.size}px"
    if not folder.exists():
        write_cutouts(folder, asked.size, asked.identities)
    cutouts = _read(folder)
    for kind in LOOK_ALIKES:
        chosen = [sample for sample in cutouts if sample.kinds == kind]
        figures += measure(f"photographs, {kind}", chosen, options)
    print(markdown(figures))
    if asked.json:
        rows = [{"test": each.test, "metric": each.metric, **asdict(each.result)} for each in figures]
        text = json.dumps(
            {"nearid-cli": nearid_cli.__version__, "size": asked.size, "figures": rows}, indent=2
        )
        asked.json.write_text(text + "\n", encoding="utf-8")


def measure(test: str, samples: Sequence[Sample], options: Options, parts: bool = False) -> Iterator[Figure]:
    """The figures of every metric on a set of samples, and with `parts` on those of each level and kind of change."""
    pictures = [path for sample in samples for path in (*sample.views, *sample.distractors)]
    job = Job(options)
    specs = job.resolve(requested(options))
    embedded = job.embed(pictures, specs)
    refuse_bad(embedded.bad, len(embedded.digests), "delete the set, it is made again")
    digests = [digest for digest in embedded.digests if digest is not None]
    there = np.ones((len(samples), 3), dtype=bool)
    groups = [(test, np.ones(len(samples), dtype=bool)), *(_groups(test, samples) if parts else ())]
    margins = {}
    for spec in specs:
        vectors = np.asarray(embedded.matrix(spec.name, digests)[:]).reshape(len(samples), 6, -1)
        margins[spec.name] = sample_margins(vectors[:, :3], vectors[:, 3:], there, there)
    for name, chosen in groups:
        for metric, values in margins.items():
            yield Figure(name, metric, success(values[chosen]))


def _groups(test: str, samples: Sequence[Sample]) -> Iterator[tuple[str, np.ndarray]]:
    """Each level, and within those that change one thing each kind, as (name, bool [N])."""
    for level in DIFFICULTIES:
        of_level = np.array([sample.difficulty == level for sample in samples], dtype=bool)
        yield f"{test}: {level}", of_level
        for kind in KINDS if level != "easy" else ():
            of_kind = np.array([sample.kinds == kind for sample in samples], dtype=bool)
            yield f"{test}: {level}, {kind}", of_level & of_kind


def _read(folder: Path) -> list[Sample]:
    """The samples of a folder with a manifest as `nearid synth` writes it."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    subjects: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        subjects.setdefault(row["subject"], []).append(row)
    return [_sample(folder, lines) for lines in subjects.values()]


def _sample(folder: Path, rows: Iterable[dict[str, str]]) -> Sample:
    ordered = sorted(rows, key=lambda row: int(row["view"]))
    distractors = [row for row in ordered if row["role"] == "distractor"]
    views = [row for row in ordered if row["role"] != "distractor"]
    return Sample(
        tuple(folder / row["path"] for row in views),
        tuple(folder / row["path"] for row in distractors),
        distractors[0]["difficulty"],
        distractors[0]["kinds"],
    )


def markdown(figures: Iterable[Figure]) -> str:
    """A table: SSR and PA in percent, with 95 % intervals over samples."""
    lines = ["| test | metric | samples | SSR % | PA % |", "|---|---|---:|---:|---:|"]
    for each in figures:
        result = each.result
        cells = (_percent(result.ssr, result.ssr_ci95), _percent(result.pa, result.pa_ci95))
        lines.append(f"| {each.test} | `{each.metric}` | {result.samples} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float | None, interval: tuple[float, float] | None) -> str:
    if share is None:
        return "-"
    return f"{100 * share:.1f}" + (f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--data", type=Path, required=True, help="where the test sets and embeddings are kept"
    )
    parser.add_argument(
        "--metric", action="append", required=True, help="as for nearid score; may be repeated"
    )
    parser.add_argument("--identities", type=int, default=500, help="rendered identities a set (500)")
    parser.add_argument("--size", type=int, default=112, help="pixels of a picture's side (112)")
    parser.add_argument("--workers", type=int, help="rendering processes (one a core)")
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    return parser


if __name__ == "__main__":
    main()
