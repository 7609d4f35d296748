import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.layouts.matching import SubjectIndex, match_beginnings, match_subjects

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
        match_subjects(SubjectIndex(["red cat", "red_cat", "dog"]), ["RedCat", "Dog", "dog"])
    assert caught.value.details == (
        "RedCat may mean any of the references red cat, red_cat",
        "Dog, dog all look like the reference dog",
    )


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
        ("1_cat", None),
        ("", None),
    ],
)
def test_the_longest_beginning_up_to_a_separator(stem, subject):
    index = SubjectIndex(["cat", "cat2", "red_cat"])
    assert match_beginnings(index, [stem]) == ({stem: subject} if subject else {})


def test_beginnings_clash_unless_one_is_exact():
    index = SubjectIndex(["red cat", "red_cat"])
    assert match_beginnings(index, ["red_cat_1"]) == {"red_cat_1": "red_cat"}
    with pytest.raises(InputError) as caught:
        match_beginnings(index, ["RED-CAT-1"])
    assert caught.value.details == ("RED-CAT-1 may belong to any of the references red cat, red_cat",)


@given(names, st.sampled_from("_- ."), st.text(max_size=8))
def test_any_subject_claims_its_own_files(name, separator, rest):
    assert SubjectIndex([name]).beginning(f"{name}{separator}{rest}") in ([name], [])
    if any(character.isalnum() for character in name):
        assert SubjectIndex([name]).beginning(f"{name}{separator}1") == [name]
