"""`--pattern` and `--refs-pattern`: what a user says of paths, and nothing else."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.pattern import Pattern
from nearid_cli.options import LayoutOptions

parts = st.text("ab_- .é", min_size=1, max_size=6).filter(lambda text: text.strip("."))


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("{subject}/{seed}.png", "cat/7.png", {"subject": "cat", "seed": "7"}),
        ("{subject}/{seed}.png", "cat/7.PNG", {"subject": "cat", "seed": "7"}),
        ("{subject}_{seed}.*", "red_cat_12.jpg", {"subject": "red_cat", "seed": "12"}),
        ("**/{subject}/*", "a/b/cat/0.png", {"subject": "cat"}),
        ("**/{subject}/*", "cat/0.png", {"subject": "cat"}),
        ("{subject}/**", "cat/a/b/0.png", {"subject": "cat"}),
        ("*/{subject}/*", "x/cat/0.png", {"subject": "cat"}),
        ("{method}/step_{step}/{subject}.png", "lora/step_500/cat.png",
         {"method": "lora", "step": "500", "subject": "cat"}),
        ("{subject}/{subject}_{seed}.png", "cat/cat_1.png", {"subject": "cat", "seed": "1"}),
        ("{lighting}-{subject}.png", "dark-cat.png", {"lighting": "dark", "subject": "cat"}),
        ("{subject}/*", "cat\\0.png", {"subject": "cat"}),
        ("[{subject}]/a+b.png", "[cat]/a+b.png", {"subject": "cat"}),
    ],
)  # fmt: skip
def test_what_fits(pattern: str, path: str, values: dict[str, str]) -> None:
    assert Pattern(pattern).readings(path) == [values]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{subject}/{seed}.png", "cat/x.png"),
        ("{subject}/{seed}.png", "cat/7.jpg"),
        ("{subject}/*", "a/cat/0.png"),
        ("{subject}/{subject}_{seed}.png", "cat/dog_1.png"),
        ("{subject}/**", "cat.png"),
    ],
)
def test_what_does_not(pattern: str, path: str) -> None:
    assert Pattern(pattern).readings(path) == []


@given(parts, parts, st.integers(0, 10**6))
def test_a_path_made_by_a_pattern_is_read_back(prompt: str, subject: str, seed: int) -> None:
    found = Pattern("{prompt}/{subject}/{seed}.png").readings(f"{prompt}/{subject}/{seed}.png")
    assert found == [{"prompt": prompt, "seed": str(seed), "subject": subject}]


def every_way(pattern: str, path: str) -> list[dict[str, str]]:
    """All ways, found by trying each way to cut the path into what `**` takes and what it does not."""
    found: list[dict[str, str]] = []

    def match(own: list[str], rest: list[str], values: dict[str, str]) -> None:
        if not own:
            if not rest and values not in found:
                found.append(values)
        elif own[0] == "**":
            for taken in range(len(own) == 1, len(rest) + 1):
                match(own[1:], rest[taken:], values)
        elif rest:
            names = re.findall(r"\{(\w)\}", own[0])
            cuts = itertools.combinations_with_replacement(range(len(rest[0]) + 1), 2) if names else [(0, 0)]
            for start, stop in cuts:
                first, second = rest[0][:start] + rest[0][stop:], rest[0][start:stop]
                if not names and own[0] in ("*", rest[0]):
                    match(own[1:], rest[1:], values)
                elif len(names) == 1 and not first and second and values.get(names[0], second) == second:
                    match(own[1:], rest[1:], values | {names[0]: second})
                elif len(names) == 2 and start == 0 and second and first:
                    two = dict(zip(names, (second, first), strict=True))
                    if all(values.get(name, value) == value for name, value in two.items()):
                        match(own[1:], rest[1:], values | two)

    match(pattern.split("/"), path.split("/"), {})
    return found


@given(
    st.lists(st.sampled_from(["**", "*", "a", "{x}", "{y}", "{x}{y}"]), min_size=1, max_size=6).map("/".join),
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5).map("/".join),
)
def test_all_ways_are_found(pattern: str, path: str) -> None:
    def ordered(ways: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
        return sorted(sorted(way.items()) for way in ways)

    assert ordered(Pattern(pattern).readings(path)) == ordered(every_way(pattern, path))


@pytest.mark.parametrize(
    ("pattern", "path", "message"),
    [
        ("**/" * 300 + "{subject}", "a/" * 40 + "b.png", None),
        ("**/*/" * 30 + "{subject}", "a/" * 80 + "b.png", None),
        ("*a" * 16 + "/{subject}", "a" * 250 + "/b.png", None),
        ("{subject}" + "".join(f"{{x{i}}}" for i in range(20)), "a" * 250, "in more than 1,000 ways"),
        ("**/{a}/**/{b}/**/{c}/**/{subject}", "/".join(map(str, range(40))), "in more than 1,000 ways"),
        ("*a" * 100 + "{subject}", "", "too many parts"),
        ("*/" * 100 + "{subject}", "", "too many parts"),
    ],
)
def test_patterns_without_end_end(pattern: str, path: str, message: str | None) -> None:
    if message is None:
        assert Pattern(pattern).readings(path) == [{"subject": "b.png"}]
    else:
        with pytest.raises(UsageError, match=message):
            Pattern(pattern).readings(path)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "the pattern is empty"),
        ("{subject/0.png", "has a { without its counterpart"),
        ("{subjet}/*", r"did you mean \{subject\}\?"),
        ("{path}/{subject}", "placeholders are"),
        ("{a b}/{subject}", "placeholders are"),
        ("a**/{subject}", r"\*\* stands alone"),
    ],
)
def test_patterns_that_mean_nothing(pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Pattern(pattern)


def test_what_does_not_fit_is_listed(plant) -> None:
    refs, gens = plant("refs", "cat/1.jpg loose.jpg"), plant("gens", ["on a beach/cat/0.png", "stray.png"])
    found = find(
        refs, gens, LayoutOptions(pattern="{prompt}/{subject}/{seed}.png", refs_pattern="{subject}/*")
    )
    (subject,) = found.subjects
    (one,) = subject.generations
    assert (subject.name, one.prompt, one.seed) == ("cat", "on a beach", "0")
    assert found.layout == "pattern"
    assert found.unmatched == (
        "loose.jpg: does not fit --refs-pattern",
        "stray.png: does not fit --pattern",
    )


def test_several_ways_are_decided_by_the_references_or_not_at_all(plant) -> None:
    how = LayoutOptions(pattern="{subject}_{prompt}.png")
    found = find(
        plant("refs", "red_cat/1.jpg dog/1.jpg"), plant("gens", "red_cat_asleep.png dog_up.png"), how
    )
    assert {one.name: one.generations[0].prompt for one in found.subjects} == {
        "dog": "up",
        "red_cat": "asleep",
    }
    with pytest.raises(InputError, match=r"1 paths fit the pattern .* in several ways") as caught:
        find(plant("refs", "red/1.jpg"), plant("gens", "red_cat_asleep.png"), how)
    assert caught.value.details[0].startswith("red_cat_asleep.png: ")


def test_a_pattern_without_a_subject_is_of_the_only_one(plant) -> None:
    gens = plant("gens", "beach_0.png snow_1.png")
    found = find(plant("refs", "0.jpg 1.jpg"), gens, LayoutOptions(pattern="{prompt}_{seed}.*"))
    assert [(one.prompt, one.seed) for one in found.subjects[0].generations] == [
        ("beach", "0"),
        ("snow", "1"),
    ]
    with pytest.raises(UsageError, match="there are several subjects"):
        find(plant("more", "cat/0.jpg dog/1.jpg"), gens, LayoutOptions(pattern="{prompt}_{seed}.*"))


def test_methods_of_a_pattern(plant) -> None:
    place = plant("runs", "cat/0-lora.png cat/0-ip.png cat/1-ip.png")
    refs = plant("photos", "cat/1.jpg")
    how = LayoutOptions(pattern="{subject}/{seed}-{method}.png")
    found = find_methods([place], refs, {}, how)
    assert {name: len(one.subjects[0].generations) for name, one in found.items()} == {"ip": 2, "lora": 1}
    with pytest.raises(InputError, match="of several methods: ip, lora"):
        find(refs, place, how)


def test_the_offered_options_resolve_the_doubt(plant) -> None:
    """What a stop prints is tried as it stands."""
    trees = [
        ("cat_0.jpg cat_1.jpg dog_0.jpg dog_1.jpg", "cat_0.png 7.png"),
        ("front.jpg side.jpg", "front_0.png front_1.png"),
        ("0.jpg 1.jpg", "0_0.png 1_0.png"),
        ("a/x/00/0.jpg a/x/01/0.jpg b/x/00/0.jpg", "a/x/00/0.png a/x/01/0.png b/x/00/0.png"),
    ]
    tried = 0
    for number, (references, generations) in enumerate(trees):
        refs, gens = plant(f"refs{number}", references), plant(f"gens{number}", generations)
        with pytest.raises(InputError, match="in two ways") as caught:
            find(refs, gens)
        for line in caught.value.details:
            option = re.search(r"(--layout|--refs-pattern) ('[^']*'|\S+)$", line)
            if option is None:
                continue
            value = option[2].strip("'")
            how = LayoutOptions(value) if option[1] == "--layout" else LayoutOptions(refs_pattern=value)
            assert find(refs, gens, how).subjects, line
            tried += 1
    assert tried == 7


def test_forms_of_unicode_are_one_subject(plant) -> None:
    refs = plant("refs", ["café/0.jpg", "cup/0.jpg"])
    gens = plant("gens", ["café/0.png", "cafe\u0301/1.png", "cup/0.png"])
    assert len({path.name for path in Path(gens).iterdir()}) == 3
    assert {one.name: len(one.generations) for one in find(refs, gens).subjects} == {"café": 2, "cup": 1}
