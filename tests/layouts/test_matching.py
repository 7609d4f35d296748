import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.layouts.matching import SubjectIndex, match_beginnings, match_subjects
from nearid_cli.layouts.resolve import one_begins_another

names = st.text(min_size=1, max_size=12)


@given(st.lists(names, unique=True), names)
def test_an_exact_name_always_wins(others, name):
    assert SubjectIndex([*others, name]).alike(name) == [name]


@pytest.mark.parametrize("other", ["red cat", "Red_Cat", "RED-CAT", "redcat", "red__cat "])
def test_case_and_joiners_do_not_matter(other):
    assert match_subjects(SubjectIndex(["red cat", "dog"]), [other]) == {other: "red cat"}


def test_unicode_forms_do_not_matter():
    composed, decomposed = (unicodedata.normalize(form, "Zoë Straße") for form in ("NFC", "NFD"))
    assert match_subjects(SubjectIndex([composed]), [decomposed, "ZOË STRASSE"][:1]) == {decomposed: composed}
    assert match_subjects(SubjectIndex([decomposed]), ["ZOË STRASSE"]) == {"ZOË STRASSE": decomposed}


def test_what_does_not_match_is_missing():
    assert match_subjects(SubjectIndex(["cat"]), ["cat2", "ca", "dog"]) == {}


def test_names_of_separators_only_stay_apart():
    assert match_subjects(SubjectIndex(["_", "-"]), ["_", "-", "__"]) == {"_": "_", "-": "-"}


def test_all_clashes_are_listed():
    with pytest.raises(InputError, match="ambiguous") as caught:
        match_subjects(SubjectIndex(["red cat", "red_cat", "dog"]), ["RedCat", "Dog", "DOG"])
    assert caught.value.details == (
        "RedCat may mean any of the references red cat, red_cat",
        "Dog, DOG all look like the reference dog",
    )


def test_an_exact_name_keeps_loose_ones_away():
    assert match_subjects(SubjectIndex(["dog"]), ["Dog", "dog", "sks_dog"]) == {"dog": "dog"}


@pytest.mark.parametrize(
    ("subject", "name"),
    [("12_3", "1_23"), ("2024-11-1", "2024-1-11"), ("1 2", "12"), ("v1_2", "v12"), ("10_cat", "20_cat"),
     ("１２_３", "１_２３"), ("cat", "black_cat"), ("cat", "cat2")],
)  # fmt: skip
def test_what_differs_is_never_joined(subject, name):
    assert match_subjects(SubjectIndex([subject]), [name]) == {}
    assert match_subjects(SubjectIndex([name]), [subject]) == {}


@pytest.mark.parametrize(
    ("subject", "name"),
    [("10_sks cat", "cat"), ("cat", "sks_cat"), ("cat", "ohwx cat"), ("10_cat", "cat"), ("sks cat", "10_sks cat"),
     ("cat", "<new1> cat"), ("2024-11-1", "2024_11_1")],
)  # fmt: skip
def test_what_trainers_put_in_front_does_not_matter(subject, name):
    assert match_subjects(SubjectIndex([subject, "dog"]), [name]) == {name: subject}
    assert match_subjects(SubjectIndex([name, "dog"]), [subject]) == {subject: name}


def test_names_that_look_the_same_are_shown_with_what_differs():
    """A Cyrillic letter, and a space at the end."""
    with pytest.raises(InputError) as caught:
        match_subjects(SubjectIndex(["c-at", "c at "]), ["cat", "c_a t"])
    assert "'c at '" in caught.value.details[0]
    with pytest.raises(InputError) as caught:
        match_subjects(SubjectIndex(["é"]), ["É", " É"])
    assert caught.value.details == ("É (\\xc9),  É ( \\xc9) all look like the reference é (\\xe9)",)


def test_exact_names_do_not_clash():
    assert match_subjects(SubjectIndex(["Cat", "cat"]), ["Cat", "cat"]) == {"Cat": "Cat", "cat": "cat"}


@pytest.mark.parametrize(
    ("stem", "subject"),
    [
        ("cat_1", "cat"),
        ("cat_2", "cat"),  # and not cat2
        ("cat2_1", "cat2"),
        ("CAT2-1", "cat2"),
        ("cat", "cat"),
        ("red cat_on a beach_3", "red_cat"),
        ("Red-Cat.3", "red_cat"),
        ("red_3", None),
        ("caterpillar_1", None),
        ("1_cat", "cat"),
        ("0003_cat", "cat"),
        ("seed3_cat2_0", "cat2"),
        ("sks cat_1", "cat"),
        ("a cat_1", None),
        ("", None),
    ],
)
def test_the_longest_beginning_up_to_a_separator(stem, subject):
    index = SubjectIndex(["cat", "cat2", "red_cat"])
    found = {stem: beginning.subjects for stem, beginning in match_beginnings(index, [stem]).items()}
    assert found == ({stem: (subject,)} if subject else {})


def test_beginnings_clash_unless_one_is_exact():
    index = SubjectIndex(["red cat", "red_cat"])
    assert match_beginnings(index, ["red_cat_1"])["red_cat_1"].subjects == ("red_cat",)
    with pytest.raises(InputError) as caught:
        match_beginnings(index, ["RED-CAT-1"])
    assert caught.value.details == ("RED-CAT-1 may belong to any of the references red cat, red_cat",)


@given(names, st.sampled_from("_- ."), st.text(max_size=8))
def test_any_subject_claims_its_own_files(name, separator, rest):
    found = SubjectIndex([name]).beginning(f"{name}{separator}{rest}")
    assert found is None or found.subjects == (name,)
    if any(character.isalnum() for character in name):
        found = SubjectIndex([name]).beginning(f"{name}{separator}1")
        assert found is not None
        assert found.subjects == (name,)


def test_a_name_that_goes_on_with_another_subjects_is_nobodys():
    index = SubjectIndex(["backpack", "dog"])
    assert match_beginnings(index, ["backpack_0", "backpack on a dog_1"]).keys() == {
        "backpack_0",
        "backpack on a dog_1",
    }
    with pytest.raises(InputError) as caught:
        match_beginnings(index, ["backpack_dog_0"])
    assert caught.value.details == (
        "backpack_dog_0 may belong to the references backpack, dog or to neither",
    )


@given(st.lists(st.text("ab\0", max_size=4), max_size=7))
def test_that_one_name_begins_another_is_seen(keys):
    assert one_begins_another(keys) == any(
        other.startswith(one)
        for place, one in enumerate(keys)
        for beside, other in enumerate(keys)
        if place != beside
    )
