"""Why generations have no score by a metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nearid_cli.results.images import Image
from nearid_cli.text import count, few


def why_no_score(images: Iterable[Image], metric: str) -> str:
    """The reasons, most frequent first, each with how many generations it is of; nothing where all have a number."""
    number = Counter(reason_of(one, metric) for one in images if one.scores[metric] is None)
    (first, times), *rest = number.most_common() or [("", 0)]
    if not times:
        return ""
    return few([f"{first} ({count(times, 'generation')})", *(f"{reason} ({n:,})" for reason, n in rest)])


def reason_of(image: Image, metric: str) -> str:
    """Why a generation has no score by a metric."""
    return image.reasons.get(metric) or "no reason given"
