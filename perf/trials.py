"""Forward passes on a CPU in all ways of `perf/ways.py`, and what int8 does to the verdicts of `compare`.

Towers with random weights, a picture a pass. Each contender has a process of its own, so that its memory is known, and
what it reads is converted in another one. Then nearid-mini, whose weights are trained: comparisons of the methods that
`nearid demo` renders, by the embeddings of each model in int8, held against those by float32.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from perf.data import photographs, siglip_processor, write_json
from perf.gpu import SO400M
from perf.measure import Row

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Embeddings

CALIBRATION = 8
SEEDS = (1_000_001, 1_000_002, 1_000_003, 1_000_004)


class Tower(NamedTuple):
    """What is run.

    Attributes:
        what: in words.
        config: of a SigLIP.
        pictures: of a round.
        rounds: of which the least counts.
    """

    what: str
    config: Mapping[str, int]
    pictures: int
    rounds: int


TOWERS = (
    Tower("SigLIP base, 224 px", {"image_size": 224, "patch_size": 16}, 4, 4),
    Tower("so400m, 384 px", SO400M, 2, 2),
)


class Seconds(NamedTuple):
    """What a round took by the clock, and of the processor."""

    clock: float
    processor: float


class Judged(NamedTuple):
    """What comparisons say.

    Attributes:
        rows: the embeddings of all pictures.
        scores: of each method of each comparison.
        verdicts: of each method against the baseline, and the methods' ranks.
    """

    rows: Embeddings
    scores: list[float]
    verdicts: list[tuple[str, str | int | None]]


def measure(folder: Path) -> list[Row]:
    from perf.ways import STOCK, WAYS, installed

    names = installed(WAYS)
    for tower in TOWERS:
        place = folder / tower.what
        _make_tower(place, tower)
        _race(place, tower, [name for name in names if name != STOCK])
    _judge_all(folder / "mini", [name for name in names if WAYS[name].int8])
    return []


def _make_tower(folder: Path, tower: Tower) -> None:
    import torch
    from transformers import SiglipVisionConfig, SiglipVisionModel

    torch.manual_seed(0)
    SiglipVisionModel(SiglipVisionConfig(**tower.config)).save_pretrained(folder / "model")
    edge = tower.config["image_size"]
    write_json(folder / "model" / "preprocessor_config.json", siglip_processor(edge))
    _take_photographs(folder, tower.pictures, edge)


def _take_photographs(folder: Path, number: int, edge: int) -> None:
    """Photographs to embed, and others to calibrate by."""
    paths = photographs(folder / "pictures", number + CALIBRATION, edge)
    (folder / "calibration").mkdir()
    for path in paths[number:]:
        path.rename(folder / "calibration" / path.name)


def _race(folder: Path, tower: Tower, names: list[str]) -> None:
    """Run each contender in turns with the pipeline, and print a line; of large models no more than two are loaded."""
    from perf.ways import EXACT, STOCK

    with _process() as process:
        exact = process.submit(_load, EXACT, folder).result()
    with _process() as stock:
        stock.submit(_load, STOCK, folder).result()
        print(
            f"{tower.what:32} {'img/s':>6} {STOCK:>21} {'ratio':>5} {'CPU s':>6} {STOCK:>21} {'ratio':>5} "
            f"{'cosine':>9} MiB ({stock.submit(_peak).result():.0f})"
        )
        for name in names:
            try:
                with _process() as process:
                    process.submit(_convert, name, folder).result()
                with _process() as process:
                    cosine = _cosine(process.submit(_load, name, folder).result(), exact)
                    turns = [
                        [one.submit(_round).result() for one in (stock, process)] for _ in range(tower.rounds)
                    ]
                    peak = process.submit(_peak).result()
            except Exception as error:  # whatever it says of a model or a machine that it does not take
                print(f"{name}: cannot run: {' '.join(str(error).split())[:300]}", flush=True)
                continue
            peer, own = (
                Seconds(*(min(times) / tower.pictures for times in zip(*rounds, strict=True)))
                for rounds in zip(*turns, strict=True)
            )
            print(
                f"{name:32} {1 / own.clock:6.2f} {1 / peer.clock:21.2f} {peer.clock / own.clock:5.2f} "
                f"{own.processor:6.3f} {peer.processor:21.3f} {peer.processor / own.processor:5.2f} "
                f"{cosine:9.7f} {peak:.0f}",
                flush=True,
            )


def _judge_all(folder: Path, names: list[str]) -> None:
    """Print for each model in int8 how far trained embeddings move, scores of methods, and what is said of them."""
    from nearid_cli.demo import write_demo
    from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER
    from perf.ways import EXACT

    shutil.copytree(SHIPPED_FOLDER, folder / "model")
    _take_photographs(folder, 0, 160)
    for seed in SEEDS:
        write_demo(folder / "demos" / str(seed), seed)
    judged = {}
    for name in (EXACT, *names):
        with _process() as process:
            process.submit(_convert, name, folder).result()
            judged[name] = process.submit(_judge, name, folder).result()
    exact = judged.pop(EXACT)
    for name, one in judged.items():
        moved = max(abs(a - b) for a, b in zip(one.scores, exact.scores, strict=True))
        assert moved, "these are the embeddings in float32"
        other = sum(a != b for a, b in zip(one.verdicts, exact.verdicts, strict=True))
        print(
            f"nearid-mini, {name}: least cosine {_cosine(one.rows, exact.rows):.6f} of {len(one.rows)} pictures, "
            f"scores move by up to {moved:.6f}, {other} of {len(one.verdicts)} verdicts and ranks are others"
        )


def _cosine(rows: Embeddings, others: Embeddings) -> float:
    """The least of pairs of rows."""
    return float((rows * others).sum(axis=1).min())


def _process() -> ProcessPoolExecutor:
    """A process that runs what follows."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _quiet)


