"""One picture and one name, however a manifest spells them; and what cannot be told to be one."""

import csv
import os
import unicodedata

import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.tables.locate import Locator, NoPictureError
from nearid_cli.layouts.tables.manifest import read_manifest

COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture
def root(plant):
    return plant("data", "r/cat/0.jpg r/cat/1.jpg r/dog/0.jpg g/cat/0.png g/cat/1.png g/dog/0.png")


def write(root, *rows, columns="path subject role method prompt seed"):
    """Rows of words; the further columns of the last ones are empty."""
    names = columns.split()
    with (root / "m.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows([names, *(row + [""] * (len(names) - len(row)) for row in rows)])
    return root / "m.csv"


def problems(path):
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    return caught.value


def spellings(root):
    return [
        "r/cat/0.jpg",
        "./r/cat/0.jpg",
        "r//cat/./0.jpg",
        "r/dog/../cat/0.jpg",
        "r\\cat\\0.jpg",
        " r/cat/0.jpg\t",
        str(root / "r/cat/0.jpg"),
        (root / "r/cat/0.jpg").as_uri(),
        "FILE://localhost" + str(root / "r/cat/0.jpg"),
        "linked/cat/0.jpg",
        "~/r/cat/0.jpg",
    ]


def test_one_file_under_many_spellings_is_one_picture(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    (root / "linked").symlink_to("r")
    rows = [[path, "cat", "reference"] for path in spellings(root)]
    manifest = read_manifest(write(root, *rows))
    (one,) = manifest.roles["reference"]["cat"]
    assert (one.name, one.path) == ("r/cat/0.jpg", root / "r/cat/0.jpg")
    assert manifest.left_out.counts() == {"repeated manifest rows": len(rows) - 1}


@pytest.mark.parametrize("place", range(11))
def test_every_spelling_is_found_and_named_as_the_disk_has_it(root, monkeypatch, place):
    monkeypatch.setenv("HOME", str(root))
    (root / "linked").symlink_to("r")
    (one,) = read_manifest(write(root, [spellings(root)[place], "cat", "reference"])).roles["reference"][
        "cat"
    ]
    assert one.path.samefile(root / "r/cat/0.jpg")
    expected = ["r/cat/0.jpg"] * 11
    expected[3] = "r/dog/../cat/0.jpg"
    expected[9] = "linked/cat/0.jpg"
    for absolute in (6, 7, 8, 10):
        expected[absolute] = str(root / "r/cat/0.jpg")
    assert one.name == expected[place]


def test_a_manifest_named_without_its_folder(root, monkeypatch):
    monkeypatch.chdir(root)
    rows = ["r/cat/0.jpg", "cat", "reference"], [str(root / "r/cat/0.jpg"), "cat", "reference"]
    (one,) = read_manifest(write(root, *rows).relative_to(root)).roles["reference"]["cat"]
    assert (one.name, str(one.path)) == ("r/cat/0.jpg", "r/cat/0.jpg")


def test_links_are_pictures_of_their_own_as_copies_are(root):
    (root / "g/cat/linked.png").symlink_to("0.png")
    (root / "g/cat/hard.png").hardlink_to(root / "g/cat/0.png")
    names = ["0.png", "hard.png", "linked.png"]
    rows = [[f"g/cat/{name}", "cat", "generation"] for name in names]
    assert [one.name for one in read_manifest(write(root, *rows)).roles["generation"]["cat"]] == [
        f"g/cat/{name}" for name in names
    ]


def test_a_name_that_is_there_as_written_wins(plant):
    odd = ["a\\b.png", "~", "file:x", " a.png", "a.png", f"{COMPOSED}.png", f"{APART}.png"]
    root = plant("data", [*odd, "a/b.png"])
    manifest = read_manifest(write(root, *([name, "cat", "generation"] for name in odd)))
    assert {one.name for one in manifest.roles["generation"]["cat"]} == set(odd)


@pytest.mark.parametrize(("on_disk", "written"), [(APART, COMPOSED), (COMPOSED, APART)])
def test_unicode_forms_of_a_path_are_one_path(plant, on_disk, written):
    root = plant("data", [f"{on_disk}/{on_disk} 1/{on_disk}.png"])
    rows = [[f"{name}/{name} 1/{name}.png", "cat", "generation"] for name in (written, on_disk)]
    manifest = read_manifest(write(root, *rows, [f"{root}/" + rows[0][0], "cat", "generation"]))
    (one,) = manifest.roles["generation"]["cat"]
    assert one.name == f"{on_disk}/{on_disk} 1/{on_disk}.png"
    assert one.path.exists()


def test_a_form_that_may_be_either_of_two_files_is_none(plant):
    forms = "a\u0323\u0302", "a\u0302\u0323", "ậ"  # one letter; the first two are as programs leave them
    root = plant("data", [f"{name}.png" for name in forms[:2]])
    with pytest.raises(NoPictureError, match="does not exist"):
        Locator(root).find(f"{forms[2]}.png")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("g/cat/2.png", "g/cat/2.png does not exist"),
        ("g/CAT/0.PNG", "g/CAT/0.PNG does not exist"),
        ("g/cat/0.PNG", "g/cat/0.PNG does not exist; did you mean 0.png?"),
        ("https://example.com/cat.png", "https://example.com/cat.png is an address: download it first"),
        ("file://[/cat.png", "file://[/cat.png does not exist"),
        ("g/cat", "g/cat is a folder"),
        ("g/cat/0.png/", "g/cat/0.png/ does not exist"),
        ("C:\\g\\cat\\0.png", r"C:\\g\\cat\\0.png does not exist"),
    ],
)
def test_paths_that_lead_nowhere(root, path, why):
    error = problems(write(root, [path, "cat", "generation"]))
    assert error.details[0].startswith(f"line 2: {why}".replace("\\\\", "\\"))


