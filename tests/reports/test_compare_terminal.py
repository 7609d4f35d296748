"""What a person sees of a comparison: the whole of it at two widths, the verdicts, and awkward names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.document import document
from nearid_cli.results import CompareResult, Skipped
from tests.comparing import random_methods, scored
from tests.printing import show as render_compare

Render = Callable[..., str]

SUBJECTS = ("cat", "cup", "dog", "hat", "jar", "mug", "pen", "van")


def methods() -> dict[str, object]:
    base = dict(zip(SUBJECTS, (0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.3), strict=True))
    drop = dict(zip(SUBJECTS, (0.03, 0.05, 0.04, 0.06, 0.02, 0.04, 0.03, 0.05), strict=True))
    wobble = dict(zip(SUBJECTS, (0.02, -0.03, 0.01, -0.01, 0.03, -0.01, 0.02, -0.02), strict=True))
    return {
        "dropped": scored({s: [[base[s] - drop[s], base[s]]] * 2 for s in SUBJECTS}),
        "pasted": scored({s: [[0.99, 0.99]] * 2 for s in SUBJECTS}, copied=3),
        "ours": scored({s: [[base[s], base[s] - drop[s]]] * 2 for s in SUBJECTS}),
        "wobbly": scored({s: [[base[s] + wobble[s] - 0.01, base[s]]] * 2 for s in SUBJECTS}),
    }


@pytest.fixture
def result() -> CompareResult:
    return compare(methods())  # type: ignore[arg-type]


AT_100 = """\
method                      gens  copies                  nearid                     hog
────────────────────────────────────────────────────────────────────────────────────────
ours                          16       0  0.594 [0.426, 0.768] *    0.554 [0.385, 0.729]
wobbly                        16       0  0.585 [0.415, 0.759] +  0.594 [0.426, 0.768] *
dropped                       16       0    0.554 [0.385, 0.729]  0.594 [0.426, 0.768] *
pasted (copies references)    16       3    0.990 [0.990, 0.990]    0.990 [0.990, 0.990]

by nearid                   floor  ceiling  retention  identification
─────────────────────────────────────────────────────────────────────
ours                        0.100    0.900      0.617           1.000
wobbly                      0.100    0.900      0.606           1.000
dropped                     0.100    0.900      0.567           1.000
pasted (copies references)  0.100    0.900      1.113           1.000

* best, + second; a method that copies references is not ranked. In brackets: 95 % intervals over
subjects.

Is the difference real? Each method minus ours (best by nearid), paired by name: 8 subjects, 16
pairs of generations
p: how often chance alone would differ as much; (adjusted): for comparing several methods, a mean
that rests on few subjects and a baseline chosen as the best

                                                    p  wins/ties
by nearid               difference      p  (adjusted)    /losses  verdict
────────────────────────────────────────────────────────────────────────────────────────────────────
wobbly     -0.009 [-0.027, +0.009]  0.359       0.586      3/1/4  no difference shown; at most 0.027
                                                                  either way (95 %)
dropped    -0.040 [-0.051, -0.029]  0.008       0.016      0/0/8  worse
pasted     +0.396 [+0.222, +0.564]  0.008           -      8/0/0  not judged: it copies

                                                  p  wins/ties
by hog                difference      p  (adjusted)    /losses  verdict
─────────────────────────────────────────────────────────────────────────────────────
wobbly   +0.040 [+0.029, +0.051]  0.008       0.016      8/0/0  better
dropped  +0.040 [+0.029, +0.051]  0.008       0.016      8/0/0  better
pasted   +0.436 [+0.261, +0.605]  0.008           -      8/0/0  not judged: it copies

Do the metrics agree? Rank correlation, 1: the same order, 0: unrelated, -1: the opposite order

             4 methods            32 subjects            64 images
metrics        Kendall  Spearman      Kendall  Spearman    Kendall  Spearman
────────────────────────────────────────────────────────────────────────────
nearid, hog      0.183     0.316        0.921     0.987      0.921     0.987

                                  rank by  rank by
