"""Real files of every format, broken in every way: an upright RGB picture or `UnreadableImage` comes out."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps, PngImagePlugin
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from nearid_cli.errors import UsageError
from nearid_cli.images.decode import MAX_EDGE, UnreadableImage, decode, read_held

ORIENTATION = 0x0112


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def reason(source: bytes | Path, **options) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(source, **options)
    assert str(caught.value) == caught.value.reason
    assert "\n" not in caught.value.reason
    return caught.value.reason


CAT = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB").resize((45, 30))
CAT.info.clear()
_EXIF = Image.Exif()
_EXIF[ORIENTATION] = 6
FILES = {
    "jpeg": encoded(CAT, "JPEG", exif=_EXIF, quality=80),
    "progressive jpeg": encoded(CAT, "JPEG", progressive=True),
    "png": encoded(CAT, "PNG", exif=_EXIF),
    "palette png": encoded(CAT.quantize(16), "PNG", transparency=b"\x00\x80\xff"),
    "animated png": encoded(CAT, "PNG", save_all=True, append_images=[ImageOps.invert(CAT)]),
    "webp": encoded(CAT, "WEBP", exif=_EXIF),
    "lossless webp": encoded(CAT, "WEBP", lossless=True),
    "animated webp": encoded(CAT, "WEBP", save_all=True, append_images=[ImageOps.invert(CAT)]),
    "gif": encoded(CAT, "GIF"),
    "animated gif": encoded(CAT.quantize(8), "GIF", save_all=True, append_images=[ImageOps.invert(CAT)]),
    "tiff": encoded(CAT, "TIFF", tiffinfo={ORIENTATION: 6}),
    "lzw tiff": encoded(CAT, "TIFF", compression="tiff_lzw", tiffinfo={ORIENTATION: 6}),
    "bmp": encoded(CAT, "BMP"),
    "avif": encoded(CAT, "AVIF"),
}


def decoded_or_none(content: bytes) -> np.ndarray | None:
    """None for an unreadable picture; any other exception, or a warning, fails the test."""
    try:
        picture = decode(content, max_pixels=1_000_000)
    except UnreadableImage as error:
        if not error.reason.isprintable():
            raise
        return None
    assert picture.mode == "RGB"
    assert not picture.info
    return np.asarray(picture)


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_never_filled_in(kind):
    content = FILES[kind]
    whole = decoded_or_none(content)
    assert whole is not None
    cuts = {*range(0, len(content), 17), *range(len(content) - 12, len(content))}
    outcomes = [decoded_or_none(content[:cut]) for cut in cuts]
    # Trailing metadata may be lost; pixels never.
    assert all(outcome is None or np.array_equal(outcome, whole) for outcome in outcomes)
    assert (
        sum(outcome is None for outcome in outcomes) > len(cuts) / 6
    )  # of an animation, the first frame suffices


@settings(max_examples=600)
@given(st.data(), st.sampled_from(sorted(FILES)))
def test_flipped_bytes_raise_nothing_but_unreadable(data, kind):
    content = bytearray(FILES[kind])
    # Half of the flips go to the headers, where they do most.
    place = st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1))
    for position, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=6)):
        content[min(position, len(content) - 1)] = value
    decoded_or_none(bytes(content[: data.draw(st.one_of(st.none(), st.integers(0, len(content))))]))


@settings(max_examples=200)
@given(
    st.sampled_from(
        [content[:12] for content in FILES.values()] + [b"II+\0", b"MM\0*", b"\0\0\0\x18ftypmif1", b""]
    ),
    st.binary(max_size=300),
)
def test_junk_after_a_good_start(start, junk):
    decoded_or_none(start + junk)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "lzw tiff"])
def test_orientation_six_is_turned_upright(kind):
    picture = decode(FILES[kind])
    assert picture.size == (30, 45)
    expected = CAT.transpose(Image.Transpose.ROTATE_270)
    difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(expected, dtype=int))
    assert difference.mean() < (0.01 if kind in {"png", "tiff", "lzw tiff"} else 6)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_as_pillow_has_it(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = encoded(CAT, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB")
    assert np.array_equal(decode(content), expected)


def test_orientation_in_xmp_counts_and_broken_exif_does_not():
    information = PngImagePlugin.PngInfo()
    information.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="3"/>')
    assert np.array_equal(decode(encoded(CAT, "PNG", pnginfo=information)), CAT.rotate(180))
    # A tag directory that points beyond the data: Pillow warns, the picture is fine.
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\x00\xff\0\0"
    content = encoded(CAT, "JPEG", exif=broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Image.open(BytesIO(content)).getexif()
    assert caught
    assert decode(content).size == CAT.size


MODES = {
    # mode of the file: (levels in the file, levels that come out of the first pixels)
    "L": (np.array([[0, 100, 255]], np.uint8), [(0,) * 3, (100,) * 3, (255,) * 3]),
    "LA": (np.array([[[100, 0], [200, 128]]], np.uint8), [(100,) * 3, (200,) * 3]),
    "RGBA": (np.array([[[10, 20, 30, 0], [200, 128, 4, 128]]], np.uint8), [(10, 20, 30), (200, 128, 4)]),
    "I;16": (
        np.array([[0, 100, 255, 256, 65535]], np.uint16),
        [(level,) * 3 for level in (0, 0, 0, 1, 255)],
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_in_png(mode):
    levels, expected = MODES[mode]
    image = Image.fromarray(levels)
    assert image.mode == mode
    content = encoded(image, "PNG")
    assert Image.open(BytesIO(content)).mode == mode
    assert list(map(tuple, np.asarray(decode(content))[0].tolist())) == expected


def test_modes_in_tiff():
    def levels(image: Image.Image) -> list[list[int]]:
        content = encoded(image, "TIFF")
        assert Image.open(BytesIO(content)).mode == image.mode
        return np.asarray(decode(content))[0].tolist()

    ink = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [100, 50, 20, 60]]], np.uint8)
    assert levels(Image.fromarray(ink, "CMYK")) == [[255] * 3, [0, 255, 255], [0] * 3, [119, 157, 180]]
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1", dither=Image.Dither.NONE)
    assert levels(bits) == [[0] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [
        (np.array([[-5, 0, 100, 256, 70_000]], np.int32), "signed 32-bit TIFF"),
        (np.array([[-5, 0.6, 100.7, 256, np.nan]], np.float32), "floating-point TIFF"),
    ],
)
def test_levels_that_eight_bits_cannot_hold_are_refused_by_name(levels, wanted):
    content = encoded(Image.fromarray(levels), "TIFF")
    assert reason(content) == f"unsupported: {wanted}; convert it to PNG"


def test_sixteen_bit_colour_keeps_the_high_byte():
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">6H", 7 * 256 + 200, 65535, 255, 0, 1000, 40000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    assert np.asarray(decode(content))[0].tolist() == [[7, 255, 0], [0, 3, 156]]


@pytest.mark.parametrize("transparency", [b"\x00\x80\xff", 3])
def test_transparency_of_a_palette_is_dropped_without_a_trace(transparency):
    palette = CAT.quantize(16)
    picture = decode(encoded(palette, "PNG", transparency=transparency))
    assert np.array_equal(picture, palette.convert("RGB"))
    assert not picture.info


def test_processors_see_what_we_see():
    """A colour key would make transformers blend with white; after decoding there is none."""
    white_key = tuple(int(level) for level in np.asarray(CAT)[0, 0])
    content = encoded(CAT, "PNG", transparency=white_key)
    assert Image.open(BytesIO(content)).info["transparency"] == white_key
    plain = {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": False}
    processor = CLIPImageProcessorPil(**plain, do_convert_rgb=True)
    picture = decode(content)
    seen = processor(picture, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    assert np.array_equal(seen, np.asarray(picture))
    assert np.array_equal(picture, CAT)


@pytest.mark.parametrize("kind", ["animated gif", "animated png", "animated webp"])
def test_first_frame_of_an_animation(kind):
    assert getattr(Image.open(BytesIO(FILES[kind])), "n_frames", 1) == 2
    difference = np.abs(np.asarray(decode(FILES[kind]), dtype=int) - np.asarray(CAT, dtype=int))
    assert difference.mean() < 20


def test_given_pictures_are_not_changed():
    given_ = CAT.copy()
    given_.info["transparency"] = (1, 2, 3)
    exif = given_.getexif()
    exif[ORIENTATION] = 6
    given_.info["exif"] = exif.tobytes()
    upright = read_held(given_).image
    assert upright.size == (30, 45)
    assert given_.size == (45, 30)
    assert given_.info["transparency"] == (1, 2, 3)


def test_content_decides_not_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(CAT, "PNG"))
    assert np.array_equal(decode(path), CAT)


def test_limit_on_pixels_is_checked_before_decoding():
    content = encoded(CAT, "PNG")
    assert decode(content, max_pixels=45 * 30).size == (45, 30)
    # The header alone is enough to refuse it.
    wanted = "1,350 px is over the limit of 1,349 px; raise it with --max-pixels"
    assert reason(content[: content.index(b"IDAT") + 8], max_pixels=45 * 30 - 1) == wanted


def bomb(width: int, height: int, format_: str) -> bytes:
    """A small file whose header promises a huge picture."""
    content = bytearray(encoded(Image.new("RGB", (16, 16)), format_))
    if format_ == "PNG":
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    else:
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_limits_of_pillow_neither_warn_nor_decide(format_, monkeypatch):
    huge = bomb(20_000, 10_000, format_)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(huge))
    assert reason(huge) == "200 Mpx is over the limit of 178 Mpx; raise it with --max-pixels"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(FILES["bmp"]).size == (45, 30)


@pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13, reason="older versions of Pillow have no limit for WebP"
)
def test_a_huge_webp_is_pillows_to_refuse(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert reason(FILES["webp"]).startswith(
        "WEBP over the limit of Pillow itself (PIL.Image.MAX_IMAGE_PIXELS)"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html>", "not an image: an HTML page"),
        (b"\x00\xff\n\x1b[31m", "not an image: no format that is known"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported: EPS; convert it to PNG"),
        (FILES["jpeg"][:600], "truncated JPEG"),
        (FILES["png"][:600], "truncated PNG"),
        (FILES["gif"][:900], "truncated GIF"),
        (FILES["bmp"][:600], "truncated BMP"),
        (FILES["webp"][:300], "damaged WEBP: could not create decoder object"),
    ],
)
def test_reasons(content, expected):
    assert reason(content) == expected


def test_paths_that_cannot_be_read(tmp_path):
    assert reason(tmp_path / "nothing.png") == "no such file or directory"
    dead = tmp_path / "dead.png"
    dead.symlink_to("away\n.png")
    assert reason(dead) == r"dead symlink to away\n.png"
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    assert reason(loop) == "too many levels of symbolic links"
    assert reason(tmp_path) == "is a directory"
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "is not a regular file"
    assert reason(tmp_path / ("x" * 300)) == "file name too long"


def test_a_forbidden_file(tmp_path, monkeypatch):
    path = tmp_path / "forbidden.png"
    path.write_bytes(FILES["png"])
    if os.geteuid() == 0:  # permissions do not bind root

        def refuse(name: Path, flags: int) -> int:
            raise PermissionError(13, "Permission denied", str(name))

        monkeypatch.setattr(os, "open", refuse)
    else:
        path.chmod(0)
    assert reason(path) == "permission denied"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory that bind")
def test_a_lack_of_memory_is_no_fault_of_the_picture(tmp_path):
    """Whatever the decoder calls it: libjpeg says that the file is broken, libwebp that there is no decoder."""
    files = []
    for kind, options in (("PNG", {}), ("JPEG", {"progressive": True}), ("WEBP", {"method": 0})):
        for size in ((60, 40), (6000, 4000)):
            files.append(tmp_path / f"{size[0]}.{kind}")
            Image.new("RGB", size).save(files[-1], kind, **options)
    script = """
