"""Which checkpoint to take, in a line: no more than was shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.results import Common, CompareResult, Curve, CurvePoint
from nearid_cli.results.compare import BETTER, SAME, TOO_FEW, WORSE
from nearid_cli.text import few, printable


def step_name(curve: Curve, point: CurvePoint) -> str:
    """A checkpoint in a sentence: `step 500`.

    >>> step_name(Curve("", "epoch", (), None), CurvePoint("e000003", 3, 8, 0))
    'epoch 3'
    """
    return f"{curve.unit} {point_number(point)}" if point.number is not None else point_number(point)


def point_number(point: CurvePoint) -> str:
    """The step alone; the name of a checkpoint that has none."""
    return printable(point.method.rpartition("/")[2]) if point.number is None else str(point.number)


def _listed(words: Sequence[str]) -> str:
    """The first ones, and how many more there are, for a sentence.

    >>> _listed(["1", "2"]), _listed(["1", "2", "3"]), _listed(list("123456"))
    ('1 and 2', '1, 2 and 3', '1, 2, 3 and 3 more')
    """
    if len(words) > 4:
        return few(words, 3, str)
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def common_of(result: CompareResult, point: CurvePoint, metric: str) -> Common | None:
    """A checkpoint's numbers over what all ranked methods have; None where it lacks some of that."""
    return result.methods[point.method].common.get(metric)


def answer(result: CompareResult, curve: Curve) -> str:
    """Which checkpoint to take, and how far that is certain: no more than was shown."""
    gauge, *further = gauges(result).values()
    who = f"{printable(curve.name)}: by" if curve.name else "By"
    return f"{who} {printable(gauge.name)}, {'; '.join(_Told(result, curve, gauge).clauses(further))}"


def whole_curve(result: CompareResult) -> Curve | None:
    """The curve of the training whose checkpoints all methods are; None where there are others beside them."""
    one = result.curves[0] if len(result.curves) == 1 else None
    return one if one and len(one.points) == len(result.methods) else None


def told(result: CompareResult, curve: Curve) -> tuple[str, list[str]]:
    """The same as the title of a page and the sentences below it."""
    gauge, *further = gauges(result).values()
    words = _Told(result, curve, gauge)
    first, *rest = words.clauses(further)
    title = words.title(words.best) if words.best else first
    return _sentence(title).rstrip("."), [
        _sentence(f"by {printable(gauge.name)}{gauge.better}, {first}"),
        *map(_sentence, rest),
    ]


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


