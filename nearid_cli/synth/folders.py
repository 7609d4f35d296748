"""Identities as folders of pictures that `nearid score` takes: one folder a subject, and a manifest of everything.

    DIR/references/mug_000012/01.png 02.png           all views but the last
    DIR/generations/mug_000012/03.png                 the last view: what a perfect method would make
    DIR/distractors/mug_000012/01.png 02.png 03.png   look-alikes; a second set is in distractors-2/
    DIR/masks/views/mug_000012/01.png ...             masks/parts/, masks/distractors/ likewise
    DIR/manifest.csv                                  one line a picture

A picture's number is its view's: pictures of one subject with the same number show the same context.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from nearid_cli.synth.encoding import Identity
from nearid_cli.synth.sample import Change

MANIFEST_COLUMNS = (
    "path",
    "subject",
    "role",
    "prompt",
    "category",
    "view",
    "context",
    "mask",
    "difficulty",
    "kinds",
    "amount",
    "changed_pixels",
)


def distractor_sets(count: int) -> tuple[str, ...]:
    """The names of the sets of distractors.

    >>> distractor_sets(3)
    ('distractors', 'distractors-2', 'distractors-3')
    """
    return tuple("distractors" if index == 0 else f"distractors-{index + 1}" for index in range(count))


def write_folders(root: Path, identities: Iterable[Identity]) -> None:
    """Write identities of at least two views as they come.

    Raises:
        OSError: the disk would not take it.
    """
    with (root / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        manifest = csv.writer(file, lineterminator="\n")
        manifest.writerow(MANIFEST_COLUMNS)
        for identity in identities:
            manifest.writerows(_write_identity(root, identity))


def _write_identity(root: Path, identity: Identity) -> Iterator[tuple[str | int | float, ...]]:
    """Write the pictures of one subject; yields their lines of the manifest."""
    subject, last = identity.subject, len(identity.views) - 1
    _save(root / "masks" / "parts" / subject, identity.parts)
    _save(root / "masks" / "views" / subject, identity.masks)
    for role, start, stop in (("reference", 0, last), ("generation", last, last + 1)):
        _save(root / f"{role}s" / subject, identity.views[start:stop], first=start)
        for view in range(start, stop):
            yield _line(identity, view, role, f"{role}s", "views")
    names = distractor_sets(len(identity.distractors))
    for index, name in enumerate(names):
        _save(root / name / subject, identity.distractors[index])
        _save(root / "masks" / name / subject, identity.distractor_masks[index])
        for view in range(len(identity.views)):
            yield _line(identity, view, "distractor", name, name, identity.changes[index])


def _save(folder: Path, pictures: Iterable[bytes], first: int = 0) -> None:
    folder.mkdir(parents=True)
    for view, content in enumerate(pictures, first):
        (folder / _file(view)).write_bytes(content)


def _line(
    identity: Identity, view: int, role: str, folder: str, masks: str, change: Change | None = None
) -> tuple[str | int | float, ...]:
    place = f"{identity.subject}/{_file(view)}"
    how = (change.difficulty, kinds(change), change.amount, change.pixels) if change else ("", "", "", "")
    return (
        f"{folder}/{place}",
        identity.subject,
        role,
        identity.prompts[view],
        identity.category,
        view + 1,
        view + 1,  # a view and its distractors have a context of their own
        f"masks/{masks}/{place}",
        *how,
    )


def kinds(change: Change) -> str:
    """The kinds of a change as one word that groups well, such as `colour+part`."""
    return "+".join(change.kinds)


def _file(view: int) -> str:
    return f"{view + 1:02d}.png"
