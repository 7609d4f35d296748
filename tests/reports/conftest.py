"""A small fixed result, and results with awkward names."""

import dataclasses

import pytest

from nearid_cli.results import (
    AggregateScores,
    Agreement,
    CompareResult,
    Comparison,
    Disagreement,
    GateResult,
    Image,
    Inputs,
    Method,
    Metric,
    Rule,
    ScoreResult,
    Skipped,
    Subject,
    SubjectScores,
    Tool,
    Verdict,
)


def make_metric(name):
    return Metric(name, f"org/{name}", "abc123", "f" * 8, "pooled", "float32", "384 px", "all pairs")


def make_scores(score, full=True):
    if not full:
        return SubjectScores(score, None, None, score, score, None, None, None, None)
    return SubjectScores(
        score, 0.01, (score - 0.02, score + 0.02), score - 0.05, score + 0.05, 0.95, 0.4, 0.8, 1.0
    )


def make_result(
    subjects, metrics=("nearid", "clip-i", "dino"), images=(), skipped=(), unmatched=(), full=True
):
    """`subjects` maps a name to the score of the first metric; each further metric is 0.1 lower."""
    by_metric = {m: {s: score - 0.1 * i for s, score in subjects.items()} for i, m in enumerate(metrics)}
    means = {m: sum(scores.values()) / len(scores) for m, scores in by_metric.items()}
    return ScoreResult(
        tool=Tool("nearid-cli", "0.1.0"),
        created="2026-04-02T10:00:00+00:00",
        inputs=Inputs("refs", "gens", "folders", len(subjects), 4 * len(subjects), 1200, skipped, unmatched),
        metrics=tuple(make_metric(name) for name in metrics),
        subjects=tuple(
            Subject(s, 4, 600, {m: make_scores(by_metric[m][s], full) for m in metrics}) for s in subjects
        ),
        aggregate={
            m: AggregateScores(means[m], (0.7, 0.9), means[m], 0.95, 0.4, 0.8, 1.0)
            if full
            else AggregateScores(means[m], None, means[m], None, None, None, None)
            for m in metrics
        },
        images=images,
    )


@pytest.fixture
def result():
    images = (
        Image("cat/a.png", "cat", None, {"nearid": 0.9, "clip-i": 0.8, "dino": -0.25}),
        Image("cat/b.png", "cat", "cat/1.jpg", {"nearid": 1.0, "clip-i": 1.0, "dino": 1.0}),
        Image("red mug/a.png", "red mug", None, {"nearid": 0.1234567890123, "clip-i": 0.7, "dino": 0.6}),
    )
    return make_result(
        {"cat": 0.912, "red mug": 0.75},
        images=images,
        skipped=(Skipped("cat/broken.jpg", "truncated"),),
        unmatched=("dog: 3 generations, no references",),
    )


def make_comparison(method, metric, delta, p_holm, baseline="lora"):
    return Comparison(
        metric, method, baseline, 2, 6, delta, (delta - 0.01, delta + 0.01), p_holm / 2, p_holm, True, 1, 0, 1, 0.03,
        {"cat": delta, "red mug": delta}, p_holm / 2, p_holm,
        "no difference shown" if p_holm >= 0.05 else "better" if delta > 0 else "worse",
    )  # fmt: skip


def make_compare(
    methods=("lora", "dreambooth", "copy/cat"), subjects=("cat", "red mug"), metrics=("nearid", "dino")
):
    """The i-th method scores 0.9 - 0.1 i; the last one copies references and takes part in no ranking."""
    made = []
    for i, name in enumerate(methods):
        copying = i == len(methods) - 1 and i > 1
        images = tuple(
            Image(
                f"{s}/{j}.png",
                s,
                "r.jpg" if copying else None,
                dict.fromkeys(metrics, 0.5),
                "a photo",
                f"{j}",
            )
            for s in subjects
            for j in range(2)
        )
        result = make_result(dict.fromkeys(subjects, 0.9 - 0.1 * i), metrics, images)
        ranks = dict.fromkeys(metrics, None if copying else i + 1)
        made.append(Method(name, result, len(images) * copying, copying, ("dog",) * (i == 1), ranks))
    first, *others = methods
    return CompareResult(
        Tool("nearid-cli", "0.1.0"),
        "2026-04-02T10:00:00+00:00",
        first,
        False,
        tuple(make_metric(name) for name in metrics),
        tuple(made),
        tuple(
            make_comparison(m, metric, -0.1 * (i + 1), 0.04 if i == 0 else 0.2, first)
            for metric in metrics
            for i, m in enumerate(others)
        ),
        tuple(
            Agreement(level, metrics[0], m, 3, 0.5, None)
            for level in ("methods", "images")
            for m in metrics[1:]
        ),
        (
            *(Disagreement("methods", m, metrics[0], first, None, None, 1.0, 0.0, 1.0) for m in metrics[1:]),
            *(
                Disagreement(
                    "images", m, metrics[0], first, subjects[0], f"{subjects[0]}/0.png", 0.1, 0.9, -0.8
                )
                for m in metrics[1:]
            ),
        ),
    )


@pytest.fixture
def gate():
    """Makes the result of a gate that fails on the subjects given."""

    def run(subjects):
        rule = Rule("nearid", "score", "subject", 0.6, None, None, None, "error")
        verdicts = tuple(
            Verdict(rule, "nearid", s, None, "failed", "too low", "score >= 0.600", 0.5, None, None, None, ())
            for s in subjects
        )
        tool = Tool("nearid-cli", "0.1.0")
        return GateResult(tool, "2026-04-02T10:00:00+00:00", "run.json", None, not subjects, verdicts)

    return run


@pytest.fixture
def compared():
    return make_compare()


@pytest.fixture
def compare():
    """Makes comparisons; see `make_compare`."""
    return make_compare


@pytest.fixture
def make():
    """Makes results; see `make_result`."""
    return make_result


@pytest.fixture
def render():
    """Prints with a function to a plain console of a width and returns the text."""
    from rich.console import Console

    def run(function, *arguments, width=100, **options):
        console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
        with console.capture() as capture:
            function(*arguments, console, **options)
        return capture.get()

    return run


@pytest.fixture
def replace():
    return dataclasses.replace
