"""`nearid cache verify --recompute`: what the cache holds is what its metrics compute."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG
from tests.commandline import Nearid


def cache() -> Cache:
    return Cache(Path(os.environ["NEARID_CACHE"]))


def test_what_was_computed_here_comes_out_the_same(nearid: Nearid, data: Path, checkpoint: Path) -> None:
    made = nearid("score", "refs", "gens", "-m", "hog,mine=checkpoint", "--color-profile", "convert")
    assert made.code == 0, made.err
    # hog, the checkpoint and the perceptual hash, of 15 pictures
    finished = nearid("cache", "verify", "--recompute", "1000")
    assert finished.out.splitlines()[1:] == ["45 embeddings came out the same again to the last bit"]
    (data / "gens/cat/0.png").unlink()
    (data / "gens/cat/1.png").write_bytes((data / "gens/cat/2.png").read_bytes() + b"more")
    (checkpoint / "config.json").unlink()
    finished = nearid("cache", "verify", "--recompute", "1000")
    assert finished.out.splitlines()[1:] == [
        "15 embeddings could not be checked: the checkpoint of mine is not here, or another one",
        "4 embeddings could not be checked: the file has changed, or cannot be read",
        "26 embeddings came out the same again to the last bit",
    ]
    assert nearid("cache", "verify", "--recompute", "7").out.count("\n") >= 2


def test_what_somebody_made_up_is_found(nearid: Nearid, data: Path) -> None:
    assert nearid("score", "refs", "gens", "-m", "hog").code == 0
    opened = cache()
    digests = opened.keys()[HOG.fingerprint]
    found = opened.load(HOG, digests)
    rows = np.stack([found[digest] for digest in digests])
    opened.clear(metric="hog")
    rows[3] = rows[3][::-1]
    opened.add(HOG, digests, rows)
    assert nearid("cache", "verify").code == 0
    finished = nearid("cache", "verify", "--recompute", "1000")
    assert finished.code == 2
    assert "error: 1 embedding in " in finished.err
    assert "of 30 that were computed again came out as something else: do not trust it" in finished.err
    assert "hog of " in finished.err.splitlines()[-1]
