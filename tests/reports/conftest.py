"""A small fixed result, and results with awkward names."""

import dataclasses

import pytest

from nearid_cli.results import (
    AggregateScores,
    Image,
    Inputs,
    Metric,
    ScoreResult,
    Skipped,
    Subject,
    SubjectScores,
    Tool,
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
