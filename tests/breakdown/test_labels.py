"""What `--by` may ask for, and the groups that it makes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

import pytest

from nearid_cli.breakdown.labels import Breakdown, is_in, read_breakdowns, same_group, value_of
from nearid_cli.errors import UsageError


@dataclass(frozen=True)
class One:
    """A generation."""

    prompt: str | None = None
    seed: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


def labelled(name: str, *values: str | None) -> list[One]:
    return [One(labels={} if value is None else {name: value}) for value in values]


def values(generations: list[One], *labels: str) -> list[list[str | None]]:
    return [list(one.values()) for one in Breakdown(labels).groups(generations).values()]


@pytest.mark.parametrize(
    ("found", "ordered"),
    [
        (["1000", "500", "epoch 2", "epoch 10"], ["500", "1000", "epoch 2", "epoch 10"]),
        (["10", "9.5", "-1", "1e-3"], ["-1", "1e-3", "9.5", "10"]),
        (["b", None, "A"], ["A", "b", None]),
        (["7", "007"], ["007", "7"]),
    ],
)
def test_groups_come_in_the_order_of_their_values(found: list[str | None], ordered: list[str | None]) -> None:
    assert values(labelled("step", *found), "step") == [[one] for one in ordered]
    assert values(labelled("step", *reversed(found)), "step") == [[one] for one in ordered]


def test_prompts_are_compared_as_prompts_and_written_as_one_of_them_is() -> None:
    generations = [One("On a beach."), One("on_a beach"), One("in snow"), One(None)]
    assert values(generations, "prompt") == [["in snow"], ["On a beach."], [None]]
    assert values(generations[::-1], "prompt") == [["in snow"], ["On a beach."], [None]]
    assert is_in(One("on a  BEACH"), {"prompt": "On a beach."})
    assert not is_in(One(None), {"prompt": "On a beach."})
    assert same_group({"prompt": "on a beach", "seed": None}, {"seed": None, "prompt": "On_a-beach"})
    assert not same_group({"seed": "1"}, {"seed": "01"})


def test_values_that_look_the_same_are_one_group() -> None:
    """A Mac writes names of files in another Unicode form than a manifest does."""
    composed, apart = "caf\u00e9", "cafe\u0301"
    generations = labelled("Gr\u00f6\u00dfe", apart, composed)
    (own,) = read_breakdowns([unicodedata.normalize("NFD", "gr\u00f6\u00dfe")], generations)
    assert own.labels == ("Gr\u00f6\u00dfe",)
    assert list(own.groups(generations).values()) == [{"Gr\u00f6\u00dfe": composed}]
    assert {own.key(one) for one in generations} == {own.key_of({"Gr\u00f6\u00dfe": apart})} == {(composed,)}
    assert all(is_in(one, {"Gr\u00f6\u00dfe": apart}) for one in generations)
    with pytest.raises(UsageError, match=r"1 label: x$|x: 1 value: caf"):
        read_breakdowns(["y"], labelled("x", apart, composed))


def test_several_labels_are_crossed_and_only_what_is_there_is_a_group() -> None:
    generations = [
        One(seed="2", labels={"category": "a"}),
        One(seed="10", labels={"category": "a"}),
        One(seed="2", labels={"category": "b"}),
        One(labels={"category": "b"}),
    ]
    found = [["a", "2"], ["a", "10"], ["b", "2"], ["b", None]]
    assert values(generations, "category", "seed") == found
    assert values(generations, "seed", "category") == [["2", "a"], ["2", "b"], ["10", "a"], [None, "b"]]
    (own,) = read_breakdowns(["category+seed", "seed + Category"], generations)
    assert own.labels == ("category", "seed")
    assert [own.key(one) in own.groups(generations) for one in generations] == [True] * 4


def test_what_is_asked_for_is_a_list_and_a_name_wins_by_itself() -> None:
    generations = [One("p", "1", {"a,b": "x", "c+d": "y", "Kind": "z"})]
    found = read_breakdowns(["a,b", "c+d, kind", "prompt,seed", "SEED"], generations)
    assert [one.labels for one in found] == [("a,b",), ("c+d",), ("Kind",), ("prompt",), ("seed",)]
    assert read_breakdowns([], generations) == []


def test_all_unknown_labels_are_told_at_once_with_what_there_is() -> None:
    generations = [One(seed="1"), One(seed="2", labels={"category": "dog", "Kind": "a", "kind": "b"})]
    with pytest.raises(UsageError) as refused:
        read_breakdowns(["categry", "KIND+seed", "prompt", "seed,"], generations)
    assert str(refused.value).splitlines() == [
        'unknown label "categry": did you mean category?; the generations have 4 labels: seed, category, Kind, kind',
        '  label "KIND" may mean Kind or kind',
        '  unknown label "prompt"',
        "  --by: expected a label, found nothing",
        "  seed: 2 values: 1, 2",
        "  category: 1 value: dog",
        "  Kind: 1 value: a",
        "  kind: 1 value: b",
    ]


def test_a_run_without_labels_says_where_they_come_from() -> None:
    with pytest.raises(UsageError, match=r'unknown label "seed"; nothing is known .* --pattern'):
        read_breakdowns(["seed"], [One(), One()])


def test_a_column_is_not_taken_for_the_prompt_or_the_seed() -> None:
    assert value_of(One(labels={"prompt": "x"}), "prompt") is None
