"""Embedding a sample of what the cache holds again: whether it is what its metrics say.

A part's name says that its bytes are whole, and nothing of who computed them. This does the work again, for pictures
whose files the memo knows, by checkpoints that are here.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.devices import choose_device, choose_engine
from nearid_cli.embedding.pipeline import embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.checkpoints import locate, resolve
from nearid_cli.encoders.descriptors import HOG, PERCEPTUAL_HASH, THUMBNAIL
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import MetricRequest, known_metrics
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import NearIDError
from nearid_cli.flags import COLOR_PROFILES, SIXTEEN_BIT
from nearid_cli.images.reading import Reading
from nearid_cli.text import printable

_CLOSE = {"float32": 1e-4}
_CLOSE_HALF = 2e-2  # other machines, devices and batches round numbers of half precision otherwise


@dataclass(frozen=True)
class Recomputed:
    """What came of it.

    Attributes:
        same: embeddings that came out as they are in the cache, to the last bit.
        close: those that differ by no more than rounding does from machine to machine.
        wrong: a line for each that is something else.
        unchecked: how many could not be computed, by the reason.
    """

    same: int
    close: int
    wrong: tuple[str, ...]
    unchecked: Mapping[str, int]


def recompute(
    cache: Cache, number: int, seed: int = 0, configured: Mapping[str, Any] | None = None
) -> Recomputed:
    """Embed a random sample of the cached embeddings again, and compare.

    Args:
        cache: what is in it is not used for it, but for which files hold which pictures.
        number: how many embeddings, at most.
        seed: of the sample.
        configured: the user's own metrics, which may be among those of the cache.

    Raises:
        NearIDError: a checkpoint that is here cannot be loaded.
    """
    held = [(fingerprint, digest) for fingerprint, digests in cache.keys().items() for digest in digests]
    chosen = random.Random(seed).sample(held, min(number, len(held)))
    places = cache.memo.places({digest for _, digest in chosen})
    by_encoder: dict[str, list[bytes]] = defaultdict(list)
    unchecked: Counter[str] = Counter()
    for fingerprint, digest in chosen:
        if digest in places:
            by_encoder[fingerprint].append(digest)
        else:
            unchecked["no file is known that holds the picture"] += 1
    same = close = 0
    wrong: list[str] = []
    for fingerprint, digests in by_encoder.items():
        about = cache.about(fingerprint)
        found = _encoder(fingerprint, about, configured)
        if found is None:
            name = printable(about.get("metric", "?"))
            unchecked[f"the checkpoint of {name} is not here, or another one"] += len(digests)
            continue
        spec, reading = found
        rows = cache.load(spec, digests)
        settings = Settings(device=choose_device("auto"), reading=reading)
        again = embed(
            [places[digest] for digest in digests],
            [spec],
            partial(load_encoder, device=settings.device, cache=cache.folder),
            None,
            settings,
        )
        for digest, now in zip(digests, again.digests, strict=True):
            if now != digest or digest not in again.rows[spec.name]:
                unchecked["the file has changed, or cannot be read"] += 1
                continue
            new, old = again.rows[spec.name][digest], rows.get(digest)
            if old is not None and np.array_equal(new, old):
                same += 1
            elif old is not None and _close(new, old, spec.dtype):
                close += 1
            else:
                wrong.append(f"{spec.name} of {places[digest]}")
    return Recomputed(same, close, tuple(wrong), dict(unchecked))


def _close(new: np.ndarray[Any, Any], old: np.ndarray[Any, Any], dtype: str) -> bool:
    most = _CLOSE.get(dtype, _CLOSE_HALF)
    return new.shape == old.shape and bool(np.abs(new - old).max() <= most)


def _encoder(
    fingerprint: str, about: Mapping[str, str], configured: Mapping[str, Any] | None
) -> tuple[EncoderSpec, Reading] | None:
    """The encoder with a fingerprint, and how its pictures are read; None where it is not on this machine."""
    readings = [Reading(*words) for words in itertools.product(COLOR_PROFILES, SIXTEEN_BIT)]
    for spec in (way for exact in _candidates(about, configured) for way in (exact, exact.hastened())):
        for reading in readings:
            words = reading.describe()
            own = blake3(f"{spec.fingerprint}\n{words}".encode()).hexdigest() if words else spec.fingerprint
            if own == fingerprint:
                return replace(spec, fingerprint=own), reading
    return None


def _candidates(about: Mapping[str, str], configured: Mapping[str, Any] | None) -> Iterator[EncoderSpec]:
    """What may have computed embeddings of which a part says this."""
    yield from (HOG, PERCEPTUAL_HASH, THUMBNAIL)
    name, checkpoint = about.get("metric"), about.get("checkpoint")
    known = known_metrics(configured).get(name or "")
    asked = [known] if known is not None and not known.plugin else []
    if name and checkpoint:
        revision = None if Path(checkpoint).exists() else about.get("revision")
        asked.append(MetricRequest(name, checkpoint, about.get("readout"), revision))
    for request in asked:
        try:
            if request.checkpoint and locate(request) is not None:
                dtype, engine = about.get("dtype", "float32"), about.get("engine", "torch")
                yield from resolve([request], dtype, engine=choose_engine(engine, "cpu", dtype))
        except NearIDError:  # it is not what it was, and computed none of these
            continue
