"""How differences were made, and what takes no part in them, in the words that people read."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.findings import how_all_paired, how_paired, pairing_lines
from nearid_cli.reports.html import Gallery
from nearid_cli.results import CompareResult, ScoreResult
from tests.comparing import scored
from tests.pages import page_of
from tests.printing import to_markdown

SUBJECTS = [f"s{i}" for i in range(4)]


def prompted(
    prompts: Sequence[str | None], lacking: Mapping[str, Sequence[str]] | None = None
) -> ScoreResult:
    """Each subject with a generation of each prompt, but for those that it lacks."""
    own = {name: [one for one in prompts if one not in (lacking or {}).get(name, ())] for name in SUBJECTS}

    def image(name: str, i: int) -> dict[str, Any]:
        return {"path": f"{name}/{own[name][i]}/{i}.png", "prompt": own[name][i]}

    return scored({name: [0.5] * len(one) for name, one in own.items()}, ("nearid",), image=image)


def named(names: Sequence[str]) -> ScoreResult:
    return scored(
        {name: [0.5] * len(names) for name in SUBJECTS},
        ("nearid",),
        image=lambda name, i: {"path": f"{name}/{names[i]}.png"},
    )


def against(baseline: ScoreResult, **methods: ScoreResult) -> CompareResult:
    return compare({**methods, "base": baseline}, "base")


def said(method: ScoreResult, baseline: ScoreResult) -> tuple[str, list[str]]:
    result = against(baseline, ours=method)
    (one,) = result.comparisons
    return how_paired(one), pairing_lines(result)["ours"]


TEN = [str(i) for i in range(10)]


@pytest.mark.parametrize(
    ("ours", "base", "how", "lines"),
    [
        (
            prompted(["beach", "snow"]),
            prompted(["Snow", "beach."]),
            "paired by prompt: 4 subjects, 8 prompts",
            [],
        ),
        (
            prompted(["beach", "snow"], {"s1": ["beach"], "s2": ["beach"]}),
            prompted(["beach", "snow"]),
            "paired by prompt: 4 subjects, 6 prompts",
            ["lacks 1 prompt that base has, in 2 subjects, so both are compared without it: beach"],
        ),
        (
            prompted(["beach", "snow", "sofa"]),
            prompted(["beach", "bed"]),
            "paired by prompt: 4 subjects, 4 prompts",
            [
                "lacks 1 prompt that base has, in 4 subjects, so both are compared without it: bed",
                "has 2 prompts that base lacks, in 4 subjects, so both are compared without them: snow, sofa",
            ],
        ),
        (
            prompted(["beach", "snow"], {"s1": ["beach"]}),
            prompted(["beach", "snow"], {"s1": ["snow"]}),
            "paired by prompt: 3 subjects, 6 prompts",
            ["has no prompt in common with base in 1 subject, not compared: s1"],
        ),
        (
            prompted([*["beach"] * 10, None]),
            prompted(["beach"]),
            "paired by prompt: 4 subjects, 4 prompts",
            [
                "4 of 44 generations have no known prompt, so left out: s0/None/10.png, s1/None/10.png, "
                "s2/None/10.png and 1 more"
            ],
        ),
        (named(TEN), named(TEN), "paired by name: 4 subjects, 40 pairs of generations", []),
        (
            named(TEN),
            named([*TEN[:9], "x", "y"]),
            "paired by name: 4 subjects, 36 pairs of generations",
            [
                "4 of 40 generations have no counterpart, so left out: s0/9.png, s1/9.png, s2/9.png and 1 more",
                "8 of 44 generations of base have no counterpart, so left out: s0/x.png, s0/y.png, s1/x.png and 5 more",
            ],
        ),
        (
            named(TEN),
            named([f"x{i}" if i else "0" for i in range(10)]),
            "paired by subject: 4 subjects, all generations",
            [
                "only 4 names are the same in its 40 generations and the 40 of base, so nothing is paired: subjects "
                "are compared by all generations"
            ],
        ),
        (
            prompted(["a sks dog", "a sks cat"]),
            prompted(["a <v> dog", "a <v> cat"]),
            "paired by prompt: 4 subjects, 8 prompts",
            [
                "prompts are compared with those of base without words that only one of the two has in all of them: "
                "<v>, sks"
            ],
        ),
        (
            prompted(["a sks dog", "sks"]),
            prompted(["a <v> dog"]),
            "paired by subject: 4 subjects, all generations",
            [
                "none of its prompts is a prompt of base, so nothing is paired: subjects are compared by all "
                "generations, and what differs may be the prompts"
            ],
        ),
        (
            prompted(["beach"]),
            named(["0"]),
            "paired by subject: 4 subjects, all generations",
            [
                "prompts are not known for both it and base (s0, s1, s2 and 1 more), so nothing is paired: subjects "
                "are compared by all generations"
            ],
        ),
        (
            named(["a"]),
            named(["b"]),
            "paired by subject: 4 subjects, all generations",
            [
                "neither prompts nor names correspond to those of base, so nothing is paired: subjects are compared by "
                "all generations"
            ],
        ),
    ],
)
def test_what_is_said(ours: ScoreResult, base: ScoreResult, how: str, lines: list[str]) -> None:
    assert said(ours, base) == (how, lines)


def test_subjects_compared_in_several_ways() -> None:
    def mixed(prompt: str | None) -> ScoreResult:
        known = {"s0": "beach", "s1": "beach", "s2": prompt}
        return scored(
            {name: [0.5] for name in known},
            ("nearid",),
            image=lambda name, i: {"path": f"{name}/{prompt}.png", "prompt": known[name]},
        )

    assert said(mixed("snow"), mixed(None)) == (
        "paired by prompt in 2 subjects (2 prompts), by subject in 1 subject (all generations)",
        ["prompts are not known for both it and base (s2), so 1 subject is compared by all generations"],
    )


@pytest.mark.parametrize("alike", [True, False])
def test_it_is_said_in_every_report(alike: bool) -> None:
    base = prompted(["beach", "snow"])
    a, b = prompted(["beach"]), prompted(["beach"]) if alike else named(["x"])
    result = against(base, a=a, b=b)
    how = (
        "paired by prompt: 4 subjects, 4 prompts"
        if alike
        else "a paired by prompt: 4 subjects, 4 prompts; b paired by subject: 4 subjects, all generations"
    )
    lines = [f"{'a, b' if alike else 'a'}: lacks 1 prompt that base has, in 4 subjects"]
    assert how_all_paired(result.comparisons) == how
    markdown = to_markdown(result)
    page = html.unescape(re.sub(r"<[^>]*>", "", page_of(result, Gallery((), {}, ""))))
    for text in (markdown.replace("\\", ""), page):
        assert how in text
        assert all(line in text for line in lines)


def test_a_change_since_a_baseline_is_over_the_prompts_that_both_have() -> None:
    """The run lacks the hard prompt, so its score is higher; nothing changed."""
    prompts = {"easy": 0.8, "hard": 0.2}

    def image(name: str, i: int) -> dict[str, Any]:
        return {"path": f"{name}/{i}.png", "prompt": list(prompts)[i]}

    before, after = (
        scored({"cat": list(prompts.values())[:known], "mug": [0.8]}, ("nearid",), image=image)
        for known in (2, 1)
    )
    assert after.aggregate["nearid"].score > before.aggregate["nearid"].score + 0.1
    markdown = to_markdown(after, baseline=before)
    assert markdown.count("= 0.000") == 3
    assert "▲" not in markdown
    assert "leaves out 1 prompt that only one of both has: hard." in markdown
