"""Opening a picture safely: untrusted bytes in, an upright RGB picture or one readable reason out.

Every choice made here (which formats, what becomes of alpha, 16 bits, CMYK, ...) is in docs/explanation/pictures.md.
A picture that a Python program holds is taken as the same picture in a file would be.
"""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
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
from nearid_cli.images import heif, jpeg, png, tiff
from nearid_cli.images.files import picture_format, read_picture_file
from nearid_cli.images.memory import BUDGET, ShortBudgetError
from nearid_cli.images.reading import DEFAULT_READING, Findings, Reading
from nearid_cli.images.reading import UnreadableImage as UnreadableImage
from nearid_cli.text import file_size, printable

T = TypeVar("T")

MAX_PIXELS = 178_000_000
"""Default limit of width x height; Pillow itself stops just above, at twice its `MAX_IMAGE_PIXELS`."""

MAX_EDGE = 1_000_000
"""Limit of either edge in pixels. Pillow keeps a pointer for each row and goes row by row, so a column of 170 million
pixels takes gigabytes and a minute that the number of pixels does not tell of."""


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


@dataclass(frozen=True)
class Decoded:
    """A picture as it is scored, and what of it was a matter of choice.

    Attributes:
        image: of mode RGB, upright, with empty `info`.
        findings: what `Reading` decided about.
        reduced: whether it is smaller than it is stored.
    """

    image: Image.Image
    findings: Findings
    reduced: bool = False


Halve = Callable[[tuple[int, int]], bool]
"""Whether half of a picture of some width and height, upright, does."""


def decode(
    source: bytes | Path,
    max_pixels: int = MAX_PIXELS,
    *,
    at_least: int | None = None,
    reading: Reading = DEFAULT_READING,
) -> Image.Image:
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
        reading: which pixels it has where the file leaves a choice.

    Returns:
        A picture of mode RGB.

    Raises:
        UnreadableImage: the file is not there, not a picture, too large, truncated or damaged.
        MemoryError: this machine has too little memory for it.
        UsageError: the host program has told Pillow to fill in truncated pictures.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> Image.new("L", (3, 2), 128).save(file, "PNG")
    >>> picture = decode(file.getvalue())
    >>> picture.mode, picture.size, picture.getpixel((0, 0))
    ('RGB', (3, 2), (128, 128, 128))
    >>> decode(file.getvalue()[:-30])
    Traceback (most recent call last):
    nearid_cli.images.reading.UnreadableImage: truncated PNG
    """
    return read_picture(source, max_pixels, at_least=at_least, reading=reading).image


def read_picture(
    source: bytes | Path,
    max_pixels: int = MAX_PIXELS,
    *,
    at_least: int | None = None,
    reading: Reading = DEFAULT_READING,
    halve: Halve | None = None,
) -> Decoded:
    """As `decode`, and what of the picture was a matter of choice.

    Args:
        source: as for `decode`.
        max_pixels: likewise.
        at_least: likewise.
        reading: likewise.
        halve: where it says yes, a JPEG may come out at exactly half its width and height, much sooner: one of grey or
            of ordinary colours, both of whose edges are even. Any other picture comes whole.

    Raises:
        UnreadableImage, UsageError: as `decode`.
    """
    content = source if isinstance(source, bytes) else read_picture_file(source)

    def draft(opened: _Opened) -> None:
        if at_least is not None:
            opened.picture.draft("RGB", (at_least, at_least))
        elif halve is not None and _has_half(opened, reading) and halve(opened.upright_size):
            width, height = opened.picture.size
            opened.picture.draft("RGB", (width // 2, height // 2))

    def settle(opened: _Opened) -> Decoded:
        return _settled(opened, reading)

    try:
        return _read(content, max_pixels, settle, draft)
    except jpeg.DoubtfulError:
        return _read(content, max_pixels, settle)


def _has_half(opened: _Opened, reading: Reading) -> bool:
    """Whether a picture at half its size has the same outline, and pixels that are means of its own."""
    picture = opened.picture
    return (
        isinstance(picture, jpeg.Watched)
        and picture.mode in ("RGB", "L")
        and not any(edge % 2 for edge in picture.size)
        and not (opened.profile and reading.color_profile == "convert")
    )


def read_mask(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a mask's file whole, upright: its transparency where that varies, else its grey.

    Args:
        content: the bytes of a file, which is opened as safely as `decode` does it.
        max_pixels: the largest width x height that is decoded.

    Returns:
        A picture of mode L. Grey of more than 8 bits comes by its high 8, colour as Pillow's `convert("L")` has it.

    Raises:
        UnreadableImage, UsageError: as `decode`.
    """
    return _read(content, max_pixels, _levels, transparency=True)


