"""How the differences of a comparison were made, and what found no place in them, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nearid_cli.reports.figures import some
from nearid_cli.results import CompareResult, Comparison, Pairing
from nearid_cli.text import count, printable


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
    return "; ".join(f"{some(names)} {how}" for how, names in whose.items())


def pairing_lines(result: CompareResult) -> dict[str, list[str]]:
    """By method, a line for each thing that its difference from the baseline leaves out or could not heed."""
    first, baseline = result.metrics[0].name, printable(result.baseline)
    generations = {method.name: len(method.result.images) for method in result.methods}
    return {
        one.method: [
            *_missing_prompts(one.pairing, baseline),
            *_alone(one, generations),
            *_unpaired(one, generations),
        ]
        for one in result.comparisons
        if one.metric == first
    }


def _missing_prompts(pairing: Pairing, baseline: str) -> Iterator[str]:
    """Prompts, and words in all prompts, that only one of the two has."""
    if pairing.placeholders:
        yield (
            f"prompts are compared with those of {baseline} without words that only one of the two has in all of them: "
            f"{some(pairing.placeholders)}"
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
                f"{count(len(missing), 'subject')}, so both are compared without {without}: {some(prompts)}"
            )
    if pairing.apart:
        yield (
            f"has no prompt in common with {baseline} in {count(len(pairing.apart), 'subject')}, not compared: "
            f"{some(pairing.apart)}"
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
                f"{some(alone)}"
            )


def _unpaired(one: Comparison, generations: Mapping[str, int]) -> Iterator[str]:
    """Why generations were not put beside each other, but all of one beside all of the other."""
    pairing, baseline = one.pairing, printable(one.baseline)
    if not pairing.as_a_whole:
        return
    if pairing.prompts_differ:
        why = f"none of its prompts is a prompt of {baseline}"
    elif pairing.unknown_prompts:
        why = f"prompts are not known for both it and {baseline} ({some(pairing.unknown_prompts)})"
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
