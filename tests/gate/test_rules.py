"""Rules from TOML: what is read, what is refused, and that nothing wrong is left unsaid."""

from pathlib import Path

import pytest

from nearid_cli.configuration import load_configuration
from nearid_cli.errors import UsageError
from nearid_cli.gate.rules import load_rules
from tests.gating import make_rule

ALL_KEYS = """
[[gate.rules]]
metric = "nearid"
statistic = "score"
level = "subject"
min = 0.60
max_drop = 0.02
confidence = 0.95
on_fail = "warn"

[[gate.rules]]
statistic = "copies"
max = 0
"""


def write(folder: Path, text: str, name: str = "nearid.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_rules(write(folder, text), folder)
    return list(caught.value.details)


def rule(lines: str) -> str:
    return "[[gate.rules]]\n" + lines


def test_every_key(tmp_path):
    assert load_rules(write(tmp_path, ALL_KEYS), tmp_path) == (
        make_rule(level="subject", min=0.6, max_drop=0.02, confidence=0.95, on_fail="warn"),
        make_rule("*", "copies", max=0.0),
    )


def test_defaults(tmp_path):
    (found,) = load_rules(write(tmp_path, rule('metric = "*"\nmin = 0')), tmp_path)
    assert found == make_rule("*", min=0.0)
    assert isinstance(found.min, float)


def test_the_nearest_configuration_is_used(tmp_path):
    write(tmp_path, ALL_KEYS)
    (tmp_path / "below").mkdir()
    assert len(load_rules(None, tmp_path / "below")) == 2


def test_pyproject(tmp_path):
    text = ALL_KEYS.replace("gate.rules", "tool.nearid.gate.rules")
    path = write(tmp_path, text, "pyproject.toml")
    assert len(load_rules(path, tmp_path)) == len(load_rules(None, tmp_path)) == 2


def test_a_configuration_by_any_name(tmp_path):
    path = write(tmp_path, 'metric = "hog"\n' + ALL_KEYS, "gate-nightly.toml")
    assert len(load_rules(path, Path("/"))) == 2


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('metric = "a"\nmim = 0.5\nmin = 0.5', 'unknown key "mim": did you mean min'),
        (
            'metric = "a"\nmin = 0.5\nstatistic = "retentoin"',
            'unknown statistic "retentoin": did you mean retention?',
        ),
        ('metric = "a"\nmin = 0.5\nlevel = "subjects"', 'unknown level "subjects": did you mean subject?'),
        ('metric = "a"\nmin = 0.5\non_fail = "warning"', 'unknown on_fail "warning": did you mean warn?'),
        ('metric = "a"\nmin = true', "min must be a number, found true"),
        ('metric = "a"\nmin = 1' + 400 * "0", f"min must be a number, found 1{79 * '0'}..."),
        ('metric = "a"\nmin = nan', "min must be a number, found nan"),
        ('metric = "a"\nmax_drop = inf', "max_drop must be a number, found inf"),
        ('metric = "a"\nmin = "0.5"', "min must be a number, found '0.5'"),
        ("metric = 3\nmin = 0.5", "metric must be a text, found 3"),
        ('metric = ["a"]\nmin = 0.5', "metric must be a text, found ['a']"),
        ('metric = ""\nmin = 0.5', 'metric is empty: name a metric of the run, or "*" for all of them'),
        ("min = 0.5", 'metric is missing: name a metric of the run, or "*" for all of them'),
        (
            'metric = "a"',
            "it has no bound: give min, max or max_drop (for copies, near_copies and missing: max)",
        ),
        ('metric = "a"\nmin = 0.5\nmax = 0.4', "min is above max, so nothing would pass"),
        (
            'metric = "a"\nstatistic = "missing"\nmin = 0',
            "missing takes max, neither min nor max_drop",
        ),
        (
            'metric = "a"\nstatistic = "missing"\nmax = 0.5',
            "max must be a number of generations: 0, 1, 2 ...",
        ),
        (
            'statistic = "missing"\nmax = 0',
            'metric is missing: name a metric of the run, or "*" for all of them',
        ),
        ('statistic = "copies"\nmin = 0', "copies take max, neither min nor max_drop"),
        ('statistic = "copies"\nmax = 0\nmax_drop = 1', "copies take max, neither min nor max_drop"),
        (
            'metric = "a"\nstatistic = "copies"\nmax = 0',
            "copies are counted once for all metrics: leave metric out",
        ),
        ('statistic = "copies"\nmax = 0.05', "max must be a number of copies: 0, 1, 2 ..."),
        ('statistic = "copies"\nmax = -1', "max must be a number of copies: 0, 1, 2 ..."),
        (
            'metric = "a"\nmax_drop = -0.02',
            "max_drop must be 0 or more: it says how much worse than the baseline is allowed",
        ),
        (
            'metric = "a"\nmax_drop = 0.02\nconfidence = 95',
            "confidence must lie above 0.5 and below 1, such as 0.95",
        ),
        (
            'metric = "a"\nmax_drop = 0.02\nconfidence = 0.5',
            "confidence must lie above 0.5 and below 1, such as 0.95",
        ),
        (
            'metric = "a"\nmin = 0.5\nconfidence = 0.9',
            "confidence needs max_drop: it says how sure a drop must be",
        ),
        (
            'metric = "a"\nstatistic = "pair_mean"\nlevel = "subject"\nmin = 0.5',
            'pair_mean is over all subjects: write level "aggregate" or "method", or statistic "score"',
        ),
        (
            'metric = "a"\nstatistic = "pair_mean"\nmax_drop = 0.1\nconfidence = 0.9',
            "pair_mean is not paired by subject, so its drop has no confidence: write score",
        ),
        (
            'metric = "a"\nstatistic = "retention"\nlevel = "subject"\nmax_drop = 0.1\nconfidence = 0.9',
            "a single generation has no retention, so there is no confidence at level subject: "
            'write level "aggregate" or "method", or statistic "score"',
        ),
    ],
)
def test_what_is_refused(tmp_path, lines, problem):
    (found,) = problems(tmp_path, rule(lines))
    assert found.startswith(f"rule 1: {problem}")