def _levels(opened: _Opened) -> Image.Image:
    picture = opened.picture
    if picture.mode.startswith("I;16"):
        picture = _high_bits(picture, *opened.grey)
    elif picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
        picture = picture.convert("RGB") if np.ptp(np.asarray(alpha)) == 0 else alpha
    elif picture.mode not in ("1", "L"):
        picture = picture.convert("RGB")
    return _upright(picture.convert("L"), opened.orientation)


def _read(
    content: bytes,
    max_pixels: int,
    settle: Callable[[_Opened], T],
    draft: Callable[[_Opened], None] | None = None,
    transparency: bool = False,
) -> T:
    """Open and load a picture, and make something of it; `draft` may tell it to load less.

    Arguments and errors as for `decode` and `_opened`, and `jpeg.DoubtfulError` where it loads less.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UsageError(
            "Pillow is set to fill in what truncated pictures lack, and they would be scored as if whole; "
            "set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False"
        )
    if not content:
        raise UnreadableImage("empty file")
    kind = picture_format(content)
    needed = 0
    try:
        with _pillow_silenced():
            opened = _opened(content, kind, transparency)
            with opened.picture as picture:
                _check_size(picture.size, max_pixels)
                if draft is not None:
                    draft(opened)
                needed = opened.memory + _COPIES * len(content)
                with BUDGET.taken(needed):
                    picture.load()
                    return settle(opened)
    except (UnreadableImage, ShortBudgetError, jpeg.DoubtfulError):
        raise
    except Exception as error:  # parsers of broken files raise nearly everything; the reason says what
        if needed and _is_short_of(needed):
            raise MemoryError(
                f"not enough memory to decode a picture, which takes {file_size(needed)}"
            ) from error
        raise UnreadableImage(_reason(error, kind)) from error


_COPIES = 2
"""How often a file's bytes are copied while it is decoded, at most."""


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise UnreadableImage(
            f"{megapixels(size[0] * size[1])} is over the limit of {megapixels(max_pixels)}; "
            "raise it with --max-pixels"
        )
    if max(size) > MAX_EDGE:
        raise UnreadableImage(f"an edge of {max(size):,} px is over the limit of {MAX_EDGE:,} px")


def _is_short_of(size: int) -> bool:
    """Whether the system would not give so much memory now: decoders call a lack of it many names."""
    try:
        np.empty(size, np.uint8)
    except MemoryError:
        return True
    return False


def _settled(opened: _Opened, reading: Reading) -> Decoded:
    """A loaded picture as an upright one of mode RGB."""
    picture = opened.picture
    deep = picture.mode.startswith("I;16")
    shallow = _high_bits(picture, *opened.grey) if deep and reading.sixteen_bit == "scale" else picture
    rgb, findings = _coloured(shallow, opened.profile, reading)
    reduced = isinstance(picture, jpeg.Watched) and picture.reduced
    return Decoded(_upright(rgb, opened.orientation), findings + Findings(deep=int(deep)), reduced)


