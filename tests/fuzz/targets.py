"""What is fuzzed: functions that take bytes as somebody may give them, and end or raise nothing but `NearIDError`.

Each target has a folder of seeds in `corpus/`, by its name. A finding becomes a seed there, and is tried for ever.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nearid_cli.errors import NearIDError

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """One of them.

    Attributes:
        take: takes a folder of its own, and bytes.
        grammar: what the bytes are most often: `json`, `csv`, `toml`, or `bytes`.
        refusals: gives what it may raise besides `NearIDError`, inside the package.
        share: of the tries of a quick run; slow targets get fewer.
        made: gives further seeds, which need not be kept.
    """

    take: Callable[[Path, bytes], None]
    grammar: str
    refusals: Callable[[], tuple[type[Exception], ...]] = tuple
    share: float = 1.0
    made: Callable[[], list[bytes]] = list


def run(name: str, data: bytes) -> None:
    """Give one input to a target.

    Raises:
        Exception: the finding, whatever it is.
    """
    target = TARGETS[name]
    try:
        target.take(_place(name), data)
    except (NearIDError, *target.refusals()):
        pass


def seeds(name: str) -> list[bytes]:
    """The kept inputs of a target, in one order everywhere."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())] + TARGETS[name].made()


@cache
def _place(name: str) -> Path:
    """A folder that is written to thousands of times a second: in memory, where there is such."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=f"nearid-fuzz-{name}-", dir=memory if memory.is_dir() else None))


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _configuration(folder: Path, data: bytes) -> None:
    from nearid_cli.configuration import read_configuration
    from nearid_cli.encoders.registry import known_metrics, parse_metrics
    from nearid_cli.gate.rules import load_rules, named_baseline

    path = _file(folder, "nearid.toml", data)
    found = read_configuration(path)
    with contextlib.suppress(NearIDError):
        parse_metrics(list(known_metrics(found.metrics))[-3:], found.metrics)
    load_rules(path, folder)
    named_baseline(path, folder)


def _metrics(folder: Path, data: bytes) -> None:
    from nearid_cli.encoders.registry import parse_metrics

    parse_metrics([data.decode("utf-8", "surrogateescape")])


def _read_result(folder: Path, data: bytes) -> None:
    from nearid_cli.results.reading import read_result

    read_result(_file(folder, "run.json", data), holes=True)


def _shown_result(folder: Path, data: bytes) -> None:
    """A result that can be read is judged, compared with itself, and written in every format."""
    from nearid_cli.evaluate.compare import compare
    from nearid_cli.gate.judge import judge
    from nearid_cli.gate.starter import starter
    from nearid_cli.reports import formats
    from nearid_cli.reports.document import document, groups_document, images_document
    from nearid_cli.results import ScoreResult
    from nearid_cli.results.reading import read_result

    result = read_result(_file(folder, "run.json", data), holes=True)
    documents = [document(result, thumbnails=2)]
    if any(one.images for one in result.runs.values()):
        documents.append(images_document(result))
    if result.groups:
        documents.append(groups_document(result))
    with contextlib.suppress(NearIDError):
        documents.append(
            document(judge(result, result, _rules(), run_name="run.json", baseline_name="base.json"))
        )
    with contextlib.suppress(NearIDError):
        starter(result, "run.json", "base.json", ())
    if isinstance(result, ScoreResult):
        with contextlib.suppress(NearIDError):
            documents.append(document(compare({"a": result, "b": result}), thumbnails=2))
    for made in documents:
        for extension in formats.known(made.kind, judged=False):
            formats.render(made, Path(f"out{extension}"))
        _print(made)


@cache
def _rules() -> tuple[object, ...]:
    from nearid_cli.gate.rules import load_rules

    path = _file(_place("rules"), "nearid.toml", (CORPUS / "configuration" / "gate.toml").read_bytes())
    return load_rules(path, path.parent)


def _print(made: object) -> None:
    from rich.console import Console

    from nearid_cli.reports.terminal import render

    render(made, Console(file=io.StringIO(), width=80))


def _scores(folder: Path, data: bytes) -> None:
    from nearid_cli.layouts.dataset import Picture
    from nearid_cli.measures.given import ScoresFile
    from nearid_cli.measures.joining import Expected, join

    kind = ".jsonl" if data[:1] == b"{" else ".json" if data[:1] == b"[" else ".csv"
    metric = ScoresFile("m", str(_file(folder, f"scores{kind}", data)), higher_is_better=True)
    wanted = [
        Expected(subject, Picture(Path(f"/gens/{subject}/{seed}.png"), f"{subject}/{seed}.png", "gens"))
        for subject in ("cat", "dog")
        for seed in range(2)
    ]
    join("m", metric.rows(), wanted)


def _manifest(folder: Path, data: bytes) -> None:
    from nearid_cli.layouts.tables.manifest import read_manifest

    kind = ".jsonl" if data[:1] == b"{" else ".parquet" if data[:4] == b"PAR1" else ".csv"
    read_manifest(_file(folder, f"manifest{kind}", data))


def _ratings(folder: Path, data: bytes) -> None:
    from nearid_cli.benchmarks.dreambench.ratings import read_humans

    for group in ("group1", "group2"):
        (folder / group).mkdir(exist_ok=True)
        _file(folder / group, "emu2-cp.json", data)
    read_humans(folder)


def _similarities(folder: Path, data: bytes) -> None:
    from nearid_cli.benchmarks.mtg.samples import read_part_similarities
    from nearid_cli.benchmarks.tables.similarities import read_similarities

    path = _file(folder, "sims_vlm_image_testall_fullneg_a~b.csv", data)
    with contextlib.suppress(NearIDError):
        read_part_similarities(path)
    read_similarities(path)


def _rows(folder: Path, data: bytes) -> None:
    from nearid_cli.nearid_data.rows import read_rows

    read_rows(_file(folder, "rows.json", data), 5)


def _rubric(folder: Path, data: bytes) -> None:
    from nearid_cli.measures.judge.rubric import read_rubric

    rubric = read_rubric(_file(folder, "rubric.txt", data))
    assert 0 <= rubric.share((rubric.low + rubric.high) / 2) <= 1
    assert rubric.digest


def _reply(folder: Path, data: bytes) -> None:
    """An answer of an endpoint: the status in front, then `Retry-After`, then the body."""
    from nearid_cli.measures.judge.answers import read_score
    from nearid_cli.measures.judge.replies import read_reply

    head, _, body = data.decode("utf-8", "replace").partition("\n")
    status, _, after = head.partition(" ")
    code = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200
    reply = read_reply(code, body, {"Retry-After": after, "Location": after})
    assert 0 <= read_score(reply.text, 0, 10, reply.cut) <= 10


def _part(folder: Path, data: bytes) -> None:
    from nearid_cli.embedding.parts import table_of

    table_of(data, "embeddings", "a part")


def _checkpoint(folder: Path, data: bytes) -> None:
    """`config.json`, a zero byte, and `preprocessor_config.json`."""
    from nearid_cli.encoders.files import read_files

    config, _, preprocessor = data.partition(b"\0")
    _file(folder, "config.json", config)
    _file(folder, "preprocessor_config.json", preprocessor)
    _ = read_files(folder, weights=False).readouts


def _picture(folder: Path, data: bytes) -> None:
    from tests.fuzz.pictures import check

    check(data)


def _pictures() -> list[bytes]:
    from tests.fuzz.pictures import seeds

    return seeds()


def _judge_refusals() -> tuple[type[Exception], ...]:
    from nearid_cli.measures.judge.answers import UnreadableAnswerError
    from nearid_cli.measures.judge.replies import NoReplyError, RefusedError

    return NoReplyError, RefusedError, UnreadableAnswerError


def _part_refusals() -> tuple[type[Exception], ...]:
    from nearid_cli.embedding.parts import DamagedPartError, ForeignPartError

    return DamagedPartError, ForeignPartError


TARGETS = {
    "configuration": Target(_configuration, "toml", share=0.4),
    "metrics": Target(_metrics, "bytes", share=0.1),
    "results": Target(_read_result, "json", share=0.5),
    "reports": Target(_shown_result, "json", share=0.02),
    "scores": Target(_scores, "csv"),
    "manifests": Target(_manifest, "csv"),
    "ratings": Target(_ratings, "json"),
    "similarities": Target(_similarities, "csv"),
    "rows": Target(_rows, "json"),
    "rubrics": Target(_rubric, "bytes"),
    "replies": Target(_reply, "json", _judge_refusals),
    "parts": Target(_part, "bytes", _part_refusals),
    "checkpoints": Target(_checkpoint, "json"),
    "pictures": Target(_picture, "bytes", share=3, made=_pictures),
}
