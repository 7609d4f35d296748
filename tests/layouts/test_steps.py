"""Names of checkpoints as sequences: what is one, in which order, and what is left out."""

from __future__ import annotations

import random

import pytest

from nearid_cli.layouts.names import step_within
from nearid_cli.layouts.steps import checkpoints


@pytest.mark.parametrize(
    ("names", "unit", "numbers"),
    [
        (["checkpoint-500", "checkpoint-1000", "checkpoint-1500"], "step", [500, 1000, 1500]),
        (["step_500", "step_1000", "step_10000"], "step", [500, 1000, 10000]),
        (["step-00500", "step-01000", "step-10000"], "step", [500, 1000, 10000]),
        (["mylora-e000001", "mylora-e000002", "mylora-e000010"], "epoch", [1, 2, 10]),
        (["mylora-000001", "mylora-000002", "mylora-000010"], "epoch", [1, 2, 10]),
        (["e000001", "e000002", "e000003"], "epoch", [1, 2, 3]),
        (["epoch=3", "epoch=4", "epoch=12"], "epoch", [3, 4, 12]),
        (["epoch-3", "epoch-4", "epoch-12"], "epoch", [3, 4, 12]),
        (["epoch=0-step=100", "epoch=1-step=200", "epoch=1-step=300"], "step", [100, 200, 300]),
        (["lora_step_0500", "lora_step_1000", "lora_step_1500"], "step", [500, 1000, 1500]),
        (["samples_100_0f9e8d7c", "samples_200_1a2b3c4d", "samples_300_9f8e7d6c"], "step", [100, 200, 300]),
        (["500steps", "1000steps", "1500steps"], "step", [500, 1000, 1500]),
        (["lora ep1", "lora ep2", "lora ep3"], "epoch", [1, 2, 3]),
        (["step 500", "step 1000", "step 0"], "step", [0, 500, 1000]),
    ],
)
def test_checkpoints_of_trainers_are_in_order(names: list[str], unit: str, numbers: list[int]) -> None:
    shuffled = random.Random(0).sample(names, len(names))
    (found,), doubts = checkpoints(shuffled)
    assert (found.unit, list(found.numbers.values()), doubts) == (unit, numbers, [])
    assert sorted(found.numbers) == sorted(names)


def test_nested_names_are_one_sequence_a_training() -> None:
    names = [f"{run}/checkpoint-{step}" for step in (1000, 500, 1500) for run in ("b", "a")]
    found, doubts = checkpoints([*names, "real", "b/final"])
    assert [(one.name, list(one.numbers.values())) for one in found] == [
        ("b", [500, 1000, 1500, None]),
        ("a", [500, 1000, 1500]),
    ]
    assert list(found[0].numbers)[-1] == "b/final"
    assert doubts == []


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (["my-000001", "my-000002", "my"], "my"),
        (["my-step00000500", "my-step00001000", "my"], "my"),
        (["my_e000001", "my_e000002", "my"], "my"),
        (["checkpoint-1", "checkpoint-2", "checkpoint-final"], "checkpoint-final"),
        (["checkpoint-1", "checkpoint-2", "last"], "last"),
        (["my step 1", "my step 2", "my final"], "my final"),
    ],
)
def test_a_last_checkpoint_without_a_number_comes_last(names: list[str], last: str) -> None:
    (found,), doubts = checkpoints(sorted(names, reverse=True))
    assert list(found.numbers.items())[-1] == (last, None)
    assert doubts == []


@pytest.mark.parametrize(
    ("others", "left_out"),
    [
        (["lora"], "lora"),
        (["lora_final", "lora_last"], "lora_final, lora_last"),
        (["lora_final", "lora"], "lora"),
    ],
)
def test_what_may_be_the_last_is_left_outside_and_said(others: list[str], left_out: str) -> None:
    (found,), (doubt,) = checkpoints(["lora_step_1", "lora_step_2", "lora_step_3", *others])
    assert not set(left_out.split(", ")) & set(found.numbers)
    assert doubt.startswith(f"{left_out}: without a step beside the methods lora ...")


@pytest.mark.parametrize(
    "names",
    [
        ["step_1", "step_2"],  # two are two methods
        ["checkpoint-1", "other"],
        ["rank_4", "rank_8", "rank_16"],
        ["seed1", "seed2", "seed3"],
        ["a_step_1", "b_step_2", "c_step_3"],
        ["500", "1000", "1500"],
        ["photo-123456", "photo-234567", "photo-345678"],
        ["blast", "finally", "lasting"],
    ],
)
def test_other_methods_are_no_sequence(names: list[str]) -> None:
    assert checkpoints(names) == ([], [])


def test_mixed_units_and_two_of_one_step_are_none_and_said() -> None:
    assert checkpoints(["step_1", "step_2", "epoch_3"]) == (
        [],
        ["the methods are no sequence of checkpoints: their names mix steps and epochs"],
    )
    assert checkpoints(["r/step_1", "r/step-01", "r/step_2"]) == (
        [],
        ["the methods r ... are no sequence of checkpoints: r/step_1, r/step-01 are of one step"],
    )


def test_a_number_that_no_training_has_is_none() -> None:
    (found,), _ = checkpoints(["step_1", "step_2", "step_3", f"step_{'9' * 400}"])
    assert list(found.numbers.values()) == [1, 2, 3]


def test_a_step_is_cut_out_of_a_name() -> None:
    assert step_within("step_500_lora v2") == ("500", "lora v2")
    assert step_within("cat_step500_seed3") == ("500", "cat seed3")
    assert step_within("instep10") is None
