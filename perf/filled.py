"""A cache that is full without any model: pictures of noise, checkpoints without weights, random embeddings.

A warm run never loads weights. Embeddings of one subject lie around a direction of its own, at cosines of 0.5 to each
other, as those of real pictures do: how long some things take depends on whether generations are identified.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from perf.data import CLIP_PROCESSOR, siglip_processor, write_json

Checkpoint = tuple[str, str, dict[str, Any], int, int]
"""Its repository, type of model, processor, edge of pictures in pixels, and numbers an embedding."""

CHECKPOINTS: dict[str, Checkpoint] = {
    "nearid": ("Aleksandar/nearid-siglip2", "nearid", siglip_processor(384), 384, 1152),
    "clip-i": ("openai/clip-vit-large-patch14", "clip", CLIP_PROCESSOR, 224, 768),
    "dino": ("facebook/dinov2-large", "dinov2", CLIP_PROCESSOR, 224, 1024),
}
SIX = CHECKPOINTS | {
    "siglip2": ("google/siglip2-so400m-patch14-384", "siglip", siglip_processor(384), 384, 1152),
    "clip-i-b32": ("openai/clip-vit-base-patch32", "clip", CLIP_PROCESSOR, 224, 512),
    "dino-s16": ("facebook/dino-vits16", "vit", CLIP_PROCESSOR, 224, 384),
}
"""The default metrics and three more."""

NO_WEIGHTS = struct.pack("<Q", 2) + b"{}"
"""A sound file of safetensors that holds nothing."""


def write_pictures(root: Path, subjects: int, number: int, seed: int) -> None:
    """Small pictures of noise, `number` of each subject."""
    random = np.random.default_rng(seed)
    for subject in range(subjects):
        place = root / f"subject {subject:03}"
        place.mkdir(parents=True)
        for index in range(number):
            path = place / f"{index:03}.png"
            Image.fromarray(random.integers(256, size=(8, 8, 3), dtype=np.uint8)).save(path)


def home_of(folder: Path) -> dict[str, str]:
    """The variables by which the checkpoints in a folder are those of the Hub."""
    return {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}


def write_checkpoints(folder: Path, which: Mapping[str, Checkpoint] = CHECKPOINTS) -> dict[str, Path]:
    """Lay the checkpoints out in a Hub cache and in plain folders; returns the latter."""
    local = {}
    for name, (repository, model_type, processor, size, _) in which.items():
        commit = sha1(repository.encode()).hexdigest()  # of two with one commit, one encoder would be both
        hub = folder / "hf" / "hub" / f"models--{repository.replace('/', '--')}"
        local[name] = folder / "checkpoints" / name
        for place in (hub / "snapshots" / commit, local[name]):
            write_json(place / "config.json", {"model_type": model_type, "image_size": size})
            write_json(place / "preprocessor_config.json", processor)
            (place / "model.safetensors").write_bytes(NO_WEIGHTS)
        (hub / "refs").mkdir()
        (hub / "refs" / "main").write_text(commit)
    return local


def _fill(folder: Path, cache_folder: Path, metrics: str) -> None:
    """Put embeddings for all pictures into the cache, by its own means; folders are subjects."""
    from nearid_cli.embedding.cache import Cache, digest_bytes
    from nearid_cli.embedding.stamps import SETTLED, FileState, Stamps
    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.descriptors import BITS, PERCEPTUAL_HASH
    from nearid_cli.encoders.registry import parse_metrics

    cache = Cache(cache_folder)
    paths = sorted(folder.rglob("*.png"))
    digests = []
    time.sleep(1.1 * SETTLED / 1e9)  # the memo does not trust files that are a second old
    stamps = Stamps()
    for path in paths:
        digests.append(digest_bytes(path.read_bytes()))
        cache.memo.remember(FileState.of(path, path.stat()), digests[-1], stamps)
    cache.memo.flush()
    random = np.random.default_rng(0)
    specs = [
        *resolve(parse_metrics([metrics], {}), "float32", cache.memo.digest_file),
        PERCEPTUAL_HASH,
    ]
    subjects, subject = np.unique([path.parent.name for path in paths], return_inverse=True)
    for spec in specs:
        dimension = SIX[spec.name][-1] if spec.name in SIX else BITS
        rows = random.standard_normal((len(paths), dimension))
        if spec.name in SIX:  # perceptual hashes of different pictures have nothing in common
            rows += random.standard_normal((len(subjects), dimension))[subject]
        cache.add(spec, digests, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


if __name__ == "__main__":
    _fill(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