most apart (0 lowest, 1 highest)      hog   nearid  difference
──────────────────────────────────────────────────────────────
ours as a whole                     0.000    0.667      -0.667
dropped as a whole                  0.500    0.000      +0.500
wobbly as a whole                   0.500    0.333      +0.167
dropped: hat/0.png                  0.437    0.325      +0.111
dropped: hat/1.png                  0.437    0.325      +0.111
dropped: jar/0.png                  0.373    0.294      +0.079
ours: hat/0.png                     0.325    0.452      -0.127
ours: hat/1.png                     0.325    0.452      -0.127
ours: mug/0.png                     0.198    0.262      -0.063

pasted: 3 of 16 generations copy a reference, which scores high without skill, so it is not ranked
By nearid: ours leads, but it may be chance; the next, wobbly, is 0.009 behind, which 8 subjects
cannot tell from chance (p = 0.586); not ranked, because of copies: pasted
"""


def test_at_100_columns(result: CompareResult, render: Render) -> None:
    assert squeezed(render(render_compare, result)) == AT_100


NUMBER = re.compile(r"[+-]?\d\.\d{3}")


@pytest.mark.parametrize("width", [40, 60, 72, 80, 160])
def test_numbers_are_whole_at_any_width(width: int, result: CompareResult, render: Render) -> None:
    lines = render(render_compare, result, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert sorted(NUMBER.findall("\n".join(lines))) == sorted(NUMBER.findall(AT_100))


@pytest.mark.parametrize("width", range(60, 130, 2))
def test_the_name_of_a_metric_is_not_cut(width: int, render: Render) -> None:
    every = scored({subject: [i / 9] for i, subject in enumerate(SUBJECTS)}, ("nearid-mini",))
    fewer = scored({subject: [i / 9] for i, subject in enumerate(SUBJECTS[1:])}, ("nearid-mini",))
    lines = render(render_compare, compare({"a": every, "b": fewer, "c": every}), width=width).splitlines()
    headers = [line for line, below in pairwise(lines) if below.startswith("──") and line.startswith("by")]
    assert len(headers) >= 2
    assert all(line.startswith("by nearid-mini ") for line in headers)


def test_sorted_by_another_metric(result: CompareResult, render: Render) -> None:
    printed = render(render_compare, result, sort="hog")
    assert re.findall(r"^(ours|wobbly|dropped|pasted) ", printed, re.MULTILINE)[:4] == [
        "dropped",
        "wobbly",
        "ours",
        "pasted",
    ]
    with pytest.raises(UsageError, match="cannot sort by 'hgo': did you mean hog"):
        render(render_compare, result, sort="hgo")


def test_the_best_two_stand_out_in_colour_too(result: CompareResult) -> None:
    from rich.console import Console

    console = Console(width=100, color_system="standard", force_terminal=True)
    with console.capture() as captured:
        render_compare(result, console)
    assert "\x1b[1m0.594 [0.426, 0.768]\x1b[0m *" in captured.get()
    assert re.search(r"\x1b\[4m0\.\d+ \[0\.\d+, 0\.\d+\]\x1b\[0m \+", captured.get())


def test_one_metric_has_nothing_to_agree_with(render: Render) -> None:
    printed = render(render_compare, compare(random_methods({"a": 0.1, "b": 0.0}), metrics=["hog"]))
    assert "agree" not in printed
    assert "most apart" not in printed


def test_names_are_shown_and_not_obeyed(render: Render) -> None:
    a, b, c = random_methods({"a": 0.1, "b": 0.0, "c": 0.0}).values()
    unmatched = replace(c.inputs, unmatched=("[bold]cat[/bold]: no references",))
    result = compare({"[red]a[/red]": a, "b\n\x1b[31m:smile:": b, "c": replace(c, inputs=unmatched)})
    printed = render(render_compare, result, width=160)
    assert "\x1b" not in printed
    assert "each method minus [red]a[/red] (best by nearid)" in printed.lower()
    assert r"b\n\x1b[31m:smile:" in printed
    assert r"b\n\x1b[31m:smile:: subject" in printed, "among the disagreements"
    assert "c: 1 unmatched: [bold]cat[/bold]: no references" in printed


def test_findings() -> None:
    whole = scored(
        {"cat": [0.9] * 30, "dog": [0.5] * 30}, copied=1, unmatched=("pen: 2 references, no generations",)
    )
    part = scored(
        {"cat": [0.8] * 29},
        unmatched=("dog: 4 references, no generations", "pen: 2 references, no generations"),
    )
    skipped = replace(part.inputs, skipped=(Skipped("gens/cat/broken.png", "truncated"),))
    result = compare(
        {
            "whole": whole,
            "part": replace(part, inputs=skipped),
            "pasted": scored({"dog": [0.9] * 3}, copied=1),
        }
    )
    assert document(result).findings == [
        "ranked over what all ranked methods have: 1 of 2 subjects",
        "no floor, retention or identification side by side: the methods were scored against other strangers",
        "whole: 1 copied reference among the generations, scored too high: cat/0.png copies cat/1.jpg",
        "whole, part: 1 unmatched: pen: 2 references, no generations",
        "part: lacks 1 subject, so its own scores are over fewer: dog",
        "part: 1 picture skipped: gens/cat/broken.png (truncated)",
        "part: 1 of 60 generations of whole has no counterpart, so left out: cat/29.png",
        "pasted: lacks 1 subject, so its own scores are over fewer: cat",
        "pasted: 1 of 3 generations copies a reference, which scores high without skill, so it is not ranked",
        "pasted: only 3 names are the same in its 3 generations and the 60 of whole, so nothing is paired: subjects "
        "are compared by all generations",
    ]


def test_what_is_true_of_every_method_is_said_once() -> None:
    unmatched = ("pen: 2 references, no generations",)
    methods = {name: scored({"cat": [0.5]}, unmatched=unmatched, copied=1) for name in "ab"}
    assert document(compare(methods)).findings == [
        "every method: 1 of 1 generation copies a reference, which scores high without skill",
        "every method: 1 unmatched: pen: 2 references, no generations",
    ]


def test_methods_that_all_copy_are_ranked_and_nothing_else_is_said(render: Render) -> None:
    printed = render(render_compare, compare({name: scored({"cat": [0.5]}, copied=1) for name in "ab"}))
    assert "a (copies references)" in printed
    assert "is not ranked" not in printed


def test_what_a_dash_stands_for_is_said_once(render: Render) -> None:
    apart = compare(
        {"a": scored({"cat": [0.9]}), "b": scored({"dog": [0.8]}), "c": scored({"cat": [0.7]})}, "a"
    )
    printed = render(render_compare, apart, width=160)
    assert printed.count("-: no subject in common with the baseline: b\n") == 1
    two = render(render_compare, compare(random_methods({"a": 0.1, "b": 0.0})), width=160)
    assert two.count("-: a rank correlation needs three of a kind, not all rated alike\n") == 1
    whole = render(render_compare, compare(random_methods({"a": 0.1, "b": 0.0, "c": 0.05})), width=160)
    assert "-: " not in whole


@pytest.mark.parametrize("width", range(40, 160, 8))
def test_the_verdict_stands_beside_its_difference(width: int, result: CompareResult, render: Render) -> None:
    lines = render(render_compare, result, width=width).splitlines()
    (first,) = [i for i, line in enumerate(lines) if "-0.040 [-0.051, -0.029]" in line]
    assert "worse" in lines[first] + lines[first + 1]


def test_subjects_are_counted_where_they_differ(render: Render) -> None:
    result = compare({"a": scored({"cat": [0.9], "dog": [0.5]}), "b": scored({"cat": [0.8, 0.7]})})
    printed = render(render_compare, result)
    assert "* best, + second, over the 1 subject that all ranked methods have." in printed
    ranked, own = printed.split("\nEach method over its own subjects and generations, not ranked:\n")
    assert re.search(r"^a +0.900 \* ", ranked, re.MULTILINE)
    assert re.search(r"^a +2 +2 +0.700 \[", own, re.MULTILINE)
    assert "*" not in own.split("Is the")[0]
    assert re.search(r"^method +subjects +gens ", printed, re.MULTILINE)
    assert re.search(r"^b +1 +2 ", printed, re.MULTILINE)
    two = compare(
        {"a": scored({"cat": [0.9], "dog": [0.5]}), "b": scored({"cat": [0.8]}), "c": scored({"dog": [0.6]})},
        "a",
    )
    assert "paired by name: 1 subject, 1 pair of generations" in render(render_compare, two)


def squeezed(text: str) -> str:
    """The text without the blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