def _quiet() -> None:
    """Libraries have much to say of models that are loaded and converted."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


_contender: Any = None
_pictures: list[Image.Image] = []


def _convert(name: str, folder: Path) -> None:
    from perf.ways import WAYS

    if convert := WAYS[name].convert:
        with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
            convert(folder)


def _load(name: str, folder: Path) -> Embeddings:
    """Get ready for rounds."""
    from perf.ways import WAYS

    global _contender
    _contender = WAYS[name].load(folder)
    _pictures.extend(Image.open(path).convert("RGB") for path in sorted((folder / "pictures").iterdir()))
    return _embed()


def _embed() -> Embeddings:
    return np.concatenate([_contender.embed([_contender.prepare(picture)]) for picture in _pictures])


def _round() -> Seconds:
    clock, processor = time.perf_counter(), time.process_time()
    _embed()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


def _peak() -> float:
    """Of this process, in MiB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def _judge(name: str, folder: Path) -> Judged:
    """Compare the methods of all demos, with the contender's embeddings in the cache."""
    from nearid_cli import compare
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.pipeline import embed
    from nearid_cli.embedding.settings import Settings
    from perf.ways import WAYS, spec_of

    encoder, spec, cache = WAYS[name].load(folder), spec_of(folder), folder / f"embeddings {name}"
    paths = sorted(path for kind in ("png", "jpg") for path in (folder / "demos").rglob(f"*.{kind}"))
    embedded = embed(paths, [spec], lambda _: encoder, Cache(cache), Settings())
    rows = embedded.matrix(spec.name, [digest for digest in embedded.digests if digest])
    judged = Judged(np.asarray(rows), [], [])
    for seed in SEEDS:
        demo = folder / "demos" / str(seed)
        result = compare(
            demo / "methods",
            demo / "references",
            [f"x={folder / 'model'}"],
            cache=cache,
            device="cpu",
            dtype="float32",
            engine="torch",
        )
        for method in result.methods:
            judged.scores.append(method.result.aggregate["x"].score or 0)
            judged.verdicts.append((method.name, method.ranks["x"]))
        judged.verdicts.extend((one.method, one.verdict) for one in result.comparisons)
    return judged
