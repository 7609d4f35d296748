"""What a person sees: exact tables at two widths, and names that could break them."""

from dataclasses import replace

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.reports.numbers import CONTEXT
from nearid_cli.reports.scores import subjects_table, worst_table
from nearid_cli.reports.terminal import fitted
from nearid_cli.results import PairResult
from tests.printing import show

from .conftest import make_result

AT_100 = """\
subject    refs   gens  copies                nearid                clip-i                  dino
────────────────────────────────────────────────────────────────────────────────────────────────
cat           4    600       1  0.912 [0.892, 0.932]  0.812 [0.792, 0.832]  0.712 [0.692, 0.732]
red mug       4    600       0  0.750 [0.730, 0.770]  0.650 [0.630, 0.670]  0.550 [0.530, 0.570]
────────────────────────────────────────────────────────────────────────────────────────────────
aggregate     8  1,200       1  0.831 [0.700, 0.900]  0.731 [0.700, 0.900]  0.631 [0.700, 0.900]

by nearid  floor  ceiling  retention  identification
────────────────────────────────────────────────────
cat        0.400    0.950      0.800           1.000
red mug    0.400    0.950      0.800           1.000
────────────────────────────────────────────────────
aggregate  0.400    0.950      0.800           1.000

worst by nearid  nearid  clip-i    dino
───────────────────────────────────────
red mug/a.png     0.123   0.700   0.600
cat/a.png         0.900   0.800  -0.250

1 copied reference among the generations, scored too high: cat/b.png copies cat/1.jpg
1 picture skipped: cat/broken.jpg (truncated)
1 unmatched: dog: 3 generations, no references
"""

AT_60 = """\
subject    refs   gens  copies                nearid
────────────────────────────────────────────────────
red mug       4    600       0  0.750 [0.730, 0.770]
cat           4    600       1  0.912 [0.892, 0.932]
────────────────────────────────────────────────────
aggregate     8  1,200       1  0.831 [0.700, 0.900]

subject                  clip-i                  dino
─────────────────────────────────────────────────────
red mug    0.650 [0.630, 0.670]  0.550 [0.530, 0.570]
cat        0.812 [0.792, 0.832]  0.712 [0.692, 0.732]
─────────────────────────────────────────────────────
aggregate  0.731 [0.700, 0.900]  0.631 [0.700, 0.900]

by nearid  floor  ceiling  retention  identification
────────────────────────────────────────────────────
red mug    0.400    0.950      0.800           1.000
cat        0.400    0.950      0.800           1.000
────────────────────────────────────────────────────
aggregate  0.400    0.950      0.800           1.000

1 copied reference among the generations, scored too high:
cat/b.png copies cat/1.jpg
1 picture skipped: cat/broken.jpg (truncated)
1 unmatched: dog: 3 generations, no references
"""


def test_at_100_columns(result, render):
    assert render(show, result, worst=2) == AT_100


def test_at_60_columns_sorted_by_the_worst(result, render):
    assert render(show, result, width=60, sort="nearid") == AT_60


def test_metrics_side_by_side_where_they_fit(result):
    assert [len(fitted(subjects_table(result), width)) for width in (160, 100, 60)] == [2, 2, 3]


def test_one_metric_has_everything_in_one_table(render):
    shown = render(show, make_result({"cat": 0.9}, metrics=("nearid",)), width=100)
    assert shown.splitlines()[0].split() == [
        "subject",
        "refs",
        "gens",
        "nearid",
        *(number.title for number in CONTEXT),
    ]


AGAINST = """\
                             positive
against distractors  margin   margins                   SSR                    PA
─────────────────────────────────────────────────────────────────────────────────
nearid               +0.120     0.750  0.800 [0.600, 1.000]  0.900 [0.850, 0.950]
dino                 -0.040     0.250                 0.500                 0.600

against distractors         all pairs SSR          all pairs PA
───────────────────────────────────────────────────────────────
nearid               0.700 [0.500, 0.900]  0.950 [0.900, 0.980]
dino                                0.600                 0.800

SSR and PA: the paper's, each reference against the distractors in its context, paired by name
(01.png with 01.png); 1 of 2 subjects and 3 of 8 references have such
all pairs is not the paper's: every distractor against every reference, mostly across contexts,
which flatters a metric that sees the background
"""