class _Told(NamedTuple):
    """What is told of a curve by its first metric."""

    result: CompareResult
    curve: Curve
    gauge: Gauge

    def clauses(self, further: Sequence[Gauge]) -> Iterator[str]:
        """All of it, the most important first."""
        best = self.best
        if best is None:
            yield self._why_none()
            yield from self._copies()
            return
        yield self._leads(best)
        yield from self._neighbours(best)
        yield from self._alike(best)
        yield from self._earlier(best)
        yield from self._copies()
        yield from self._end(best)
        for gauge in further:
            if gauge.metric.against == "prompts":
                yield from self._against_text(best, gauge)
            else:
                yield from self._otherwise(gauge)

    @property
    def best(self) -> CurvePoint | None:
        """The checkpoint that is best."""
        return next((one for one in self.curve.points if one.method == self.curve.best), None)

    @property
    def _candidates(self) -> list[CurvePoint]:
        return [one for one in self.curve.points if not one.left_out]

    def _why_none(self) -> str:
        if not self._candidates:
            return "every checkpoint copies references, so that none can be chosen"
        return "no checkpoint can be chosen: nothing has a number in all of them"

    def title(self, best: CurvePoint) -> str:
        """Which scores best."""
        points, candidates = len(self.curve.points), len(self._candidates)
        if candidates == 1:
            return f"{step_name(self.curve, best)} alone does not copy"
        if candidates == points:
            return f"{step_name(self.curve, best)} scores best of all {points} checkpoints"
        return f"{step_name(self.curve, best)} scores best of the {candidates} of {points} checkpoints that do not copy"

    def _leads(self, best: CurvePoint) -> str:
        found = common_of(self.result, best, self.gauge.name)
        return f"{self.title(best)}, {self.gauge.score.say(found.score, found.ci95) if found else '-'}"

    def _verdict(self, point: CurvePoint, metric: str = "") -> str:
        """Empty where nothing was judged."""
        found = self.curve.difference(point.method, metric or self.gauge.name)
        return found.verdict if found and found.p_adjusted is not None else ""

    def _beside(self, best: CurvePoint) -> list[CurvePoint]:
        points = self.curve.points
        place = points.index(best)
        return [*points[max(place - 1, 0) : place], *points[place + 1 : place + 2]]

    def _all_alike(self, best: CurvePoint) -> bool:
        others = [one for one in self._candidates if one is not best]
        return bool(others) and len(self.curve.alike) == len(others)

    def _all_worse(self, best: CurvePoint) -> bool:
        return all(self._verdict(one) == WORSE for one in self._candidates if one is not best)

    def _neighbours(self, best: CurvePoint) -> Iterator[str]:
        if self._all_alike(best):
            return  # which says it of them, too
        said: dict[tuple[str, str], list[str]] = {}
        for one in self._beside(best):
            said.setdefault(_state(one, self._verdict(one)), []).append(point_number(one))
        if len(said) == 1:
            (((of_one, of_several), names),) = said.items()
            who, state = ("its neighbours", of_several) if names[1:] else ("its neighbour", of_one)
            others = (
                " and all others" if self._all_worse(best) and len(names) < len(self._candidates) - 1 else ""
            )
            yield f"{who} {_listed(names)}{others} {of_several if others else state}"
        elif said:
            parts = [f"{names[0]} {words}" for (words, _), names in said.items()]
            yield f"of its neighbours, {' and '.join(parts)}"

    def _alike(self, best: CurvePoint) -> Iterator[str]:
        alike = [one for one in self.curve.points if one.method in self.curve.alike]
        others = [one for one in self._candidates if self._verdict(one)]
        same = [one for one in others if self._verdict(one) == SAME]
        if same and len(same) == len(others):
            yield "all others are the same on every subject"
        elif self._all_alike(best):
            too_few = all(self._verdict(one).startswith(TOO_FEW) for one in alike)
            yield f"no other is shown to differ from it{f': {self._verdict(alike[0])}' if too_few else ''}"
        elif self._all_worse(best):
            if any(one.left_out for one in self._beside(best)) and len(others) > 1:
                yield "all others are shown to be worse"
        elif more := [point_number(one) for one in alike if one not in self._beside(best)]:
            yield f"not shown to differ from it either: {_listed(more)}"

    def _earlier(self, best: CurvePoint) -> Iterator[str]:
        if self.curve.earliest in (None, best.method):
            return
        point = next(one for one in self.curve.points if one.method == self.curve.earliest)
        found = self.curve.difference(point.method, self.gauge.name)
        sign = self.gauge.metric.sign
        behind = max([0.0, *(-sign * end for end in found.ci95)]) if found and found.ci95 else None
        most = "" if behind is None else f", at most {self.gauge.score.say(behind)} behind (95 %)"
        yield f"the earliest in a row not shown to be worse: {point_number(point)}{most}"

    def _copies(self) -> Iterator[str]:
        curve, points = self.curve, self.curve.points
        names = [one.method for one in points]
        start = len(points)
        if curve.copying_from is not None:
            start = names.index(curve.copying_from)
            if start or len(points) != len([one for one in points if one.left_out]):
                yield f"copying sets in at {step_name(curve, points[start])}: {self._before_and_after(start)}"
        alone = [point_number(one) for one in points[:start] if one.left_out]
        if alone and len(alone) < len(points):
            yield f"{_listed(alone)} {'copies' if len(alone) == 1 else 'copy'}, and not all that come after"
        if curve.near_copies_from is not None:
            rise = names.index(curve.near_copies_from)
            yield (
                f"near copies are more frequent from {step_name(curve, points[rise])} on, "
                f"{self._before_and_after(rise)}, as many as faithful generations may have"
            )
        if curve.raised_by_copies:
            raised = [point_number(one) for one in points if one.method in curve.raised_by_copies]
            score, their = ("scores", "its") if len(raised) == 1 else ("score", "their")
            yield f"{_listed(raised)} {score} higher only with {their} copies"

    def _before_and_after(self, start: int) -> str:
        """How many generations copy from a place on, and before it; near copies count where they are most of them."""
        points = self.curve.points
        after = points[start:]
        near = sum(one.near_copies or 0 for one in after) > sum(one.copies for one in after)

        def of(points: Sequence[CurvePoint]) -> str:
            copies = sum(one.copies + (one.near_copies or 0) * near for one in points)
            return f"{copies:,} of {sum(one.generations for one in points):,}"

        said = (
            f"{of(after)} generations {'copy or nearly copy' if near else 'copy'} a reference from there on"
        )
        return f"{said}, {of(points[:start])} before" if start else said

    def _end(self, best: CurvePoint) -> Iterator[str]:
        if best is not self.curve.points[-1]:
            return
        before = next((one for one in reversed(self._candidates) if one is not best), None)
        if before is not None and self._verdict(before) == WORSE:
            yield "still rising at the last checkpoint: train longer"
        else:
            yield "it is the last checkpoint, and whether more training would help is not shown"

    def _otherwise(self, gauge: Gauge) -> Iterator[str]:
        """Which another metric shows to be better."""
        better = [point_number(one) for one in self._candidates if self._verdict(one, gauge.name) == BETTER]
        if better:
            state = "is shown" if len(better) == 1 else "are shown"
            yield f"{printable(gauge.name)} disagrees: by it {_listed(better)} {state} to be better"

    def _against_text(self, best: CurvePoint, gauge: Gauge) -> Iterator[str]:
        """What the best costs in text, beside the first one."""
        first = next((one for one in self._candidates if one is not best), None)
        if first is None or self.curve.points.index(first) > self.curve.points.index(best):
            return
        own, then = (common_of(self.result, one, gauge.name) for one in (best, first))
        identity = [common_of(self.result, one, self.gauge.name) for one in (best, first)]
        if own is None or then is None or None in identity:
            return
        sign = gauge.metric.sign
        if own.score is None or then.score is None or sign * own.score >= sign * then.score:
            return
        sure = "" if self._verdict(first, gauge.name) == BETTER else ", which is not shown"
        before, now = gauge.score.say(then.score), gauge.score.say(own.score)
        falls = "falls" if sign > 0 else "rises, which is worse,"
        where = f"from {before} at {step_name(self.curve, first)} to {now}"
        yield f"while identity rises, {printable(gauge.name)} {falls} {where}{sure}"
        better = [
            point_number(one)
            for one in self.curve.points
            if one.method in self.curve.alike and self._verdict(one, gauge.name) == BETTER
        ]
        if better:
            state = "is shown" if len(better) == 1 else "are shown"
            yield f"of those not shown to differ, {_listed(better)} {state} to be better by it"


def _state(point: CurvePoint, verdict: str) -> tuple[str, str]:
    """How a checkpoint is to the best one, of one and of several."""
    if point.left_out:
        return "copies", "copy"
    what = {WORSE: "to be worse", BETTER: "to be better on what the two have"}
    if verdict in what:
        return f"is shown {what[verdict]}", f"are shown {what[verdict]}"
    if not verdict:
        return "cannot be compared with it", "cannot be compared with it"
    return "is not shown to differ", "are not shown to differ"
