"""Which methods are checkpoints of one training, by their names, and in which order."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nearid_cli.layouts.names import step_within
from nearid_cli.text import few, printable

FEWEST = 3
"""Two checkpoints are two methods; a sequence has so many at least."""

_LAST = re.compile(
    r"(?:(?P<head>.*?)[-_. ]?)??(?:(?<![^\W_])(?:checkpoint|ckpt|step|epoch)[-_. ])?(?<![^\W_])(?:final|last)",
    re.IGNORECASE | re.DOTALL,
)
# What kohya calls the models of a training whose last one has no number.
_KOHYA_MODEL = re.compile(r"-[0-9]{6}|-step[0-9]{8}|[-_]e[0-9]{6}")


class Checkpoints(NamedTuple):
    """The checkpoints of one training.

    Attributes:
        name: what their names say besides the step; empty where that is nothing.
        unit: `step` or `epoch`.
        numbers: name of each -> its step or epoch, in their order; None for a last one whose name has none.
    """

    name: str
    unit: str
    numbers: Mapping[str, int | None]


class _Numbered(NamedTuple):
    name: str
    unit: str
    number: int


def checkpoints(names: Iterable[str]) -> tuple[list[Checkpoints], list[str]]:
    """The trainings of which the names are checkpoints, and what looks like one and is not taken for it.

    One without a number is the last where it is called so (`final`, `last`), or where all others are called as kohya
    calls its models, of which the last has none.

    Args:
        names: of methods, in which `/` parts folders.

    Returns:
        The trainings in the order of their first names, and a sentence for each doubt.

    >>> found, _ = checkpoints(["checkpoint-500", "checkpoint-1500", "checkpoint-1000", "real"])
    >>> found[0].unit, found[0].numbers
    ('step', {'checkpoint-500': 500, 'checkpoint-1000': 1000, 'checkpoint-1500': 1500})
    >>> checkpoints(["my-000001", "my-000002", "my"])[0][0].numbers
    {'my-000001': 1, 'my-000002': 2, 'my': None}
    """
    names = list(names)
    groups: dict[str, list[_Numbered]] = defaultdict(list)
    for name in names:
        if (told := _numbered(name)) is not None:
            groups[told[0]].append(told[1])
    rest = [name for name in names if _numbered(name) is None]
    found, doubts = [], []
    for head, own in groups.items():
        last, doubtful = _last(head, own, rest)
        if len(own) + len(last) < FEWEST:
            continue
        if why := _why_not(own):
            doubts.append(f"{_what(head)} are no sequence of checkpoints: {why}")
            continue
        numbers: dict[str, int | None] = {
            one.name: one.number for one in sorted(own, key=lambda one: one.number)
        }
        found.append(Checkpoints(head, own[0].unit, numbers | dict.fromkeys(last)))
        if doubtful:
            doubts.append(
                f"{few(doubtful)}: without a {own[0].unit} beside {_what(head)}, and not known to be the last: left "
                "out of the sequence"
            )
    return found, doubts


def _numbered(name: str) -> tuple[str, _Numbered] | None:
    """What the checkpoints of a training share in their names, and the step; None where not just one part tells one."""
    parts = name.split("/")
    told = [(place, *found) for place, part in enumerate(parts) if (found := step_within(part)) is not None]
    if len(told) != 1:
        return None
    ((place, step, rest),) = told
    parts[place] = rest
    unit, number = ("epoch", step.removeprefix("epoch ")) if step.startswith("epoch ") else ("step", step)
    if len(number) > _DIGITS:
        return None
    return "/".join(filter(None, parts)), _Numbered(name, unit, int(number))


_DIGITS = 15  # no training has more steps, and every number of a plot keeps them


def _last(head: str, own: Sequence[_Numbered], rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """The last checkpoint of a training whose name has no number, in a list; and those that may be it."""
    called = [name for name in rest if _is_called_last(name, head)]
    bare = [name for name in rest if head and name == head]
    if len(called) == 1:
        return called, bare
    if not called and bare and all(_KOHYA_MODEL.fullmatch(one.name[len(head) :]) for one in own):
        return bare, []
    return [], [*called, *bare]


def _is_called_last(name: str, head: str) -> bool:
    *folders, own = name.split("/")
    match = _LAST.fullmatch(own)
    return match is not None and "/".join(filter(None, [*folders, match["head"]])) == head


def _why_not(own: Sequence[_Numbered]) -> str:
    """Why checkpoints have no order; empty where they have."""
    if len({one.unit for one in own}) > 1:
        return "their names mix steps and epochs"
    number, times = Counter(one.number for one in own).most_common(1)[0]
    if times > 1:
        return f"{few([one.name for one in own if one.number == number])} are of one {own[0].unit}"
    return ""


def _what(head: str) -> str:
    return f"the methods {printable(head)} ..." if head else "the methods"
