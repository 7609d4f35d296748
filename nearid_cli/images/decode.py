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
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from nearid_cli.errors import UsageError
from nearid_cli.images import jpeg, png, tags, tiff
from nearid_cli.images.errors import UnreadableImage as UnreadableImage
from nearid_cli.images.formats import Format, sniff
from nearid_cli.images.jpeg_decoder import Watched
from nearid_cli.text import printable

MAX_PIXELS = 178_000_000
"""Default limit of width x height; Pillow itself stops just above, at twice its `MAX_IMAGE_PIXELS`."""

# Only what cameras, the web and generators write. Pillow knows some forty more formats, among them
# one that starts Ghostscript; none of them is worth its attack surface here.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
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
    nearid_cli.images.errors.UnreadableImage: truncated PNG
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UsageError(
            "Pillow is set to fill in what truncated pictures lack, and they would be scored as if whole; "
            "set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False"
        )
    content = source if isinstance(source, bytes) else read_picture_file(source)
    if not content:
        raise UnreadableImage("empty file")
    found = _identify(content)
    try:
        with _pillow_silenced():
            opened = _open(content, found.name)
            with opened.file as picture:
                return _loaded(picture, opened.orientation, max_pixels, at_least)
    except UnreadableImage:
        raise
    except Exception as error:  # parsers of broken files raise nearly everything; the reason says what
        raise UnreadableImage(_reason(error, found.name)) from error


def _loaded(
    picture: ImageFile.ImageFile, orientation: int, max_pixels: int, at_least: int | None
) -> Image.Image:
    """Load a picture whose header is read; the arguments are those of `decode`."""
    width, height = picture.size
    if width * height > max_pixels:
        raise UnreadableImage(
            f"{megapixels(width * height)} is over the limit of {megapixels(max_pixels)}; "
            "raise it with --max-pixels"
        )
    if at_least is not None:
        picture.draft("RGB", (at_least, at_least))
    picture.load()
    # A copy of what is RGB already would cost as much as decoding: all its memory is new to the process.
    return _upright(picture if picture.mode == "RGB" else picture.convert("RGB"), orientation)


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
    return _identify(start).name


def to_rgb(picture: Image.Image) -> Image.Image:
    """A new picture of mode RGB, upright by its EXIF orientation, with empty `info`."""
    return _upright(picture.convert("RGB"), _orientation(picture))


@dataclass(frozen=True)
class _Opened:
    """A picture whose header is read.

    Attributes:
        file: for Pillow to load.
        orientation: how it is to be turned when it is loaded, as EXIF numbers it.
    """

    file: ImageFile.ImageFile
    orientation: int


def _open(content: bytes, name: str) -> _Opened:
    """Read a file's header with the plugin for its format.

    `PIL.Image.open` is not used: it holds the size against the global `MAX_IMAGE_PIXELS` whatever our
    `max_pixels` is, and changing that global would change it for every other thread of the host.
    """
    if name == "JPEG":
        parts = jpeg.take_apart(content)
        return _Opened(Watched(parts), tags.orientation(parts.exif, parts.xmp))
    if name == "PNG":
        chunks = png.take_apart(content)
        return _Opened(
            PngImagePlugin.PngImageFile(BytesIO(chunks.pixels)), tags.orientation(chunks.exif, chunks.xmp)
        )
    if name == "TIFF":
        directory = tiff.directory_of(content)
        upright = tags.orientation(content, directory.data(tags.XMP))
        return _Opened(_tiff(directory), upright)
    if name == "AVIF":
        avif = _Avif(BytesIO(content))
        return _Opened(avif, avif.orientation)
    if name == "HEIF":  # libheif has turned it already
        return _Opened(_heif_plugin()(BytesIO(content)), 1)
    file = _PLUGINS[name](BytesIO(content))
    return _Opened(file, _orientation(file))


def _tiff(directory: tags.Directory) -> ImageFile.ImageFile:
    """A TIFF's first page, for Pillow to load.

    Raises:
        UnreadableImage: Pillow does not know this variant.
    """
    try:
        return TiffImagePlugin.TiffImageFile(BytesIO(tiff.pixels_of(directory)))
    except (SyntaxError, KeyError) as error:
        # Neither says anything about damage: the tags are readable, and no such layout or compression is known.
        if isinstance(error, KeyError) or "unknown" in str(error):
            raise UnreadableImage(f"unsupported: {tiff.variant(directory)}; convert it to PNG") from error
        raise


class _Avif(AvifImagePlugin.AvifImageFile):
    """An AVIF picture that is turned as its container says; EXIF may say anything.

    Attributes:
        orientation: as EXIF numbers it.
    """

    def _open(self) -> None:
        try:
            super()._open()
        except Exception:
            if getattr(self, "_decoder", None) is None:
                raise
            # The picture was opened; merging what its EXIF says about orientation went wrong.
            self.seek(0)
        self.orientation = int(self._decoder.get_info()[5])


def _orientation(picture: Image.Image) -> int:
    """How a picture is to be turned by what Pillow found in its file."""
    exif = picture.info.get("exif")
    xmp = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp")
    return tags.orientation(
        exif if isinstance(exif, bytes) else b"", xmp if isinstance(xmp, (bytes, str)) else b""
    )


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(rgb: Image.Image, orientation: int) -> Image.Image:
    """The same picture, or a turned one, with empty `info`."""
    if orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[orientation])
    # A left-over "transparency" would make image processors blend the picture with white.
    rgb.info.clear()
    return rgb


def _identify(content: bytes) -> Format:
    """The format of this content, by its first bytes.

    Raises:
        UnreadableImage: none, or one that is not read.
    """
    found = sniff(content)
    if found is None:
        start = content[:16].decode("ascii", "backslashreplace")
        raise UnreadableImage(f'not an image (starts with "{printable(start)}")')
    if not found.decodable:
        raise UnreadableImage(found.why)
    return found


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
