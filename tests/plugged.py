"""Plug-ins of every kind for tests: hog again in other clothes, and metrics that misbehave."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nearid_cli.encoders.descriptors import HogEncoder
from nearid_cli.plugins import EmbeddingMetric, GivenMetric, NoScore, PairwiseMetric, TextMetric


class HogVectors(EmbeddingMetric):
    """The metric `hog` as an embedding of somebody else."""

    version = "hog-vectors/1"
    protocol = "hog as a plug-in"

    def load(self, device: str) -> None:
        self._hog = HogEncoder()

    def prepare(self, image: Image.Image) -> Any:
        return self._hog.prepare(image)

    def embed(self, batch: Any) -> Any:
        return np.stack(batch)


class HogPairs(PairwiseMetric):
    """The metric `hog` pair by pair. PLUGGED_LOG names a folder with a file that gets a line for each step."""

    version = "hog-pairs/1"
    protocol = "cosine of hog, pair by pair"
    range = (-1.0, 1.0)

    def load(self, device: str) -> None:
        self._hog = HogEncoder()
        self._say("load")

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        self._say("features")
        return self._hog.prepare(image).astype(np.float64)

    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        self._say("compare")
        return float(reference @ generation / np.linalg.norm(reference) / np.linalg.norm(generation))

    def _say(self, what: str) -> None:
        if folder := os.environ.get("PLUGGED_LOG"):
            with (Path(folder) / f"{type(self).__name__}.log").open("a") as file:
                file.write(f"{what}\n")


class KeptHogPairs(HogPairs):
    """The same, its features on disk."""

    version = "kept-hog-pairs/1"
    keeps_features = True

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        return super().features(image).astype(np.float32)

    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        return super().compare(reference.astype(np.float64), generation.astype(np.float64))


class HogDistance(HogPairs):
    """1 - hog: lower is better."""

    version = "hog-distance/1"
    range = (0.0, 2.0)
    higher_is_better = False

    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        alike = super().compare(reference, generation)
        assert isinstance(alike, float)
        return 1 - alike


class Lopsided(PairwiseMetric):
    """How much brighter the generation is: another number when both are exchanged."""

    version = "lopsided/1"
    protocol = "brightness of the generation minus that of the reference"
    range = (-1.0, 1.0)
    symmetric = False

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        return float(np.asarray(image).mean() / 255)

    def compare(self, reference: Any, generation: Any) -> float:
        return float(generation - reference)


class Slow(HogPairs):
    """So slow that some are kept before all are there."""

    version = "slow/1"
    seconds = 1.0

    def scores(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        for pair in pairs:
            time.sleep(self.seconds)
            yield self.compare(*pair)


class Picky(HogPairs):
    """No number where the mean level of the reference is odd."""

    version = "picky/1"

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        return np.append(super().features(image), np.asarray(image).mean())

    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        if int(reference[-1]) % 2:
            return NoScore("an odd reference")
        return super().compare(reference[:-1], generation[:-1])


class Length(TextMetric):
    """The length of the prompt as a share of 100, times the brightness of the picture."""

    version = "length/1"
    protocol = "length of the prompt times brightness"
    range = (0.0, None)

    def text(self, prompt: str) -> Any:
        return len(prompt) / 100

    def features(self, image: Image.Image) -> Any:
        return float(np.asarray(image).mean() / 255)

    def compare(self, text: Any, generation: Any) -> float:
        return float(text * generation)


class Rows(GivenMetric):
    """Numbers of somebody else."""

    version = "rows/1"
    protocol = "numbers of somebody else"
    range = (0.0, 10.0)

    def __init__(self, methods: Iterable[str] = ()) -> None:
        self._methods = list(methods)

    def rows(self) -> Iterable[Mapping[str, Any]]:
        rows = [
            {"path": f"{subject}/{n}.png", "score": n} for subject in ("cat", "cup", "ship") for n in range(3)
        ]
        return [{**row, "method": method} for method in self._methods for row in rows] or rows


class Fails(HogPairs):
    """What it does wrong is a setting; the first `good` pairs are right."""

    version = "fails/1"

    def __init__(self, how: str, good: int = 2) -> None:
        self._how, self._good = how, good

    def load(self, device: str) -> None:
        if self._how == "load":
            raise RuntimeError("no weights here")
        super().load(device)

    def scores(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        for place, pair in enumerate(pairs):
            if place < self._good:
                yield self.compare(*pair)
            elif self._how == "raise":
                raise ValueError("line one\nline two")
            elif self._how == "few":
                return
            else:
                yield {"nan": float("nan"), "outside": 1.5, "text": "high", "array": np.zeros(2)}[self._how]


class Careless(HogPairs):
    """What it does wrong is a setting, and may be right enough."""

    version = "careless/1"

    def __init__(self, how: str) -> None:
        self._how = how
        self.range = (None, None)

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        if self._how == "features":
            raise ValueError("too\nsmall")
        return super().features(image)

    def compare(self, reference: Any, generation: Any) -> Any:
        found = {
            "inf": float("inf"),
            "huge": 1e308,
            "whole": 10**400,
            "text": "0.5",
            "reason": NoScore,
            "raise": None,
            "list": 0.5,
        }[self._how]
        if self._how == "raise":
            raise SystemExit("usage")
        return NoScore("") if found is NoScore else found

    def scores(self, pairs: Iterable[tuple[Any, Any]]) -> Any:
        return list(super().scores(pairs)) if self._how == "list" else super().scores(pairs)


class AnyTwo(PairwiseMetric):
    """Says which way round it was asked, and forgets to say that this matters. PLUGGED_LOG as for HogPairs."""

    version = "any-two/1"
    protocol = "1 if the reference is the first picture, 0 if not"
    range = (0, 1)

    def __init__(self, forgetful: bool = True) -> None:
        self.symmetric = forgetful

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> Any:
        if folder := os.environ.get("PLUGGED_LOG"):
            with (Path(folder) / "AnyTwo.log").open("a") as file:
                file.write("features\n")
        return float(np.asarray(image).mean())

    def compare(self, reference: Any, generation: Any) -> float:
        return float(reference > generation)


class Talks(HogPairs):
    """Prints, as many a library does."""

    version = "talks/1"

    def __init__(self) -> None:
        print("made")

    def load(self, device: str) -> None:
        print("loaded")
        super().load(device)

    def compare(self, reference: Any, generation: Any) -> float | NoScore | None:
        print("compared")
        return super().compare(reference, generation)
