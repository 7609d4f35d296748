"""Who won a comparison, and whether that is certain: no more than was shown."""

from __future__ import annotations

from typing import NamedTuple

from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.reports.table import Kind, P
from nearid_cli.results import CompareResult, Comparison
from nearid_cli.text import count, listed, printable

_DOES = {"references": "keeps identity", "prompts": "follows prompts"}
"""What the best method does best, by what a metric scores generations against."""


class Conclusion(NamedTuple):
    """The answer of a comparison by its first metric.

    Attributes:
        title: who is first, in a few words.
        reason: what makes that certain or uncertain, as the rest of a sentence; empty where nothing does.
    """

    title: str
    reason: str = ""


class _Duel(NamedTuple):
    """The best method against another one; `ahead` is by how much, None where that is not known."""

    other: str
    ahead: float | None
    comparison: Comparison | None
    kind: Kind

    @property
    def tied(self) -> bool:
        found = self.comparison
        same = found is not None and self.ahead is not None and not (found.wins or found.losses)
        return same and not self.prompts_differ

    @property
    def prompts_differ(self) -> bool:
        """Whether the two have no prompt in common, so that nothing is judged."""
        return self.comparison is not None and self.comparison.pairing.prompts_differ

    @property
    def shown(self) -> bool:
        """Whether the difference, in whichever direction, is more than chance."""
        return self.comparison is not None and self.comparison.shown

    def behind(self, who: str) -> str:
        """How far the other one is behind, and how sure that is."""
        return f"{who} is {self.kind.say(self.ahead)} behind, {self._chance}"

    @property
    def _chance(self) -> str:
        if self.comparison is None:
            return ""
        subjects, p = count(self.comparison.subjects, "subject"), P.say(self.comparison.p_adjusted)
        p = p.replace("<", "< ") if p.startswith("<") else f"= {p}"
        if self.shown:
            return f"more than chance would do over {subjects} (p {p})"
        return f"which {subjects} cannot tell from chance (p {p})"


def conclude(result: CompareResult) -> Conclusion:
    """Say who keeps identity best by the first metric, or follows prompts best where that is what it measures.

    "Best" is said only where every other ranked method was shown to be behind; a difference by chance, one that was
    not tested or not judged, and a lead over other subjects are named as what they are.
    """
    gauge, *_ = gauges(result).values()
    first = gauge.metric
    metric, most = first.name, "highest" if first.higher_is_better else "lowest"
    ranked = sorted((m for m in result.methods if m.ranks.get(metric)), key=lambda m: m.ranks[metric] or 0)
    names = [printable(method.name) for method in ranked]
    if not names:
        old = "the comparison is of an older nearid: compare anew"
        none = (
            "nothing has a number in all of them" if result.common_subjects else "no subject is common to all"
        )
        why = old if result.outdated else none
        return Conclusion("No method can be ranked", why)
    best, *others = names
    if not others:
        return Conclusion(f"{best} alone can be ranked")
    duels = [_duel(result, gauge, ranked[0].name, method.name) for method in ranked[1:]]
    if duels[0].tied:
        alike = [best, *(duel.other for duel in duels if duel.tied)]
        return Conclusion(f"{listed(alike)} are the same on every subject")
    for duel in duels:
        if duel.shown and duel.ahead is not None and duel.ahead < 0:
            subjects = count(duel.comparison.subjects if duel.comparison else 0, "subject")
            lead = duel.kind.say(-duel.ahead)
            return Conclusion(
                f"{best} scores {most}, but over the {count(len(result.common_subjects), 'subject')} that all have",
                f"on the {subjects} that it shares with {duel.other}, {duel.other} is {lead} better",
            )
    if unlike := [duel.other for duel in duels if duel.prompts_differ]:
        best_ones = [name for name, method in zip(names, ranked, strict=True) if method.ranks[metric] == 1]
        return Conclusion(
            f"{listed(best_ones)} {'score' if best_ones[1:] else 'scores'} {most}, but prompts differ",
            f"there is no prompt in common with {listed(unlike)}, so what differs may be the prompts",
        )
    if untested := [duel.other for duel in duels if duel.comparison is None]:
        return Conclusion(
            f"{best} scores {most}",
            f"it was not compared with {listed(untested)}, because the baseline is {printable(result.baseline)}",
        )
    doubtful = [duel for duel in duels if not duel.shown]
    if not doubtful:
        return Conclusion(
            f"{best} {_DOES.get(first.against, 'is')} best", duels[0].behind(f"the next, {others[0]},")
        )
    who = f"the next, {others[0]}," if doubtful[0] is duels[0] else f"of the others, {doubtful[0].other}"
    return Conclusion(f"{best} leads, but it may be chance", doubtful[0].behind(who))


def conclusion_line(result: CompareResult) -> str:
    """The answer in one line, with the metric that gave it."""
    found = conclude(result)
    ranked = {method.name for method in result.ranked}
    metric = result.metrics[0].name
    unranked = [printable(method.name) for method in result.methods if method.name not in ranked]
    some = any(method.ranks.get(metric) for method in result.methods)
    silent = [printable(one.name) for one in result.ranked if some and one.ranks.get(metric) is None]
    return "; ".join(
        [
            f"By {printable(metric)}: {found.title}",
            *([found.reason] if found.reason else []),
            *([f"not ranked, because of copies: {', '.join(unranked)}"] if unranked else []),
            *([f"not ranked, for want of numbers: {', '.join(silent)}"] if silent else []),
        ]
    )


def _duel(result: CompareResult, gauge: Gauge, best: str, other: str) -> _Duel:
    """The comparison of two methods, one of which must be the baseline for there to be one."""
    compared = {one.method: one for one in result.comparisons if one.metric == gauge.name}
    sign = gauge.metric.sign
    sign, found = (-sign, compared.get(other)) if result.baseline == best else (sign, None)
    if result.baseline == other:
        found = compared.get(best)
    ahead = None if found is None or found.delta is None else sign * found.delta
    return _Duel(printable(other), ahead, found, gauge.score)