def test_distractors_have_a_table(render):
    result = make_result({"cat": 0.9, "red mug": 0.7}, metrics=("nearid", "dino"))
    numbers = {
        "nearid": {
            "margin": 0.12,
            "positive_margins": 0.75,
            "ssr": 0.8,
            "ssr_ci95": (0.6, 1.0),
            "pa": 0.9,
            "pa_ci95": (0.85, 0.95),
            "all_pairs_ssr": 0.7,
            "all_pairs_ssr_ci95": (0.5, 0.9),
            "all_pairs_pa": 0.95,
            "all_pairs_pa_ci95": (0.9, 0.98),
        },
        "dino": {
            "margin": -0.04,
            "positive_margins": 0.25,
            "ssr": 0.5,
            "pa": 0.6,
            "all_pairs_ssr": 0.6,
            "all_pairs_pa": 0.8,
        },
    }
    cat, mug = result.subjects
    nearid = replace(cat.scores["nearid"], margin=0.2, positive_margins=1.0)
    with_margins = replace(
        result,
        inputs=replace(
            result.inputs, pairing="by name (01.png with 01.png)", paired_subjects=1, paired_references=3
        ),
        subjects=(replace(cat, scores={**cat.scores, "nearid": nearid}), mug),
        aggregate={name: replace(result.aggregate[name], **own) for name, own in numbers.items()},
    )
    shown = render(show, with_margins, width=100)
    assert AGAINST in "\n".join(line.rstrip() for line in shown.splitlines())
    (cat_row,) = [line for line in shown.split("by nearid")[1].splitlines() if line.startswith("cat ")]
    (mug_row,) = [line for line in shown.split("by nearid")[1].splitlines() if line.startswith("red mug ")]
    assert (cat_row.split()[-2:], mug_row.split()[-2:]) == (["+0.200", "1.000"], ["-", "-"])


def test_without_contexts_there_is_no_ssr_and_pa(render):
    result = make_result({"cat": 0.9})
    known = {"margin": 0.1, "positive_margins": 0.5, "all_pairs_ssr": 0.5, "all_pairs_pa": 0.7}
    result = replace(
        result, aggregate={name: replace(one, **known) for name, one in result.aggregate.items()}
    )
    shown = render(show, result, width=160)
    assert shown.split("no SSR and PA")[0].count("SSR") == 1, "that of all pairs"
    assert "all pairs" in shown
    assert "no SSR and PA: they need distractors in the context of a reference" in shown
    assert "the paper's, each" not in shown


def test_numbers_that_do_not_exist(make, render):
    nothing = make({"cat": 0.5}, metrics=("hog",), full=False)
    assert render(show, nothing) == (
        "subject    refs   gens    hog\n"
        "─────────────────────────────\n"
        "cat           4    600  0.500\n"
        "─────────────────────────────\n"
        "aggregate     4  1,200  0.500\n\n"
        "Floor, retention and identification need a second subject.\n\n"
    )


@pytest.mark.parametrize("width", [60, 72, 100])
def test_numbers_are_whole_whatever_the_names(make, render, width):
    names = ["[red]x[/red]", ":cat:", "a\nb\x1b[31m", "x" * 200, "猫" * 50, "\udcff.png", "-0.1"]
    metrics = ("./checkpoints/of/a/very/long/run/step-4000", "siglip2-mean", "b")
    text = render(show, make(dict.fromkeys(names, -0.5), metrics=metrics), width=width)
    for line in text.splitlines():
        assert len(line) + sum(character == "猫" for character in line) <= width
    assert text.count("-0.500 [-0.520, -0.480]") == text.count("-0.700 [-0.720, -0.680]") == len(names)
    for shown in ("[red]x[/red]", ":cat:", "a\\nb\\x1b[31m", "\\xff.png"):
        assert shown in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_long_names_are_shortened_and_stay_apart(make, render, width):
    start, end = "dreambooth-sdxl-lora-" * 4, "-with-prior-preservation" * 3
    names = [f"{start}r{rank}{end}" for rank in (4, 16, 64)]
    lines = render(show, make(dict.fromkeys([*names, "red mug"], 0.5)), width=width).splitlines()
    assert max(map(len, lines)) <= width
    for rank in (4, 16, 64):
        rows = [line for line in lines if f"r{rank}" in line]
        assert len(rows) == len([line for line in lines if line.startswith("red mug ")])
        assert all(row.startswith("dream") for row in rows)


