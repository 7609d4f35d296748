"""Pillow's resize by compiled loops: equal to the bit, or left to Pillow."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from nearid_cli.images import resize
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.images.resize import Resizer, _Loops, _Sizes, _tried, _turn, _weigh, _weights

FILTERS = ("LANCZOS", "BILINEAR", "BICUBIC", "BOX", "HAMMING")
AS_WRITTEN = _Loops(_turn, _weigh)


@pytest.fixture(scope="module")
def compiled() -> Resizer:
    resizer = Resizer()
    resizer.compile()
    assert resizer._loops is not None
    return resizer


@pytest.fixture
def eager(compiled, monkeypatch) -> Resizer:
    """One that tries the way of every resize at once."""
    monkeypatch.setattr(resize, "_OFTEN", 1)
    return compiled


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@given(data=st.data())
def test_all_sizes_filters_and_pictures(compiled, data):
    before = tuple(data.draw(st.integers(16, 300), "before") for _ in range(2))
    after = tuple(data.draw(st.integers(16, edge), "after") for edge in before)
    filter_ = Image.Resampling[data.draw(st.sampled_from(FILTERS))]
    assume(before != after)
    seed, hard = data.draw(st.integers(0, 99)), data.draw(st.booleans())
    picture = noise(*before, seed)
    if hard:  # black and white overshoot most
        picture = picture.point(lambda level: 255 * (level > 127))
    way = _tried(_Sizes(before, after, filter_), compiled._loops)
    assert way is not None
    assert way.made(resize._pixels(picture)).tobytes() == picture.resize(after, filter_).tobytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 1024), (224, 224)),
        ((1300, 700), (384, 384)),
        ((517, 1999), (16, 1000)),
        ((640, 480), (640, 100)),
    ],
)
@pytest.mark.parametrize("filter_", ["BILINEAR", "BICUBIC", "BOX"])
def test_pictures_of_ordinary_sizes(eager, monkeypatch, before, after, filter_):
    picture, filter_ = noise(*before), Image.Resampling[filter_]
    wanted = picture.resize(after, filter_).tobytes()
    eager.resized(picture, after, filter_)  # whose way is known now
    monkeypatch.setattr(Image.Image, "resize", None)
    assert eager.resized(picture, after, filter_).tobytes() == wanted


def test_the_loops_as_written():
    picture = noise(40, 23)
    for filter_ in (Image.Resampling[name] for name in FILTERS):
        way = _tried(_Sizes((40, 23), (17, 16), filter_), AS_WRITTEN)
        assert way is not None
        assert way.made(resize._pixels(picture)).tobytes() == picture.resize((17, 16), filter_).tobytes()


@pytest.mark.parametrize(("many", "few"), [(10, 10), (1024, 224), (37, 16), (4000, 17)])
def test_weights_are_triangles_of_bilinear(many, few):
    begins, weights = _weights(many, few, Image.Resampling.BILINEAR)
    for place, (begin, found) in enumerate(zip(begins, weights, strict=True)):
        centre, scale = (place + 0.5) * many / few, many / few
        distances = np.abs(np.arange(begin, begin + len(found)) + 0.5 - centre) / scale
        wanted = np.maximum(0, 1 - distances)
        assert found / 2**22 == pytest.approx(wanted / wanted.sum(), abs=2**-21)
        assert found.sum() == pytest.approx(2**22, abs=len(found))


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (noise(100, 80), (120, 60)),
        (noise(100, 80), (15, 40)),
        (noise(100, 80), (100, 80)),
        (noise(100, 80).convert("L"), (50, 40)),
        (noise(100, 80).convert("RGBA"), (50, 40)),
        (noise(2100, 2100), (50, 40)),  # more than a block of Pillow's memory
    ],
    ids=["larger", "tiny", "same", "grey", "alpha", "blocks"],
)
def test_the_rest_is_left_to_pillow(eager, picture, size):
    made = eager.resized(picture, size, Image.Resampling.BICUBIC)
    assert made.mode == picture.mode
    assert made.tobytes() == picture.resize(size, Image.Resampling.BICUBIC).tobytes()
    assert not [sizes for sizes in eager._ways if sizes.after == size and sizes.before == picture.size]


def test_filters_that_no_preprocessing_asks_for(eager):
    """Some of a newer Pillow's reach farther than weights are looked for, which the trial finds."""
    picture = noise(200, 160)
    for filter_ in Image.Resampling:
        eager.resized(picture, (50, 40), filter_)
        made = eager.resized(picture, (50, 40), filter_)
        assert made.tobytes() == picture.resize((50, 40), filter_).tobytes()


def test_sizes_are_tried_when_they_were_often_wanted(compiled):
    picture = noise(90, 77)
    for count in range(1, 2 * resize._OFTEN):
        compiled.resized(picture, (33, 31), Image.Resampling.BILINEAR)
        tried = _Sizes(picture.size, (33, 31), Image.Resampling.BILINEAR) in compiled._ways
        assert tried == (count >= resize._OFTEN)


