"""Rows of numbers find their generations, by whatever they say of them, and nothing is joined that may be another's."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.measures.joining import Expected, join
from nearid_cli.plugins import NoScore

ROOT = Path("/runs/lora")
NAMES = ("cat/0.png", "cat/1.png", "dog/0.png")


def at(name, root=ROOT, method="", subject=None, **said):
    return Expected(subject or name.split("/")[0], Picture.at(root, name, **said), method)


GENERATIONS = [at(name) for name in NAMES]


def numbers(rows, generations=GENERATIONS):
    joined = join("m", rows, generations)
    return joined.numbers, joined.strangers, joined.notes


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "./{}",
        "lora/{}",  # from the folder above
        "/runs/lora/{}",
        "/runs/lora/../lora/{}",
        "../lora/{}",
    ],
)
def test_paths_of_the_generations_themselves(written):
    rows = [{"path": written.format(name), "score": place / 10} for place, name in enumerate(NAMES)]
    assert numbers(reversed(rows)) == ([0.0, 0.1, 0.2], [], [])


@pytest.mark.parametrize(
    ("written", "before"),
    [
        ("/cluster/job 7/{}", "cluster/job 7"),
        ("C:\\out\\{}", "C:/out"),
        ("samples/{}", "samples"),
    ],
)
def test_paths_of_another_machine_that_all_begin_in_one_way(written, before):
    rows = [{"path": written.format(name), "score": place / 10} for place, name in enumerate(NAMES)]
    if "\\" in written:
        rows = [row | {"path": row["path"].replace("/", "\\")} for row in rows]
    found, strangers, notes = numbers(rows)
    assert (found, strangers) == ([0.0, 0.1, 0.2], [])
    assert notes == [f"paths with {before}/ in front are taken for those in /runs/lora"]


def test_paths_that_begin_in_several_ways_are_of_nobody_knows_which_run():
    rows = [{"path": "/a/cat/0.png", "score": 1}, {"path": "/b/cat/1.png", "score": 1}]
    with pytest.raises(InputError, match="m: paths begin in several ways") as raised:
        join("m", rows, GENERATIONS)
    assert raised.value.details == ("a/ (1 row)", "b/ (1 row)")


def test_beside_paths_of_the_generations_themselves_others_are_of_other_runs():
    rows = [{"path": "lora/cat/0.png", "score": 1}, {"path": "other/cat/1.png", "score": 2}]
    assert numbers(rows) == ([1, None, None], ["row 2: other/cat/1.png"], [])


def test_another_subjects_picture_is_not_this_ones_because_the_file_has_its_name():
    """The root is the folder of the cat itself, so its pictures are called by their file names alone."""
    cat = [at(name, ROOT / "cat", subject="cat") for name in ("0.png", "1.png")]
    rows = [{"path": f"{subject}/{n}.png", "score": n} for subject in ("dog", "cat") for n in (0, 1)]
    assert numbers(rows, cat) == ([0, 1], ["row 1: dog/0.png", "row 2: dog/1.png"], [])
    rows = [row | {"path": f"/elsewhere/{row['path']}"} for row in rows]
    assert numbers(rows, cat)[0] == [0, 1]  # the cat's share more of their path
    with pytest.raises(InputError, match="paths begin in several ways"):
        join("m", rows, [at(name, ROOT / "samples", subject="cat") for name in ("0.png", "1.png")])


def test_the_files_own_name_where_it_is_the_only_one():
    assert numbers([{"path": "1.png", "score": 5}]) == ([None, 5, None], [], [])
    with pytest.raises(InputError) as raised:
        join("m", [{"path": "0.png", "score": 5}], GENERATIONS)
    assert raised.value.details == ("row 1: 0.png may be cat/0.png, dog/0.png",)
    assert numbers([{"path": "0.png", "subject": "dog", "score": 5}])[0] == [None, None, 5]


def test_an_extension_may_be_missing_but_is_never_another():
    assert numbers([{"path": "cat/0", "score": 5}])[0] == [5, None, None]
    assert numbers([{"path": "/x/cat/0", "score": 5}])[0] == [5, None, None]
    found, strangers, _ = numbers([{"path": "cat/0.jpg", "score": 5}, {"path": "cat/1.png", "score": 6}])
    assert found == [None, 6, None]
    assert strangers == ["row 1: cat/0.jpg (there is cat/0.png)"]
    both = [at("cat/0.png"), at("cat/0.jpg"), at("cat/step_0.5.png")]
    assert numbers([{"path": "cat/0.jpg", "score": 5}], both)[0] == [None, 5, None]
    assert numbers([{"path": "cat/step_0.5", "score": 5}], both)[0] == [None, None, 5]
    with pytest.raises(InputError, match="1 row cannot be joined"):
        join("m", [{"path": "cat/0", "score": 5}], both)


def test_names_are_one_in_any_unicode_form():
    generations = [at("cafe\u0301/0.png"), at("caf\u00e8/0.png")]
    assert numbers([{"path": "caf\u00e9/0.png", "score": 1}], generations)[0] == [1, None]


def test_a_path_counts_from_the_folder_of_its_file():
    other = [*GENERATIONS, *(at(name, Path("/runs/full")) for name in NAMES)]
    rows = [{"path": "cat/0.png", "folder": "/runs/full", "score": 3}]
    assert numbers(rows, other)[0] == [None, None, None, 3, None, None]


def methods(*names):
    return [at(name, Path("/runs") / method, method) for method in names for name in NAMES]


def test_methods_are_told_apart_by_their_folders_or_by_name():
    both = methods("lora", "full")
    for path in ("lora/cat/0.png", "/runs/lora/cat/0.png", "/cluster/lora/cat/0.png"):
        assert numbers([{"path": path, "score": 1}], both)[0] == [1, *[None] * 5]
    named = [
        {"path": "cat/0.png", "method": method, "score": place}
        for place, method in enumerate(("full", "lora"))
    ]
    assert numbers(named, both)[0] == [1, None, None, 0, None, None]
    with pytest.raises(InputError) as raised:
        join("m", [{"path": "cat/0.png", "score": 1}], both)
    assert raised.value.details == ("row 1: cat/0.png may be lora: cat/0.png, full: cat/0.png",)
    assert "tell methods apart by a column method, by their folders in paths" in raised.value.message


def test_methods_that_share_a_picture_share_its_number_unless_rows_say_whose_it_is():
    shared = [at("cat/0.png", Path("/pool"), method) for method in ("a", "b")]
    assert numbers([{"path": "cat/0.png", "score": 1}], shared)[0] == [1, 1]
    rows = [{"path": "cat/0.png", "method": method, "score": method == "b"} for method in ("a", "b")]
    assert numbers(rows, shared)[0] == [0, 1]


def test_one_picture_of_two_subjects_needs_the_subject():
    boxes = [at("0.png", subject="cat"), at("0.png", subject="dog")]
    rows = [{"path": "0.png", "subject": subject, "score": subject == "dog"} for subject in ("dog", "cat")]
    assert numbers(rows, boxes)[0] == [0, 1]
    with pytest.raises(InputError, match="cannot be joined"):
        join("m", [{"path": "0.png", "score": 1}], boxes)


SAID = [
    at("0.png", subject="red cat", prompt="on the beach", seed="1"),
    at("1.png", subject="red cat", prompt="on the beach", seed="2"),
    at("2.png", subject="red cat", prompt="in the snow", seed="1"),
    at("3.png", subject="dog", prompt="on the beach", seed="1"),
]


def test_subject_prompt_and_seed_say_it_too():
    rows = [
        {"subject": "Red_Cat", "prompt": "On the beach.", "seed": "0002", "score": 1},
        {"subject": "dog", "score": 3},
        {"subject": "red cat", "prompt": "in_the_snow", "score": 2},
        {"subject": "red cat", "prompt": "on the beach", "seed": 1.0, "score": 0},
        {"subject": "bird", "score": 4},
        {"subject": "dog", "seed": "5", "score": 4},
    ]
    found, strangers, _ = numbers(rows, SAID)
    assert found == [0, 1, 2, 3]
    assert strangers == ["row 5: subject bird", "row 6: subject dog, seed 5"]


def test_a_path_that_may_be_anyones_is_nobodys_where_the_prompt_is_another():
    twice = [at(f"{subject}/0.png", prompt="on the beach") for subject in ("cat", "dog")]
    for path in ("0.png", "/x/0.png"):
        rows = [{"path": path, "prompt": "in the snow", "score": 1}, {"path": "cat/0.png", "score": 2}]
        found, strangers, _ = numbers(rows, twice)
        assert found == [2, None]
        assert strangers == [f"row 1: {path}"]


def test_what_fits_several_generations_names_them():
    rows = [
        {"subject": "red cat", "prompt": "on the beach", "score": 1},
        {"prompt": "on the beach", "seed": 1, "score": 1},
    ]
    with pytest.raises(InputError) as raised:
        join("m", rows, SAID)
    assert raised.value.details == (
        "row 1: subject red cat, prompt on the beach may be 0.png, 1.png",
        "row 2: prompt on the beach, seed 1 may be 0.png, 3.png",
    )


def test_what_no_generation_has_tells_none_from_another():
    assert numbers([{"subject": "dog", "prompt": "x", "seed": 3, "method": "lora", "score": 1}])[0] == [
        None,
        None,
        1,
    ]
    with pytest.raises(InputError, match="cannot be joined") as raised:
        join("m", [{"subject": "dog", "seed": seed, "score": seed} for seed in (1, 2)], GENERATIONS)
    assert raised.value.details == ("row 2: dog/0.png is 2.0, and 1.0 in row 1",)


def test_a_row_that_contradicts_itself():
    with pytest.raises(InputError) as raised:
        join("m", [{"path": "cat/0.png", "subject": "dog", "score": 1}], GENERATIONS)
    assert raised.value.details == ("row 1: cat/0.png is of the subject cat, and the row says dog",)


def test_a_row_of_a_subject_or_method_that_is_none_of_ours_is_of_no_generation():
    alone = [at(f"{n}.png", ROOT / "cat", subject="cat") for n in range(2)]
    rows = [
        {"path": f"{n}.png", "subject": subject, "score": n} for subject in ("cat", "bird") for n in range(2)
    ]
    strangers = ["row 3: 0.png (there is no subject bird)", "row 4: 1.png (there is no subject bird)"]
    assert numbers(rows, alone) == ([0, 1], strangers, [])
    rows = [{"path": name, "method": m, "score": len(m)} for name in NAMES for m in ("lora", "old", "full")]
    found, strangers, _ = numbers(rows, methods("lora", "full"))
    assert found == [4] * 6
    assert strangers[0] == "row 2: cat/0.png (there is no method old)"


def test_rows_that_say_the_same_again_and_rows_that_do_not():
    twice = [{"path": "cat/0.png", "score": 1, "where": "a.csv, line 2"}] * 3
    assert numbers(twice) == ([1, None, None], [], ["2 rows that say the same again count once"])
    other = {"path": "lora/cat/0.png", "score": NoScore("no face"), "where": "b.csv, line 9"}
    with pytest.raises(InputError) as raised:
        join("m", [*twice, other], GENERATIONS)
    assert raised.value.details == ("b.csv, line 9: cat/0.png is without a number, and 1.0 in a.csv, line 2",)


def test_a_file_of_which_not_one_row_joins():
    rows = [{"path": f"bird/{n}.png", "score": n} for n in range(9)]
    with pytest.raises(InputError, match="m: not one row is of a generation") as raised:
        join("m", rows, GENERATIONS)
    assert raised.value.details == (
        *(f"a row: row {n + 1}: bird/{n}.png" for n in range(3)),
        "a generation: cat/0.png (subject cat, no prompt, no seed)",
        "a generation: cat/1.png (subject cat, no prompt, no seed)",
        "a generation: dog/0.png (subject dog, no prompt, no seed)",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"path": "cat/0.png", "score": 1.5}, "row 1: 1.5 is outside the range of the metric, from 0 to 1"),
        ({"path": "cat/0.png", "score": -0.1}, "row 1: -0.1 is outside the range of the metric, from 0 to 1"),
        ({"path": "cat/0.png", "score": "good"}, "row 1: expected a number, found 'good'"),
        ({"path": " ", "score": 1}, "row 1: says nothing of path, subject, so it is of no generation"),
    ],
)
def test_wrong_rows(row, said):
    with pytest.raises(InputError) as raised:
        join("m", [row], GENERATIONS, (0, 1))
    assert raised.value.details == (said,)


def test_no_number_is_no_number():
    rows = [
        {"path": name, "score": score}
        for name, score in zip(NAMES, (None, float("nan"), float("inf")), strict=True)
    ]
    assert numbers(rows)[0] == [NoScore("no number given")] * 3


def test_pictures_in_memory_are_called_what_results_call_them():
    from nearid_cli.layouts.dataset import InMemory

    name = "<generations>/cat/0"
    held = [Expected("cat", Picture(Path(name), name, in_memory=InMemory('generations["cat"][0]', None)))]
    for path in (name, "cat/0"):
        assert numbers([{"path": path, "score": 1}], held)[0] == [1]


def test_nothing_of_a_names_control_characters_reaches_a_terminal():
    with pytest.raises(InputError) as raised:
        join("m", [{"path": "cat/\x1b[31m.png", "score": 1}], GENERATIONS)
    assert not re.search("\x1b", "".join(raised.value.details))


HOW = {
    "below the root": lambda one: {"path": one.picture.name},
    "absolute": lambda one: {"path": str(one.picture.path)},
    "with the root's folder": lambda one: {"path": "/".join(one.picture.path.parts[2:])},
    "another machine's": lambda one: {"path": f"/mnt/job/{one.method}/{one.picture.name}"},
    "another machine's, one folder": lambda one: {
        "path": f"D:\\out\\{one.picture.name}",
        "method": one.method,
    },
    "without extension": lambda one: {"path": one.picture.name.rpartition(".")[0], "method": one.method},
    "the file's name": lambda one: {
        "path": one.picture.path.name,
        "subject": one.subject,
        "method": one.method,
    },
    "keys": lambda one: {
        "subject": one.subject.upper(),
        "prompt": one.picture.prompt,
        "seed": one.picture.seed,
        "method": one.method,
    },
}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(sorted(HOW)), st.sampled_from([0, 1, 2]), st.integers(0, 2), st.randoms())
def test_no_number_is_ever_anothers(data, how, several, depth, random):
    """Rows in any order, with those of other subjects and methods among them: joined rightly, or refused."""
    numbers = range(data.draw(st.integers(1, 4)))
    subjects = data.draw(
        st.lists(st.sampled_from(["cat", "cat 2", "dog", "0", "a"]), min_size=1, unique=True)
    )
    used = data.draw(st.sets(st.sampled_from(subjects), min_size=1))
    names = ["lora", "full", "a"][: max(several, 1)]
    every = [
        Expected(
            subject,
            Picture.at(
                Path(f"/runs/{method}"),
                "/".join((["deep", "0"][: depth * (method == "lora")] or []) + [subject, f"{n}.png"]),
                prompt=f"Prompt {n // 2}",
                seed=str(n % 2),
            ),
            method if several else "",
        )
        for method in names
        for subject in subjects
        for n in numbers
    ]
    wanted = [one for one in every if one.subject in used]
    rows = [HOW[how](one) | {"score": place} for place, one in enumerate(every)]
    right = {id(one): place for place, one in enumerate(every)}
    random.shuffle(rows)
    try:
        joined = join("m", rows, wanted)
    except InputError:
        # Nothing but the folders of methods tells their pictures apart, and here these are not known.
        assert how == "below the root"
        assert several > 1
        return
    assert joined.numbers == [right[id(one)] for one in wanted]
    assert len(joined.strangers) == len(every) - len(wanted)
