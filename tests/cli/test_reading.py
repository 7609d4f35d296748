"""--color-profile and --sixteen-bit: other pixels are other embeddings, and that is said and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import icc
from tests.commandline import Finished, Nearid

IGNORED = "8 pictures have a colour profile other than sRGB, ignored; --color-profile convert applies it"
CONVERTED = "8 pictures have a colour profile other than sRGB, converted to sRGB"
SCALED = (
    "1 picture has grey levels of more than 8 bits, scaled to 8; "
    "--sixteen-bit clip cuts them off at 255, as Pillow does"
)


@pytest.fixture
def run(nearid: Nearid, tmp_path: Path):
    """Scores two subjects whose pictures are in Display P3, and one picture of 16-bit grey."""
    generator = np.random.default_rng(4)
    profile = icc.rgb(icc.DISPLAY_P3, icc.srgb_curve())
    for place in ("refs/cat", "refs/mug", "gens/cat", "gens/mug"):
        (tmp_path / place).mkdir(parents=True)
        for name in ("a", "b"):
            pixels = generator.integers(0, 255, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((48, 48)).save(
                tmp_path / place / f"{name}.png", icc_profile=profile
            )
    ramp = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "gens/mug/deep.png")

    def score(*options: str) -> Finished:
        return nearid(
            "score", tmp_path / "refs", tmp_path / "gens", "-m", "hog", "--format", "json", *options
        )

    return score


def test_it_is_said_once_and_both_choices_are_kept_apart(run):
    plain = run()
    assert (plain.code, plain.err.count(IGNORED), plain.err.count(SCALED)) == (0, 1, 1)
    converted = run("--color-profile", "convert")
    assert converted.err.count(CONVERTED) == 1
    clipped = run("--sixteen-bit", "clip")
    assert "1 picture has grey levels of more than 8 bits, cut off at 255" in clipped.err
    results = [json.loads(finished.out) for finished in (plain, converted, clipped)]
    made = [result["metrics"][0] for result in results]
    assert len({metric["fingerprint"] for metric in made}) == 3
    words = made[0]["preprocessing"]
    assert [metric["preprocessing"] for metric in made] == [
        words,
        f"colour profiles to sRGB, {words}",
        f"16-bit grey clipped at 255, {words}",
    ]
    cat, mug = (
        [
            next(s for s in result["subjects"] if s["subject"] == name)["scores"]["hog"]["score"]
            for result in results
        ]
        for name in ("cat", "mug")
    )
    assert cat[0] == cat[2] != cat[1]
    assert len(set(mug)) == 3
    for options, result in zip(
        ((), ("--color-profile", "convert"), ("--sixteen-bit", "clip")), results, strict=True
    ):
        warm = run(*options)
        assert json.loads(warm.out)["subjects"] == result["subjects"]
        assert "profile" not in warm.err  # no picture was opened


def test_words_that_stand_for_nothing(run):
    assert run("--color-profile", "srgb").error == "--color-profile must be ignore or convert, found 'srgb'"
    assert run("--sixteen-bit", "8").error == "--sixteen-bit must be scale or clip, found '8'"


def test_pair_and_embed_take_them_too(nearid: Nearid, tmp_path: Path):
    picture = Image.new("RGB", (48, 48), (200, 60, 30))
    picture.save(tmp_path / "a.png", icc_profile=icc.rgb(icc.DISPLAY_P3, icc.srgb_curve()))
    picture.save(tmp_path / "b.png")
    same = nearid("pair", tmp_path / "a.png", tmp_path / "b.png", "-m", "hog", "--format", "json")
    other = nearid(
        "pair",
        tmp_path / "a.png",
        tmp_path / "b.png",
        "-m",
        "hog",
        "--format",
        "json",
        "--color-profile",
        "convert",
    )
    assert same.out != other.out
    assert "1 picture has a colour profile other than sRGB" in other.err
    done = nearid("embed", tmp_path, "-m", "hog", "-o", tmp_path / "x.parquet", "--color-profile", "convert")
    assert done.code == 0, done.err
