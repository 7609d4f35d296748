"""What kind of file this is, told by its first bytes: the formats that are read here, and many that are not, by name.

Costs neither Pillow nor more than the first bytes, so that finding pictures may ask it about files whose
extension says nothing.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

SNIFF_BYTES = 1024
"""How many of a file's first bytes `sniff` wants to see; what lies beyond is not looked at."""

# Those that are not decoded (HEIC without its library, JPEG XL, JPEG 2000) are photographs all the same: who decodes
# them says why not, and stops, where leaving them out would score what is left.
EXTENSIONS = frozenset({
    "jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "png", "apng", "webp", "bmp", "dib",
    "tif", "tiff", "gif", "avif", "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpx",
})  # fmt: skip
"""Of the names of picture files."""


class Format(NamedTuple):
    """A file format.

    Attributes:
        name: what people call it; for pictures that are read here it is Pillow's name.
        decodable: whether `images.decode` reads it (HEIC: with the extra `heif`). What is inside may still be
            a variant that is not read, or be damaged.
        picture: whether it is a still picture at all, decodable or not.
        why: for people, why it is not read, in one short line; `""` where it is.
    """

    name: str
    decodable: bool
    picture: bool
    why: str


def sniff(first_bytes: bytes) -> Format | None:
    """The format of a file that begins like this, or None for one that is not known here.

    Args:
        first_bytes: the beginning of the file, `SNIFF_BYTES` or the whole of a smaller one.

    >>> sniff(b"GIF89a...").name
    'GIF'
    >>> sniff(b"<!DOCTYPE html><html>").why
    'not an image: an HTML page'
    >>> sniff(b"an ordinary text") is None
    True
    """
    start = first_bytes[:SNIFF_BYTES]
    if start[4:8] == b"ftyp":
        return _of_brand(start)
    return next((found for pattern, found in _SIGNATURES if pattern.match(start)), None)


def likeness(first_bytes: bytes) -> str:
    r"""What a file of no format that is known here looks like, without a word of what is in it: it may be anybody's.

    >>> likeness("schön".encode()[:4]), likeness(b"\x1b[31m")
    ('text', 'no format that is known')
    """
    try:
        text, _ = codecs.utf_8_decode(
            first_bytes[:SNIFF_BYTES], "strict", False
        )  # it may end within a character
    except UnicodeDecodeError:
        text = "\0"
    return "text" if all(c.isprintable() or c.isspace() for c in text) else "no format that is known"


def _read(name: str) -> Format:
    return Format(name, decodable=True, picture=True, why="")


def _picture(name: str, advice: str = "convert it to PNG") -> Format:
    return Format(name, decodable=False, picture=True, why=f"unsupported: {name}; {advice}")


def _raw(camera: str) -> Format:
    return _picture(f"camera raw ({camera})", "develop it to PNG or JPEG")


def _other(name: str, advice: str = "") -> Format:
    return Format(name, decodable=False, picture=False, why=f"not an image: {name}{advice}")


# Text formats may begin with a byte order mark and white space; XML with declarations and comments. Each of these ends
# where it first can (`?>`): tried with every end, twenty comments in a row would take seconds, and a hundred for ever.
_BLANK = rb"(?>(?:\xef\xbb\xbf)?\s*)"
_COMMENTS = rb"(?>(?:(?><!--.*?-->)\s*)*)"
_XML = _BLANK + rb"(?>(?:(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE\s+svg.*?>)\s*)*)"

