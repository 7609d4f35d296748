"""Which pixels a picture has where its file leaves a choice, and why one has none; named without Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from nearid_cli.text import count


class UnreadableImage(Exception):  # noqa: N818 - a finding about a file, which the pipeline collects
    """A picture that cannot be used.

    Attributes:
        reason: why, in one short line for people, without the file's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reading(NamedTuple):
    """How pictures are read.

    Attributes:
        color_profile: `ignore` takes the levels as they are stored, as the published computation does; `convert`
            converts a picture with a colour profile of its own to sRGB.
        sixteen_bit: what becomes of grey levels of more than 8 bits: `scale` keeps their high 8 bits, `clip` cuts them
            off at 255, as the published computation does.
    """

    color_profile: str = "ignore"
    sixteen_bit: str = "scale"

    def describe(self) -> str:
        """What is not the default, in words that go before a preprocessing; `""` where all is.

        >>> Reading(color_profile="convert").describe()
        'colour profiles to sRGB'
        """
        words = {
            "colour profiles to sRGB": self.color_profile == "convert",
            "16-bit grey clipped at 255": self.sixteen_bit == "clip",
        }
        return ", ".join(what for what, holds in words.items() if holds)

    def say(self, found: Findings) -> list[str]:
        """What people should know of pictures that were opened, a line each.

        >>> Reading().say(Findings(profiled=1))
        ['1 picture has a colour profile other than sRGB, ignored; --color-profile convert applies it']
        """
        converts = self.color_profile == "convert"
        profiles = "converted to sRGB" if converts else "ignored; --color-profile convert applies it"
        levels = "cut off at 255"
        if self.sixteen_bit == "scale":
            levels = "scaled to 8; --sixteen-bit clip cuts them off at 255, as Pillow does"
        remarks = (
            (found.profiled, f"a colour profile other than sRGB, {profiles}"),
            (found.broken_profile * converts, "a colour profile that cannot be used; it is ignored"),
            (found.deep, f"grey levels of more than 8 bits, {levels}"),
        )
        return [
            f"{count(number, 'picture')} {'has' if number == 1 else 'have'} {what}"
            for number, what in remarks
            if number
        ]


DEFAULT_READING = Reading()


class Masking(NamedTuple):
    """What of a picture counts by its mask and box, and what the rest becomes.

    Attributes:
        keep: `foreground`, what is inside both, or `background`, all else.
        fill: what the rest becomes: `black`, `white`, or `mean`, the mean colour of what is kept, so that it says
            nothing of the rest.
        clean: take the largest blob of the mask, filled, as NearID-Bench does.
    """

    keep: str = "foreground"
    fill: str = "black"
    clean: bool = False

    def describe(self) -> str:
        """It in words, which go before a preprocessing.

        >>> Masking(fill="mean", clean=True).describe()
        'foreground of cleaned masks kept, rest of its mean colour'
        """
        of = " of cleaned masks" if self.clean else ""
        return f"{self.keep}{of} kept, rest {'of its mean colour' if self.fill == 'mean' else self.fill}"


@dataclass(frozen=True)
class Findings:
    """What of a picture, or how many pictures, the choices of `Reading` are about.

    Attributes:
        profiled: have a colour profile that is not sRGB.
        broken_profile: have a colour profile that cannot be used.
        deep: are grey with more than 8 bits.
    """

    profiled: int = 0
    broken_profile: int = 0
    deep: int = 0

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.profiled + other.profiled,
            self.broken_profile + other.broken_profile,
            self.deep + other.deep,
        )
