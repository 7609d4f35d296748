"""Which generations failed a gate."""

from __future__ import annotations

from itertools import product

from nearid_cli.breakdown.labels import is_in
from nearid_cli.results import CompareResult, GateResult, Image, Verdict
from nearid_cli.results.gate import COPIES, MISSING, NEAR_COPIES


def failed(gate: GateResult, result: CompareResult) -> list[tuple[str, str, str]]:
    """The generations that failed verdicts are about, as method, subject and path, in the order of the result.

    A verdict about a subject is about its generations, of a group about those in it; one that counts some is about
    those that it counts. A mean over all that is too low says nothing of any generation.
    """
    verdicts: dict[tuple[str | None, str | None], list[Verdict]] = {}
    for one in gate.verdicts:
        if one.status == "failed":
            verdicts.setdefault((one.method, one.subject), []).append(one)
    return [
        (method.name, image.subject, image.path)
        for method in result.methods
        for image in method.result.images
        if any(
            _is_about(one, image)
            for key in product((None, method.name), (None, image.subject))
            for one in verdicts.get(key, ())
        )
    ]


def _is_about(verdict: Verdict, image: Image) -> bool:
    """Whether a verdict about the method and the subject of a generation is about itself."""
    if not is_in(image, verdict.group):
        return False
    statistic = verdict.rule.statistic
    if statistic == COPIES:
        return image.copy_of is not None
    if statistic == NEAR_COPIES:
        return verdict.metric in image.near_copy_of
    if statistic == MISSING:
        return verdict.metric in image.scores and image.scores[verdict.metric] is None
    return verdict.subject is not None or bool(verdict.group)
