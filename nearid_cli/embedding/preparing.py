"""What encoders take of a picture: of one decoding, or of two where some take a JPEG at half its size, others not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

from nearid_cli.images.memory import BUDGET

if TYPE_CHECKING:
    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.spec import Pixels, Preparer
    from nearid_cli.images.reading import Findings

    Prepared = dict[Hashable, Pixels | None]


def prepared(
    content: Content, encoders: Iterable[Preparer], settings: Settings, note: Callable[[Findings], None]
) -> Prepared:
    """Prepare a picture for encoders.

    At which size it is decoded for an encoder, the picture and the encoder decide, and never which others there are.

    Args:
        content: the picture.
        encoders: what prepares for each; some may share what they take.
        settings: how it is read.
        note: told what of it was a matter of choice.

    Returns:
        By `Preparer.preparation`, what each takes; None where it has no embedding.

    Raises:
        UnreadableImage: it cannot be used.
        ModelError, OSError, MemoryError: as encoders and `Content.open` raise them.
    """
    left: dict[Hashable, Preparer] = {}
    for encoder in encoders:
        left.setdefault(encoder.preparation, encoder)
    made: Prepared = {}
    if any(encoder.spec.fast for encoder in left.values()):
        with BUDGET.kept():
            made |= _of_one_decoding(content, left, settings, note, halve=True)
        left = {preparation: one for preparation, one in left.items() if preparation not in made}
    if left:
        with BUDGET.kept():
            made |= _of_one_decoding(content, left, settings, note, halve=False)
    return made


def _of_one_decoding(
    content: Content,
    encoders: Mapping[Hashable, Preparer],
    settings: Settings,
    note: Callable[[Findings], None],
    *,
    halve: bool,
) -> Prepared:
    """The same for those encoders that take what one decoding gives; the picture itself is gone when this returns."""

    def some_take_half(size: tuple[int, int]) -> bool:
        return any(_takes_half(encoder, size) for encoder in encoders.values())

    picture = content.open(settings.max_pixels, settings.reading, some_take_half if halve else None)
    note(picture.findings)
    width, height = picture.image.size
    return {
        preparation: encoder.prepare(picture.image)
        for preparation, encoder in encoders.items()
        if not picture.reduced or _takes_half(encoder, (2 * width, 2 * height))
    }


def _takes_half(encoder: Preparer, size: tuple[int, int]) -> bool:
    return bool(encoder.spec.fast) and encoder.takes_half(size)
