"""One method in the run and in the baseline: what of both corresponds, and what only one of them has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from nearid_cli.gate import words
from nearid_cli.gate.numbers import Numbers
from nearid_cli.results.pairing import Matched, Matching, compared_prompt, match_runs
from nearid_cli.text import count, few

_PROMPTS = 5  # so many are named


class Both:
    """A method in run and baseline.

    Attributes:
        run, baseline: its numbers in each.
    """

    def __init__(self, run: Numbers, baseline: Numbers) -> None:
        self.run, self.baseline = run, baseline

    @property
    def subjects(self) -> list[str]:
        """Those of the run, then those that only the baseline has."""
        return list(dict.fromkeys((*self.run.subjects, *self.baseline.subjects)))

    @cached_property
    def matched(self) -> Mapping[str, Matched]:
        """The subjects that both have; `a` is the baseline and `b` the run, so that differences are drops."""
        return {one.subject: one for one in self._matching.subjects}

    def unlike(self) -> list[str]:
        """What only one of the two has, as sentences: subjects and prompts."""
        run, baseline = self.run.subjects, self.baseline.subjects
        lacking = [subject for subject in baseline if subject not in run]
        new = [subject for subject in run if subject not in baseline]
        problems = []
        if lacking:
            problems.append(
                f"the run lacks {count(len(lacking), 'subject')} of the baseline: {words.listed(lacking)}"
            )
        if new:
            problems.append(
                f"the baseline lacks {count(len(new), 'subject')} of the run: {words.listed(new)}; "
                "--update-baseline takes new subjects in"
            )
        return problems + self._unlike_prompts(self.matched.values(), named=True)

    def unlike_in(self, subject: str) -> list[str]:
        """What only one of the two has of a subject, as sentences."""
        if subject not in self.run.subjects:
            return ["the run lacks this subject, which the baseline has"]
        if subject not in self.baseline.subjects:
            return ["the baseline lacks this subject; --update-baseline takes it in"]
        return self._unlike_prompts([self.matched[subject]], named=False)

    def left_out(self, subjects: Sequence[Matched]) -> list[str]:
        """Which generations of subjects take no part in what is compared, and which prompts say nothing."""
        notes = []
        if placeholders := self._matching.placeholders:
            notes.append(
                f"prompts are compared without {few(list(placeholders))}, which only run or baseline has in all"
            )
        if alone := [image.path for one in subjects for image in (*one.alone_b, *one.alone_a)]:
            notes.append(f"{count(len(alone), 'generation')} without a counterpart left out: {few(alone)}")
        if silent := [one.subject for one in subjects if one.unheeded_prompts]:
            notes.append(
                f"prompts say nothing for {count(len(silent), 'subject')}, since run or baseline does not know them: "
                f"{few(silent)}"
            )
        return notes

    @cached_property
    def _matching(self) -> Matching:
        return match_runs(self.baseline.result, self.run.result)

    def _unlike_prompts(self, subjects: Iterable[Matched], named: bool) -> list[str]:
        subjects = list(subjects)
        if self._matching.prompts_differ:
            run, baseline = (
                few(
                    [*dict.fromkeys(image.prompt for image in side.generations() if image.prompt is not None)]
                )
                for side in (self.run, self.baseline)
            )
            return [
                f"run and baseline have no prompt in common: the run has {run}, the baseline {baseline}; "
                "score the same prompts, or make the run the new baseline with --update-baseline"
            ]
        problems = []
        if lacking := _by_prompt((prompt, one.subject) for one in subjects for prompt in one.lacking_b):
            problems.append(
                f"the run lacks {count(len(lacking), 'prompt')} of the baseline: {_listed(lacking, named)}; "
                "generate them, or let --update-baseline accept the run without them"
            )
        if new := _by_prompt((prompt, one.subject) for one in subjects for prompt in one.lacking_a):
            problems.append(
                f"the baseline lacks {count(len(new), 'prompt')} of the run: {_listed(new, named)}; "
                "--update-baseline takes new prompts in"
            )
        return problems


def _by_prompt(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The subjects of each prompt, by one of the ways in which it is written."""
    spelled: dict[str, str] = {}
    subjects: dict[str, list[str]] = {}
    for prompt, subject in found:
        subjects.setdefault(spelled.setdefault(compared_prompt(prompt), prompt), []).append(subject)
    return subjects


def _listed(prompts: Mapping[str, Sequence[str]], named: bool) -> str:
    """The first prompts, with the first subjects of each where they are named."""
    return few(
        [f"{prompt} ({few(subjects)})" if named else prompt for prompt, subjects in prompts.items()], _PROMPTS
    )