@pytest.mark.parametrize(
    "lines",
    [
        'metric = "a"\nstatistic = "retention"\nmax_drop = 0.1\nconfidence = 0.51',
        'metric = "a"\nstatistic = "margin"\nlevel = "subject"\nmax_drop = 0\nconfidence = 0.99',
        'metric = "a"\nstatistic = "pair_mean"\nlevel = "method"\nmax_drop = 0.1',
        'metric = "*"\nstatistic = "copies"\nlevel = "subject"\nmax = 3',
        'metric = "a"\nmin = -0.5',
        'metric = "a"\nmax = 0.5',
        'metric = "a"\nmin = 0.5\nmax = 0.5',
        'metric = "*"\nstatistic = "missing"\nlevel = "method"\nmax = 3',
    ],
)
def test_what_is_taken(tmp_path, lines):
    assert len(load_rules(write(tmp_path, rule(lines)), tmp_path)) == 1


def test_every_problem_of_every_rule_is_listed(tmp_path):
    text = """
    [gate]
    rule = 1
    [[gate.rules]]
    metrics = "nearid"
    min = true
    [[gate.rules]]
    metric = "nearid"
    max = 0.5
    level = "subjct"
    [[gate.rules]]
    metric = "nearid"
    min = 0.6
    max = 0.5
    confidence = 2
    """
    assert problems(tmp_path, text) == [
        'gate: unknown key "rule": did you mean rules?',
        'rule 1: unknown key "metrics": did you mean metric?',
        "rule 1: min must be a number, found true",
        'rule 1: metric is missing: name a metric of the run, or "*" for all of them',
        'rule 2: unknown level "subjct": did you mean subject?',
        "rule 3: min is above max, so nothing would pass",
        "rule 3: confidence must lie above 0.5 and below 1, such as 0.95",
        "rule 3: confidence needs max_drop: it says how sure a drop must be",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gate]\nrules = 3", "gate.rules must be tables such as [[gate.rules]], found 3"),
        ("[gate]\nrules = [3]", "rule 1: must be a table, found 3"),
        ("[gate.rules]\nmin = 3", "gate.rules must be tables such as [[gate.rules]], found {'min': 3}"),
    ],
)
def test_rules_that_are_no_tables(tmp_path, text, problem):
    assert problems(tmp_path, text) == [problem]


@pytest.mark.parametrize("text", ["", "[gate]\n", "[gate]\nrules = []\n", 'metric = "hog"\n'])
def test_no_rules(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(
        UsageError, match=r"no rules for the gate in .*nearid.toml; make some .* nearid gate init"
    ):
        load_rules(path, tmp_path)


def test_no_configuration(tmp_path):
    with pytest.raises(
        UsageError, match=r"no rules for the gate here or in a parent folder; .* nearid gate init"
    ):
        load_rules(None, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.toml", None, "does not exist"),
        ("pyproject.toml", "[project]\n", r"has no table \[tool.nearid\]"),
        ("nearid.toml", "[[gate.rules]\n", "is not TOML"),
        ("nearid.toml", "[tool.nearid]\n", "1 wrong entry"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, name, text, message):
    if text is not None:
        write(tmp_path, text, name)
    with pytest.raises(UsageError, match=message):
        load_rules(tmp_path / name, tmp_path)


def test_other_commands_take_the_table_as_it_is(tmp_path):
    path = write(tmp_path, 'metric = "hog"\n[[gate.rules]]\nmim = 3\n')
    found = load_configuration(tmp_path)
    assert (found.options, found.gate, found.path) == ({"metric": "hog"}, {"rules": [{"mim": 3}]}, path)


def test_other_commands_refuse_what_is_no_table(tmp_path):
    write(tmp_path, "gate = 3\n")
    with pytest.raises(UsageError) as caught:
        load_configuration(tmp_path)
    assert caught.value.details == ("gate must be a table with rules such as [[gate.rules]], found 3",)
