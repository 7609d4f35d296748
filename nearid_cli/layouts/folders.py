"""Plain folders: one for each subject, or all pictures of one subject in one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.found import Found, picture, stem
from nearid_cli.layouts.walk import Walk


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


def in_one(root: Path, walked: Walk, layout: str = "flat") -> Found:
    """All pictures are loose, however deep they lie."""
    return Found(root, layout, loose=as_one(root, walked.names), left_out=walked.left_out)


def as_one(root: Path, names: Iterable[str]) -> list[Picture]:
    """The pictures of one subject whose folder is `root`."""
    return [picture(root, name, None, *_prompt_and_seed(name)) for name in names]


def _prompt_and_seed(rest: str) -> tuple[str | None, str | None]:
    """Prompt and seed of `<prompt>/<seed>.png`, the part of a path below its subject's folder."""
    prompt, slash, file = rest.partition("/")
    return (prompt, stem(file)) if slash and "/" not in file else (None, None)
