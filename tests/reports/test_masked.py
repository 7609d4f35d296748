"""What reports say of masks: which part was scored, and how much of each score is context."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.blocks import Panel, Prose
from nearid_cli.reports.document import document
from nearid_cli.reports.masked import about_masks, context_shares
from nearid_cli.reports.provenance import about_inputs
from nearid_cli.results import ContextShare, MasksUsed, ScoreResult
from tests.comparing import scored

FOREGROUND = MasksUsed("folder masks", "foreground", "black", clean=False)


@pytest.fixture
def result() -> ScoreResult:
    return scored({"cat": [0.8, 0.7], "dog": [0.6, 0.5], "cup": [0.4, 0.5]})


def masked(result: ScoreResult, used: MasksUsed, sees: str = "foreground kept, rest black") -> ScoreResult:
    metrics = tuple(replace(metric, masks=sees) for metric in result.metrics)
    return replace(result, inputs=replace(result.inputs, masks=used), metrics=metrics)


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (
            FOREGROUND,
            "Scores are of the foreground of pictures alone, the rest black, by masks (folder masks).",
        ),
        (
            MasksUsed("sidecars", "background", "mean", clean=True),
            "Scores are of the background of pictures alone, the rest of its mean colour, by cleaned masks (sidecars).",
        ),
        (
            MasksUsed("manifest", "both", "white", clean=False),
            "Scores are of whole pictures; foreground and background alone have the rest white, by masks (manifest).",
        ),
    ],
)
def test_which_part_was_scored(result: ScoreResult, used: MasksUsed, said: str) -> None:
    assert about_masks(masked(result, used)) == [said]
    assert about_masks(result) == []


def test_which_metrics_see_something_else(result: ScoreResult) -> None:
    names = ", ".join(metric.name for metric in result.metrics)
    names = ", ".join(metric.name for metric in result.metrics)
    first, given = about_masks(masked(result, FOREGROUND, ""))
    assert first.startswith("Scores are of the foreground")
    assert given == f"Not so {names}: no masks have a part in it."
    _, beside = about_masks(masked(result, FOREGROUND, "foreground by mask"))
    assert beside == f"Not so {names}: given whole pictures, and their masks beside them."


def test_what_made_it_names_the_masks(result: ScoreResult) -> None:
    used = FOREGROUND
    assert any(
        line.startswith(f"masks: {used.source}, keep {used.keep}")
        for line in about_inputs(masked(result, used).inputs)
    )


def test_pictures_without_a_mask_are_a_finding(result: ScoreResult) -> None:
    found = document(masked(result, replace(FOREGROUND, unmasked=3))).findings
    assert "3 pictures without a mask, scored whole" in found
    assert not any("mask" in line for line in document(masked(result, FOREGROUND)).findings)


def shares(result: ScoreResult, **changes: object) -> ScoreResult:
    name = result.metrics[0].name
    known = ContextShare(0.7, 0.6, 0.5, 0.2, 0.1, 0.5, (0.4, 0.6))
    return replace(result, context={name: replace(known, **changes)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"share": None, "ci95": None, "within_noise": True}, "not above their floors by 2 standard errors"),
        (
            {"share": None, "ci95": None, "foreground_floor": None, "background_floor": None},
            "without floors of both parts, which take a second subject",
        ),
    ],
)
def test_why_there_is_no_share(result: ScoreResult, changes: dict[str, object], reason: str | None) -> None:
    (panel,) = context_shares(shares(result, **changes))
    assert isinstance(panel, Panel)
    column = panel.table.columns[-1]
    lacks = [note for note in panel.table.notes if note.startswith("-: ")]
    assert column.spelled(0) == ("0.500 [0.400, 0.600]" if reason is None else "-")
    assert len(lacks) == (reason is not None)
    assert all(reason and reason in note for note in lacks)
    assert [*context_shares(result)] == []


def test_methods_with_masks_and_without(result: ScoreResult) -> None:
    other = masked(shares(result), MasksUsed("sidecars", "both", "black", clean=False))
    found = compare({"a": result, "b": other})
    (panel,) = context_shares(found)
    assert isinstance(panel, Panel)
    assert [name.cells for name in panel.table.names] == [["b"], ["nearid"]]
    draft = document(found).draft
    assert (
        next(
            line
            for block in draft.blocks
            if isinstance(block, Prose)
            for line in block.lines
            if "masks" in line
        )
        == "b: Scores are of whole pictures; foreground and background alone have the rest black, by masks (sidecars)."
    )
    assert [table.label for table in draft.in_papers] == ["nearid-context"]
