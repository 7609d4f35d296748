"""Retention and its noise again, by loops over pairs: what metrics/retention.py is compared with."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Rows = Sequence[npt.NDArray[np.floating]]


def cosine(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    x, y = a.tolist(), b.tolist()
    dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
    return dot / math.sqrt(math.fsum(p * p for p in x)) / math.sqrt(math.fsum(q * q for q in y))


def room_errors(refs: Sequence[Rows], gens: Sequence[Rows], clusters: Sequence[Sequence[int]]) -> list[float]:
    """Standard errors of ceiling - floor by subject, from pictures by subject and the clusters of the generations."""
    floors = _floor_errors(refs, gens, clusters)
    return [math.hypot(_ceiling_error(refs, gens, s), floors[s]) for s in range(len(refs))]


def _ceiling_error(refs: Sequence[Rows], gens: Sequence[Rows], s: int) -> float:
    def ceiling(rows: Rows) -> float:
        return statistics.fmean(cosine(a, b) for a, b in itertools.combinations(rows, 2))

    m = len(refs[s])
    if m == 1:
        return math.nan
    if m > 2:
        without = [ceiling([*refs[s][:i], *refs[s][i + 1 :]]) for i in range(m)]
        centre = statistics.fmean(without)
        return math.sqrt((m - 1) / m * math.fsum((one - centre) ** 2 for one in without))
    pairs = [[cosine(g, r) for g in gens[t] for r in refs[t]] for t in range(len(refs)) if len(refs[t]) == 2]
    own = statistics.variance(cosine(g, r) for g in gens[s] for r in refs[s])
    if len(gens[s]) > 1:
        return math.sqrt(own)
    squares = math.fsum(statistics.variance(some) * (len(some) - 1) for some in pairs)
    return math.sqrt(max(own, squares / sum(len(some) - 1 for some in pairs)))


def _floor_errors(
    refs: Sequence[Rows], gens: Sequence[Rows], clusters: Sequence[Sequence[int]]
) -> list[float]:
    def stranger(g: npt.NDArray[np.floating], s: int) -> float:
        return statistics.fmean(cosine(g, r) for t in range(len(refs)) if t != s for r in refs[t])

    if len(refs) == 1:
        return [math.nan]
    values = [[stranger(g, s) for g in gens[s]] for s in range(len(refs))]
    known: dict[int, float] = {}
    spreads = []
    for s, of in enumerate(values):
        names = sorted(set(clusters[s]))
        if len(names) == 1:
            continue
        mean = statistics.fmean(of)
        sums = [
            math.fsum(v - mean for v, c in zip(of, clusters[s], strict=True) if c == name) for name in names
        ]
        scale = len(names) / len(of)
        known[s] = statistics.stdev([mean + scale * one for one in sums]) / math.sqrt(len(names))
        spreads.append(known[s] ** 2 * len(names))
    every = [v for of in values for v in of]
    spread = math.sqrt(statistics.fmean(spreads)) if spreads else statistics.stdev(every)
    return [known.get(s, spread) for s in range(len(refs))]
