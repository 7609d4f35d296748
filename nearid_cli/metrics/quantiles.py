"""Student's t and the beta distribution, without SciPy.

Every score needs them, and to import `scipy.special` makes a run whose embeddings are all cached a sixth slower.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_TERMS = 20_000  # of a continued fraction; about sqrt(a + b) are needed


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """The value below which a share `p` of Student's t distribution lies.

    With t = sqrt(df) tan(a), the share between -t and t is a finite series in cos(a) (Abramowitz and Stegun,
    *Handbook of Mathematical Functions*, 1964, formulas 26.7.3 and 26.7.4). It is solved for a by bisection, to
    the last bit of a.

    Args:
        p: above 0 and below 1.
        df: degrees of freedom, a whole number from 1.

    Returns:
        The quantile; negative below p = 0.5, 0 at 0.5. Right to about 1e-9 of itself for p from 0.0001 to 0.9999.

    Raises:
        ValueError: an argument is out of its range.

    >>> round(t_quantile(0.975, 10), 4)
    2.2281
    """
    if not 0 < p < 1:
        raise ValueError(f"Expected argument `p` to be above 0 and below 1 but got {p}")
    if not (isinstance(df, (int, np.integer)) and df >= 1):
        raise ValueError(f"Expected argument `df` to be a whole number from 1 but got {df}")
    share = abs(2 * p - 1)
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _share_within(middle, df) < share else (low, middle)
    return math.copysign(math.sqrt(df) * math.tan(low), p - 0.5)


def t_tails(t: float, df: int) -> float:
    """The share of Student's t distribution at `t` or farther from 0, on both sides together.

    Args:
        t: any number.
        df: degrees of freedom, a whole number from 1.

    Returns:
        From 0 to 1, right to about 1e-15.

    >>> round(t_tails(2.2281388519649385, 10), 6)
    0.05
    """
    return min(1.0, max(0.0, 1.0 - _share_within(math.atan(abs(t) / math.sqrt(df)), df)))


@lru_cache(maxsize=4096)
def beta_quantile(p: float, a: float, b: float) -> float:
    """The value below which a share `p` of the beta distribution lies.

    Its distribution function is a continued fraction (*NIST Digital Library of Mathematical Functions*, 8.17.22), which
    is solved by bisection.

    Args:
        p: above 0 and below 1.
        a: above 0.
        b: above 0.

    Returns:
        From 0 to 1, right to about 1e-12.

    Raises:
        ValueError: an argument is out of its range.

    >>> round(beta_quantile(0.975, 1, 12), 4)
    0.2646
    """
    if not (0 < p < 1 and a > 0 and b > 0):
        raise ValueError(f"Expected 0 < p < 1 and a and b above 0 but got p = {p}, a = {a}, b = {b}")
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _beta_share(middle, a, b) < p else (low, middle)
    return low


def _beta_share(x: float, a: float, b: float) -> float:
    """The share of the beta distribution below `x`, for 0 < x < 1."""
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on one side only
        return 1.0 - _beta_fraction(1.0 - x, b, a)
    return _beta_fraction(x, a, b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    # 1 / (1 + d1 / (1 + d2 / ...)), by the recurrence of its numerators and denominators, scaled each time.
    above, below, last_above, last_below = 1.0, 1.0, 0.0, 1.0
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        before = above / below
        for term in (odd, even):
            above, last_above = above + term * last_above, above
            below, last_below = below + term * last_below, below
            above, last_above, below, last_below = above / below, last_above / below, 1.0, last_below / below
        if abs(above - before) <= 1e-15 * abs(above):
            break
    return front * above


def _share_within(angle: float, df: int) -> float:
    """The share of the t distribution between -t and t, for t = sqrt(df) tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    steps = np.arange(1, (df - odd) // 2)
    ratios = 2 * steps / (2 * steps + 1) if odd else (2 * steps - 1) / (2 * steps)
    series = 1.0 + float(np.cumprod(ratios * cosine**2).sum())
    if not odd:
        return sine * series
    return 2 / math.pi * (angle + (sine * cosine * series if df > 1 else 0.0))