def test_sizes_that_are_all_others_are_forgotten(compiled, monkeypatch):
    monkeypatch.setattr(resize, "_REMEMBERED", 5)
    for width in range(20, 60):
        compiled.resized(noise(width, 20), (18, 18), Image.Resampling.BILINEAR)
        assert len(compiled._seen) <= 6


def begun(monkeypatch) -> Resizer:
    """One for which a few pictures are worth compiling, after these, and after its thread is done."""
    monkeypatch.setattr(resize, "_WORTH", 3 * 100 * 80)
    resizer = Resizer()
    for _ in range(4):
        resizer.resized(noise(100, 80), (50, 40), Image.Resampling.BILINEAR)
    for thread in threading.enumerate():
        if thread.name == "compile":
            thread.join()
    return resizer


def test_it_compiles_once_that_is_worth_it(monkeypatch, caplog):
    resizer = begun(monkeypatch)
    assert resizer._loops is not None
    assert not caplog.records


def test_it_does_not_compile_without_numba_or_memory(monkeypatch, caplog):
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None)
        assert begun(without)._loops is None
    with monkeypatch.context() as without:
        without.setattr(resize, "free_memory", lambda: resize._ROOM - 1)
        assert begun(without)._loops is None
    with monkeypatch.context() as without:
        without.setattr("resource.getrlimit", lambda kind: (2**31, 2**31))
        assert begun(without)._loops is None
    assert not caplog.records


def test_a_numba_that_cannot_be_imported_is_said(monkeypatch, caplog):
    with caplog.at_level(logging.WARNING):
        monkeypatch.setitem(sys.modules, "numba", None)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: "there")
        resizer = begun(monkeypatch)
    (line,) = caplog.messages
    assert line.startswith("Numba is not used to resize pictures, which takes longer and gives the same: ")
    assert "numba" in line
    assert resizer._loops is None


def test_a_numba_that_is_told_not_to_compile_is_not_used(monkeypatch, caplog):
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    resizer = Resizer()
    resizer.compile()
    assert resizer._loops is None
    assert caplog.messages[0].endswith(": RuntimeError: NUMBA_DISABLE_JIT is set")


def test_aligned_rows_are_left_to_pillow():
    """Which Pillow 12 hands out with their padding, as if that were pixels."""
    code = """
from nearid_cli.images.resize import _pixels
from PIL import Image
print(_pixels(Image.new("RGB", (1024, 64))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PILLOW_ALIGNMENT": "64"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "None\n"


def test_a_long_picture_does_not_take_memory_beyond_its_own(compiled, monkeypatch):
    """Whose weights are few, and would be read from 131,072 x 24,578 pixels."""
    monkeypatch.setattr(resize, "_weights", None)
    assert _tried(_Sizes((131_072, 32), (32, 32), Image.Resampling.BILINEAR), compiled._loops) is None


def test_no_more_ways_are_kept_than_a_thousand(eager, monkeypatch):
    monkeypatch.setattr(resize, "_WAYS", 5)
    for width in range(20, 40):
        eager.resized(noise(width, 20), (18, 18), Image.Resampling.BILINEAR)
        assert 0 < len(eager._ways) <= 5


def test_loops_that_do_otherwise_than_pillow_are_not_used(monkeypatch, caplog):
    def rounds_down(rows, begins, weights, fewer):
        for one, begin in enumerate(begins):
            fewer[one] = (weights[one] @ rows[begin : begin + weights.shape[1]].astype(np.int64)) >> 22

    monkeypatch.setattr(resize, "_compiled", lambda: _Loops(_turn, rounds_down))
    resizer = Resizer()
    resizer.compile()
    assert resizer._loops is None
    (line,) = caplog.messages
    assert line.endswith(
        "takes longer and gives the same: this Pillow keeps or resizes pictures in another way"
    )


def test_threads_share_one(eager):
    pictures = [noise(96 + width, 128, width) for width in range(6)]
    wanted = [picture.resize((64, 48), Image.Resampling.BICUBIC).tobytes() for picture in pictures]
    wrong = []

    def work():
        for _ in range(20):
            for picture, levels in zip(pictures, wanted, strict=True):
                if eager.resized(picture, (64, 48), Image.Resampling.BICUBIC).tobytes() != levels:
                    wrong.append(picture.size)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_encoders_take_is_the_same(eager, monkeypatch):
    clip = Preprocessing.from_config({"image_processor_type": "CLIPImageProcessor"}, None)
    assert clip is not None
    picture = noise(641, 480)
    wanted = clip.to_uint8(picture)
    monkeypatch.setattr("nearid_cli.images.preprocessing.RESIZER", eager)
    assert np.array_equal(clip.to_uint8(picture), wanted)
    assert eager._ways[_Sizes((641, 480), (299, 224), Image.Resampling.BICUBIC)] is not None


def test_a_process_may_end_while_it_compiles():
    code = """
import nearid_cli.images.resize as resize
from PIL import Image
resize._WORTH = 1
resize.RESIZER.resized(Image.new("RGB", (100, 100)), (50, 50), 2)
import time
time.sleep({})
"""
    for seconds in (0, 0.2, 0.4, 0.8):
        done = subprocess.run(
            [sys.executable, "-c", code.format(seconds)], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
