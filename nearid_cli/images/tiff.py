"""TIFF: which of its many variants are read right, and the file that Pillow gets to see.

Pillow reads the picture with all its tags, and the first page with all others. It gets the first page and the tags
that decide about pixels.
"""

from __future__ import annotations

from nearid_cli.images import tags
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.images.tags import TagDirectory

# Size, layout, levels, strips, tiles, colours and what codecs need; see the TIFF 6.0 specification.
_PIXELS = frozenset(
    (
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320),
        *(322, 323, 324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521),
        *(529, 530, 531, 532, 34925, 50674),
    )
)
_RAW_CODECS = frozenset((32767, 32769, 32770, 34713, 34892, 65535))
_CIE = {8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "CIE Log L", 32845: "CIE Log Luv"}


def directory_of(content: bytes) -> TagDirectory:
    """The first page's tags.

    Raises:
        UnreadableImage: there are none, or they say that this is a variant that is not read.
    """
    directory = TagDirectory.read(content)
    if directory is None or not directory.entries:
        raise UnreadableImage("truncated TIFF")
    if reason := _unsupported(directory):
        raise UnreadableImage(f"unsupported: {reason}; convert it to PNG")
    return directory


def pixels_of(directory: TagDirectory) -> bytes:
    """The file with nothing but the first page and the tags that decide about its pixels."""
    return directory.without_all_but(_PIXELS)


def has_size(directory: TagDirectory) -> bool:
    """Whether the tags say how large the picture is."""
    return {256, 257} <= directory.entries.keys()


def grey_levels(directory: TagDirectory) -> tuple[int, bool]:
    """How many bits the levels of a deep grey picture have, and whether 0 is white."""
    return int(directory.number(tags.BITS, 16)), directory.number(tags.PHOTOMETRIC, 1) == 0


def _unsupported(directory: TagDirectory) -> str:
    """What is not read right, or `""`: Pillow takes some of these for something else."""
    codec = directory.number(tags.COMPRESSION, 1)
    if tags.DNG_VERSION in directory.entries:
        return "camera raw (DNG)"
    if codec in _RAW_CODECS:
        return "camera raw"
    if directory.number(tags.SUBFILE, 0) & 1:
        return "a TIFF or camera raw that begins with a thumbnail"
    bits = directory.numbers(tags.BITS) or (1,)
    signs = set(directory.numbers(tags.SAMPLE_FORMAT)) or {1}
    deepest = int(max(bits))
    if signs & {3, 6}:
        return "floating-point TIFF"
    if signs & {2, 5}:
        return f"signed {deepest}-bit TIFF"
    if deepest > 16:
        return f"{deepest}-bit TIFF"
    if directory.number(tags.PLANAR, 1) == 2 and deepest > 8 and directory.number(tags.SAMPLES, 1) > 1:
        return f"planar {deepest}-bit TIFF"
    if directory.number(tags.PLANAR, 1) == 2 and directory.number(tags.SAMPLES, 1) == 2:
        return "planar TIFF of grey and alpha"
    photometric = directory.number(tags.PHOTOMETRIC, 1)
    return f"TIFF in {_CIE[photometric]}" if photometric in _CIE else ""


def variant(directory: TagDirectory) -> str:
    """The variant in a few words, for one that Pillow does not know."""
    bits = sorted({int(level) for level in directory.numbers(tags.BITS)} or {1})
    channels = directory.number(tags.SAMPLES, 1)
    codec = directory.number(tags.COMPRESSION, 1)
    return (
        f"TIFF of {channels} x {'/'.join(map(str, bits))} bits, photometric {directory.number(tags.PHOTOMETRIC, 1)}, "
        f"compression {codec}"
    )
