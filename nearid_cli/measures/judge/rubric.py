"""What a judge is asked, and on which scale it answers: a rubric of ours, or a text file of the user's.

A file holds the instruction as the model gets it, and must ask for JSON with a `score`. Where the scale is not 0 to 10,
its first line says so, and is not part of the instruction:

    scale: 0-4
    Compare the two pictures ... Answer as JSON: {"score": 0, "reason": ""}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.errors import UsageError
from nearid_cli.opening import expanded, read_regular
from nearid_cli.text import printable

_SCALE = re.compile(r"scale\s*:(.*)", re.IGNORECASE)
_ENDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.)\s*(\d+(?:\.\d+)?)\s*")
_LARGEST = 100_000
_HIGHEST = 1e6  # of a scale that anybody could answer on
_NEEDS = ("json", "score")


@dataclass(frozen=True)
class Rubric:
    """What a judge is asked.

    Attributes:
        text: the instruction; both pictures follow it, the reference first.
        low: the lowest score of its scale.
        high: the highest.
    """

    text: str
    low: float = 0.0
    high: float = 10.0

    @property
    def digest(self) -> str:
        """Of instruction and scale: 16 hex digits of BLAKE3."""
        from blake3 import blake3

        return blake3(f"{self.low:g} {self.high:g}\n{self.text}".encode()).hexdigest(length=8)

    def share(self, score: float) -> float:
        """Where a score lies on the scale: 0 for the lowest, 1 for the highest."""
        return (score - self.low) / (self.high - self.low)


def own_rubric() -> Rubric:
    """Ours, from 0 to 10."""
    return Rubric((Path(__file__).parent / "rubric.txt").read_text(encoding="utf-8").strip())


def read_rubric(path: str | Path) -> Rubric:
    """A rubric from a file.

    Raises:
        UsageError: it cannot be read, or would not lead to answers that can.
    """
    place = f"--judge-template {printable(path)}"
    try:
        content = read_regular(expanded(path), _LARGEST)
        text = content.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{place}: expected text in UTF-8, found other bytes at {error.start}") from error
    first, _, rest = text.partition("\n")
    low, high = 0.0, 10.0
    if said := _SCALE.fullmatch(first.strip()):
        ends = _ENDS.fullmatch(said[1])
        if ends is None or not float(ends[1]) < float(ends[2]) <= _HIGHEST:
            raise UsageError(
                f"{place}: expected a first line like `scale: 0-4`, the lower number first, found "
                f'"{printable(first.strip())}"'
            )
        low, high, text = float(ends[1]), float(ends[2]), rest.strip()
    if lacking := [word for word in _NEEDS if word not in text.lower()]:
        raise UsageError(
            f"{place}: expected an instruction that asks for JSON with a score, such as "
            f'{{"score": {high:g}, "reason": "..."}}; found no word of {" and ".join(lacking)}'
        )
    return Rubric(text, low, high)