import resource, sys
from pathlib import Path
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.images.memory import BUDGET
BUDGET.size = 10**10
small, large = sys.argv[1::2], sys.argv[2::2]
for path in small:
    decode(Path(path))
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 50 * 2**20,) * 2)
for path in large:
    try:
        print(decode(Path(path)).size)
    except MemoryError:
        print("MemoryError")
    except UnreadableImage as error:
        print(error.reason)
"""
    done = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["MemoryError"] * 3, done.stderr


def test_a_header_that_asks_for_memory_is_the_pictures_fault(monkeypatch):
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.core, "new", exhausted)
    assert reason(FILES["png"]) == "damaged PNG: it asks for more memory than its pixels need"


def test_a_host_that_fills_in_truncated_pictures_is_refused(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UsageError, match="LOAD_TRUNCATED_IMAGES to False"):
        decode(FILES["png"])


def test_heic_names_the_extra_that_reads_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    assert reason(heic) == "unsupported: HEIC needs pip install 'nearid-cli[heif]'"


def test_heic_is_read_where_pillow_heif_is_there():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    pillow_heif.from_pillow(CAT).save(file, quality=90)
    before = dict(Image.OPEN)
    difference = np.abs(np.asarray(decode(file.getvalue()), dtype=int) - np.asarray(CAT, dtype=int))
    assert difference.mean() < 6
    assert before == Image.OPEN
    assert "HEIF" in reason(file.getvalue()[:300])


def test_many_threads_at_once_and_warnings_of_others():
    """Pillow warns in eight threads, where it would raise under `-W error`; this one still gets warnings."""
    palette = encoded(CAT.quantize(16), "PNG", transparency=b"\x00\x80\xff")
    expected = decode(palette)
    done = threading.Event()

    def work() -> int:
        count = 0
        while not done.is_set():
            assert np.array_equal(decode(palette), expected)
            count += 1
        return count

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(work) for _ in range(8)]
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            with pytest.raises(UserWarning, match="mine"):
                warnings.warn("mine", stacklevel=1)
        done.set()
        assert all(worker.result() for worker in workers)


def test_the_filter_is_added_once():
    content = encoded(CAT, "PNG")
    decode(content)
    filters = list(warnings.filters)
    decode(content)
    assert warnings.filters == filters


@pytest.mark.parametrize("size", [(1, MAX_EDGE + 1), (MAX_EDGE + 1, 1)])
def test_an_edge_has_its_limit_too(size):
    assert (
        reason(encoded(Image.new("L", size), "PNG"))
        == "an edge of 1,000,001 px is over the limit of 1,000,000 px"
    )
