"""Whatever names and trees people have: no exception but ours, and no two subjects in one without a word."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from nearid_cli.errors import NearIDError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.join import join
from nearid_cli.layouts.resolve import How, resolve
from nearid_cli.layouts.sides import Assigned, Tree
from nearid_cli.text import natural_key

from .fuzz import Paths, World, key, world


def tree(root: str, paths: Paths) -> Tree:
    return Tree(Path(root), sorted((path for path, _ in paths), key=natural_key))


def read(made: World, roots: tuple[str, str] = ("refs", "gens")) -> Dataset:
    sides: list[Assigned | Tree] = [tree(roots[0], made.references), tree(roots[1], made.generations)]
    return join(*resolve(sides[0], sides[1], How()))


def mixed(made: World, dataset: Dataset) -> list[str]:
    """The subjects that hold pictures of several planted ones."""
    planted = [
        {path: key(name) for path, name in paths if name is not None}
        for paths in (made.references, made.generations)
    ]
    return [
        f"{subject.name!r} holds {sorted(names)}"
        for subject in dataset.subjects
        if len(
            names := {planted[0][one.name] for one in subject.references if one.name in planted[0]}
            | {planted[1][one.name] for one in subject.generations if one.name in planted[1]}
        )
        > 1
    ]


def lost(made: World, dataset: Dataset) -> list[str]:
    """Planted pictures that are neither of a subject, nor unmatched, nor left out."""
    taken = [
        {one.name for subject in dataset.subjects for one in getattr(subject, role)}
        for role in ("references", "generations")
    ]
    listed = {name for names in dataset.left_out.by_reason.values() for name in names}
    return [
        path
        for role, paths in enumerate((made.references, made.generations))
        for path, name in paths
        if path not in taken[role] and path not in listed and not dataset.unmatched and name is not None
    ]


def attack(seed: int, caplog: pytest.LogCaptureFixture) -> tuple[str, str, str | None]:
    """The kind of one tree, what became of it, and what is wrong with that."""
    made = world(Random(seed))
    caplog.clear()
    try:
        dataset = read(made)
    except NearIDError:
        return made.kind, "stopped", None
    warned = any(record.levelno >= logging.WARNING for record in caplog.records)
    wrong = mixed(made, dataset)
    if wrong and not warned and not made.silent:
        return made.kind, "merged", f"seed {seed}, {made}: {wrong}"
    if gone := lost(made, dataset):
        return made.kind, "lost", f"seed {seed}, {made}: {gone}"
    return made.kind, "warned" if wrong else "unmatched" if dataset.unmatched else "read", None


def run(seeds: range, caplog: pytest.LogCaptureFixture) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    problems = []
    for seed in seeds:
        _, outcome, problem = attack(seed, caplog)
        outcomes[outcome] += 1
        if problem:
            problems.append(problem)
    assert problems[:5] == [], f"{len(problems)} of {len(seeds)}"
    return outcomes


def test_no_two_subjects_become_one_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = run(range(1_500), caplog)
    assert outcomes["read"] > 300  # a fuzz in which everything stops would find nothing


@pytest.mark.torture
def test_nor_in_many_more_trees(caplog: pytest.LogCaptureFixture) -> None:
    run(range(10_000, 40_000), caplog)


@pytest.mark.parametrize("seed", range(0, 1_500, 50))
def test_on_a_disk_it_is_the_same(seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = world(Random(seed))
    for side, paths in (("refs", made.references), ("gens", made.generations)):
        for path, _ in paths:
            file = f"{tmp_path}/{side}/{path}"
            os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
            Path(file).touch()
    outcome = []
    for attempt in (
        lambda: find(tmp_path / "refs", tmp_path / "gens"),
        lambda: read(made, (f"{tmp_path}/refs", f"{tmp_path}/gens")),
    ):
        try:
            dataset = attempt()
            outcome.append([(s.name, s.references, s.generations) for s in dataset.subjects])
        except NearIDError as error:
            outcome.append([error.message.partition(" ")[0]])
    assert outcome[0] == outcome[1]
