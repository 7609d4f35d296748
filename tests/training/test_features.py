"""Token features on disk: what they are, what they cost, and every way in which a build can end early."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.encoders.nearid_model import NearIDModel
from nearid_cli.errors import BadImagesError, CacheError
from nearid_cli.images.decode import decode
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.training import features
from nearid_cli.training.features import FeatureCache, picture_key
from nearid_cli.training.model import build_model, load_preprocessing
from tests.tiny import tiny_dinov2, tiny_nearid

RECORD = 2 * 16 * 32 + 32


def png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURES = {picture_key(content): content for content in map(png, range(7))}
KEYS = list(PICTURES)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[NearIDModel, Preprocessing]:
    folder = str(tiny_nearid(tmp_path_factory.mktemp("features") / "nearid"))
    return build_model(folder), load_preprocessing(folder)


def cache(folder: Path, parts: tuple[NearIDModel, Preprocessing]) -> FeatureCache:
    return FeatureCache(folder, *parts, batch_size=3)


def test_the_head_gives_the_same_embeddings(tmp_path: Path, parts: tuple[NearIDModel, Preprocessing]) -> None:
    model, preprocessing = parts
    model.train()
    built = cache(tmp_path, parts)
    built.build(PICTURES.items())
    assert model.training
    assert not model.backbone.embeddings.training
    order = KEYS[::-1] + KEYS[:2]
    found = built.tokens(order)
    assert (found.dtype, found.shape) == (torch.float16, (9, 16, 32))
    values = preprocessing.normalise([preprocessing.to_uint8(decode(PICTURES[key])) for key in order], "cpu")
    with torch.no_grad():
        assert torch.equal(found, model.patch_tokens(values).half())
        assert torch.allclose(model(tokens=found).image_embeds, model(values).image_embeds, atol=1e-3)
    embeds = model(tokens=found).image_embeds
    embeds.sum().backward()
    assert model.backbone.head.probe.grad is not None


def test_what_is_there_is_not_computed_again(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache(tmp_path, parts).build(list(PICTURES.items())[:4])
    again = cache(tmp_path, parts)
    assert len(again) == 4
    assert len(again.tokens(KEYS[:4])) == 4
    with pytest.raises(KeyError):
        again.tokens(KEYS[6:])
    seen: list[int] = []
    stock = NearIDModel.patch_tokens
    monkeypatch.setattr(
        NearIDModel, "patch_tokens", lambda self, values: seen.append(len(values)) or stock(self, values)
    )
    again.build([*PICTURES.items(), *PICTURES.items()])
    assert seen == [3]
    assert len(cache(tmp_path, parts)) == 7


def test_what_it_costs(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = cache(tmp_path / "not" / "yet", parts)
    assert built.cost(7) == 7 * RECORD
    assert "7 pictures x 16 tokens x 32 float16 = 7.4 kB to write" in built.plan([*KEYS, *KEYS])
    built.build(list(PICTURES.items())[:5])
    assert sum(path.stat().st_size for path in built.folder.iterdir()) == built.cost(5)
    assert "2 pictures x" in built.plan(KEYS)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2 * RECORD - 1}))
    with pytest.raises(CacheError, match=r"2\.1 kB, and .* has 2\.1 kB left; make room, train on fewer rows"):
        built.plan(KEYS)


def test_an_interrupted_build_goes_on(tmp_path: Path, parts: tuple[NearIDModel, Preprocessing]) -> None:
    def interrupted() -> Iterator[tuple[bytes, bytes]]:
        yield from list(PICTURES.items())[:4]
        raise KeyboardInterrupt

    built = cache(tmp_path, parts)
    with pytest.raises(KeyboardInterrupt):
        built.build(interrupted())
    assert len(built) == len(cache(tmp_path, parts)) == 3
    built.build(PICTURES.items())
    assert len(built) == len(cache(tmp_path, parts)) == 7
    assert torch.equal(built.tokens(KEYS), cache(tmp_path, parts).tokens(KEYS))


def test_an_interrupt_in_the_middle_of_a_record(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = features._Writer.add

    def half(self: features._Writer, key: bytes, tokens: np.ndarray) -> None:
        if key == KEYS[4]:
            self._file.write(tokens.tobytes()[:100])
            raise KeyboardInterrupt
        stock(self, key, tokens)

    monkeypatch.setattr(features._Writer, "add", half)
    built = cache(tmp_path, parts)
    with pytest.raises(KeyboardInterrupt):
        built.build(PICTURES.items())
    monkeypatch.undo()
    again = cache(tmp_path, parts)
    assert len(again) == 4
    again.build(PICTURES.items())
    fresh = cache(tmp_path / "fresh", parts)
    fresh.build(PICTURES.items())
    assert torch.equal(again.tokens(KEYS), fresh.tokens(KEYS))


def test_a_killed_build_leaves_finished_parts(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PART_BYTES", 2 * RECORD + 5)
    built = cache(tmp_path, parts)
    monkeypatch.setattr(features._Writer, "__exit__", lambda self, *ignored: self._file.close())  # as if gone
    built.build(PICTURES.items())
    assert len(list(built.folder.glob("*.tokens"))) == 3
    assert len(list(built.folder.glob(".*.tmp"))) == 1
    monkeypatch.undo()
    again = cache(tmp_path, parts)
    assert len(again) == 6
    (left,) = built.folder.glob(".*.tmp")
    os.utime(left, (0, 0))
    again.build(PICTURES.items())
    assert len(again) == 7
    assert not left.exists()


def test_a_full_disk(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, key: bytes, tokens: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(features._Writer, "add", full)
    built = cache(tmp_path, parts)
    with pytest.raises(CacheError, match=r"cannot write token features in .*: no space left on device"):
        built.build(PICTURES.items())
    assert list(built.folder.iterdir()) == []


def test_bad_pictures_are_all_named_and_the_good_ones_kept(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing]
) -> None:
    bad = {picture_key(content): content for content in (b"no picture", PICTURES[KEYS[0]][:60])}
    built = cache(tmp_path, parts)
    with pytest.raises(BadImagesError, match="2 pictures cannot be used") as error:
        built.build([*bad.items(), *PICTURES.items()])
    assert {image.path for image in error.value.bad} == {key.hex() for key in bad}
    assert len(built) == 7


def test_tokens_beyond_float16_are_a_bad_picture(tmp_path: Path) -> None:
    folder = str(tiny_dinov2(tmp_path / "dinov2"))
    model = build_model(folder)
    with torch.no_grad():
        model.backbone.layernorm.bias[0] = 1e6
    built = FeatureCache(tmp_path / "cache", model, load_preprocessing(folder))
    with pytest.raises(BadImagesError, match="1 picture cannot be used"):
        built.build(list(PICTURES.items())[:1])
    assert len(built) == 0


def test_a_copy_for_another_process_maps_the_parts_itself(
    tmp_path: Path, parts: tuple[NearIDModel, Preprocessing]
) -> None:
    built = cache(tmp_path, parts)
    built.build(PICTURES.items())
    pickled = pickle.dumps(built)
    assert len(pickled) < 500
    assert torch.equal(pickle.loads(pickled).tokens(KEYS), built.tokens(KEYS))


def test_another_backbone_has_another_cache(tmp_path: Path, parts: tuple[NearIDModel, Preprocessing]) -> None:
    built = cache(tmp_path, parts)
    other = str(tiny_nearid(tmp_path / "other", seed=9))
    assert FeatureCache(tmp_path, build_model(other), parts[1]).folder != built.folder
    trained = build_model(other)
    with torch.no_grad():
        trained.backbone.head.probe.add_(1)
    assert (
        FeatureCache(tmp_path, trained, parts[1]).folder
        == FeatureCache(tmp_path, build_model(other), parts[1]).folder
    )


@pytest.mark.parametrize("size", [0, 1, RECORD + 1])
def test_a_damaged_part_is_named(tmp_path: Path, parts: tuple[NearIDModel, Preprocessing], size: int) -> None:
    built = cache(tmp_path, parts)
    built.build(PICTURES.items())
    (path,) = built.folder.glob("*.tokens")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CacheError, match=f"{path.name} is damaged: delete it"):
        cache(tmp_path, parts)
