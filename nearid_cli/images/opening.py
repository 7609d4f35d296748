"""Reading a picture's header with the plugin for its format, and what decides about its pixels beside it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

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

from nearid_cli.images import jpeg, png, tags, tiff
from nearid_cli.images.jpeg import Watched
from nearid_cli.images.reading import UnreadableImage

# Only what cameras, the web and generators write. Pillow knows some forty more formats, among them
# one that starts Ghostscript; none of them is worth its attack surface here.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}


@dataclass(frozen=True)
class Opened:
    """A picture whose header is read.

    Attributes:
        file: for Pillow to load.
        orientation: how it is to be turned when it is loaded, as EXIF numbers it.
        profile: its ICC profile, `b""` without one.
        grey: of grey levels of more than 8 bits, how many bits there are, and whether 0 is white.
    """

    file: ImageFile.ImageFile
    orientation: int
    profile: bytes
    grey: tuple[int, bool] = (16, False)


def open_picture(content: bytes, name: str) -> Opened:
    """Read a file's header with the plugin for its format.

    `PIL.Image.open` is not used: it holds the size against the global `MAX_IMAGE_PIXELS` whatever our
    `max_pixels` is, and changing that global would change it for every other thread of the host.
    """
    if name == "JPEG":
        parts = jpeg.take_apart(content)
        return Opened(Watched(parts), tags.orientation(parts.exif, parts.xmp), parts.profile)
    if name == "PNG":
        chunks = png.take_apart(content)
        file: ImageFile.ImageFile = PngImagePlugin.PngImageFile(BytesIO(chunks.pixels))
        return Opened(file, tags.orientation(chunks.exif, chunks.xmp), chunks.profile)
    if name == "TIFF":
        directory = tiff.directory_of(content)
        return Opened(
            _tiff(directory),
            tags.orientation(content, directory.data(tags.XMP)),
            directory.data(tags.ICC_PROFILE),
            tiff.grey_levels(directory),
        )
    if name == "AVIF":
        file = _Avif(BytesIO(content))
        return Opened(file, file.orientation, profile_of(file))
    if name == "HEIF":  # libheif has turned it already
        file = _heif_plugin()(BytesIO(content))
        return Opened(file, 1, profile_of(file))
    file = _PLUGINS[name](BytesIO(content))
    return Opened(file, orientation_of(file), profile_of(file))


def _tiff(directory: tags.TagDirectory) -> ImageFile.ImageFile:
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


def profile_of(picture: Image.Image) -> bytes:
    """The ICC profile that Pillow found in a picture's file."""
    profile = picture.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def orientation_of(picture: Image.Image) -> int:
    """How a picture is to be turned by what Pillow found in its file."""
    exif = picture.info.get("exif")
    xmp = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp")
    return tags.orientation(
        exif if isinstance(exif, bytes) else b"", xmp if isinstance(xmp, (bytes, str)) else b""
    )


def _heif_plugin() -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnreadableImage("unsupported: HEIC needs pip install 'nearid-cli[heif]'") from error
    plugin: type[ImageFile.ImageFile] = HeifImageFile
    return plugin
