"""Fast preprocessing: how near it is to the exact one, where it steps back, and what it never does."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nearid_cli.images.decode import UnreadableImage, decode, read_picture
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.preprocessing import FloatPreprocessing, Preprocessing
from nearid_cli.images.reading import Reading
from tests import icc

SIGLIP = {
    "image_processor_type": "SiglipImageProcessor",
    "resample": 2,
    "size": {"height": 384, "width": 384},
}
SMALL = SIGLIP | {"size": {"height": 224, "width": 224}}
CLIP = {"image_processor_type": "CLIPImageProcessor"}
DINO = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": 224}


def exact_and_fast(config: dict) -> tuple[Preprocessing, Preprocessing]:
    exact = Preprocessing.from_config(config, None)
    assert exact is not None
    assert exact.has_fast_way
    return exact, exact.hastened()


def jpeg(image: Image.Image, **options) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **{"quality": 90} | options)
    return file.getvalue()


def differences(one, other) -> np.ndarray:
    return np.abs(np.asarray(one).astype(int) - np.asarray(other))


def always(size: tuple[int, int]) -> bool:
    return True


@pytest.mark.parametrize(("config", "most"), [(SIGLIP, 1), (CLIP, 8), (DINO, 8)])
def test_the_resize_differs_by_a_few_levels(photographs, config, most):
    exact, fast = exact_and_fast(config)
    for photograph in photographs.values():
        picture = photograph.resize((997, 763))
        found = differences(fast.to_uint8(picture), exact.to_uint8(picture))
        assert 0 < found.max() <= most
        assert found.mean() < 0.2


@pytest.mark.parametrize(("config", "most"), [(SMALL, 16), (CLIP, 18), (DINO, 18)])
@pytest.mark.parametrize("kind", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_half_differs_by_little(photographs, config, most, kind):
    exact, fast = exact_and_fast(config)
    for photograph in photographs.values():
        content = jpeg(photograph.resize((1152, 1024), Image.Resampling.BICUBIC), **kind)
        half = read_picture(content, halve=fast.takes_half)
        assert half.reduced
        assert half.image.size == (576, 512)
        found = differences(fast.to_uint8(half.image), exact.to_uint8(decode(content)))
        assert found.max() <= most
        assert found.mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_half_is_upright(photographs, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = jpeg(photographs["chelsea.png"].resize((400, 300)), exif=exif)
    asked = []

    def note(size: tuple[int, int]) -> bool:
        asked.append(size)
        return True

    half, whole = read_picture(content, halve=note), decode(content)
    assert half.reduced
    assert asked == [whole.size]
    assert differences(half.image, whole.resize(half.image.size, Image.Resampling.BOX)).mean() < 2


def others(photograph: Image.Image) -> dict[str, bytes]:
    """Pictures that come whole, whatever one would do with."""
    cut = photograph.resize((400, 300))
    files = {"odd": jpeg(cut.resize((401, 300))), "cmyk": jpeg(cut.convert("CMYK"))}
    for format_, image in (
        ("PNG", cut),
        ("WEBP", cut),
        ("GIF", cut.quantize()),
        ("TIFF", cut),
        ("PNG", cut.convert("RGBA")),
        ("PNG", cut.quantize()),
        ("PNG", Image.fromarray(np.arange(120_000, dtype=np.uint16).reshape(300, 400))),
    ):
        file = BytesIO()
        image.save(file, format_)
        files[f"{format_} {image.mode}"] = file.getvalue()
    return files


def test_what_has_no_half_comes_whole(photographs):
    for kind, content in others(photographs["chelsea.png"]).items():
        found = read_picture(content, halve=always)
        assert not found.reduced, kind
        assert np.array_equal(found.image, decode(content)), kind


def test_a_profile_that_counts_is_applied_to_the_whole(photographs):
    profile = icc.rgb(icc.DISPLAY_P3, icc.srgb_curve())
    content = jpeg(photographs["coffee.png"].resize((400, 300)), icc_profile=profile)
    assert read_picture(content, halve=always).reduced
    converted = read_picture(content, halve=always, reading=Reading(color_profile="convert"))
    assert not converted.reduced
    assert converted.findings.profiled == 1


def test_enlarging_and_other_filters_stay_with_pillow(photographs):
    exact, fast = exact_and_fast(SIGLIP)
    for size in ((300, 200), (900, 383), (383, 900)):
        picture = photographs["coffee.png"].resize(size)
        assert np.array_equal(fast.to_uint8(picture), exact.to_uint8(picture))
    for resample in (0, 1, 4, 5):
        other = Preprocessing.from_config(SIGLIP | {"resample": resample}, None)
        assert other is not None
        assert not other.has_fast_way
    assert not Preprocessing.from_config(SIGLIP | {"do_resize": False}, None).has_fast_way


def test_floats_are_prepared_as_ever_of_what_they_are_given(photographs):
    exact = FloatPreprocessing.from_config({"image_processor_type": "DINOv3ViTImageProcessorFast"}, None)
    fast = exact.hastened()
    assert fast != exact
    assert fast.takes_half((896, 896))
    assert not fast.takes_half((894, 896))
    assert not exact.takes_half((896, 896))
    picture = photographs["rocket.jpg"]
    assert np.array_equal(fast.to_float(picture), exact.to_float(picture))


_EDGES = st.integers(1, 3000)
_SIZES = st.one_of(
    st.fixed_dictionaries({"height": _EDGES, "width": _EDGES}),
    st.fixed_dictionaries({"shortest_edge": _EDGES}),
    st.fixed_dictionaries({"shortest_edge": _EDGES, "longest_edge": _EDGES}),
    st.fixed_dictionaries({"max_height": _EDGES, "max_width": _EDGES}),
)


@given(_SIZES, st.integers(1, 5000), st.integers(1, 5000))
def test_halves_are_resized_to_the_same_size(size, width, height):
    fast = Preprocessing.from_config(SIGLIP | {"size": size}, None).hastened()
    try:
        wanted = fast.resized((2 * width, 2 * height))
    except UnreadableImage:
        return
    if fast.takes_half((2 * width, 2 * height)):
        assert fast.resized((width, height)) == wanted


def test_the_budget_counts_what_is_decoded(photographs):
    content = jpeg(photographs["rocket.jpg"].resize((1024, 1024)))
    before = BUDGET.given
    BUDGET.size = 2 * 2**20
    try:
        with pytest.raises(UnreadableImage, match="takes 4"):
            decode(content)
        assert read_picture(content, halve=always).reduced
    finally:
        BUDGET.size = before
