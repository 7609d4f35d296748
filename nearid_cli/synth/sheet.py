"""A contact sheet: the first identities at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from nearid_cli.synth.encoding import Identity

# Between the pictures of an identity, and between identities, in pixels.
_NARROW, _WIDE = 2, 12
# Identities below each other, and pictures beside each other.
_DOWN, _ACROSS = 3, 12


def sheet_length(views: int) -> int:
    """How many identities a sheet shows.

    >>> sheet_length(3), sheet_length(2)
    (12, 18)
    """
    return _DOWN * (_ACROSS // views)


def draw_sheet(identities: Sequence[Identity]) -> bytes:
    """A PNG file: each identity's views in a row, and below each view its distractors.

    Args:
        identities: at least one, all with as many views and distractors; shown from left to right.
    """
    blocks = [_block(identity) for identity in identities]
    width, height = blocks[0].size
    across = min(len(blocks), _ACROSS // len(identities[0].views))
    down = -(-len(blocks) // across)
    sheet = Image.new("RGB", (across * (width + _WIDE) + _WIDE, down * (height + _WIDE) + _WIDE), "white")
    for index, block in enumerate(blocks):
        row, column = divmod(index, across)
        sheet.paste(block, (_WIDE + column * (width + _WIDE), _WIDE + row * (height + _WIDE)))
    return _png(sheet)


def _block(identity: Identity) -> Image.Image:
    rows = [[Image.open(BytesIO(file)) for file in row] for row in (identity.views, *identity.distractors)]
    width, height = rows[0][0].size
    step_x, step_y = width + _NARROW, height + _NARROW
    block = Image.new("RGB", (len(rows[0]) * step_x - _NARROW, len(rows) * step_y - _NARROW), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            block.paste(picture, (column * step_x, row * step_y))
    return block


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
