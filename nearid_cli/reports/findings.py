"""What a reader of the numbers must not miss, a line each: copies, bad pictures, what has no score, rough intervals.

And how the differences of a comparison were made, and what found no place in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from nearid_cli.reports.blocks import Finding
from nearid_cli.reports.copying import copying_findings
from nearid_cli.reports.gauge import gauges
from nearid_cli.results import CompareResult, Comparison, Inputs, Method, Pairing, ScoreResult
from nearid_cli.results.correspondence import number_of_prompts
from nearid_cli.results.unscored import reason_of
from nearid_cli.text import count, few, printable

_REASONS = 4
"""So many reasons why a metric gives no score have a line of their own."""


def score_findings(result: ScoreResult) -> list[Finding]:
    """Copies, skipped pictures, repeats, unmatched subjects, and intervals that rest on too little."""
    return [*_input_findings(result), *map(Finding, rough_intervals(result))]


def compare_findings(result: CompareResult) -> list[Finding]:
    """What is ranked over what, copies, missing subjects and prompts, and what was left out."""
    whose: dict[Finding, list[str]] = {}
    paired = pairing_lines(result)
    for method in result.methods:
        for one in [*_about(method), *map(Finding, paired.get(method.name, []))]:
            whose.setdefault(one, []).append(method.name)
    found = list(map(Finding, result.remarks))
    for one, names in whose.items():
        who = "every method" if len(names) == len(result.methods) else few(names)
        found.append(replace(one, text=f"{who}: {one.text}"))
    return found


def _about(method: Method) -> list[Finding]:
    """What is to be said about one method, each fact once."""
    lines = []
    result = method.result
    if method.lacking:
        lacked = f"lacks {count(len(method.lacking), 'subject')}, so its own scores are over fewer: "
        lines.append(Finding(lacked, method.lacking))
        lacking = set(map(printable, method.lacking))
        rest = [
            line for line in result.inputs.unmatched if printable(line).rpartition(": ")[0] not in lacking
        ]
        result = replace(result, inputs=replace(result.inputs, unmatched=tuple(rest)))
    if method.copying:
        ranked = any(rank is not None for rank in method.ranks.values())
        copied = (
            f"{method.copies:,} of {count(len(result.images), 'generation')} "
            f"{'copies' if method.copies == 1 else 'copy'} a reference, which scores {highly(result)} "
            f"without skill{'' if ranked else ', so it is not ranked'}"
        )
        lines.append(Finding(copied))
        result = result.without_images()
    return [*lines, *_input_findings(result)]


def _input_findings(result: ScoreResult) -> Iterator[Finding]:
    """What was wrong with the pictures."""
    inputs = result.inputs
    pairs = zip(result.images.column("path"), result.images.column("copy_of"), strict=True)
    copied = tuple(f"{path} copies {reference}" for path, reference in pairs if reference is not None)
    if copied:
        what = count(len(copied), "copied reference")
        yield Finding(f"{what} among the generations, scored too {highly(result)}: ", copied)
    if inputs.skipped:
        skipped = tuple(f"{picture.path} ({picture.reason})" for picture in inputs.skipped)
        yield Finding(f"{count(len(skipped), 'picture')} skipped: ", skipped)
    if inputs.masks is not None and inputs.masks.unmasked:
        yield Finding(f"{count(inputs.masks.unmasked, 'picture')} without a mask, scored whole")
    yield from unscored(result)
    yield from repeats(inputs)
    yield from _unlike_themselves(result)
    yield from copying_findings(result)
    if inputs.unmatched:
        yield Finding(f"{len(inputs.unmatched):,} unmatched: ", inputs.unmatched)


def highly(result: ScoreResult) -> str:
    """How a copy is scored; by a distance it is not high."""
    return "high" if all(metric.higher_is_better for metric in result.metrics) else "well"


def unscored(result: ScoreResult) -> Iterator[Finding]:
    """Generations without a score and references that do not count, a line for each metric and reason."""
    for metric in result.metrics:
        by_reason: dict[str, list[str]] = {}
        for image in result.images if None in result.images.scores(metric.name) else ():
            if image.scores[metric.name] is None:
                by_reason.setdefault(reason_of(image, metric.name), []).append(image.path)
        of_all = f"of {count(len(result.images), 'generation')} without a score"
        reasons = sorted(by_reason, key=lambda reason: -len(by_reason[reason]))
        for reason in reasons[:_REASONS]:
            names = by_reason[reason]
            yield Finding(f"{metric.name}: {len(names):,} {of_all}: {reason}: ", tuple(names))
        if rest := [name for reason in reasons[_REASONS:] for name in by_reason[reason]]:
            others = count(len(reasons) - _REASONS, "other reason")
            yield Finding(f"{metric.name}: {len(rest):,} {of_all} for {others}: ", tuple(rest))
        yield from _uncounted(result, metric.name)
        if lacking := result.aggregate[metric.name].pairs_missing:
            pairs = count(sum(lacking.values()), "single pair")
            told = [f"{reason} ({number:,})" for reason, number in lacking.items()]
            yield Finding(
                f"{metric.name}: {pairs} without a number, the means are over the others: ", tuple(told)
            )


def _uncounted(result: ScoreResult, metric: str) -> Iterator[Finding]:
    by_reason: dict[str, list[str]] = {}
    for subject in result.subjects:
        for path, reason in subject.reasons.get(metric, {}).items():
            by_reason.setdefault(reason, []).append(path)
    of_all = count(sum(subject.references for subject in result.subjects), "reference")
    for reason, paths in by_reason.items():
        yield Finding(f"{metric}: {len(paths):,} of {of_all} do not count: {reason}: ", tuple(paths))


def _unlike_themselves(result: ScoreResult) -> Iterator[Finding]:
    """Subjects whose references are no more alike than their generations are to strangers."""
    for gauge in gauges(result).values():
        metric, spell = gauge.metric, gauge.score.spell
        found = tuple(
            f"{subject.subject} (ceiling {spell(scores.ceiling)}, floor {spell(scores.floor)})"
            for subject in result.subjects
            if (scores := subject.scores[metric.name]).ceiling is not None
            and scores.floor is not None
            and metric.sign * scores.ceiling <= metric.sign * scores.floor
        )
        if found:
            yield Finding(
                f"by {metric.name}, the references of {count(len(found), 'subject')} are no more alike than those of "
                "strangers: ",
                found,
                "; several subjects may lie in one folder (nearid layout shows how folders are read), or the metric "
                "cannot tell these apart",
            )


def repeats(inputs: Inputs) -> Iterator[Finding]:
    """Pictures that are there more than once, a line a kind."""
    if inputs.same_generations:
        yield Finding(
            "", inputs.same_generations, " (was the seed not changed?), and count once in intervals"
        )
    for names, noun in ((inputs.repeated, "reference"), (inputs.repeated_distractors, "distractor")):
        if names:
            look, times = ("looks", "counts") if len(names) == 1 else ("look", "count")
            yield Finding(
                f"{count(len(names), noun)} {look} like another of the same subject (saved again?), "
                f"and {times} once: ",
                names,
            )
    for shared, noun in ((inputs.shared_references, "reference"), (inputs.shared_generations, "generation")):
        if shared:
            hardly = ", hardly to be told apart" if noun == "reference" else ""
            be = "is" if len(shared) == 1 else "are"
            yield Finding(f"{count(len(shared), noun)} {be} of several subjects{hardly}: ", shared)


def rough_intervals(result: ScoreResult) -> list[str]:
    """A line where intervals rest on 3 or 4 units: subjects for the aggregate, generations or prompts for a subject."""
    from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS

    few_of_each = " or ".join(map(str, range(MIN_UNITS, FEW_UNITS)))
    whose = []
    subjects = len(result.subjects)
    if MIN_UNITS <= subjects < FEW_UNITS:
        whose.append(f"that of the aggregate on {subjects} subjects")
    for metric in result.metrics:
        known = sum(one.scores[metric.name].score is not None for one in result.subjects)
        if known < subjects and MIN_UNITS <= known < FEW_UNITS:
            whose.append(f"that of the aggregate by {printable(metric.name)} on {known} subjects")
    prompts: dict[str, list[str | None]] = {}
    for subject, prompt in zip(*map(result.images.column, ("subject", "prompt")), strict=True):
        prompts.setdefault(subject, []).append(prompt)
    units = [_units(prompts.get(subject.subject, [])) for subject in result.subjects]
    for noun in ("generations", "prompts"):
        few = sum(MIN_UNITS <= number < FEW_UNITS and of == noun for number, of in units)
        if few == subjects:
            whose.append(f"those of subjects on {few_of_each} {noun} each")
        elif few:
            whose.append(f"those of {count(few, 'subject')} on {few_of_each} {noun} each")
    return (
        [f"rough intervals: {', '.join(whose)}; below {FEW_UNITS} they rest on an assumed shape"]
        if whose
        else []
    )


def _units(prompts: Sequence[str | None]) -> tuple[int, str]:
    """How many units the intervals of a subject have, by the prompts of its generations, and of what."""
    apart = number_of_prompts(prompts)
    return (apart, "prompts") if apart > 1 else (len(prompts), "generations")


def how_paired(comparison: Comparison) -> str:
    """What was put beside what, for a sentence: `paired by prompt: 8 subjects, 24 prompts`."""
    pairing = comparison.pairing
    ways = [
        ("by prompt", pairing.by_prompt, count(comparison.prompts, "prompt")),
        ("by name", pairing.by_name, f"{count(comparison.pairs, 'pair')} of generations"),
        ("by subject", pairing.as_a_whole, "all generations"),
    ]
    used = [(way, subjects, what) for way, subjects, what in ways if subjects]
    if not used:
        return count(comparison.subjects, "subject")
    if len(used) == 1:
        ((way, subjects, what),) = used
        return f"paired {way}: {count(subjects, 'subject')}, {what}"
    each = [f"{way} in {count(subjects, 'subject')} ({what})" for way, subjects, what in used]
    return f"paired {', '.join(each)}"


def how_all_paired(comparisons: Sequence[Comparison]) -> str:
    """The same for the comparisons by one metric, each way once, with the methods where there are several ways."""
    whose: dict[str, list[str]] = {}
    for one in comparisons:
        whose.setdefault(how_paired(one), []).append(one.method)
    if len(whose) == 1:
        return next(iter(whose))
    return "; ".join(f"{few(names)} {how}" for how, names in whose.items())


def pairing_lines(result: CompareResult) -> dict[str, list[str]]:
    """By method, a line for each thing that its difference from the baseline leaves out or could not heed."""
    first, baseline = result.metrics[0].name, printable(result.baseline)
    generations = {method.name: len(method.result.images) for method in result.methods}
    return {
        one.method: [
            *_missing_prompts(one.pairing, baseline),
            *_alone(one, generations),
            *_unpaired(one, generations),
            *(
                line
                for other in result.comparisons
                if other.method == one.method
                for line in _unscored(other)
            ),
        ]
        for one in result.comparisons
        if one.metric == first
    }


def _missing_prompts(pairing: Pairing, baseline: str) -> Iterator[str]:
    """Prompts, and words in all prompts, that only one of the two has."""
    if pairing.placeholders:
        yield (
            f"prompts are compared with those of {baseline} without words that only one of the two has in all of them: "
            f"{few(pairing.placeholders)}"
        )
    for verb, other, missing in (
        ("lacks", "has", pairing.lacking_prompts),
        ("has", "lacks", pairing.further_prompts),
    ):
        if missing:
            prompts = list(dict.fromkeys(prompt for own in missing.values() for prompt in own))
            without = "it" if len(prompts) == 1 else "them"
            yield (
                f"{verb} {count(len(prompts), 'prompt')} that {baseline} {other}, in "
                f"{count(len(missing), 'subject')}, so both are compared without {without}: {few(prompts)}"
            )
    if pairing.apart:
        yield (
            f"has no prompt in common with {baseline} in {count(len(pairing.apart), 'subject')}, not compared: "
            f"{few(pairing.apart)}"
        )


def _alone(one: Comparison, generations: Mapping[str, int]) -> Iterator[str]:
    """Generations that take no part for another reason than their prompt."""
    baseline = printable(one.baseline)
    lack = "counterpart" if one.pairing.by_name else "known prompt"
    for alone, whose, who in (
        (one.pairing.alone, "", one.method),
        (one.pairing.baseline_alone, f" of {baseline}", one.baseline),
    ):
        if alone:
            have = "has" if len(alone) == 1 else "have"
            yield (
                f"{len(alone):,} of {count(generations[who], 'generation')}{whose} {have} no {lack}, so left out: "
                f"{few(alone)}"
            )


def _unscored(one: Comparison) -> Iterator[str]:
    """What a difference goes without because a metric has no number of it."""
    metric, baseline = printable(one.metric), printable(one.baseline)
    sides = [
        f"{count(number, 'generation')}{whose}"
        for number, whose in ((one.unscored, ""), (one.baseline_unscored, f" of {baseline}"))
        if number
    ]
    if sides:
        yield (
            f"by {metric}, {' and '.join(sides)} left out of the difference: without a number themselves, or beside "
            "nothing that has one"
        )
    if one.unscored_subjects:
        subjects = count(len(one.unscored_subjects), "subject")
        yield f"by {metric}, no difference in {subjects}, for want of numbers: {few(one.unscored_subjects)}"


def _unpaired(one: Comparison, generations: Mapping[str, int]) -> Iterator[str]:
    """Why generations were not put beside each other, but all of one beside all of the other."""
    pairing, baseline = one.pairing, printable(one.baseline)
    if not pairing.as_a_whole:
        return
    if pairing.prompts_differ:
        why = f"none of its prompts is a prompt of {baseline}"
    elif pairing.unknown_prompts:
        why = f"prompts are not known for both it and {baseline} ({few(pairing.unknown_prompts)})"
    elif pairing.coinciding and not pairing.by_name:
        mine, theirs = count(generations[one.method], "generation"), f"{generations[one.baseline]:,}"
        names = f"{count(pairing.coinciding, 'name')} {'is' if pairing.coinciding == 1 else 'are'}"
        why = f"only {names} the same in its {mine} and the {theirs} of {baseline}"
    else:
        why = f"neither prompts nor names correspond to those of {baseline}"
    some_only = pairing.by_prompt or pairing.by_name
    what = count(pairing.as_a_whole, "subject") if some_only else "nothing is paired: subjects"
    are = "is" if some_only and pairing.as_a_whole == 1 else "are"
    doubt = ", and what differs may be the prompts" if pairing.prompts_differ else ""
    yield f"{why}, so {what} {are} compared by all generations{doubt}"