MISSING = {
    "one subject": (
        ["Floor, retention and identification need a second subject."],
        {"a": (None, 0.9, None)},
        2,
    ),
    "one reference each": (
        ["A ceiling, and with it a retention, needs a second reference."],
        {"a": (0.1, None, None), "b": (0.1, None, None)},
        1,
    ),
    "one reference of some": (
        ["-: a ceiling, and with it a retention, needs a second reference: b"],
        {"a": (0.1, 0.9, 0.5), "b": (0.1, None, None)},
        2,
    ),
    "no room": (
        ["-: no retention where the ceiling is not above the floor by 2 standard errors: a, c"],
        {"a": (0.5, 0.5, None), "b": (0.1, 0.9, 0.5), "c": (0.5, 0.4, None)},
        2,
    ),
    "nothing": ([], {"a": (0.1, 0.9, 0.5), "b": (0.1, 0.9, 0.5)}, 2),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_a_dash_stands_for_is_said_once(make, render, case):
    lines, numbers, references = MISSING[case]
    result = make(dict.fromkeys(numbers, 0.5), metrics=("hog",))
    subjects = []
    for subject in result.subjects:
        floor, ceiling, retention = numbers[subject.subject]
        scores = replace(subject.scores["hog"], floor=floor, ceiling=ceiling, retention=retention)
        lacks = references if ceiling is not None else 1
        subjects.append(replace(subject, references=lacks, scores={"hog": scores}))
    known = [next((row[i] for row in numbers.values() if row[i] is not None), None) for i in range(3)]
    aggregate = replace(result.aggregate["hog"], floor=known[0], ceiling=known[1], retention=known[2])
    printed = render(show, replace(result, subjects=tuple(subjects), aggregate={"hog": aggregate}))
    table, _, below = printed.partition("aggregate ")
    said = ("-: ", "Floor, ", "A ceiling, ")
    assert [line for line in below.splitlines() if line.startswith(said)] == lines
    assert (" -" in table) == any(line.startswith("-: ") for line in lines)


def test_no_colour_codes_even_in_colour_terminals_from_names(make):
    from rich.console import Console

    console = Console(width=80, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        show(make({"[bold red]x": 0.5}), console)
    assert "[bold red]x" in capture.get()


def test_findings_are_counted_after_three(make, render, replace):
    many = make({"cat": 0.5}, unmatched=("a", "b", "c", "[d]", "e"))
    assert "5 unmatched: a, b, c and 2 more\n" in render(show, many)


@pytest.mark.parametrize(
    ("sort", "first"),
    [(None, "cat"), ("subject", "cat"), ("-subject", "red mug"), ("dino", "red mug"), ("-dino", "cat")],
)
def test_sort(result, render, sort, first):
    assert render(show, result, sort=sort).splitlines()[2].startswith(first)


def test_a_wrong_sort_is_helped(result):
    with pytest.raises(UsageError, match=r"cannot sort by 'clip_i': did you mean clip-i\?"):
        subjects_table(result, "clip_i")
    with pytest.raises(UsageError, match="cannot sort by 'zzz': known: subject, nearid, clip-i, dino"):
        subjects_table(result, "-zzz")


def test_worst_takes_what_there_is(result):
    assert worst_table(result, 99).size == 3
    with pytest.raises(UsageError, match="1 or more but got -1"):
        worst_table(result, -1)


def test_pair(result, render):
    pair = PairResult("a[b].png", "c\n.png", result.metrics[:2], {"nearid": 0.98765, "clip-i": -0.5})
    assert render(show, pair) == (
        "a: a[b].png\n"
        "b: c\\n.png\n\n"
        "metric  similarity\n"
        "──────────────────\n"
        "nearid      0.9877\n"
        "clip-i     -0.5000\n\n"
    )


def test_a_long_table_is_cut_and_says_where_the_rest_is(make, render):
    names = [f"subject {place:04}" for place in range(5_000)]
    lines = render(show, make(dict.fromkeys(names, 0.5), metrics=("nearid",))).splitlines()
    shown = [line.split("  ")[0] for line in lines if line.startswith("subject 0")]
    assert shown == names[:500]
    assert "The first 500 of 5,000 subjects; -o FILE.csv has all of them." in lines
    assert any(line.startswith("aggregate") for line in lines)
