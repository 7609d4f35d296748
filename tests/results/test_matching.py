"""What of two runs is compared with what."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.results import ScoreResult, Subjects
from nearid_cli.results.correspondence import by_prompt, compared_prompt
from nearid_cli.results.pairing import Matched, match_runs
from tests.comparing import scored

Generation = tuple[str, str | None, str | None, float]
"""Path, prompt, seed and score."""


def run(subjects: Mapping[str, Sequence[Generation]]) -> ScoreResult:
    return scored(
        {name: [score for *_, score in own] for name, own in subjects.items()},
        ("nearid",),
        image=lambda name, i: dict(zip(("path", "prompt", "seed"), subjects[name][i][:3], strict=True)),
    )


def prompted(
    prompts: Mapping[str, Sequence[float]], subject: str = "cat", root: str = ""
) -> list[Generation]:
    return [
        (f"{root}{subject}/{prompt}/{seed}.png", prompt, str(seed), score)
        for prompt, scores in prompts.items()
        for seed, score in enumerate(scores)
    ]


def named(scores: Mapping[Any, float], subject: str = "cat") -> list[Generation]:
    return [(f"{subject}/{name}.png", None, None, score) for name, score in scores.items()]


def only(a: Sequence[Generation], b: Sequence[Generation]) -> Matched:
    (found,) = match_runs(run({"cat": a}), run({"cat": b})).subjects
    return found


def test_each_prompt_counts_once_however_many_seeds_it_has() -> None:
    found = only(
        prompted({"beach": [0.9, 0.5, 0.1], "sofa": [0.3]}), prompted({"beach": [0.4], "sofa": [0.1, 0.3]})
    )
    assert (found.how, [one.name for one in found.groups]) == ("prompts", ["beach", "sofa"])
    assert found.units("nearid") == pytest.approx([0.5 - 0.4, 0.3 - 0.2])
    assert found.difference("nearid") == pytest.approx(0.1)
    assert (found.alone_a, found.alone_b) == ((), ())


def test_prompts_that_one_lacks_take_no_part_and_are_named() -> None:
    found = only(prompted({"beach": [0.9, 0.8], "Space.": [0.1, 0.2]}), prompted({"beach": [0.8]}))
    assert found.difference("nearid") == pytest.approx(0.05)
    assert (found.lacking_a, found.lacking_b) == ((), ("Space.",))
    assert [one.path for one in found.alone_a] == ["cat/Space./0.png", "cat/Space./1.png"]


@pytest.mark.parametrize(
    "other", ["On the beach", "on_the_beach", "on the  beach.", "on-the-beach", " ON THE BEACH!"]
)
def test_prompts_are_compared_without_case_spacing_and_final_punctuation(other: str) -> None:
    found = only(prompted({"on the beach": [0.9], "sofa": [0.5]}), prompted({other: [0.8], "sofa": [0.5]}))
    assert len(found.groups) == 2
    assert (found.lacking_a, found.lacking_b) == ((), ())


@pytest.mark.parametrize(
    ("one", "other"), [("a cat", "a cap"), ("3 cats", "4 cats"), ("", "?"), ("a+b", "a b")]
)
def test_prompts_that_differ(one: str, other: str) -> None:
    assert compared_prompt(one) != compared_prompt(other)


def test_a_subject_without_a_common_prompt_takes_no_part_where_others_have_one() -> None:
    a = {"cat": prompted({"beach": [0.9]}), "dog": prompted({"sofa": [0.9]}, "dog")}
    b = {"cat": prompted({"beach": [0.8]}), "dog": prompted({"beach": [0.1]}, "dog")}
    matching = match_runs(run(a), run(b))
    cat, dog = matching.subjects
    assert (cat.difference("nearid"), dog.difference("nearid")) == (pytest.approx(0.1), None)
    assert (dog.how, dog.groups, dog.lacking_a, dog.lacking_b) == ("prompts", (), ("beach",), ("sofa",))
    assert not matching.prompts_differ


def test_other_words_for_the_prompts_of_all_subjects_decide_nothing() -> None:
    """The names are equal, but prompts that are known to differ do not correspond by name."""
    a = {
        name: [(f"{name}/{i}.png", f"a dog on beach {i}", None, 0.5 + i) for i in range(4)]
        for name in ("cat", "dog")
    }
    b = {
        name: [(f"{name}/{i}.png", f"a dog in snow {9 - i}", None, 0.2 * i) for i in range(4)]
        for name in ("cat", "dog")
    }
    matching = match_runs(run(a), run(b))
    assert matching.prompts_differ
    assert [one.how for one in matching.subjects] == ["all", "all"]
    assert matching.subjects[0].difference("nearid") == pytest.approx(2.0 - 0.3)
    assert (matching.subjects[0].alone_a, len(matching.subjects[0].groups[0].a)) == ((), 4)


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        (
            ["a sks dog on the beach", "a sks dog in snow"],
            ["A <v> dog on the beach.", "a <v> dog in snow"],
            2,
        ),
        (["a sks dog on the beach", "a sks dog in snow"], ["a dog on the beach", "a dog in snow"], 2),
        (
            ["sks on sofa", "sks in bed", "sks at sea"],
            ["my toy on sofa", "my toy in bed", "my toy at home"],
            2,
        ),
        (["sks on sofa", "sks in bed", "sks at sea"], ["<v> on sofa", "<v> in snow"], 1),
        # Less than half of the smaller run.
        (["sks on sofa", "sks in bed", "sks at sea"], ["<v> on sofa", "<v> in snow", "<v> at home"], 0),
        # "on" and "in" are such words, too; what is left differs.
        (["on beach", "on street"], ["in snow", "in jungle"], 0),
        # Every word is in all prompts of a run with one.
        (["a sks dog"], ["a <v> dog"], 0),
        (["a sks dog on the beach"], ["a <v> dog on the beach", "a <v> dog in snow"], 0),
        # Nothing is left of two prompts, and what is left of the other two differs.
        (["beach", "beach at night"], ["snow", "snow in fog"], 0),
        # Two would become one.
        (["sks dog", "dog sks", "sks cat"], ["<v> dog", "<v> cat"], 0),
        # A prompt in both: words are what they are.
        (["sks dog", "sks cat", "cat"], ["<v> dog", "<v> cat", "cat"], 1),
        # A word that the other run has somewhere is no placeholder.
        (["sks dog", "sks cat"], ["<v> dog", "<v> cat", "<v> sks"], 0),
    ],
)
def test_a_placeholder_for_the_subject(a: Sequence[str], b: Sequence[str], pairs: int) -> None:
    mine = prompted({prompt: [0.1 * i] for i, prompt in enumerate(a)})
    found = only(mine, prompted({prompt: [0.5 + 0.2 * i] for i, prompt in enumerate(b)}))
    assert (found.how, len(found.groups)) == (("prompts", pairs) if pairs else ("all", 1))
    back = only(prompted({prompt: [0.5 + 0.2 * i] for i, prompt in enumerate(b)}), mine)
    assert back.units("nearid") == [-unit for unit in found.units("nearid")]


def test_prompts_without_a_counterpart_are_listed_with_their_placeholder() -> None:
    found = only(
        prompted({"A sks dog on the beach": [0.9, 0.7], "a sks dog in snow": [0.4], "a sks dog": [0.0]}),
        prompted({"a <v> dog on_the_beach": [0.6], "a <v> dog in snow.": [0.2], "a <v> dog at sea": [0.0]}),
    )
    assert found.units("nearid") == pytest.approx([0.4 - 0.2, 0.8 - 0.6])
    assert (found.lacking_a, found.lacking_b) == (("a <v> dog at sea",), ("a sks dog",))
    assert [one.path for one in (*found.alone_a, *found.alone_b)] == [
        "cat/a sks dog/0.png",
        "cat/a <v> dog at sea/0.png",
    ]


def test_the_words_that_were_left_out_are_known() -> None:
    a, b = (
        {prompt: [0.5] for prompt in prompts} for prompts in (["sks dog", "sks cat"], ["<v> dog", "<v> cat"])
    )
    assert match_runs(run({"cat": prompted(a)}), run({"cat": prompted(b)})).placeholders == ("<v>", "sks")
    assert match_runs(run({"cat": prompted(a)}), run({"cat": prompted(a)})).placeholders == ()


def test_prompts_known_for_nearly_all_and_for_too_few() -> None:
    loose = [("cat/x.png", None, None, 0.0)]
    nearly = only([*prompted({"beach": [0.9] * 9}), *loose], prompted({"beach": [0.5]}))
    assert (nearly.how, [one.path for one in nearly.alone_a]) == ("prompts", ["cat/x.png"])
    assert nearly.difference("nearid") == pytest.approx(0.4)
    few = only([*prompted({"beach": [0.9] * 8}), *loose], prompted({"beach": [0.5]}))
    assert (few.how, few.difference("nearid")) == ("all", pytest.approx(0.8 - 0.5))
    assert by_prompt(run({"cat": loose}).images) is None


def test_prompts_of_one_side_only_decide_nothing() -> None:
    a, b = prompted({"beach": [0.9, 0.1]}), named({0: 0.5, 1: 0.4})
    found = only(a, b)
    assert (found.how, found.difference("nearid")) == ("all", pytest.approx(0.5 - 0.45))


def test_names_that_correspond_for_nearly_all() -> None:
    a = {f"s{i}": named(dict.fromkeys(range(12), 0.5), f"s{i}") for i in range(8)}
    b = {**a, "s0": named({"x" if j == 0 else j: 0.1 * j for j in range(12)}, "s0")}
    matching = match_runs(run(a), run(b))
    assert {one.how for one in matching.subjects} == {"names"}
    assert matching.coinciding == 95
    first = matching.subjects[0]
    assert [one.path for one in (*first.alone_a, *first.alone_b)] == ["s0/0.png", "s0/x.png"]
    assert first.difference("nearid") == pytest.approx(0.5 - 0.6)
    assert len(first.units("nearid")) == 11


def test_names_that_coincide_for_few_pair_nothing() -> None:
    """12 of 96, on which b happens to do well."""
    a = {f"s{i}": named({f"a{j}" if i else j: 0.8 for j in range(12)}, f"s{i}") for i in range(8)}
    b = {
        f"s{i}": named({f"b{j}" if i else j: 0.7 if i else 0.9 for j in range(12)}, f"s{i}") for i in range(8)
    }
    matching = match_runs(run(a), run(b))
    assert ({one.how for one in matching.subjects}, matching.coinciding) == ({"all"}, 12)
    deltas = [one.difference("nearid") for one in matching.subjects]
    assert deltas == pytest.approx([-0.1, *[0.1] * 7])


@pytest.mark.parametrize(("more", "how"), [(10, "all"), (8, "names"), (5, "names")])
def test_counters_correspond_for_half_of_the_larger_run(more: int, how: str) -> None:
    found = only(named(dict.fromkeys(range(4), 0.5)), named({j: 0.1 * j for j in range(more)}))
    assert found.how == how
    wanted = range(more) if how == "all" else range(4)
    assert found.difference("nearid") == pytest.approx(0.5 - 0.1 * sum(wanted) / len(wanted))
    assert len(found.alone_b) == (0 if how == "all" else more - 4)


def test_a_subject_with_few_pairs_counts_with_all_of_its_generations() -> None:
    a = {f"s{i}": named(dict.fromkeys(range(10), 0.5), f"s{i}") for i in range(20)}
    b = a | {"s0": named({j if j < 2 else f"x{j}": 0.1 * j for j in range(10)}, "s0")}
    first, *rest = match_runs(run(a), run(b)).subjects
    assert (first.how, {one.how for one in rest}) == ("all", {"names"})
    assert first.difference("nearid") == pytest.approx(0.05)


def test_pictures_from_memory_have_no_names() -> None:
    memory = [(f"<generations>/cat/{i}", None, None, 0.1 * i) for i in range(4)]
    assert only(memory, memory).how == "all"


def test_the_same_name_twice_is_ambiguous() -> None:
    twice = [
        *named(dict.fromkeys(range(11), 0.5)),
        ("cat/0.jpg", None, None, 0.1),
        ("cat/1.png", None, None, 0.5),
    ]
    found = only(twice, named(dict.fromkeys(range(9), 0.2)))
    assert found.how == "all"
    found = only(twice, named(dict.fromkeys(range(20), 0.2)))
    assert found.how == "all"


def test_seeds_and_prompts_that_are_known_to_differ_never_pair_by_name() -> None:
    def some(seed: str | None, prompt: str | None = None) -> list[Generation]:
        return [*named(dict.fromkeys(range(10), 0.5)), ("cat/x.png", prompt, seed, 0.9)]

    for one, other in (
        (some("1"), some("2")),
        (some(None, "beach"), some(None, "sofa")),
    ):
        assert [pic.path for pic in only(one, other).alone_a] == ["cat/x.png"]
    assert only(some("1"), some(None, "sofa")).alone_a == ()


def test_margins_and_numbers_that_are_missing() -> None:
    a, b = run({"cat": named({0: 0.5, 1: 0.7})}), run({"cat": named({0: 0.4, 1: 0.3})})
    with_margins = [
        replace(one, images=tuple(replace(i, margins={"nearid": i.scores["nearid"] / 2}) for i in one.images))
        for one in (a, b)
    ]
    (found,) = match_runs(*with_margins).subjects
    assert found.units("nearid", "margin") == pytest.approx([0.05, 0.2])
    (found,) = match_runs(a, b).subjects
    assert found.difference("nearid", "margin") is None
    assert all(map(math.isnan, found.units("nearid", "margin")))


def test_a_result_that_lists_no_generations_has_its_scores() -> None:
    bare = [replace(run({"cat": named({0: score})}), images=()) for score in (0.5, 0.3)]
    (found,) = match_runs(*bare).subjects
    assert (found.how, found.difference("nearid")) == ("all", pytest.approx(0.2))


generations = st.lists(
    st.tuples(
        st.sampled_from(["0.png", "0.jpg", "1.png", "2.png", "a/1.png", "a/2.png", "b/1.png"]),
        st.sampled_from([None, "p", "P.", "q", "r", "x p", "x q", "x r", "<v> p", "<v>-q", "<v>"]),
        st.sampled_from([None, "1", "2"]),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=6,
)
runs = st.dictionaries(st.sampled_from(["cat", "dog", "mug"]), generations, min_size=1).map(
    lambda subjects: run(
        {name: [(f"{name}/{path}", *rest) for path, *rest in own] for name, own in subjects.items()}
    )
)


@given(runs, runs)
def test_exchanging_the_runs_negates_every_difference(a: ScoreResult, b: ScoreResult) -> None:
    there, back = match_runs(a, b), match_runs(b, a)
    assert (there.coinciding, there.prompts_differ) == (back.coinciding, back.prompts_differ)
    others = {one.subject: one for one in back.subjects}
    assert others.keys() == {one.subject for one in there.subjects}
    for one in there.subjects:
        other = others[one.subject]
        assert [-unit for unit in one.units("nearid")] == other.units("nearid")
        mine, theirs = one.difference("nearid"), other.difference("nearid")
        assert mine == (None if theirs is None else -theirs)
        assert (one.how, one.lacking_a, one.lacking_b) == (other.how, other.lacking_b, other.lacking_a)
        assert (one.alone_a, one.alone_b) == (other.alone_b, other.alone_a)


@given(runs, runs, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(a: ScoreResult, b: ScoreResult, shuffle: random.Random) -> None:
    mixed = replace(
        a,
        images=tuple(shuffle.sample(a.images, len(a.images))),
        subjects=Subjects(shuffle.sample([*a.subjects], len(a.subjects))),
    )
    wanted = {one.subject: one for one in match_runs(a, b).subjects}
    for one in match_runs(mixed, b).subjects:
        assert one.units("nearid") == wanted[one.subject].units("nearid")
        assert (one.how, one.lacking_a) == (wanted[one.subject].how, wanted[one.subject].lacking_a)


@given(runs, runs)
def test_differences_are_those_of_the_subjects_to_the_bit(a: ScoreResult, b: ScoreResult) -> None:
    def partly(result: ScoreResult) -> ScoreResult:
        """The metric has no number of some generations."""
        return replace(
            result,
            images=[
                replace(one, scores={"nearid": score if (score := one.scores["nearid"] or 0) < 0.7 else None})
                for one in result.images
            ],
        )

    for matching in (match_runs(a, b), match_runs(partly(a), partly(b))):
        found = {one.subject: one.difference("nearid") for one in matching.subjects}
        assert matching.differences("nearid") == {
            name: delta for name, delta in found.items() if delta is not None
        }


def test_runs_that_are_called_alike_are_matched_once() -> None:
    a, b, other = (run({"cat": named({0: score, 1: 0.5})}) for score in (0.1, 0.2, 0.4))
    assert match_runs(a, b).found is match_runs(a, other).found
    assert match_runs(a, other).differences("nearid") == pytest.approx({"cat": -0.15})
    assert match_runs(a, run({"cat": named({0: 0.1})})).found is not match_runs(a, b).found


@given(runs, runs)
def test_no_generation_is_lost_or_counted_twice(a: ScoreResult, b: ScoreResult) -> None:
    common = {one.subject for one in a.subjects} & {one.subject for one in b.subjects}
    matching = match_runs(a, b)
    for side, result in (("a", a), ("b", b)):
        found = [
            image
            for one in matching.subjects
            for image in (
                *(i for group in one.groups for i in getattr(group, side)),
                *getattr(one, f"alone_{side}"),
            )
        ]
        assert sorted(map(id, found)) == sorted(
            id(image) for image in result.images if image.subject in common
        )