def _high_bits(picture: Image.Image, bits: int, inverted: bool) -> Image.Image:
    """Grey of more than 8 bits by its high 8, as 16-bit colour is read."""
    levels = (np.asarray(picture) >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(255 - levels if inverted else levels)


def _coloured(picture: Image.Image, profile: bytes, reading: Reading) -> tuple[Image.Image, Findings]:
    """A picture as RGB, converted by its colour profile if that is asked for."""
    findings = Findings()
    if profile:
        from nearid_cli.images.colour import BrokenProfileError, is_srgb, to_srgb

        try:
            if reading.color_profile == "convert":
                converted = to_srgb(picture, profile)
                if converted is not None:
                    return converted, Findings(profiled=1)
            else:
                findings = Findings(profiled=int(not is_srgb(profile)))
        except BrokenProfileError:
            findings = Findings(broken_profile=1)
    # A copy of what is RGB already would cost as much as decoding: all its memory is new to the process.
    return picture if picture.mode == "RGB" else picture.convert("RGB"), findings


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


class _WebP(WebPImagePlugin.WebPImageFile):
    """A WebP whose size is told by its header: Pillow's decoder takes memory for all pixels when it is made."""

    def _open(self) -> None:
        assert self.fp is not None
        size = WebPImagePlugin._get_size(self.fp.read(30))
        if size is None:
            raise UnreadableImage("damaged WEBP: no picture where it should begin")
        self._size, self._mode = size, "RGB"

    def load(self) -> Any:
        """Decode it; its metadata are known only then."""
        if self.fp is not None:
            told = self.size
            self.fp.seek(0)
            super()._open()
            if self.size != told:
                raise UnreadableImage("damaged WEBP: it has another size than its header says")
            super().load()
            self.fp = self._decoder = None  # as large as the picture, each
        return Image.Image.load(self)


class _Avif(AvifImagePlugin.AvifImageFile):
    """An AVIF picture that is turned as its container says; EXIF may say anything, and is not looked at.

    Attributes:
        orientation: as EXIF numbers it.
    """

    def _open(self) -> None:
        assert self.fp is not None
        if not AvifImagePlugin.SUPPORTED:
            raise UnreadableImage("unsupported: AVIF needs a Pillow that is built with it; convert it to PNG")
        threads = AvifImagePlugin._get_default_max_threads()
        self._decoder = AvifImagePlugin._avif.AvifDecoder(self.fp.read(), "auto", threads)  # type: ignore[attr-defined]
        self._size, self.n_frames, self._mode, profile, _, self.orientation, _ = self._decoder.get_info()
        if profile:
            self.info["icc_profile"] = profile
        self.seek(0)


_RLE_PIXELS = 16_000_000
"""Pillow unpacks these BMPs byte by byte in Python, a second for each 5 Mpx."""


class _Bmp(BmpImagePlugin.BmpImageFile):
    """A BMP, which is not unpacked by the hour."""

    def _open(self) -> None:
        super()._open()
        if self.tile and self.tile[0].codec_name == "bmp_rle" and self.width * self.height > _RLE_PIXELS:
            raise UnreadableImage(
                f"unsupported: run-length coded BMP of more than {megapixels(_RLE_PIXELS)}; convert it to PNG"
            )


# Only what cameras, the web and generators write. Pillow knows some forty more formats, among them
# one that starts Ghostscript; none of them is worth its attack surface here.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "WEBP": _WebP,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": _Bmp,
}


@dataclass(frozen=True)
class _Opened:
    """A picture whose header is read.

    Attributes:
        picture: for Pillow to load, or loaded.
        told: how it is to be turned, as EXIF numbers it, and its ICC profile, `b""` without one; None where that is
            what Pillow finds when it loads the picture.
        grey: of grey levels of more than 8 bits, how many bits there are, and whether 0 is white.
        working: bytes that its decoder takes for itself.
    """

    picture: Image.Image
    told: tuple[int, bytes] | None = None
    grey: tuple[int, bool] = (16, False)
    working: int = 0

    @property
    def orientation(self) -> int:
        """How it is to be turned when it is loaded, as EXIF numbers it."""
        return _orientation_of(self.picture) if self.told is None else self.told[0]

    @property
    def profile(self) -> bytes:
        """Its ICC profile, `b""` without one."""
        return _profile_of(self.picture) if self.told is None else self.told[1]

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height that it has when it is turned."""
        width, height = self.picture.size
        return (height, width) if self.orientation >= _FIRST_ON_ITS_SIDE else (width, height)

    @property
    def memory(self) -> int:
        """Bytes that it takes at most to load it and to make RGB of it, turned and converted."""
        width, height = self.picture.size
        stored = _STORED.get(self.picture.mode, 4)
        made = 6 if stored == 2 else 4 * (self.picture.mode != "RGB")
        made += 4 * (self.orientation != 1) + 4 * bool(self.profile)
        return width * height * stored + max(width * height * made, self.working)


_FIRST_ON_ITS_SIDE = 5
"""Of the orientations as EXIF numbers them, 1 to 8."""

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes a pixel of Pillow's modes; of all others 4."""

_WORKING = {"WEBP": 16, "AVIF": 16, "HEIF": 16, "GIF": 0, "BMP": 0}
"""Bytes a pixel that decoders take for themselves, measured."""


