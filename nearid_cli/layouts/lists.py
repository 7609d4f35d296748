"""Lists of files whose names say that they are of several subjects, although a list is the pictures of one."""

from __future__ import annotations

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.detect import AUTO
from nearid_cli.layouts.found import Found
from nearid_cli.layouts.join import join
from nearid_cli.layouts.resolve import resolve
from nearid_cli.layouts.sides import is_list, shown_subjects
from nearid_cli.layouts.tree import Tree


def refuse_several(references: Found | Tree, generations: Found | Tree) -> None:
    """Read two lists of files as the folders they may have come from, and stop where these have several subjects.

    Args:
        references: the side as given; anything but a list of files passes.
        generations: likewise.

    Raises:
        UsageError: the names say several subjects.
    """
    trees = [
        Tree(side.root, names)
        for side in (references, generations)
        if isinstance(side, Found) and is_list(side)
        if (names := [one.name for one in side.loose if one.in_memory is None])
    ]
    if len(trees) < 2:
        return
    try:
        subjects = [one.name for one in join(*resolve(trees[0], trees[1], AUTO)).subjects]
    except InputError:
        return  # the names say nothing
    if len(subjects) > 1:
        raise UsageError(
            "references and generations: lists hold the pictures of one subject, and by their names these are of "
            f"{shown_subjects(subjects)}; give dicts of lists by subject, or the folders; "
            'if all are of one, a dict with one name: {"NAME": [...]}'
        )