_SIGNATURES = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE if text else re.DOTALL), format_)
    for text, table in (
        (
            False,
            (
                (rb"\xff\xd8\xff", _read("JPEG")),
                (rb"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI", _picture("PNG variant of iOS apps (CgBI)")),
                (rb"\x89PNG\r\n\x1a\n", _read("PNG")),
                (rb"RIFF....WEBP", _read("WEBP")),
                (rb"GIF8[79]a", _read("GIF")),
                # "BM" alone begins many a text; a size of the second header comes after 12 more bytes.
                (rb"BM(.{0,11}$|.{12}([\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0|.{0,3}$))", _read("BMP")),
                (rb"II\*\0\x10\0\0\0CR", _raw("CR2")),
                (rb"II[*+]\0|MM\0[*+]", _read("TIFF")),
                (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", _picture("JPEG XL")),
                (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", _picture("JPEG 2000")),
                (rb"II\xbc", _picture("JPEG XR")),
                (rb"8BPS\0[\x01\x02]", _picture("PSD")),
                (rb"gimp xcf", _picture("XCF")),
                (rb"\0\0[\x01\x02]\0[^\0]\0", _picture("ICO")),
                (rb"icns", _picture("ICNS")),
                (rb"P[1-6]\s+(#|\d)|P7\nWIDTH|P[Ff]\n", _picture("PNM")),
                (rb"DDS ", _picture("DDS")),
                (rb"\x76\x2f\x31\x01", _picture("EXR")),
                (rb"#\?(RADIANCE|RGBE)", _picture("Radiance HDR")),
                (rb"qoif", _picture("QOI")),
                (rb"BPG\xfb", _picture("BPG")),
                (rb"FLIF", _picture("FLIF")),
                (rb"[\x8a]MNG|[\x8b]JNG", _picture("MNG")),
                (rb"SIMPLE  =", _picture("FITS")),
                (rb"%!PS|\xc5\xd0\xd3\xc6", _picture("EPS")),
                (rb"FUJIFILMCCD-RAW", _raw("RAF")),
                (rb"II(RO|RS)|MMOR", _raw("ORF")),
                (rb"IIU\0", _raw("RW2")),
                (rb"FOVb", _raw("X3F")),
                (rb"\0MRM", _raw("MRW")),
                (rb"%PDF-", _other("a PDF")),
                (rb"\x1a\x45\xdf\xa3", _other("a WebM or Matroska video")),
                (rb"RIFF....AVI ", _other("an AVI video")),
                (rb"FLV\x01", _other("a Flash video")),
                (rb"OggS", _other("an Ogg file")),
                (rb"\0\0\x01[\xb3\xba]", _other("an MPEG video")),
                (rb"PK(\x03\x04|\x05\x06)", _other("a ZIP archive")),
                (rb"\x1f\x8b\x08", _other("a gzip file")),
                (rb"7z\xbc\xaf\x27\x1c", _other("a 7z archive")),
                (rb"Rar!\x1a\x07", _other("a RAR archive")),
                (rb"\x93NUMPY", _other("a NumPy array")),
                (rb"PAR1", _other("a Parquet file")),
                (rb"\0\x05\x16[\0\x07]", _other("an AppleDouble file of macOS")),
                (rb"\0+$", _other("nothing but zero bytes where it should begin")),
            ),
        ),
        (
            True,
            (
                (_XML + rb"<svg[\s>]", _picture("SVG")),
                (_BLANK + _COMMENTS + rb"<(!doctype html|html|head|body)\b", _other("an HTML page")),
                (_BLANK + rb"<\?xml\s", _other("an XML document")),
                (_BLANK + rb'(\{\s*("|\}\s*$)|\[\s*(["{\[\d]|-\d|\]\s*$))', _other("JSON")),
                (
                    rb"version https://git-lfs\.",
                    _other("a Git LFS pointer", " in its place; run `git lfs pull`"),
                ),
            ),
        ),
    )
    for pattern, format_ in table
)

# The major brand of an ISO media file, https://mp4ra.org; HEIF's own ("mif1") also begins AVIF files.
_BRANDS = (
    (rb"avi[fs]", _read("AVIF")),
    (rb"hei[cxms]|hev[cxms]|mif[12]|msf1", _read("HEIF")),
    (rb"crx ", _raw("CR3")),
    (rb"qt  ", _other("a QuickTime video")),
)
_VIDEO = _other("an MP4 video")


def _of_brand(start: bytes) -> Format:
    """The format of an ISO media file: a picture by its brands, else a video."""
    major = start[8:12]
    for pattern, format_ in _BRANDS:
        if re.match(pattern, major):
            brands = start[8 : int.from_bytes(start[:4], "big")]
            return _read("AVIF") if format_.name == "HEIF" and b"avif" in brands else format_
    return _VIDEO
