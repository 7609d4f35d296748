"""CLIP-T: how near a picture is to its prompt, in the space that CLIP has for both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nearid_cli.layouts.prompts import is_json, is_number
from nearid_cli.plugins import NoScore, TextMetric
from nearid_cli.text import printable, storable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NO_PROMPT = NoScore("no prompt")
NUMBERED_PROMPT = NoScore("prompt is a number")
SEVERAL_TEXTS = NoScore("prompt is a list or an object")
NOTHING_LEFT = NoScore("nothing left of the prompt")

_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,.;:!?])")


class ClipText(TextMetric):
    """The cosine of a prompt's and a picture's vectors, by the two halves of one CLIP checkpoint.

    Args:
        checkpoint: folder or Hub id of a whole CLIP model.
        revision: of the Hub; None for the newest that is here.
        strip_token: placeholders, such as `sks`, that are taken out of prompts where they are whole words.
    """

    version = "clip-t/1"
    range = (-1.0, 1.0)
    options = ("strip_token",)

    def __init__(
        self, checkpoint: str = "", revision: str | None = None, strip_token: Sequence[str] = ()
    ) -> None:
        self.checkpoint, self.revision = checkpoint, revision
        strip_token = (strip_token,) if isinstance(strip_token, str) else strip_token
        # In an order of their own, the longest first, so that results do not depend on the order given.
        tokens = {" ".join(one.lower().split()) for one in strip_token} - {""}
        self._tokens = {token: _whole(token) for token in sorted(tokens, key=lambda one: (-len(one), one))}
        without = f", without {', '.join(map(printable, self._tokens))}" if self._tokens else ""
        self.protocol = f"cosine similarity of generation and prompt{without}, no factor"

    def wording(self, prompt: str | None) -> str | NoScore:
        """A prompt as it is embedded.

        What is written as the name of a file or folder, without a space, is read as words. A number is no text, and a
        list in JSON is not one.

        >>> ClipText().wording("on_the_beach"), ClipText().wording("a-red-cat")
        ('on the beach', 'a red cat')
        >>> without = ClipText(strip_token=["sks", "<v>"])
        >>> without.wording("A photo of sks, a <v> dog"), without.wording("sks").reason
        ('A photo of, a dog', 'nothing left of the prompt')
        >>> [ClipText().wording(prompt).reason for prompt in ("3", None, '["a cat", "a dog"]')]
        ['prompt is a number', 'no prompt', 'prompt is a list or an object']
        """
        if prompt is None or not (text := storable(prompt)).strip():
            return NO_PROMPT
        if is_number(text):
            return NUMBERED_PROMPT
        if is_json(text.strip()):
            return SEVERAL_TEXTS
        text = _spaced(text)
        for pattern in self._tokens.values():
            bare = pattern.sub(" ", text)
            if bare != text:
                text = _BEFORE_PUNCTUATION.sub("", " ".join(bare.split()))
        return text or NOTHING_LEFT

    def compare(self, text: npt.NDArray[np.float32], generation: npt.NDArray[np.float32]) -> float:
        """The cosine of the unit vectors [D] of both towers, which rounding may put beyond 1."""
        return min(max(float(text.astype(float) @ generation.astype(float)), -1.0), 1.0)

    def absent(self, prompts: Iterable[str]) -> list[str]:
        """The placeholders that none of these prompts has.

        >>> ClipText(strip_token=["sks", "zwx"]).absent(["a sks dog", "a_sks_cat"])
        ['zwx']
        """
        texts = [_spaced(prompt) for prompt in prompts]
        return [token for token, pattern in self._tokens.items() if not any(map(pattern.search, texts))]


def _whole(token: str) -> re.Pattern[str]:
    """A placeholder as a whole word, or several."""
    words = r"\s+".join(map(re.escape, token.split()))
    return re.compile(rf"(?<![\w-]){words}(?![\w-])", re.IGNORECASE)


def _spaced(text: str) -> str:
    """A text that stands in a name, with spaces again: `on_the_beach`, `on-the-beach`; a hyphen may be one.

    >>> _spaced("half-timbered"), _spaced("half-timbered_house")
    ('half-timbered', 'half-timbered house')
    """
    if any(map(str.isspace, text)):
        return text
    if "_" in text.strip("_"):
        return " ".join(text.split("_")).strip()
    return text.replace("-", " ") if text.strip("-").count("-") > 1 else text
