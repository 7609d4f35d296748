"""What oracle and nearid say of many worlds of a kind: counted, and as the tables of docs/explanation/worlds.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tests.worlds import oracle, ours
from tests.worlds.kinds import KINDS, Kind

WORLDS = 4
"""Of each kind: 53 kinds make 212 worlds."""

MANY = 200
"""Of each kind, for error rates: their Monte-Carlo error is 1.5 % at 5 %, and 3.5 % at 50 %."""

DECIDED = ("better", "worse")


@dataclass(frozen=True)
class Outcome:
    """One world: what each side says of each method, and what is wrong with it.

    Attributes:
        theirs, mine: by method, the verdicts of the oracle and of nearid; they may have chosen other baselines.
        same_baseline: whether they have not.
        wrong: verdicts of nearid that truth denies.
        theirs_wrong: those of the oracle.
        theirs_right, right: verdicts of the oracle and of nearid that truth confirms.
        true: how many methods truly differ and can be judged.
        gate, our_gate: of the worse of two methods as a run and the other as its baseline (`b` as the run where they
            are equally good); empty where there are more.
    """

    theirs: dict[str, str]
    mine: dict[str, str]
    same_baseline: bool
    wrong: int
    theirs_wrong: int
    right: int
    theirs_right: int
    true: int
    gate: str
    our_gate: str


@cache
def outcome(kind: Kind, seed: int) -> Outcome:
    """The world of a kind with a number, judged by both."""
    world = kind.world(seed)
    found = ours.compared(world)
    theirs, mine = oracle.verdicts(world), ours.verdicts(found)
    reference = oracle.baseline(world)
    signs = {name: np.sign(world.truth(name, reference)) for name in theirs}
    own = {name: np.sign(world.truth(name, found.baseline)) for name in mine}
    pair = world.baseline == "a" and set(world.methods) == {"a", "b"}
    run, base = ("a", "b") if pair and world.truth("b", "a") > 0 else ("b", "a")
    sides = (world.methods[run], world.methods[base]) if pair else None
    return Outcome(
        theirs,
        mine,
        reference == found.baseline,
        _wrong(mine, own),
        _wrong(theirs, signs),
        _right(mine, own),
        _right(theirs, signs),
        sum(
            sign != 0 and theirs[name] not in ("copies", "too few", "not judged")
            for name, sign in signs.items()
        ),
        oracle.gate(*sides) if sides else "",
        ours.gate(*sides) if sides else "",
    )


def _wrong(verdicts: dict[str, str], signs: dict[str, float]) -> int:
    return sum(
        word in DECIDED and signs[name] != (1 if word == "better" else -1) for name, word in verdicts.items()
    )


def _right(verdicts: dict[str, str], signs: dict[str, float]) -> int:
    return sum(
        word in DECIDED and signs[name] == (1 if word == "better" else -1) for name, word in verdicts.items()
    )


def verdict_table() -> list[str]:
    """The rows of the 212 worlds: kind, what is planted, and both sides' verdicts of `compare` and `gate`."""
    rows = []
    for kind in KINDS:
        found = [outcome(kind, seed) for seed in range(WORLDS)]
        cells = [
            kind.name,
            kind.planted,
            _counted(word for one in found for word in one.theirs.values()),
            _counted(word for one in found for word in one.mine.values()),
            _counted(one.gate for one in found if one.gate),
            _counted(one.our_gate for one in found if one.our_gate),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


@dataclass
class Rates:
    """Counts over many worlds of a kind."""

    worlds: int = 0
    false: int = 0
    theirs_false: int = 0
    true: int = 0
    found: int = 0
    theirs_found: int = 0
    gate: Counter[str] = field(default_factory=Counter)
    our_gate: Counter[str] = field(default_factory=Counter)


def rates(kind: Kind, worlds: int = MANY) -> Rates:
    """How often each side is wrong about a world of a kind, and finds what is there."""
    total = Rates()
    for seed in range(worlds):
        one = outcome.__wrapped__(kind, seed)
        total.worlds += 1
        total.false += one.wrong > 0
        total.theirs_false += one.theirs_wrong > 0
        total.true += one.true
        total.found += one.right
        total.theirs_found += one.theirs_right
        total.gate[one.gate] += 1
        total.our_gate[one.our_gate] += 1
    return total


def rate_row(kind: Kind, total: Rates) -> str:
    """One kind's row: wrong verdicts, what was found, and how often a gate failed, each for the oracle and nearid."""

    def percent(part: int, of: int) -> str:
        return f"{100 * part / of:.1f} %" if of else ""

    cells = [
        kind.name,
        percent(total.theirs_false, total.worlds),
        percent(total.false, total.worlds),
        percent(total.theirs_found, total.true),
        percent(total.found, total.true),
        *(
            ""
            if side[""]
            else "not judged"
            if side["cannot judge"] == total.worlds
            else percent(side["failed"], total.worlds)
            for side in (total.gate, total.our_gate)
        ),
    ]
    return f"| {' | '.join(cells)} |"


def pooled_row(rows: Iterable[str]) -> str:
    """The mean over the kinds without a difference, from their rows."""
    names = {kind.name for kind in KINDS if kind.planted.startswith("nothing")}
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    shares = np.array(
        [[float(cell[1].rstrip(" %")), float(cell[2].rstrip(" %"))] for cell in cells if cell[0] in names]
    )
    theirs, mine = shares.mean(axis=0)
    return f"| **all {len(shares)} kinds without a difference** | {theirs:.1f} % | {mine:.1f} % | | | | |"


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items()))