def test_where_paths_count_from_is_said(root, plant, monkeypatch):
    elsewhere = plant("elsewhere", "")
    path = write(elsewhere, ["r/cat/0.jpg", "cat", "reference"], ["g/none.png", "cat", "generation"])
    monkeypatch.chdir(root)
    error = problems(path)
    assert (
        f"has 2 wrong rows; correct or remove them; paths count from the manifest's folder, {elsewhere}"
        in str(error)
    )
    assert "from the current folder" not in error.message
    path = write(elsewhere, ["r/cat/0.jpg", "cat", "reference"])
    assert "from the current folder they are there: move the manifest here" in problems(path).message


def test_a_picture_has_one_subject_and_one_role(root):
    rows = [
        ["r/cat/0.jpg", "cat", "reference"],
        ["./r/cat/0.jpg", "cat", "generation"],
        ["r/dog/0.jpg", "dog", "reference"],
        ["r/dog/0.jpg", "cat", "reference"],
        ["r/dog/0.jpg", "dog", "distractor"],
        ["g/cat/0.png", "cat", "generation", "ours", "", "1"],
        ["g/cat/0.png", "cat", "generation", "ours", "", "2"],
    ]
    error = problems(write(root, *rows))
    assert "has 4 wrong rows; correct or remove them" in error.message
    assert error.details == (
        "line 3: r/cat/0.jpg is a generation of cat, and a reference of cat in line 2",
        "line 5: r/dog/0.jpg is a reference of cat, and a reference of dog in line 4",
        "line 6: r/dog/0.jpg is a distractor of dog, and a reference of dog in line 4",
        "line 8: g/cat/0.png is given again, with another seed than in line 7",
    )


def test_what_a_picture_may_be_besides(root):
    rows = [
        ["r/cat/0.jpg", "cat", "reference", "ours"],
        ["r/cat/0.jpg", "cat", "reference", "theirs"],  # one a method, as tables of generations are joined
        ["r/cat/0.jpg", "dog", "distractor"],
        ["r/cat/0.jpg", "bird", "distractor"],
        ["g/cat/0.png", "cat", "generation", "all"],
        ["g/cat/0.png", "cat", "generation", "best of two"],  # methods may choose from the same pictures
    ]
    manifest = read_manifest(write(root, *rows))
    assert {role: {s: len(p) for s, p in found.items()} for role, found in manifest.roles.items()} == {
        "reference": {"cat": 1},
        "generation": {"cat": 2},
        "distractor": {"dog": 1, "bird": 1},
    }
    assert manifest.left_out.counts() == {"repeated manifest rows": 1}


def test_names_that_differ_in_unicode_form_or_spaces_are_one_named_as_the_references_are(root):
    rows = [
        ["g/cat/0.png", f"{COMPOSED}  noir", "generation", f"a\u00a0{APART}"],
        ["g/cat/1.png", f" {APART} noir ", "generation", f"a {COMPOSED}"],
        ["r/cat/0.jpg", f"{APART} noir", "reference"],
        ["r/cat/1.jpg", f"{COMPOSED}\u00a0noir", "reference"],
    ]
    (subject,) = find(write(root, *rows), None).subjects
    assert subject.name == f"{APART} noir"
    assert [len(subject.references), len(subject.generations)] == [2, 2]
    assert {one.method for one in subject.generations} == {f"a\u00a0{APART}"}


def test_names_that_differ_in_case_or_in_what_does_not_show_are_refused(root):
    rows = [
        ["r/cat/0.jpg", "cat", "reference"],
        ["r/cat/1.jpg", "CAT", "reference"],
        ["g/cat/0.png", "cat\u200b", "generation", "ours"],
        ["g/cat/1.png", "cat", "generation", "Ours"],
        ["r/dog/0.jpg", "dog", "refrence"],
    ]
    error = problems(write(root, *rows))
    assert (
        "has 1 wrong row and 2 names in several spellings; correct or remove them; write each name in"
        in str(error)
    )
    assert error.details == (
        r"the subjects cat (line 2, line 5) and CAT (line 3) and cat\u200b (line 4) differ only in characters that do "
        "not show",
        "the methods ours (line 4) and Ours (line 5) differ only in case",
        'line 6: unknown role "refrence": did you mean reference?',
    )


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("hot dog", "hot_dog", "the signs between words"),
        ("hot-dog", "Hot dog", "case and signs between words"),
        ("straße", "STRASSE", "case"),
        ("hot\u00addog", "hotdog", "characters that do not show"),
    ],
)
def test_how_names_clash_is_said(root, one, other, how):
    error = problems(write(root, ["r/cat/0.jpg", one, "reference"], ["g/cat/0.png", other, "generation"]))
    assert error.details[0].endswith(f"(line 3) differ only in {how}")


def test_digits_that_are_parted_otherwise_are_other_names(root):
    rows = [["r/cat/0.jpg", "12_3", "reference"], ["r/dog/0.jpg", "1_23", "reference"]]
    assert set(read_manifest(write(root, *rows)).roles["reference"]) == {"12_3", "1_23"}


def test_bytes_that_are_not_utf8_are_taken_where_the_disk_has_them(plant):
    odd = os.fsdecode(b"caf\xe9")
    root = plant("data", [f"{odd}/0.png"])
    manifest = read_manifest(write(root, [f"{odd}/0.png", odd, "generation"]))
    (one,) = manifest.roles["generation"][odd]
    assert one.path.exists()
    error = problems(write(root, [f"{odd}/0.png", "cat", "generation", "", os.fsdecode(b"th\xe9")]))
    assert r"is not UTF-8: line 2 holds th\xe9, which may be thé in Windows-1252" in error.message
