"""What was found and not taken: names by reason, and how they are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nearid_cli.text import few, printable


@dataclass
class LeftOut:
    """Names of files and folders that were not taken, by reason. A folder's name ends with `/`.

    >>> left_out = LeftOut()
    >>> left_out.add("masks", "cat/0_mask.png")
    >>> left_out.counts()
    {'masks': 1}
    """

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was left out."""
        return bool(self.by_reason)

    def add(self, reason: str, name: str) -> None:
        """Record one more."""
        self.by_reason.setdefault(reason, []).append(name)

    def extend(self, other: LeftOut) -> None:
        """Record what another place left out, too."""
        for reason, names in other.by_reason.items():
            self.by_reason.setdefault(reason, []).extend(names)

    def counts(self) -> dict[str, int]:
        """How many, by reason, the most first."""
        return {
            reason: len(names)
            for reason, names in sorted(self.by_reason.items(), key=lambda item: -len(item[1]))
        }

    def summary(self) -> str:
        """Reasons with counts and a few names: `masks (4: a_mask.png, b_mask.png, ... )`.

        >>> LeftOut({"grids": ["grid.png"], "other files": ["a", "b", "c", "d"]}).summary()
        'other files (4: a, b, c and 1 more), grids (1: grid.png)'
        """
        return ", ".join(
            f"{reason} ({number:,}: {few(self.by_reason[reason])})"
            for reason, number in self.counts().items()
        )

    def lines(self) -> list[str]:
        """Every name on a line of its own, with its reason."""
        return [
            f"left out: {printable(name)} ({reason})"
            for reason in self.counts()
            for name in self.by_reason[reason]
        ]


def together(parts: Iterable[LeftOut]) -> LeftOut:
    """What several places left out, as one."""
    whole = LeftOut()
    for part in parts:
        whole.extend(part)
    return whole
