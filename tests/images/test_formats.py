"""What a file is, by its first bytes: real files of the formats that Pillow or another writer makes here."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nearid_cli.images.formats import SNIFF_BYTES, sniff

PICTURE = Image.fromarray(np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3))


def encoded(format_: str, **options) -> bytes:
    file = BytesIO()
    PICTURE.save(file, format_, **options)
    return file.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_what_is_read_has_pillows_name(format_):
    found = sniff(encoded(format_)[:SNIFF_BYTES])
    assert found is not None
    assert (found.name, found.decodable, found.picture, found.why) == (
        "JPEG" if format_ == "MPO" else format_,
        True,
        True,
        "",
    )


def test_big_tiff_and_old_bitmaps_are_read():
    assert sniff(encoded("TIFF", big_tiff=True)).name == "TIFF"
    assert sniff(b"BM" + bytes(12) + b"\x0c\0\0\0").name == "BMP"


WRITTEN_BY_PILLOW = {
    "JPEG2000": "JPEG 2000",
    "ICO": "ICO",
    "ICNS": "ICNS",
    "PPM": "PNM",
    "DDS": "DDS",
    "EPS": "EPS",
    "PDF": "a PDF",
}


@pytest.mark.parametrize("format_", WRITTEN_BY_PILLOW)
def test_what_is_not_read_is_named(format_):
    options = {"no_jp2": False} if format_ == "JPEG2000" else {}
    found = sniff(encoded(format_, **options))
    assert found is not None
    assert found.name == WRITTEN_BY_PILLOW[format_]
    assert not found.decodable
    assert found.name in found.why


def zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), "b")  # of 1980: tests are the same to all processes
    return file.getvalue()


def numpy_file() -> bytes:
    file = BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (encoded("JPEG2000", no_jp2=True), "unsupported: JPEG 2000; convert it to PNG"),
        (b"\xff\x0a\xfa\x1f\x01\x91", "unsupported: JPEG XL; convert it to PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "unsupported: JPEG XL; convert it to PNG"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x02",
            "unsupported: PNG variant of iOS apps (CgBI); convert it to PNG",
        ),
        (b"8BPS\0\x01" + bytes(20), "unsupported: PSD; convert it to PNG"),
        (b"\x76\x2f\x31\x01\x02\0\0\0channels\0", "unsupported: EXR; convert it to PNG"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "unsupported: Radiance HDR; convert it to PNG"),
        (b"P7\nWIDTH 4\n", "unsupported: PNM; convert it to PNG"),
        (b"II*\0\x10\0\0\0CR\x02\0", "unsupported: camera raw (CR2); develop it to PNG or JPEG"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01", "unsupported: camera raw (CR3); develop it to PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "unsupported: SVG; convert it to PNG"),
        (
            b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made > by -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN">\n'
            b"<svg>",
            "unsupported: SVG; convert it to PNG",
        ),
        (b"\n\n<!doctype HTML>\n<title>404", "not an image: an HTML page"),
        (b"<html lang=en>", "not an image: an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "not an image: an XML document"),
        (json.dumps({"error": "not found"}).encode(), "not an image: JSON"),
        (json.dumps([{"a": 1}], indent=2).encode(), "not an image: JSON"),
        (b"{}", "not an image: JSON"),
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "not an image: an MP4 video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "not an image: a QuickTime video"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01webm", "not an image: a WebM or Matroska video"),
        (b"RIFF\x10\0\0\0AVI LIST", "not an image: an AVI video"),
        (zipped(), "not an image: a ZIP archive"),
        (numpy_file(), "not an image: a NumPy array"),
        (bytes(4000), "not an image: nothing but zero bytes where it should begin"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            "not an image: a Git LFS pointer in its place; run `git lfs pull`",
        ),
    ],
)
def test_reasons_for_people(start, why):
    found = sniff(start)
    assert found is not None
    assert found.why == why
    assert not found.decodable
    assert found.picture == why.startswith("unsupported")


@pytest.mark.parametrize(
    ("major", "others", "name"),
    [
        (b"avif", b"mif1miaf", "AVIF"),
        (b"avis", b"msf1", "AVIF"),
        (b"mif1", b"avifmiaf", "AVIF"),
        (b"heic", b"mif1heic", "HEIF"),
        (b"mif1", b"heicmiaf", "HEIF"),
        (b"msf1", b"hevc", "HEIF"),
    ],
)
def test_brands_of_heif(major, others, name):
    box = major + bytes(4) + others
    found = sniff((len(box) + 8).to_bytes(4, "big") + b"ftyp" + box + b"\0\0\0\x20metaavif")
    assert found is not None
    assert (found.name, found.decodable) == (name, True)


@pytest.mark.parametrize(
    "text",
    [b"", b"BMW 320i, a fine car to drive\n", b"P1 is the first", b"GIF", b"subject,path\n", b"II, III"],
)
def test_texts_are_no_pictures(text):
    found = sniff(text)
    assert found is None


def test_it_needs_no_pillow():
    code = "import sys; from nearid_cli.images.formats import sniff; sniff(b'GIF89a'); sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
