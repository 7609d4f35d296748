"""Which distractors meet which references, once pictures that are one count once."""

from __future__ import annotations

from pathlib import Path

from nearid_cli.evaluate.usable import Sameness, context_numbers, usable, with_trials
from nearid_cli.layouts.dataset import Picture, SubjectPictures


def pictures(names: str) -> tuple[Picture, ...]:
    """`name:context` or `name`."""
    split = [name.partition(":") for name in names.split()]
    return tuple(Picture(Path(name), name, context=context or None) for name, _, context in split)


def counted(references: str, distractors: str, same: dict[bytes, bytes] | None = None):
    """The subject as it counts; pictures with one first letter have the same bytes."""
    subject = SubjectPictures("cat", pictures(references), pictures("g"), pictures(distractors))
    digests = {one.source: one.name[0].encode() for one in subject.pictures()}
    found = usable([subject], lambda one: digests[one.source], Sameness(same or {}, {}, {}), strangers=False)
    return found.subjects[0]


def shown(side):
    return [f"{one.name}:{one.context}" for one, _ in side]


def test_a_distractor_is_one_trial_however_often_it_is_given():
    subject = counted("r:sea s:snow", "d1 d2:sea d3:sea d4:snow e1 e2 f:sea")
    assert shown(subject.distractors) == ["d2:sea", "d4:snow", "e1:None", "f:sea"]
    references, distractors = context_numbers([subject.sides])
    assert [list(distractors).count(number) for number in references] == [2, 1]
    assert with_trials([subject.sides]) == (1, 2)


def test_of_references_that_are_one_the_shortest_name_counts_and_of_those_the_first_by_name():
    """In whatever order they are found."""
    for names in ("r_again rb ra", "ra rb r_again", "rb ra r_again", "rb r_again ra"):
        subject = counted(f"{names} s", "")
        assert shown(subject.references) == ["ra:None", "s:None"]
        assert subject.copied == {b"r": "ra", b"s": "s"}


def test_a_reference_that_counts_once_has_the_contexts_of_both():
    subject = counted("r:sea r_again:meadow s:snow", "d:sea e:meadow f:snow")
    assert shown(subject.references) == ["r:sea", "s:snow"]
    assert shown(subject.distractors) == ["d:sea", "e:sea", "f:snow"]
    # Saved again in another format: other bytes, one picture.
    subject = counted("r:sea t:meadow s:snow", "d:sea e:meadow f:snow", {b"r": b"r", b"t": b"r"})
    assert shown(subject.distractors) == ["d:sea", "e:sea", "f:snow"]


def test_a_context_that_another_reference_has_stays_its_own():
    subject = counted("r:sea r_again:meadow s:meadow", "d:sea e:meadow")
    assert shown(subject.distractors) == ["d:sea", "e:meadow"]


def test_subjects_without_trials_are_not_counted():
    alone = counted("r:sea", "d:sea")
    apart = counted("r:sea s:snow", "d:desert e")
    partly = counted("r:sea s:snow", "d:sea")
    assert with_trials([alone.sides, apart.sides, partly.sides]) == (1, 1)
