"""Plain folders, one for each subject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.found import Found, picture, stem
from nearid_cli.layouts.imagefolder import find_described
from nearid_cli.layouts.tree import Tree
from nearid_cli.layouts.walk import Walk, leave_out_byproducts, scan


def by_folder(root: Path, walked: Walk, layout: str = "folders", below: str = "") -> Found:
    """Each folder directly in `root` (or in its subfolder `below`) is a subject, with all that lies deeper.

    Pictures right in `root` are loose. In `<subject>/<prompt>/<seed>.png` the prompt and seed are known.
    """
    found = Found(root, layout, left_out=walked.left_out)
    start = len(below) + 1 if below else 0
    for name in walked.names:
        subject, slash, rest = name[start:].partition("/")
        if not slash:
            found.loose.append(picture(root, name))
            continue
        prompt, seed = _prompt_and_seed(rest)
        pictures = found.subjects.get(subject)
        if pictures is None:
            pictures = found.subjects[subject] = []
        pictures.append(picture(root, name, None, prompt, seed))
    return found


def as_one(root: Path, names: Iterable[str]) -> list[Picture]:
    """The pictures of one subject whose folder is `root`."""
    return [picture(root, name, None, *_prompt_and_seed(name)) for name in names]


def find_distractors(root: Path) -> Found:
    """The distractors in a folder: of the subject that metadata names, or in a folder of its name, or loose.

    Raises:
        InputError: there is metadata of an imagefolder, and it does not fit the pictures.
    """
    walked = scan(root)
    described = find_described(root, lambda: walked)
    if described is None:
        leave_out_byproducts(walked)
    found = described if isinstance(described, Found) else by_folder(root, walked)
    if isinstance(described, Tree) and (what := described.described):
        found.loose = [what(one) for one in found.loose]
        found.subjects = {name: [what(one) for one in own] for name, own in found.subjects.items()}
        found.left_out = described.left_out
    return replace(found, distractors=found.subjects, subjects={})


def _prompt_and_seed(rest: str) -> tuple[str | None, str | None]:
    """Prompt and seed of `<prompt>/<seed>.png`, the part of a path below its subject's folder."""
    prompt, slash, file = rest.partition("/")
    return (prompt, stem(file)) if slash and "/" not in file else (None, None)
