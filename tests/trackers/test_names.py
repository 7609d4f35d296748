"""Names of scalars: every tracker takes them, and no two become one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_length_limit, _validate_metric_name

from nearid_cli.trackers.names import part, spelled

AWKWARD = ["a/b", "a_b", "a:b", "..", ".", "", " ", "Ünï", "e\u0301", "\u00e9", "x" * 300, "x" * 299, "a\nb"]
AWKWARD += ["\udcff", "__a", "cat", "Cat"]
names = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=80), st.sampled_from(AWKWARD).map(part))


def accepted(name: str) -> None:
    """MLflow's own check, which is the strictest."""
    _validate_metric_name(name)
    _validate_length_limit("Metric name", 250, name)
    name.encode()


@given(st.lists(st.lists(names, min_size=1, max_size=4).map(tuple), unique=True))
def test_different_paths_have_different_names_that_are_accepted(paths: list[tuple[str, ...]]) -> None:
    found = spelled(paths)
    assert len({name.casefold() for name in found}) == len(paths)
    for path, name in zip(paths, found, strict=True):
        accepted(name)
        assert name.count("/") == len(path) - 1  # as deep as it was, whatever is in it


@given(names, names)
def test_a_name_does_not_depend_on_what_else_is_there(one: str, other: str) -> None:
    (alone,) = spelled([("nearid", "by subject", one, "score")])
    _, beside = spelled(
        [("nearid", "by subject", f"{other}!", "score"), ("nearid", "by subject", one, "score")]
    )
    assert beside == alone


def test_what_is_fine_stays() -> None:
    for name in ("cat", "red mug", "Ünï", "v1.5", "dog-2", "馬克杯", "a_b"):
        assert part(name) == name


def test_the_longest_path_fits() -> None:
    long = "x" * 300
    accepted(*spelled([(long, "by method", long, "by subject", long, "identification_ci95_high")]))


def test_what_looks_like_a_changed_name_is_changed() -> None:
    disguised = part("a/b")
    assert part(disguised) != disguised
