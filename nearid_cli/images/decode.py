"""Opening a picture file safely: untrusted bytes in, an upright RGB picture or one readable reason out.

Every choice made here (which formats, what becomes of alpha, 16 bits, CMYK, ...) is in docs/images.md.
"""

from __future__ import annotations

import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from nearid_cli.errors import UsageError
from nearid_cli.images.formats import sniff
from nearid_cli.text import printable

MAX_PIXELS = 178_000_000
"""Default limit of width x height; Pillow itself stops just above, at twice its `MAX_IMAGE_PIXELS`."""

# Only what cameras, the web and generators write. Pillow knows some forty more formats, among them
# one that starts Ghostscript; none of them is worth its attack surface here.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


class _Silence(threading.local):
    """Whether this thread is inside Pillow on behalf of `decode`."""

    on = False


_silence = _Silence()


class _SilencedHere(type):
    """Makes every warning count as a subclass while this thread decodes, and none at any other time."""

    def __subclasscheck__(cls, subclass: type) -> bool:
        return _silence.on


class _PillowWarning(Warning, metaclass=_SilencedHere):
    """Stands in the list of warning filters for "whatever Pillow says while we decode"."""


class UnreadableImage(Exception):  # noqa: N818 - a finding about a file, which the pipeline collects
    """A picture that cannot be used.

    Attributes:
        reason: why, in one short line for people, without the file's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(source: bytes | Path, max_pixels: int = MAX_PIXELS, *, at_least: int | None = None) -> Image.Image:
    """Read a picture file whole: first frame, upright by its EXIF orientation, `convert("RGB")`.

    The format is told by the content, never by the name. Nothing of the file is left on the picture but
    its pixels (`info` is empty), so nothing later can treat it differently. Safe to call from many threads
    at once; neither changes Pillow's global settings nor lets a warning of Pillow's out.

    Args:
        source: the bytes of a file, or where it lies.
        max_pixels: the largest width x height that is decoded. Checked on the header, before memory
            for the pixels is taken.
        at_least: for thumbnails only, never for scores: a JPEG may come out at 1/2, 1/4 or 1/8 of its size,
            much faster, as long as neither of its sides falls below so many pixels.

    Returns:
        A picture of mode RGB.

    Raises:
        UnreadableImage: the file is not there, not a picture, too large, truncated or damaged.
        UsageError: the host program has told Pillow to fill in truncated pictures.

    >>> file = BytesIO()
    >>> Image.new("L", (3, 2), 128).save(file, "PNG")
    >>> picture = decode(file.getvalue())
    >>> picture.mode, picture.size, picture.getpixel((0, 0))
    ('RGB', (3, 2), (128, 128, 128))
    >>> decode(file.getvalue()[:-30])
    Traceback (most recent call last):
    nearid_cli.images.decode.UnreadableImage: truncated PNG
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UsageError(
            "Pillow is set to fill in what truncated pictures lack, and they would be scored as if whole; "
            "set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False"
        )
    content = source if isinstance(source, bytes) else read_picture_file(source)
    if not content:
        raise UnreadableImage("empty file")
    plugin = _identify(content)
    try:
        with _pillow_silenced(), plugin(BytesIO(content)) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise UnreadableImage(
                    f"{megapixels(width * height)} is over the limit of {megapixels(max_pixels)}; "
                    "raise it with --max-pixels"
                )
            if at_least is not None:
                opened.draft("RGB", (at_least, at_least))
            opened.load()
            # A copy of what is RGB already would cost as much as decoding: all its memory is new to the process.
            return _upright(opened if opened.mode == "RGB" else opened.convert("RGB"))
    except UnreadableImage:
        raise
    except Exception as error:  # parsers of broken files raise nearly everything; the reason says what
        raise UnreadableImage(_reason(error, plugin.format)) from error


def read_picture_file(path: Path) -> bytes:
    """The bytes of a regular file; a pipe or a device would block or never end.

    Raises:
        UnreadableImage: there is none, or it cannot be read. Whether it is a picture is for `decode` to say.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UnreadableImage("is a directory" if stat.S_ISDIR(mode) else "not a regular file")
        return path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise UnreadableImage(f"dead symlink to {printable(path.readlink())}") from error
        raise UnreadableImage("no such file or directory") from error
    except PermissionError as error:
        raise UnreadableImage("permission denied") from error
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror or error}") from error


def picture_format(start: bytes) -> str:
    """Pillow's name of a picture's format, told by the first bytes of the file, `formats.SNIFF_BYTES` of them.

    Raises:
        UnreadableImage: no picture begins like this.

    >>> picture_format(b"GIF89a...")
    'GIF'
    """
    return str(_identify(start).format)


def to_rgb(picture: Image.Image) -> Image.Image:
    """A new picture of mode RGB, upright by its EXIF orientation, with empty `info`."""
    return _upright(picture.convert("RGB"))


def _upright(rgb: Image.Image) -> Image.Image:
    """The same picture turned in place, with empty `info`."""
    ImageOps.exif_transpose(rgb, in_place=True)
    # A left-over "transparency" would make image processors blend the picture with white.
    rgb.info.clear()
    return rgb


def _identify(content: bytes) -> type[ImageFile.ImageFile]:
    """The Pillow class that reads this content, by its first bytes.

    `PIL.Image.open` is not used: it holds the size against the global `MAX_IMAGE_PIXELS` whatever our
    `max_pixels` is, and changing that global would change it for every other thread of the host.
    """
    found = sniff(content)
    if found is None:
        start = content[:16].decode("ascii", "backslashreplace")
        raise UnreadableImage(f'not an image (starts with "{printable(start)}")')
    if not found.decodable:
        raise UnreadableImage(found.why)
    return _heif_plugin() if found.name == "HEIF" else _PLUGINS[found.name]


def _heif_plugin() -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnreadableImage("unsupported: HEIC needs pip install 'nearid-cli[heif]'") from error
    plugin: type[ImageFile.ImageFile] = HeifImageFile
    return plugin


@contextmanager
def _pillow_silenced() -> Iterator[None]:
    """Drop the warnings of this thread, and only of this thread.

    Pillow warns of odd metadata, which under a host's `-W error` would make a good picture unreadable.
    `warnings.catch_warnings` swaps the filters of the whole process and is not safe among threads; so one
    filter is added for good that matches nothing but the warnings of a thread that is decoding.
    """
    if not warnings.filters or warnings.filters[0][2] is not _PillowWarning:
        warnings.simplefilter("ignore", _PillowWarning)
    _silence.on = True
    try:
        yield
    finally:
        _silence.on = False


def _reason(error: Exception, kind: str | None) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{kind} over the limit of Pillow itself (PIL.Image.MAX_IMAGE_PIXELS): {error}"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    message = printable(str(error)) or type(error).__name__
    if isinstance(error, (EOFError, struct.error)) or "truncated" in message.lower():
        return f"truncated {kind}"
    return f"damaged {kind}: {message[:100]}"


def megapixels(pixels: int) -> str:
    """Megapixels, rounded up so that what is over a limit also reads so; pixels where there is less than one.

    >>> megapixels(178_000_001), megapixels(1500)
    ('178.1 Mpx', '1,500 px')
    """
    if pixels < 1_000_000:
        return f"{pixels:,} px"
    return f"{-(-pixels // 100_000) / 10:g} Mpx"
