from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from nearid_cli.encoders.plugged import plugin_fingerprint
from nearid_cli.errors import ModelError
from nearid_cli.measures.vsm import VisualSemanticMatching
from nearid_cli.measures.vsm.metric import cells_of
from nearid_cli.measures.vsm.recipe import SIZE
from nearid_cli.plugins import NoScore
from tests.measures.vsm.plain import Plain, plain_cells, plain_vsm
from tests.measures.vsm.tiny import SIDE, TAPS, WIDTH, change, read, save, split, tiny_vsm

THRESHOLDS = {"semantic_threshold": 0.8, "threshold": 0.9}
"""With which random networks neither match everything nor nothing."""


pytestmark = pytest.mark.usefixtures("small_squares")


def normalised(branches: list[np.ndarray]) -> np.ndarray:
    flat = np.stack([branch.reshape(SIDE * SIDE, WIDTH) for branch in branches])
    return flat / np.linalg.norm(flat, axis=-1, keepdims=True)


def loaded(folder: Path, **settings: Any) -> VisualSemanticMatching:
    metric = VisualSemanticMatching(str(folder), **settings)
    metric.load("cpu")
    return metric


@pytest.fixture(scope="module")
def metric(vsm_checkpoint: Path) -> VisualSemanticMatching:
    return loaded(vsm_checkpoint, **THRESHOLDS)


@pytest.fixture(scope="module")
def plain(vsm_checkpoint: Path) -> Plain:
    return Plain(vsm_checkpoint, list(TAPS))


@pytest.fixture(scope="module")
def maps(plain: Plain, pictures: dict[str, Image.Image], small_squares: int) -> dict[str, list[np.ndarray]]:
    """Of two pictures."""
    return {name: plain.maps(pictures[name], "sample", small_squares) for name in ("astronaut", "chelsea")}


@pytest.fixture(scope="module")
def pictures(photographs: dict[str, Image.Image]) -> dict[str, Image.Image]:
    """Three photographs of several sizes, and one of them with a part replaced."""
    found = {name: photographs[name] for name in ("astronaut", "chelsea", "coffee")}
    found["planted"] = planted(found["astronaut"])
    return found


