"""Pictures that have no embedding: found once, kept, known again, and never a row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.parts import COMPACT_ABOVE
from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.plugged import class_of, spec_of
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError
from nearid_cli.plugins import EmbeddingMetric

from .conftest import GridEncoder

Save = Callable[..., Path]
SIZES = [(40, 40), (9, 9), (41, 41), (8, 8), (7, 7)]
LARGE, SMALL = (0, 2), (1, 3, 4)


class LargeOnly(EmbeddingMetric):
    """Mean colours of pictures that are not small. Counts what it prepares."""

    version = "large-only/1"
    protocol = "cosine of mean colours"
    absent = "too small"

    def __init__(self, numbers: int = 3, fails: bool = False) -> None:
        self.numbers = numbers
        self.fails = fails
        self.prepared = 0

    def prepare(self, image: Image.Image) -> npt.NDArray[np.generic] | None:
        self.prepared += 1
        if self.fails:
            raise ValueError("no luck")
        return np.asarray(image) if image.width > 10 else None

    def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
        return [[float(pixels.mean()) + 1] * self.numbers for pixels in batch]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{index}.png" for index in range(len(SIZES))]
    for path, size in zip(paths, SIZES, strict=True):
        Image.new("RGB", size, (200, 20, 20)).save(path)
    return paths


def run(pictures: Sequence[Path], metric: LargeOnly, cache: Cache | None) -> Embedded:
    return embed(pictures, [spec_of("large", metric)], load_encoder, cache, Settings(batch_size=2))


def positions(embedded: Embedded) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which pictures have a row, and which have none."""
    digests = list(embedded.digests)
    assert embedded.bad == ()
    return (
        tuple(sorted(digests.index(digest) for digest in embedded.rows["large"])),
        tuple(sorted(digests.index(digest) for digest in embedded.absent["large"])),
    )


def test_a_picture_without_an_embedding_is_no_bad_one_and_has_no_row(
    pictures: list[Path], cache: Cache
) -> None:
    embedded = run(pictures, LargeOnly(), cache)
    assert positions(embedded) == (LARGE, SMALL)
    assert len(set(embedded.digests)) == len(pictures)


def test_a_warm_run_knows_it_again_and_loads_nothing(pictures: list[Path], cache: Cache) -> None:
    cold = run(pictures, LargeOnly(), cache)

    def never(_: object) -> GridEncoder:
        raise AssertionError("nothing to load")

    warm = embed(pictures, [spec_of("large", LargeOnly())], never, Cache(cache.folder), Settings())
    assert warm.absent == cold.absent
    assert warm.rows["large"].keys() == cold.rows["large"].keys()


def test_all_absent_is_known_again_too(pictures: list[Path], cache: Cache) -> None:
    small = [pictures[index] for index in SMALL]
    metric = LargeOnly()
    assert positions(run(small, metric, cache)) == ((), (0, 1, 2))
    assert positions(run(small, metric, Cache(cache.folder))) == ((), (0, 1, 2))
    assert metric.prepared == 3
    (about,) = cache.info()
    assert (about.metric, about.numbers, about.parts) == ("large", 0, 1)
    found = cache.verify()
    assert (found.damaged, found.unread) == ([], [])
    assert positions(run(pictures, metric, Cache(cache.folder))) == (LARGE, SMALL)


def test_without_a_cache_it_is_the_same(pictures: list[Path]) -> None:
    assert positions(run(pictures, LargeOnly(), None)) == (LARGE, SMALL)


def test_another_encoder_embeds_what_one_does_not(pictures: list[Path], cache: Cache) -> None:
    grid = GridEncoder()

    def load(spec: EncoderSpec) -> object:
        return grid if spec == grid.spec else load_encoder(spec)

    for _ in range(2):
        embedded = embed(pictures, [grid.spec, spec_of("large", LargeOnly())], load, cache, Settings())  # type: ignore[arg-type]
        assert positions(embedded) == (LARGE, SMALL)
        assert embedded.rows["mean-colour"].keys() == set(embedded.digests)
        assert embedded.absent["mean-colour"] == frozenset()
    assert grid.prepared == len(pictures)


