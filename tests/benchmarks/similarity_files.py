"""Similarity files as the published tool writes them, and two independent ways to count trials: by the definitions in
plain Python, and by the steps of the published code in pandas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

PAIRS = [(0, 1), (0, 2), (1, 2)]
Row = dict[str, object]


def published_rows(
    rng: np.random.Generator,
    size: int,
    shift: float = 0.1,
    decimals: int | None = None,
    lost: float = 0.0,
    mode: str = "fullneg",
) -> list[Row]:
    """Samples with 2 or 3 views and 1 to 3 distractors. A similarity that does not exist has no key."""
    rows = []
    for number in range(size):
        n_pos, n_neg = int(rng.integers(2, 4)), int(rng.integers(1, 4))
        row: Row = {
            "sample_id": 7 * number + 3,
            "category": f"kind {number % 3}",
            "n_pos": n_pos,
            "n_neg": n_neg,
        }
        names = [(f"sim_{i}{j}", shift) for i, j in PAIRS if j < n_pos]
        if mode != "positives":
            names += [(f"cross_{i}{j}", 0.0) for i in range(n_pos) for j in range(n_neg)]
        if mode == "fullneg":
            names += [(f"neg_sim_{i}{j}", 0.0) for i, j in PAIRS if j < n_neg]
        for name, mean in names:
            value = float(rng.normal(0.5 + mean, 0.2))
            row[name] = (
                math.nan if rng.random() < lost else value if decimals is None else round(value, decimals)
            )
        rows.append(row)
    return rows


def write_published(path: Path, rows: Sequence[Row]) -> Path:
    """As pandas writes a list of dictionaries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def by_definition(rows: Sequence[Row]) -> dict[str, float | None]:
    """SSR, PA and their relatives in plain Python."""
    samples = []
    for row in rows:
        margins = []
        for i, j in PAIRS:
            for anchor in (i, j):
                sim, cross = row.get(f"sim_{i}{j}"), row.get(f"cross_{anchor}{anchor}")
                if sim is not None and cross is not None and not math.isnan(sim) and not math.isnan(cross):  # type: ignore[arg-type]
                    margins.append(sim - cross)  # type: ignore[operator]
        if margins:
            samples.append(margins)
    trials = [margin for margins in samples for margin in margins]
    if not samples:
        return {"samples": 0, "trials": 0, "ssr": None, "pa": None, "pa_published": None, "h": None}
    won = sum(margin > 0 for margin in trials)
    won_by_mean = sum(sum(margins) / len(margins) > 0 for margins in samples)
    ssr = sum(all(margin > 0 for margin in margins) for margins in samples) / len(samples)
    pa = won / len(trials)
    return {
        "samples": len(samples),
        "trials": len(trials),
        "ssr": ssr,
        "pa": pa,
        "pa_published": (won + won_by_mean) / (len(trials) + len(samples)),
        "ssr_mean": won_by_mean / len(samples),
        "h": 2 * ssr * pa / (ssr + pa) if won else 0.0,
        "mean_margin": sum(trials) / len(trials),
        "median_margin": median(trials),
    }


def as_published(paths: Mapping[str, Path], vlm: bool = False) -> dict[str, tuple[float, float, float]]:
    """SSR, mean-based SSR and PA in percent for each source, and pooled, by the steps of the released tables.

    All margins of a sample and their mean are columns that end in `_margin`; the mean's column is not the one that
    the code takes out of the list again (that is the mean of the absolute margins), so it counts as a trial. Rates of
    sources are then averaged, weighted by samples and trials.
    """
    frame = pd.concat(
        [pd.read_csv(path).assign(source=source) for source, path in paths.items()], ignore_index=True
    )
    margins = {}
    for i, j in PAIRS:
        for anchor in (i, j):
            if {f"sim_{i}{j}", f"cross_{anchor}{anchor}"} <= set(frame):
                sim, cross = (
                    pd.to_numeric(frame[name], errors="coerce") / (10.0 if vlm else 1.0)
                    for name in (f"sim_{i}{j}", f"cross_{anchor}{anchor}")
                )
                margins[f"{i}{j}_{anchor}"] = sim - cross
    columns = pd.DataFrame(margins)
    columns["overall"] = columns.mean(axis=1, skipna=True)
    wins = (columns > 0).astype(float).where(columns.notna())
    won, tried = wins.sum(axis=1), wins.notna().sum(axis=1)
    table = pd.DataFrame(
        {
            "source": frame["source"],
            "all": (won == tried).astype(float).where(tried > 0),
            "mean": wins["overall"],
            "won": won.where(tried > 0),
            "tried": tried.where(tried > 0).astype(float),
        }
    )
    found: dict[str, tuple[float, float, float]] = {}
    parts = []
    for source, own in table.groupby("source"):
        tried_here = own["tried"].sum()
        pa = own["won"].sum() / tried_here if tried_here else math.nan
        rates = 100 * own["all"].mean(), 100 * own["mean"].mean(), 100 * pa
        found[str(source)] = rates
        if tried_here:  # a source without a trial has no weight
            parts.append((rates, own["all"].notna().sum(), tried_here))
    if not parts:
        return {**found, "pooled": (math.nan,) * 3}
    samples = np.array([weight for _, weight, _ in parts], dtype=float)
    trials = np.array([weight for _, _, weight in parts], dtype=float)
    means = np.array([rates for rates, _, _ in parts])
    found["pooled"] = (
        float(means[:, 0] @ samples / samples.sum()),
        float(means[:, 1] @ samples / samples.sum()),
        float(means[:, 2] @ trials / trials.sum()),
    )
    return found