def planted(picture: Image.Image) -> Image.Image:
    """A picture in which the cells (6..8, 6..8) show something else."""
    width, height = picture.size
    box = (6 * width // 12, 6 * height // 12, 9 * width // 12, 9 * height // 12)
    changed = picture.copy()
    part = picture.transpose(Image.Transpose.ROTATE_180).crop(
        (width // 3, height // 3, width // 3 + box[2] - box[0], height // 3 + box[3] - box[1])
    )
    changed.paste(part, box[:2])
    return changed


@pytest.fixture(scope="module")
def features(
    metric: VisualSemanticMatching, pictures: dict[str, Image.Image], small_squares: int
) -> dict[str, np.ndarray]:
    return {name: metric.features(picture) for name, picture in pictures.items()}


def test_equals_a_plain_computation(
    metric: VisualSemanticMatching, maps: dict[str, list[np.ndarray]], features: dict[str, np.ndarray]
) -> None:
    for name, branches in maps.items():
        assert features[name].dtype == np.float32
        assert features[name].shape == (2, SIDE * SIDE, WIDTH)
        np.testing.assert_allclose(features[name], normalised(branches), atol=1e-5)
    for first, second in (("astronaut", "chelsea"), ("chelsea", "astronaut")):
        score = metric.compare(features[first], features[second])
        expected_score, expected_map = plain_vsm(maps[first], maps[second], 0.8, 0.9)
        assert score == pytest.approx(expected_score, abs=1e-5)
        assert 0.05 < score < 0.95
        np.testing.assert_array_equal(metric.map(features[first], features[second]), expected_map)
    assert metric.compare(features["astronaut"], features["chelsea"]) != metric.compare(
        features["chelsea"], features["astronaut"]
    )


def test_pictures_are_squashed_to_768_pixels(
    metric: VisualSemanticMatching,
    plain: Plain,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nearid_cli.measures.vsm.features.SIZE", SIZE)
    expected = normalised(plain.maps(pictures["coffee"], "sample"))
    np.testing.assert_allclose(metric.features(pictures["coffee"]), expected, atol=1e-5)


def test_masks_say_which_cells_count(
    metric: VisualSemanticMatching, maps: dict[str, list[np.ndarray]], pictures: dict[str, Image.Image]
) -> None:
    masks = {}
    for name, box in (("astronaut", (0.2, 0.1, 0.6, 0.7)), ("chelsea", (0.3, 0.3, 1.0, 0.9))):
        width, height = pictures[name].size
        masks[name] = Image.new("L", (width, height))
        ImageDraw.Draw(masks[name]).ellipse(
            [int(edge * size) for edge, size in zip(box, (width, height) * 2, strict=True)], fill=255
        )
    own = {name: metric.features(pictures[name], mask) for name, mask in masks.items()}
    for name, mask in masks.items():
        inside = plain_cells(mask).ravel()
        assert own[name].any(axis=(0, 2)).tolist() == inside.tolist()
        assert 0.1 < inside.mean() < 0.9
    found = metric.compare(own["astronaut"], own["chelsea"])
    expected, grid = plain_vsm(
        maps["astronaut"], maps["chelsea"], 0.8, 0.9, masks["astronaut"], masks["chelsea"]
    )
    assert found == pytest.approx(expected, abs=1e-5)
    shown = metric.map(own["astronaut"], own["chelsea"])
    np.testing.assert_array_equal(shown, grid)
    assert np.isnan(shown[~plain_cells(masks["chelsea"])]).all()

    nothing = metric.features(pictures["chelsea"], Image.new("L", pictures["chelsea"].size))
    reason = NoScore("no point of the reference matches")
    assert metric.compare(own["astronaut"], nothing) == reason
    assert metric.compare(nothing, own["astronaut"]) == reason
    assert np.isnan(metric.map(nothing, own["astronaut"])).all()


@pytest.mark.parametrize("size", [(24, 24), (17, 40), (1500, 900)])
def test_a_cell_counts_where_its_first_pixel_of_the_squashed_mask_does(size: tuple[int, int]) -> None:
    """Even a faint one, as there are along the edges of a mask that was squashed."""
    coarse = np.random.default_rng(0).random((12, 9)) < 0.4
    mask = Image.fromarray(np.uint8(255 * coarse)).resize(size, Image.Resampling.NEAREST)
    cells = cells_of(mask, SIDE)
    assert cells.tolist() == plain_cells(mask).ravel().tolist()
    large = np.asarray(mask.resize((768, 768), Image.Resampling.BILINEAR))[::64, ::64]
    assert ((large > 0) & (large < 128)).any()


def test_an_identical_picture_scores_1(
    metric: VisualSemanticMatching, features: dict[str, np.ndarray]
) -> None:
    for own in features.values():
        assert metric.compare(own, own) == 1.0
        assert metric.map(own, own)[0, 0] == 0.0


def test_a_planted_change_lowers_the_score_and_lights_up(
    metric: VisualSemanticMatching, features: dict[str, np.ndarray]
) -> None:
    score = metric.compare(features["astronaut"], features["planted"])
    assert 0.5 < score < 0.95
    grid = metric.map(features["astronaut"], features["planted"])
    near = np.zeros((SIDE, SIDE), bool)
    near[5:10, 5:10] = True  # the changed cells, and those beside them
    assert np.nanmean(grid[near]) > 0.3
    assert np.nanmean(grid[near]) > 3 * np.nanmean(grid[~near])
    assert np.nansum(grid[:2]) == 0  # far above


def test_thresholds_decide_about_pairs_alone(
    vsm_checkpoint: Path, metric: VisualSemanticMatching, features: dict[str, np.ndarray]
) -> None:
    pair = features["astronaut"], features["chelsea"]
    scores = [
        VisualSemanticMatching(str(vsm_checkpoint), threshold=t).compare(*pair) for t in (0.5, 0.9, 0.97)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]
    strict = VisualSemanticMatching(str(vsm_checkpoint), semantic_threshold=0.9999)
    assert strict.compare(*pair) == NoScore("no point of the reference matches")
    default = VisualSemanticMatching(str(vsm_checkpoint))
    assert strict.features_version == metric.features_version == default.features_version
    settings = ({"semantic_threshold": 0.9999}, THRESHOLDS, {})
    made = zip((strict, metric, default), settings, strict=True)
    assert len({plugin_fingerprint("vsm", one, given) for one, given in made}) == 3
    assert "visual score > 0.6, of those with semantic score > 0.6" in default.protocol


def test_the_latent_is_a_sample_that_can_be_had_again(
    vsm_checkpoint: Path,
    metric: VisualSemanticMatching,
    plain: Plain,
    pictures: dict[str, Image.Image],
    features: dict[str, np.ndarray],
    small_squares: int,
) -> None:
    picture = pictures["chelsea"]
    assert np.array_equal(metric.features(picture.copy()), features["chelsea"])
    mean = loaded(vsm_checkpoint, vsm_latent="mean")
    assert mean.features_version != metric.features_version
    assert "latent: mean" in mean.preprocessing
    found = mean.features(picture)
    expected = normalised(plain.maps(picture, "mean", small_squares))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.allclose(found, features["chelsea"], atol=1e-5)


def test_some_taps_and_several_blocks(
    tmp_path: Path, pictures: dict[str, Image.Image], small_squares: int
) -> None:
    taps = ["us6", "us3", "us8"]
    folder = tiny_vsm(tmp_path / "some", taps=taps, blocks=2)
    plain, picture = Plain(folder, taps, blocks=2), pictures["coffee"]
    expected = normalised(plain.maps(picture, "sample", small_squares))
    np.testing.assert_allclose(loaded(folder).features(picture), expected, atol=1e-5)


def test_parts_may_be_in_files_of_their_own(
    vsm_copy: Callable[[], Path], pictures: dict[str, Image.Image], features: dict[str, np.ndarray]
) -> None:
    folder = vsm_copy()
    split(folder)
    vae = read(folder / "vae/diffusion_pytorch_model.safetensors")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, name in old.items():  # as files of 2022 have it
        vae = {key.replace(f".{new}.", f".{name}."): value for key, value in vae.items()}
    save(folder / "vae/diffusion_pytorch_model.safetensors", vae)
    change(folder / "mtg_weights.safetensors", learned_timestep=torch.tensor([257.25]))
    assert np.array_equal(loaded(folder).features(pictures["coffee"]), features["coffee"])


def test_a_checkpoint_without_a_timestep_says_so(vsm_copy: Callable[[], Path], metric: Any) -> None:
    folder = vsm_copy()
    change(folder / "mtg_weights.safetensors", **{"cleandift_model.timestep": None})
    bare = loaded(folder)
    assert bare.protocol.endswith("at timestep 261, none being learned")
    assert metric.protocol.endswith("at the learned timestep")
    change(folder / "mtg_weights.safetensors", **{"cleandift_model.timestep": torch.tensor(261.0)})
    grey = Image.new("RGB", (64, 64), (90, 120, 20))
    assert np.array_equal(bare.features(grey), loaded(folder).features(grey))


def test_a_stored_prompt_stands_for_the_text_encoder(
    vsm_copy: Callable[[], Path],
    plain: Plain,
    pictures: dict[str, Image.Image],
    features: dict[str, np.ndarray],
) -> None:
    folder = vsm_copy()
    for file in [*(folder / "text_encoder").iterdir(), *(folder / "tokenizer").iterdir()]:
        file.unlink()
    save(folder / "empty_prompt.safetensors", {"embedding": plain.prompt})
    assert np.array_equal(loaded(folder).features(pictures["coffee"]), features["coffee"])
    save(folder / "empty_prompt.safetensors", {"embedding": plain.prompt[0]})
    with pytest.raises(ModelError, match=r"expected one tensor \[1, tokens, width\] in .*empty_prompt"):
        loaded(folder)


def test_content_names_what_decides(vsm_copy: Callable[[], Path], metric: VisualSemanticMatching) -> None:
    folder = vsm_copy()
    copied = VisualSemanticMatching(str(folder))
    assert copied.features_version == metric.features_version
    found = {copied.features_version}
    for number, file in enumerate(
        (
            "mtg_weights.safetensors",
            "text_encoder/model.safetensors",
            "vae/config.json",
            "experiment_cfg.yaml",
        ),
        2,
    ):
        path = folder / file
        if path.suffix == ".safetensors":
            change(path, **{next(iter(read(path))): torch.zeros(3)})
        else:
            path.write_text(path.read_text() + "\n")
        found.add(VisualSemanticMatching(str(folder)).features_version)
        assert len(found) == number
    found.add(VisualSemanticMatching(str(folder), dtype="bfloat16").features_version)
    assert len(found) == number + 1


def test_runs_in_16_bits(vsm_checkpoint: Path, pictures: Any, features: dict[str, np.ndarray]) -> None:
    half = loaded(vsm_checkpoint, dtype="bfloat16")
    assert half.dtype == "bfloat16"
    found = half.features(pictures["chelsea"])
    assert found.dtype == np.float32
    assert np.mean(np.sum(found * features["chelsea"], axis=-1)) > 0.95
