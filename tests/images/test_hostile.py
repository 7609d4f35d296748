"""Pictures made to take seconds and gigabytes: each is read, or refused with its reason, within bounds."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from nearid_cli.images import jpeg
from tests.images import iso

SECONDS, MEMORY = 20, 2 * 2**30
CHILD = f"""
import json, resource, sys
from pathlib import Path
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.images.memory import BUDGET
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
BUDGET.size = 2**30
try:
    print(json.dumps(decode(Path(sys.argv[1])).size))
except UnreadableImage as error:
    print(json.dumps(error.reason))
"""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


SMALL = Image.new("L", (16, 16), 100)


def jpeg_of_scans(number: int, side: int | None = None) -> bytes:
    """A progressive JPEG with one of its scans many times, which takes a few bytes each; of another size if asked."""
    parts = jpeg.take_apart(encoded(SMALL, "JPEG", progressive=True))
    segments = [
        scan.before + b"".join(mark + bytes(data) for mark, data in scan.pieces) for scan in parts.scans
    ]
    content = b"".join((*segments[:-1], segments[1] * number, segments[-1], b"\xff\xd9"))
    if side:
        at = content.index(b"\xff\xc2") + 5
        content = content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]
    return content


def jpeg_of_restarts() -> bytes:
    side = 8 * 600
    head = encoded(Image.new("L", (8, 8)), "JPEG", restart_marker_blocks=1)
    at = head.index(b"\xff\xc0") + 5
    end = jpeg.take_apart(head).scans[0]
    piece = bytes(end.pieces[0][1])
    head = head[: head.rindex(piece)]
    head = head[:at] + struct.pack(">HH", side, side) + head[at + 4 :]
    marked = b"".join(piece + bytes((0xFF, 0xD0 + i)) for i in range(8))
    return head + marked * (600 * 600 // 8 - 1) + marked[:-2] + b"\xff\xd9"


def png(*chunks: bytes, size: tuple[int, int] = (1, 1)) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *chunks, pixels, chunk(b"IEND", b"")))


def tiff(*tags: tuple[int, int, int, int], more: bytes = b"", following: int = 0) -> bytes:
    """A TIFF whose directory comes first; `more` begins at 1024."""
    rows = b"".join(struct.pack("<HHII", *row) for row in sorted(tags))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + struct.pack("<I", following)
    return head.ljust(1024, b"\0") + more


def tags(width: int, height: int, codec: int = 1) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, codec), (262, 3, 1, 1)]


def bmp(width: int, height: int, coded: bytes, colours: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(coded), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(coded), 0, 0, 1078) + header + b"\0" * 1024 + coded


def gif(screen: tuple[int, int], frame: tuple[int, int], before: bytes = b"") -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return head + before + b"," + struct.pack("<HHHH", 0, 0, *frame) + b"\0\x02\x02\x44\x01\0;"


def webp(width: int, height: int, *frames: bytes) -> bytes:
    def riff(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    still = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    one = riff(b"ANMF", three(0) * 2 + three(0) * 2 + three(10) + b"\0" + still)
    head = riff(b"VP8X", b"\x02\0\0\0" + three(width - 1) + three(height - 1)) + riff(b"ANIM", b"\0" * 6)
    body = head + one * len(frames)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def exif_of_gigabytes() -> bytes:
    """EXIF of which every entry has nearly all of it for its value."""
    number, size = 3000, 600_000
    rows = b"".join(struct.pack(">HHII", 1000 + i, 7, size - 50_000, 8) for i in range(number))
    return (b"MM\0*\0\0\0\x08" + struct.pack(">H", number) + rows + b"\0" * 4).ljust(size, b"\0")


STRIPS = 200_000
ROW = b"\x01\0\0\0"  # of a BMP: one pixel, end of the line

HOSTILE: dict[str, tuple[Callable[[], bytes], object]] = {
    "comments before no XML": (lambda: b"<!--x-->\n" * 200, "not an image: text"),
    "doctypes before no SVG": (lambda: b"<!DOCTYPE svg>" * 200, "not an image: text"),
    "JPEG of 12,000 scans": (lambda: jpeg_of_scans(12_000), "more than 500 scans, which no encoder writes"),
    "JPEG of 400 scans and 170 Mpx": (lambda: jpeg_of_scans(400, 13_000), "more scans .* than so large"),
    "JPEG of 300 scans": (lambda: jpeg_of_scans(300), [16, 16]),
    "JPEG of 360,000 restarts": (jpeg_of_restarts, "more than 300,000 restart intervals"),
    "JPEG of 169 Mpx of coefficients": (lambda: jpeg_of_scans(1, 13_000), "truncated JPEG"),
    "PNG of 600,000 chunks": (lambda: png(chunk(b"teSt", b"") * 600_000), "more than 500,000 chunks"),
    "PNG of texts that unpack to 32 GB": (
        lambda: png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\0" * 2**24, 9)) * 2000),
        [1, 1],
    ),
    "PNG of profiles that unpack to 32 GB": (
        lambda: png(chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 2**24, 9)) * 2000),
        [1, 1],
    ),
    "PNG of 40,000 x 40,000": (lambda: png(size=(40_000, 40_000)), "1600 Mpx is"),
    "PNG of an XMP packet of 30 MB": (
        lambda: png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b'<a tiff:Orientation="' * 1_500_000)),
        [1, 1],
    ),
    "TIFF of strips one over the other": (
        lambda: tiff(
            *tags(1000, 1000), (273, 4, STRIPS, 2048 + 1_000_000), (278, 4, 1, 1001), (279, 4, 1, 1_000_000),
            more=b"\0" * 1_001_024 + struct.pack("<I", 2048) * STRIPS,
        ),
        "200,000 strips or tiles, and its pixels need 1",
    ),
    "TIFF of tags that are the whole file": (
        lambda: tiff(*tags(1, 1), *((tag, 1, 2**24, 0) for tag in (273, 277, 278, 279, 320)), more=b"\0" * 2**24),
        "tag 273 has 16,777,216 bytes of values",
    ),
    "TIFF whose directories are a circle": (
        lambda: tiff(*tags(1, 1), (273, 4, 1, 1024), (278, 4, 1, 1), (279, 4, 1, 1), more=b"\0", following=8),
        [1, 1],
    ),
    "TIFF of a tile of 2 GB": (
        lambda: tiff(
            *tags(10, 10, 8), (322, 4, 1, 2**16), (323, 4, 1, 2**15), (324, 4, 1, 1024), (325, 4, 1, 2**21),
            more=zlib.compress(b"\0" * 2**27, 9),
        ),
        "takes 8.6 GB of memory to decode, over the limit of 1.1 GB; raise it with --memory",
    ),
    "TIFF that unpacks to more than its strip": (
        lambda: tiff(
            *tags(10, 10, 8), (273, 4, 1, 1024), (278, 4, 1, 10), (279, 4, 1, 2**20),
            more=zlib.compress(b"\0" * 2**27, 9),
        ),
        "damaged TIFF",
    ),
    "BMP of 178 Mpx of ends of lines": (lambda: bmp(13_000, 13_000, ROW * 13_000), "run-length coded BMP of more"),
    "BMP of 4,000 M colours": (lambda: bmp(4, 4, b"\x04\0\0\0" * 4, 2**32 - 1), "damaged BMP"),
    "GIF of a screen of 65,535 x 65,535": (lambda: gif((65_535, 65_535), (1, 1)), "4294.9 Mpx is over"),
    "GIF of a frame larger than its screen": (lambda: gif((1, 1), (13_000, 13_000)), "GIF"),
    "GIF of a comment of 8 MB": (
        lambda: gif((1, 1), (1, 1), b"!\xfe" + (b"\xff" + b"x" * 255) * 32_000 + b"\0"),
        [1, 1],
    ),
    "WebP of 169 Mpx": (lambda: webp(13_000, 13_000, b""), "takes 3.4 GB of memory to decode, over the limit"),
    "WebP of 268 Mpx": (lambda: webp(16_384, 16_384, b""), "268.5 Mpx is over the limit"),
    "WebP of 100,000 frames": (lambda: webp(1, 1, *[b""] * 100_000), [1, 1]),
    "AVIF of EXIF that reads itself": (
        lambda: encoded(Image.new("RGB", (8, 8)), "AVIF", speed=10, exif=exif_of_gigabytes()),
        [8, 8],
    ),
}  # fmt: skip

MB = 2**20
OVER = "items are said to have [0-9,]+ bytes, more than the file"
READ_AGAIN: dict[str, tuple[Callable[[], bytes], object]] = {
    "HEIC of 50 x 30 x 8 MB of EXIF": (lambda: iso.metadata("HEIF", 50, 30, 8 * MB), OVER),
    "HEIC of 50 x 8 MB of XMP": (lambda: iso.metadata("HEIF", 50, 1, 8 * MB, b"mime"), OVER),
    "HEIC of a picture of 30 x 8 MB": (lambda: iso.pieces("HEIF", 30, 8 * MB), OVER),
    "HEIC of 1 MB of EXIF": (lambda: iso.metadata("HEIF", 1, 1, MB), [64, 64]),
}
HOSTILE |= READ_AGAIN


def gif_of_frames(number: int) -> bytes:
    one = gif((1, 1), (1, 1))
    return one[:19] + one[19:-1] * number + b";"


def png_of_frames(number: int) -> bytes:
    def control(at: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", at, 1, 1, 0, 0, 1, 10, 0, 0))

    frames = b"".join(
        control(at) + chunk(b"fdAT", struct.pack(">I", at + 1) + zlib.compress(b"\0\0"))
        for at in range(1, 2 * number, 2)
    )
    still = png(chunk(b"acTL", struct.pack(">II", number, 0)), control(0))
    end = still.rindex(b"IEND") - 4
    return still[:end] + frames + still[end:]


def tiff_of_pages(number: int) -> bytes:
    page = 2 + 12 * 8 + 4
    data = 8 + number * page
    rows = sorted([*tags(16, 16), (273, 4, 1, data), (278, 4, 1, 16), (279, 4, 1, 256)])
    one = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows)
    nexts = [8 + page * (at + 1) for at in range(number - 1)] + [0]
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + b"".join(one + struct.pack("<I", at) for at in nexts)
        + b"\x55" * 256
    )


def big_tiff(values: int) -> bytes:
    rows = [
        (256, 4, 1, 16),
        (257, 4, 1, 16),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 16, values, 1024),
    ]
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(rows))
    return (head + b"".join(struct.pack("<HHQQ", *row) for row in rows)).ljust(4096, b"\0")


def exif_circle() -> bytes:
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in (330, 34665, 34853))
    return encoded(SMALL, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x03\0" + rows + struct.pack("<I", 8))


STRIP = ((273, 4, 1, 1024), (278, 4, 1, 16), (279, 4, 1, 256))
ITEMS: dict[str, tuple[Callable[[], bytes], object]] = {}
for kind in iso.CODES:
    ITEMS |= {
        f"{kind} of 64 px": (lambda kind=kind: iso.declared(kind, 64, 64), [64, 64]),
        f"{kind} of 900 tiles": (lambda kind=kind: iso.grid(kind, 30, 30, 1920, 1920), [1920, 1920]),
        f"{kind} said to be of 65,535 x 65,535": (
            lambda kind=kind: iso.declared(kind, 65_535, 65_535),
            "over|damaged",
        ),
        f"{kind} said to be of 12,000 x 12,000": (
            lambda kind=kind: iso.declared(kind, 12_000, 12_000),
            "takes 2.9 GB",
        ),
        f"{kind} said to be of 2,147,483,648 x 2,147,483,648": (
            lambda kind=kind: iso.declared(kind, 2**31, 2**31),
            "damaged",
        ),
        f"{kind} of a tile of 65,535 x 65,535": (
            lambda kind=kind: iso.grid(kind, 1, 1, 65_535, 65_535),
            "over|damaged",
        ),
        f"{kind} of one tile 65,280 times": (
            lambda kind=kind: iso.grid(kind, 256, 255, 64, 64, shared=True),
            "damaged",
        ),
        f"{kind} of a grid of itself": (lambda kind=kind: iso.grid_of_itself(kind), "damaged"),
        f"{kind} of transparency of 267 Mpx": (lambda kind=kind: iso.transparent(kind, 255, 256), "damaged"),
    }
FRAMES: dict[str, tuple[Callable[[], bytes], object]] = {
    "HEIC of 65,000 pictures on another": (lambda: iso.overlay(65_000, 512, 512), "damaged"),
    "HEIC of a canvas of 65,535 x 65,535": (lambda: iso.overlay(1, 65_535, 65_535), "over"),
    "AVIF of 50 x 30 x 8 MB of EXIF": (lambda: iso.metadata("AVIF", 50, 30, 8 * MB), "truncated|damaged"),
    "GIF of 100,000 frames": (lambda: gif_of_frames(100_000), [1, 1]),
    "GIF of 169 Mpx": (lambda: encoded(Image.new("P", (13_000, 13_000)), "GIF"), [13_000, 13_000]),
    "PNG of 240,000 frames": (lambda: png_of_frames(240_000), [1, 1]),
    "MPO of 300 pictures": (
        lambda: encoded(SMALL, "MPO", save_all=True, append_images=[SMALL] * 299),
        [16, 16],
    ),
    "TIFF of 60,000 pages": (lambda: tiff_of_pages(60_000), [16, 16]),
    "TIFF of directories inside that are a circle": (
        lambda: tiff(
            *tags(16, 16), *STRIP, *((tag, 4, 1, 8) for tag in (330, 34665, 34853)), more=b"\0" * 256, following=8
        ),
        [16, 16],
    ),
    "TIFF of 2,000,000 directories inside": (
        lambda: tiff(*tags(16, 16), *STRIP, (330, 4, 2_000_000, 2048), more=b"\0" * 1024 + b"\x08\0\0\0" * 2_000_000),
        [16, 16],
    ),
    "TIFF of 2,147,483,648 x 2,147,483,648": (lambda: tiff(*tags(2**31, 2**31), *STRIP), "Mpx is over"),
    "TIFF of 169 Mpx and 256 bytes": (lambda: tiff(*tags(13_000, 13_000), *STRIP, more=b"\0" * 256), "truncated"),
    "TIFF of JPEG 2000": (lambda: tiff(*tags(16, 16, 34712), *STRIP, more=b"\0" * 256), "unsupported"),
    "BigTIFF of 2^64 - 1 strips": (lambda: big_tiff(2**64 - 1), "147,573,952,589,676,412,920 bytes of values"),
    "EXIF whose directories are a circle": (exif_circle, [16, 16]),
    "WebP of 100,000 frames of 25 Mpx": (lambda: webp(5_000, 5_000, *[b""] * 100_000), [5_000, 5_000]),
    "ICO of 60,000 x 60,000": (
        lambda: struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, 99, 22) + png(size=(60_000, 60_000)),
        "unsupported: ICO",
    ),
    "JPEG 2000 of 60,000 x 60,000": (
        lambda: b"\xff\x4f" + struct.pack(">HHHIIIIIIIIH", 0xFF51, 41, 0, *[60_000, 60_000, 0, 0] * 2, 1) + b"\7\1\1",
        "unsupported: JPEG 2000",
    ),
}  # fmt: skip
MORE = ITEMS | FRAMES


@pytest.mark.torture
@pytest.mark.parametrize("name", MORE)
def test_of_many_frames_tiles_and_directories_the_first_is_read(name: str, tmp_path: Path) -> None:
    _decode(*MORE[name], tmp_path)


@pytest.mark.filterwarnings("ignore:Tag data larger than file")  # Pillow's, of the EXIF that it is to write
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_takes_seconds_and_little_memory(name: str, tmp_path: Path) -> None:
    _decode(*HOSTILE[name], tmp_path)


def _decode(make: Callable[[], bytes], expected: object, tmp_path: Path) -> None:
    tmp_path.joinpath("picture").write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "picture"], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    if isinstance(expected, str):
        assert isinstance(found, str), found
        assert re.search(expected, found), found
    else:
        assert found == expected
