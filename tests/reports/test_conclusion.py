"""Who won, in one line, and that it says no more than was shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.conclusion import conclusion_line
from nearid_cli.results import ScoreResult
from tests.comparing import scored

SUBJECTS = "abcdefgh"


def method(shift: float = 0.0, subjects: str = SUBJECTS, wobble: float = 0.0, **how: int) -> ScoreResult:
    """Subjects from 0.4 on in steps of 0.05, two generations each; `wobble` goes up on one and down on the next."""
    return scored(
        {
            name: [0.4 + 0.05 * SUBJECTS.index(name) + shift + wobble * (-1) ** i] * 2
            for i, name in enumerate(subjects)
        },
        **how,
    )


def bent(subjects: str, shift: float = 0.0) -> ScoreResult:
    """A subject a little below 0.5 by the shift, and all others above it by as much."""
    return scored({name: [0.5 + shift * (1 if i else -1.1)] for i, name in enumerate(subjects)})


MANY = "abcdefghijklmnopqrstuvwxyz"

SAID = {
    "certain": (
        {"good": method(0.1), "bad": method()},
        "By nearid: good keeps identity best; the next, bad, is 0.100 behind, more than chance would do over "
        "8 subjects (p = 0.008)",
    ),
    "chance": (
        {"x": method(0.01, wobble=0.1), "y": method()},
        "By nearid: x leads, but it may be chance; the next, y, is 0.010 behind, which 8 subjects cannot tell from "
        "chance (p = 0.799)",
    ),
    "too few subjects": (
        {"x": method(0.1, "ab"), "y": method(0.0, "ab")},
        "By nearid: x leads, but it may be chance; the next, y, is 0.100 behind, which 2 subjects cannot tell from "
        "chance (p = 1.000)",
    ),
    "tie": (
        {"x": method(), "y": method(), "z": method(-0.1)},
        "By nearid: x and y are the same on every subject",
    ),
    "tie of all": (
        {name: method() for name in "xyz"},
        "By nearid: x, y and z are the same on every subject",
    ),
    "the second is certainly behind, and the third may not be": (
        {"x": method(0.1), "y": method(0.08), "z": method(0.06, wobble=0.3)},
        "By nearid: x leads, but it may be chance; of the others, z is 0.040 behind, which 8 subjects cannot tell from "
        "chance (p = 0.859)",
    ),
    "copies": (
        {"good": method(0.1), "bad": method(), "pasted": method(0.3, copied=16)},
        "By nearid: good keeps identity best; the next, bad, is 0.100 behind, more than chance would do over "
        "8 subjects (p = 0.008); not ranked, because of copies: pasted",
    ),
    "one that does not copy": (
        {"honest": method(), "pasted": method(0.3, copied=16)},
        "By nearid: honest alone can be ranked; not ranked, because of copies: pasted",
    ),
    "nothing in common": (
        {"x": method(0.1, "abcd"), "y": method(-0.2, "efgh"), "z": method(-0.3, "abc")},
        "By nearid: No method can be ranked; no subject is common to all",
    ),
    "a higher mean over easier subjects": (
        {"easy": method(-0.05, "cdefgh"), "whole": method()},
        "By nearid: whole keeps identity best; the next, easy, is 0.050 behind, more than chance would do over "
        "6 subjects (p = 0.031)",
    ),
    "best on the subjects that all have, and not on those of two": (
        {"x": bent(MANY), "y": bent(MANY, 0.1), "z": scored({"a": [0.1], "b": [0.1]})},
        "By nearid: x scores highest, but over the 2 subjects that all have; on the 26 subjects that it shares with "
        "y, y is 0.092 better",
    ),
    "names": (
        {"a\n\x1b[31m": method(0.1), "[red]b": method()},
        "By nearid: a\\n\\x1b[31m keeps identity best; the next, [red]b, is 0.100 behind, more than chance would do "
        "over 8 subjects (p = 0.008)",
    ),
}


def asked(prompt: str, result: ScoreResult) -> ScoreResult:
    return replace(result, images=tuple(replace(one, prompt=prompt) for one in result.images))


BEACH, SNOW, SEA = "on a beach", "in snow", "at sea"
ALIKE = {"x": asked(BEACH, method(0.1)), "y": asked(BEACH, method())}
UNLIKE = {
    "none in common": (
        {"x": asked(BEACH, method(0.1)), "y": asked(SNOW, method())},
        None,
        "By nearid: x scores highest, but prompts differ; there is no prompt in common with y, so what "
        "differs may be the prompts",
    ),
    "the same scores": (
        {"x": asked(BEACH, method()), "y": asked(SNOW, method())},
        None,
        "By nearid: x and y score highest, but prompts differ; there is no prompt in common with y, so what "
        "differs may be the prompts",
    ),
    "the third only": (
        {**ALIKE, "z": asked(SNOW, method(-0.1))},
        None,
        "By nearid: x scores highest, but prompts differ; there is no prompt in common with z, so what "
        "differs may be the prompts",
    ),
    "several": (
        {**ALIKE, "z": asked(SNOW, method(-0.1)), "w": asked(SEA, method(-0.2))},
        None,
        "By nearid: x scores highest, but prompts differ; there is no prompt in common with z and w, so what "
        "differs may be the prompts",
    ),
    "a baseline of ones own": (
        {**ALIKE, "z": asked(SNOW, method(-0.1))},
        "z",
        "By nearid: x scores highest, but prompts differ; there is no prompt in common with z, so what "
        "differs may be the prompts",
    ),
    "a baseline that the best has prompts in common with": (
        {**ALIKE, "z": asked(SNOW, method(-0.1))},
        "y",
        "By nearid: x scores highest; it was not compared with z, because the baseline is y",
    ),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_prompts_that_differ_make_no_winner(case: str) -> None:
    methods, baseline, line = UNLIKE[case]
    assert conclusion_line(compare(methods, baseline)) == line


@pytest.mark.parametrize("case", SAID)
def test_what_it_says(case: str) -> None:
    methods, line = SAID[case]
    assert conclusion_line(compare(methods)) == line


def test_a_baseline_of_ones_own() -> None:
    methods = {"x": method(0.1), "y": method(0.05), "z": method()}
    assert conclusion_line(compare(methods, "z")) == (
        "By nearid: x scores highest; it was not compared with y, because the baseline is z"
    )
    del methods["z"]
    assert conclusion_line(compare(methods, "y")) == conclusion_line(compare(methods, "x"))
    assert "x keeps identity best; the next, y, is 0.050 behind" in conclusion_line(compare(methods, "y"))
