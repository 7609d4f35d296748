"""A warm `nearid score` as a whole process against a bare script that reads the same files.

5,000 pictures of 125 subjects and the three default metrics, with embeddings as wide as theirs. The
checkpoints have no real weights and the embeddings are random: a warm run never loads the ones, and
cannot tell the others from real ones.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from perf.data import CLIP_PROCESSOR, siglip_processor, write_json
from perf.measure import Row, alternate, process

SUBJECTS, REFERENCES, GENERATIONS = 125, 8, 32
CHECKPOINTS = {
    "nearid": ("Aleksandar/nearid-siglip2", "nearid", siglip_processor(384), 1152),
    "clip-i": ("openai/clip-vit-large-patch14", "clip", CLIP_PROCESSOR, 768),
    "dino": ("facebook/dinov2-large", "dinov2", CLIP_PROCESSOR, 1024),
}
_COMMIT = "c" * 40


def measure(folder: Path) -> list[Row]:
    home = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    hub, folders = folder / "cache of hub", folder / "cache of folders"
    _write_pictures(folder)
    by_folder = [f"{name}={path}" for name, path in _write_checkpoints(folder).items()]
    for cache, metrics in ((hub, [*CHECKPOINTS]), (folders, by_folder)):
        process(sys.executable, "-m", "perf.warm", folder, cache, ",".join(metrics), **home)
    score: list[str | Path] = [sys.executable, "-m", "nearid_cli", "score", folder / "refs", folder / "gens"]
    score += ["--device", "cpu"]
    from_hub = [*score, "--cache", hub]
    from_folders = [*score, "--cache", folders, "--metric", ",".join(by_folder)]
    bare: list[str | Path] = [sys.executable, "-m", "perf.bare", folder / "refs", folder / "gens", hub]
    modules = process(sys.executable, "-X", "importtime", *from_hub[1:], **home)
    loaded = [
        name for name in ("torch", "transformers", "pandas") if f"| {name}\n" in modules.replace("  ", "")
    ]
    assert not loaded, f"a warm run imports {loaded}"
    times = alternate(
        {
            "hub": partial(process, *from_hub, **home),
            "folders": partial(process, *from_folders, **home),
            "json": partial(process, *from_hub, "-o", folder / "result.json", **home),
            "bare": partial(process, *bare, str(SUBJECTS)),
        },
        rounds=7,
    )
    rows = []
    for name, what in (
        ("hub", "warm score, checkpoints in the Hub cache"),
        ("folders", "warm score, checkpoints in folders"),
        ("json", "warm score -o result.json"),
    ):
        rows.append(Row(f"{what} / bare", times[name], times["bare"], "s", limit=3))
        rows.append(Row(f"{what} / 1 s", times[name], 1.0, "s", limit=1))
    return rows


def _write_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    an_hour_ago = time.time() - 3600  # the memo does not trust files that are a second old
    for kind, number in (("refs", REFERENCES), ("gens", GENERATIONS)):
        for subject in range(SUBJECTS):
            place = folder / kind / f"subject {subject:03}"
            place.mkdir(parents=True)
            for index in range(number):
                path = place / f"{index:03}.png"
                Image.fromarray(random.integers(256, size=(8, 8, 3), dtype=np.uint8)).save(path)
                os.utime(path, (an_hour_ago, an_hour_ago))


def _write_checkpoints(folder: Path) -> dict[str, Path]:
    """Lay the checkpoints out in a Hub cache and in plain folders; returns the latter."""
    local = {}
    for name, (repository, model_type, processor, _) in CHECKPOINTS.items():
        hub = folder / "hf" / "hub" / f"models--{repository.replace('/', '--')}"
        local[name] = folder / "checkpoints" / name
        for place in (hub / "snapshots" / _COMMIT, local[name]):
            write_json(place / "config.json", {"model_type": model_type})
            write_json(place / "preprocessor_config.json", processor)
            (place / "model.safetensors").write_bytes(b"no weights")
        (hub / "refs").mkdir()
        (hub / "refs" / "main").write_text(_COMMIT)
    return local


def _fill(folder: Path, cache_folder: Path, metrics: str) -> None:
    """Put random embeddings for all pictures into the cache, by its own means."""
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.memo import FileState, digest_bytes
    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.perceptual_hash import BITS, perceptual_hash_spec
    from nearid_cli.encoders.registry import parse_metrics

    cache = Cache(cache_folder)
    paths = [path for kind in ("refs", "gens") for path in sorted((folder / kind).rglob("*.png"))]
    digests = []
    for path in paths:
        digests.append(digest_bytes(path.read_bytes()))
        cache.memo.remember(FileState.of(path, path.stat()), digests[-1])
    cache.memo.flush()
    random = np.random.default_rng(0)
    specs = [
        *resolve(parse_metrics([metrics], {}), "float32", cache.memo.digest_file),
        perceptual_hash_spec(),
    ]
    for spec in specs:
        dimension = CHECKPOINTS[spec.name][-1] if spec.name in CHECKPOINTS else BITS
        rows = random.standard_normal((len(paths), dimension))
        cache.add(spec, digests, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


if __name__ == "__main__":
    _fill(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