def _opened(content: bytes, name: str, transparency: bool = False) -> _Opened:
    """Read a file's header with the plugin for its format, and if it is asked for, which colours are transparent.

    `PIL.Image.open` is not used: it holds the size against the global `MAX_IMAGE_PIXELS` whatever our
    `max_pixels` is, and changing that global would change it for every other thread of the host.
    """
    if name == "JPEG":
        parts = jpeg.take_apart(content)
        turn = tiff.orientation(parts.exif, parts.xmp)
        return _Opened(jpeg.Watched(parts), (turn, parts.profile), working=parts.working)
    if name == "PNG":
        chunks = png.take_apart(content, transparency)
        file: ImageFile.ImageFile = PngImagePlugin.PngImageFile(BytesIO(chunks.pixels))
        return _Opened(file, (tiff.orientation(chunks.exif, chunks.xmp), chunks.profile))
    if name == "TIFF":
        directory = tiff.directory_of(content)
        turn = tiff.orientation(content, directory.data(tiff.XMP))
        return _Opened(
            _tiff(directory),
            (turn, directory.data(tiff.ICC_PROFILE)),
            tiff.grey_levels(directory),
            tiff.working(directory),
        )
    if name == "AVIF":
        file = _Avif(BytesIO(content))
        told: tuple[int, bytes] | None = file.orientation, _profile_of(file)
    elif name == "HEIF":  # libheif has turned it already
        heif.check_items(content)
        file = _heif_plugin()(BytesIO(content))
        told = 1, _profile_of(file)
    else:
        file = _PLUGINS[name](BytesIO(content))
        told = None
    width, height = file.size
    return _Opened(file, told, working=width * height * _WORKING[name])


def _tiff(directory: tiff.TagDirectory) -> ImageFile.ImageFile:
    """A TIFF's first page, for Pillow to load.

    Raises:
        UnreadableImage: Pillow does not know this variant.
    """
    try:
        return TiffImagePlugin.TiffImageFile(BytesIO(tiff.pixels_of(directory)))
    except SyntaxError as error:
        if not tiff.has_size(directory):
            raise
        raise UnreadableImage(f"unsupported: {tiff.variant(directory)}; convert it to PNG") from error


def _profile_of(picture: Image.Image) -> bytes:
    """The ICC profile that Pillow found in a picture's file."""
    profile = picture.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _orientation_of(picture: Image.Image) -> int:
    """How a picture is to be turned by what Pillow found in its file."""
    exif = picture.info.get("exif")
    xmp = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp")
    return tiff.orientation(
        exif if isinstance(exif, bytes) else b"", xmp if isinstance(xmp, (bytes, str)) else b""
    )


def _heif_plugin() -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnreadableImage("unsupported: HEIC needs pip install 'nearid-cli[heif]'") from error
    plugin: type[ImageFile.ImageFile] = HeifImageFile
    return plugin


def _reason(error: Exception, kind: str) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{kind} over the limit of Pillow itself (PIL.Image.MAX_IMAGE_PIXELS): {error}"
    if isinstance(error, MemoryError):  # and there is enough for what its header says
        return f"damaged {kind}: it asks for more memory than its pixels need"
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


_UNBOUNDED = ("I", "F")
"""Modes whose values have no known range: Pillow would cut them off at 255 in silence."""


def read_held(
    picture: Image.Image, max_pixels: int = MAX_PIXELS, reading: Reading = DEFAULT_READING
) -> Decoded:
    """A copy of a picture of mode RGB, upright by its EXIF orientation, and what of it was a matter of choice.

    Args:
        picture: a PIL image; one that is opened but not read yet is read.
        max_pixels: the largest width x height that is taken.
        reading: whether its colour profile counts, and what becomes of 16-bit grey.

    Raises:
        UnreadableImage: it is too large, its values have no known range, or its file is truncated or damaged.

    >>> read_held(Image.new("L", (3, 2), 128)).image.getpixel((0, 0))
    (128, 128, 128)
    """
    width, height = picture.size
    if not width * height:
        raise UnreadableImage(f"has no pixels: it is {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableImage(f"{megapixels(width * height)} is over max_pixels, {megapixels(max_pixels)}")
    if picture.mode in _UNBOUNDED:
        raise UnreadableImage(
            f"a picture of mode {picture.mode}, whose values have no known range; convert it to 8 bits first"
        )
    try:
        with _pillow_silenced():
            picture.load()
            own = picture.copy() if picture.mode == "RGB" else picture
            return _settled(_Opened(own, (_orientation_of(picture), _profile_of(picture))), reading)
    except Exception as error:  # a file that is read only now may raise nearly everything, a closed one too
        raise UnreadableImage(f"cannot be read: {error or type(error).__name__}") from error
