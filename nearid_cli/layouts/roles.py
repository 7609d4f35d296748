"""Both roles in one tree: `cat/reference`, `cat/generated`, or `references/cat`, `generated/cat`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from nearid_cli.layouts.names import word_of

_REFERENCES = frozenset(
    {"reference", "references", "ref", "refs", "real", "source", "sources", "original", "originals", "gt"}
    | {"reference_images", "instance_images", "instance", "ground_truth", "input", "inputs"}
)
_GENERATIONS = frozenset(
    {"generated", "generation", "generations", "gen", "gens", "fake", "synthetic", "sample", "samples"}
    | {"generated_images", "output", "outputs", "result", "results", "edited", "tgt_image"}
)


def by_role(names: Sequence[str]) -> dict[str, list[str]] | None:
    """References and generations of one tree, told by folders side by side that are called so.

    Args:
        names: of pictures, with `/`.

    Returns:
        `reference`, `generation` and `neither`, each with names in order; None where no folder holds both roles.

    >>> by_role(["cat/reference/0.jpg", "cat/generated/0.png", "cat/notes.png"])
    {'reference': ['cat/reference/0.jpg'], 'generation': ['cat/generated/0.png'], 'neither': ['cat/notes.png']}
    >>> by_role(["reference/cat/0.jpg", "dog/0.jpg"]) is None
    True
    """
    roles: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name in names:
        folders = tuple(name.split("/")[:-1])
        for depth, part in enumerate(folders):
            if role := _role(part):
                roles[folders[:depth]].add(role)
    if not any(len(found) == 2 for found in roles.values()):
        return None
    split: dict[str, list[str]] = {"reference": [], "generation": [], "neither": []}
    for name in names:
        folders = tuple(name.split("/")[:-1])
        own = next(
            (
                role
                for depth, part in enumerate(folders)
                if (role := _role(part)) and len(roles[folders[:depth]]) == 2
            ),
            "neither",
        )
        split[own].append(name)
    return split


def called_otherwise(names: Sequence[str], role: str) -> list[str]:
    """Those pictures of a side whose folders or whose own names say the other role, where not all do.

    >>> called_otherwise(["cat/0.png", "cat/reference.png", "cat/samples/1.png"], "generation")
    ['cat/reference.png']
    >>> called_otherwise(["outputs/cat/0.png", "refs/cat/0.png"], "reference")
    ['outputs/cat/0.png']
    """
    found = []
    for name in names:
        *folders, file = name.split("/")
        roles = {_role(part) for part in (*folders, file.rpartition(".")[0])} - {None}
        if roles and role not in roles:
            found.append(name)
    return found if len(found) < len(names) else []


@cache
def _role(folder: str) -> str | None:
    word = word_of(folder)
    return "reference" if word in _REFERENCES else "generation" if word in _GENERATIONS else None
