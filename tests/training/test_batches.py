from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.training.batches import BatchPlan, load


class Numbers:
    """Items that say which epoch and row they are."""

    def __init__(self, rows: int) -> None:
        self.rows, self.epoch = rows, -1

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> tuple[int, int]:
        return self.epoch, index

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


plans = st.builds(
    lambda share, processes, accumulation, extra, seed: (
        BatchPlan(share * processes * accumulation + extra, share * processes, accumulation, seed),
        processes,
    ),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 30),
    st.integers(0, 9),
)


@given(plans)
def test_an_epoch_has_every_row_at_most_once_and_drops_less_than_a_step(case: tuple[BatchPlan, int]) -> None:
    plan, _ = case
    steps = [plan.step(step) for step in range(2 * plan.steps_per_epoch)]
    for epoch in range(2):
        mine = steps[epoch * plan.steps_per_epoch : (epoch + 1) * plan.steps_per_epoch]
        items = [item for step in mine for batch in step for item in batch]
        assert {e for e, _ in items} == {epoch}
        rows = [row for _, row in items]
        assert len(set(rows)) == len(rows)
        assert 0 <= plan.rows - len(rows) < plan.batch_size * plan.accumulation
    assert all([len(batch) for batch in step] == [plan.batch_size] * plan.accumulation for step in steps)


@given(plans)
def test_processes_share_every_batch(case: tuple[BatchPlan, int]) -> None:
    whole, processes = case
    parts = [
        BatchPlan(whole.rows, whole.batch_size, whole.accumulation, whole.seed, process, processes)
        for process in range(processes)
    ]
    for step in range(whole.steps_per_epoch + 1):
        shares = [part.step(step) for part in parts]
        joined = [[item for share in shares for item in share[batch]] for batch in range(whole.accumulation)]
        assert joined == whole.step(step)


def test_seed_and_epoch_decide_the_order() -> None:
    plan = BatchPlan(50, 50, seed=1)
    assert plan.step(0) == BatchPlan(50, 50, seed=1).step(0)
    orders = [
        tuple(row for _, row in p.step(step)[0])
        for p in (plan, BatchPlan(50, 50, seed=2))
        for step in range(2)
    ]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("first", [0, 3])
def test_items_are_of_their_epoch_whoever_makes_them(workers: int, first: int) -> None:
    plan = BatchPlan(10, 2, accumulation=2, seed=3)
    state = torch.get_rng_state()
    found = list(load(Numbers(10), plan, first, 7, workers, collate=list))
    assert found == [batch for step in range(first, 7) for batch in plan.step(step)]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rows": 7, "batch_size": 4, "accumulation": 2},
            "a step takes 8 rows (--batch-size 4, --gradient-accumulation 2), found only 7 to train on",
        ),
        (
            {"rows": 20, "batch_size": 5, "processes": 2},
            "--batch-size 5 counts the rows of all 2 processes together and must divide by their number",
        ),
    ],
)
def test_what_makes_no_batches(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        BatchPlan(**settings)
    assert error.value.message == message
