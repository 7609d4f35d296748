"""From texts to embeddings, through the cache: what `pipeline.py` is for pictures.

A text is known by the digest of its UTF-8 bytes. One that the model takes a part of only is kept under another digest,
so that a run which finds it in the cache says so as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from nearid_cli.activity import doing
from nearid_cli.embedding.forward import NOT_FINITE, Forward, sound
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.text import most_tokens
from nearid_cli.errors import ModelError
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.encoders.text_encoder import TextEncoder

    Row = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

_CUT = "nearid-cli 2026 a text that was cut 1"
_SHOWN = 60


def embed_texts(
    texts: Iterable[str],
    spec: EncoderSpec,
    load: Callable[[EncoderSpec], TextEncoder],
    cache: Cache | None,
    settings: Settings,
) -> dict[str, Row]:
    """Embed texts, and say which of them are too long for the model.

    Args:
        texts: may come several times.
        spec: from `text_spec`.
        load: makes the encoder; called only if a text is not in the cache.
        cache: None to neither read nor keep anything.
        settings: the device and how many at once.

    Returns:
        The embedding [D] of each text, of length 1.

    Raises:
        ModelError: the encoder cannot be loaded, or gives embeddings that are not finite, or a text has tokens that
            are none of the model's.
    """
    digests = {text: (blake3(text.encode()).digest(), _digest_of_cut(text)) for text in texts}
    known = cache.load(spec, [one for both in digests.values() for one in both]) if cache else {}
    rows: dict[str, Row] = {}
    cut: list[str] = []
    for text, (whole, part) in digests.items():
        if part in known:
            cut.append(text)
        if (row := known.get(whole, known.get(part))) is not None:
            rows[text] = row
    if missing := [text for text in digests if text not in rows]:
        encoder = load(spec)
        with doing("embedding prompts"):
            tokens = [encoder.prepare(text) for text in missing]
            new = Forward(encoder, settings.pictures_a_pass)([one.ids for one in tokens])
        if bad := [text for text, usable in zip(missing, sound(new), strict=True) if not usable]:
            raise ModelError(
                f'metric "{printable(spec.name)}": embeddings of texts that are not finite numbers; '
                + NOT_FINITE,
                [printable(text) for text in bad],
            )
        rows |= zip(missing, new, strict=True)
        cut += [text for text, one in zip(missing, tokens, strict=True) if one.cut]
        if cache:
            cache.add(spec, [digests[text][one.cut] for text, one in zip(missing, tokens, strict=True)], new)
            cache.tidy()
    if cut and spec.folder is not None:
        logger.warning(
            "%s: %s cut at %d tokens: %s",
            printable(spec.name),
            count(len(cut), "prompt"),
            most_tokens(spec.folder),
            few(cut, spelled=lambda text: f'"{printable(text[:_SHOWN])} ..."'),
        )
    return rows


def _digest_of_cut(text: str) -> bytes:
    return blake3(text.encode(), derive_key_context=_CUT).digest()
