"""CustomConcept101 of custom-diffusion, a `dataset.json` of concepts, `samples/` of generations: `customconcept101`."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import InputError
from nearid_cli.layouts.layout import Layout
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    from nearid_cli.layouts.sides import Assigned
    from nearid_cli.layouts.walk import Look


class _CustomConcept(Layout):
    name = "customconcept101"
    place = 70
    references_are = "`dataset.json`"
    generations_are = "`samples/` with `prompts.json` (one of the two is enough)"
    expected = "a dataset.json in the references, or samples/ and prompts.json in the generations"
    either = True

    def find_references(self, look: Look) -> Assigned | None:
        """The concepts of `dataset.json` whose folders are there, each named after its folder.

        A `dataset.json` that lists no `instance_data_dir` is something else: None.

        Raises:
            InputError: none of the folders is there, or two concepts would have the same name.
        """
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.reach import OUTSIDE, real_path, shown_path
        from nearid_cli.layouts.sides import Assigned

        root = look.root
        file = root / "dataset.json"
        if not file.is_file():
            return None
        content = _load(file, look)
        if not isinstance(content, list):
            return None
        folders = [
            posixpath.normpath(entry["instance_data_dir"])
            for entry in content
            if isinstance(entry, dict) and isinstance(entry.get("instance_data_dir"), str)
        ]
        if not folders:
            return None
        if outside := [one for one in folders if not look.reach.names(real_path(root / one))]:
            raise InputError(
                f"{printable(file)} names {count(len(outside), 'folder')} of concepts outside of {printable(root)} and "
                f"of the current folder ({few(outside, spelled=shown_path)}); {OUTSIDE} takes them"
            )
        found = Assigned(root, self)
        taken: dict[str, str] = {}
        for folder in folders:
            name = posixpath.basename(folder)
            if taken.setdefault(name, folder) != folder:
                raise InputError(
                    f"two concepts of {printable(file)} are called {shown_path(name)}: "
                    f"{shown_path(taken[name])} and {shown_path(folder)}"
                )
            if name not in found.subjects and os.path.isdir(root / folder):  # noqa: PTH112 - no error for what is no path
                walked = look.below(folder)
                found.subjects[name] = [Picture.at(root, one) for one in walked.names]
                found.left_out.extend(walked.left_out)
        if not found.subjects:
            raise InputError(
                f"{printable(file)} names {count(len(taken), 'folder')} of concepts and none is there: "
                f"looked for {shown_path(str(root / folders[0]))} and so on"
            )
        return found

    def find_generations(self, look: Look) -> Assigned | None:
        """Generations in `<subject>/samples/` next to a `prompts.json` of prompts by file stem.

        With `samples/` right in `root`, all are loose: they belong to one subject that `root` does not name.
        """
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.names import stem
        from nearid_cli.layouts.prompts import said
        from nearid_cli.layouts.sides import Assigned

        root, walked = look.root, look.tree
        parents = {name.rpartition("/")[0] for name in walked.names}
        sample_folders = [parent for parent in parents if posixpath.basename(parent) == "samples"]
        prompts: dict[str, dict[str, Any]] = {}
        for folder in sample_folders:
            file = root / posixpath.dirname(folder) / "prompts.json"
            if file.is_file():
                content = _load(file, look)
                if not isinstance(content, dict):
                    raise InputError(f"expected {printable(file)} to map file stems to prompts")
                prompts[folder] = content
        if not prompts:
            return None
        walked.leave_out_byproducts()
        found = Assigned(root, self, left_out=walked.left_out)
        for name in walked.names:
            folder = name.rpartition("/")[0]
            if folder not in sample_folders:
                found.left_out.add("pictures outside samples/", name)
                continue
            prompt = prompts.get(folder, {}).get(stem(name))
            one = said(Picture.at(root, name), prompt if isinstance(prompt, str) else None, "prompts.json")
            if folder == "samples":
                found.loose.append(one)
            else:
                found.subjects.setdefault(name.partition("/")[0], []).append(one)
        return found


LAYOUT = _CustomConcept()


def _load(file: Path, look: Look) -> Any:
    from nearid_cli.opening import MalformedError, parse_json

    try:
        return parse_json(look.opened(file))
    except MalformedError as error:
        raise InputError(f"{printable(file)} cannot be read: {error}") from error