def test_many_parts_are_merged_and_cleared_like_others(pictures: list[Path], cache: Cache) -> None:
    spec = spec_of("large", LargeOnly())
    digests = [index.to_bytes(32, "big") for index in range(COMPACT_ABOVE + 2)]
    for digest in digests:
        cache.add_absent(spec, [digest])
    cache.add(spec, [b"x" * 32], np.array([[0.6, 0.8]], np.float32))
    cache.compact()
    (about,) = cache.info()
    assert (about.numbers, about.parts) == (1, 2)
    assert cache.verify() == (2, [], [])
    assert cache.absent(spec, [*digests[:3], b"x" * 32]) == set(digests[:3])
    assert cache.clear(metric="large") > 0
    assert cache.info() == []
    assert cache.absent(spec, digests) == set()


def test_a_damaged_part_of_absent_pictures_is_set_aside(
    pictures: list[Path], cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    run(pictures, LargeOnly(), cache)
    (part,) = cache.folder.glob("embeddings/*/absent/*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    (problem,) = cache.verify()[1]
    assert problem.startswith(str(part))
    metric = LargeOnly()
    assert positions(run(pictures, metric, Cache(cache.folder))) == (LARGE, SMALL)
    assert metric.prepared == len(SMALL)
    assert "damaged part" in caplog.text


def test_a_zero_row_is_never_sound(pictures: list[Path], cache: Cache) -> None:
    cache.add(spec_of("large", LargeOnly()), [b"x" * 32], np.zeros((1, 3), np.float32))
    (problem,) = cache.verify()[1]
    assert "unit length" in problem


def test_what_prepare_raises_names_the_picture_and_keeps_its_cause(
    pictures: list[Path], cache: Cache
) -> None:
    with pytest.raises(
        ModelError, match=r"LargeOnly.prepare failed: ValueError: no luck \(.*0.png\)$"
    ) as caught:
        run(pictures, LargeOnly(fails=True), cache)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__.__cause__, ValueError)


def test_embeddings_of_another_length_than_the_cached_are_refused(pictures: list[Path], cache: Cache) -> None:
    run(pictures[:1], LargeOnly(3), cache)
    with pytest.raises(ModelError) as caught:
        run(pictures, LargeOnly(5), cache)
    assert str(caught.value) == (
        'metric "large": expected embeddings of 3 numbers, as the cache holds, found 5; who changes what comes out '
        "changes the plug-in's version, or forgets the old ones: nearid cache clear --metric large"
    )
    assert cache.dimension(spec_of("large", LargeOnly())) == 3
    assert cache.verify()[1] == []


def test_not_finite_embeddings_of_a_plugin_are_the_plugins_fault(pictures: list[Path], cache: Cache) -> None:
    class Zero(LargeOnly):
        def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
            return np.zeros((len(batch), 3))

    with pytest.raises(ModelError) as caught:
        run(pictures, Zero(), cache)
    assert str(caught.value) == (
        'metric "large": expected finite numbers, not all of them zero, from '
        f"{class_of(Zero())}.embed, found others of 2 pictures: {', '.join(str(pictures[index]) for index in LARGE)}"
    )
    assert cache.absent(spec_of("large", Zero()), list(run(pictures, LargeOnly(), None).digests)) != set()  # type: ignore[arg-type]


def test_of_checkpoints_every_such_picture_is_named_beside_plugins(
    pictures: list[Path], cache: Cache
) -> None:
    class Zero(LargeOnly):
        def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
            return np.zeros((len(batch), 3))

    class Broken(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            return super().embed(batch) * np.nan

    grid = Broken()
    specs = [spec_of("large", Zero()), grid.spec]
    with pytest.raises(ModelError) as caught:
        embed(pictures, specs, lambda spec: load_encoder(spec) if spec.plugin else grid, cache, Settings())
    assert caught.value.message.startswith("embeddings that are not finite numbers, from mean-colour; ")
    assert caught.value.details[:-1] == tuple(f"mean-colour: {picture}" for picture in pictures)
    assert caught.value.details[-1].startswith('metric "large": expected finite numbers')
