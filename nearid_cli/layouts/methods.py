"""Finding several methods with the references that they share, for `nearid compare`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, NearIDError, UsageError
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.detect import find_references, from_manifest
from nearid_cli.layouts.dreambench import is_method
from nearid_cli.layouts.find import distractor_side, manifest_at
from nearid_cli.layouts.found import Found
from nearid_cli.layouts.join import join
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.manifest import Manifest
from nearid_cli.layouts.matching import loose_key
from nearid_cli.layouts.sides import Side, find_sides
from nearid_cli.layouts.walk import natural_key
from nearid_cli.text import count, printable

logger = logging.getLogger(__name__)

REFERENCE_FOLDERS = ("refs", "references", "real", "src_image")
# What `nearid synth` and `nearid score` put beside methods.
_NO_METHODS = ("distractors", "masks", "results")
_DEPTH = 3  # how deep the samples of a DreamBench++ method may lie: <method>/<variant>/<run>/tgt_image


def find_methods(
    place: Path | None,
    references: Side | None,
    named: Mapping[str, Side],
    layout: str = "auto",
    distractors: Side | None = None,
) -> dict[str, Dataset]:
    """The data set of each method, all with the same references.

    References, distractors and named methods may be what `read_side` made of pictures, too.

    Args:
        place: a folder of method folders, with the references in one of `REFERENCE_FOLDERS` unless `references` is
            given; the samples of DreamBench++; or a manifest with a column `method`. None when all are `named`.
        references: a folder or manifest of references.
        named: further methods, name -> folder or manifest of its generations.
        layout: as for `find`.
        distractors: a folder or manifest of distractors.

    Raises:
        UsageError: nothing is given, or two methods have one name.
        InputError: a folder is not laid out as expected, there are no references, or a method cannot be found; all
            such methods are named.
    """
    if place is None and not named:
        raise UsageError(
            "nothing to compare: give a folder of method folders, a manifest, finished results, or --method NAME=DIR"
        )
    if place is None:
        return _each(named, references, layout, distractors)
    manifest = manifest_at(place, "methods", layout)
    if manifest is not None:
        found = _from_manifest(manifest, references, layout, distractors)
    elif samples := _samples(place):
        found = _each(samples, references, layout, distractors)
    else:
        references = references or _references_in(place)
        found = _each(_folders_in(place, references), references, layout, distractors)
        _refuse_subjects(place, references, found)
    if twice := [name for name in named if name in found]:
        raise UsageError(f"two methods are called {printable(twice[0])}; give --method another name")
    return found | _each(named, references, layout, distractors)


def _each(
    folders: Mapping[str, Side], references: Side | None, layout: str, distractors: Side | None
) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    problems: list[str] = []
    errors: list[NearIDError] = []
    for name, folder in folders.items():
        try:
            if references is None and (isinstance(folder, Found) or not is_method(folder)):
                shown = printable(folder.root if isinstance(folder, Found) else folder)
                raise InputError(f"no references for {shown}; give them with --refs DIR")
            found[name] = find_sides(references or folder, folder, layout, distractors)
        except InputError as error:
            errors.append(error)
            problems += [f"{printable(name)}: {error.message}", *(f"  {line}" for line in error.details)]
    if errors and (len(errors) == 1 or (_all_alike(errors) and len(errors) == len(folders))):
        raise errors[0]  # what all of them share, such as the references, is at fault
    if errors:
        raise InputError(f"{count(len(errors), 'method')} of {len(folders)} cannot be compared", problems)
    return found


def _all_alike(errors: Sequence[NearIDError]) -> bool:
    return len({(error.message, tuple(error.details)) for error in errors}) == 1


def _refuse_subjects(place: Path, references: Side, found: Mapping[str, Dataset]) -> None:
    """The folder of one method looks like one of methods: every subject in it would pass for a method of its own."""
    if all(
        [loose_key(one.name) for one in dataset.subjects] == [loose_key(name)]
        for name, dataset in found.items()
    ):
        root = references.root if isinstance(references, Found) else references
        raise InputError(
            f"{printable(place)} is one method: it holds {count(len(found), 'subject')} of the references, such as "
            f"{printable(next(iter(found)))}, and no methods; give the folder that holds several methods, or "
            f"score this one: nearid score {printable(root)} {printable(place)}"
        )


def _from_manifest(
    manifest: Manifest, references: Side | None, layout: str, distractors: Side | None
) -> dict[str, Dataset]:
    """One data set a method; references and distractors of the manifest are everyone's."""
    rows = [(subject, one) for subject, pictures in manifest.roles["generation"].items() for one in pictures]
    if unnamed := sum(one.method is None for _, one in rows):
        raise InputError(
            f"manifest {printable(manifest.path)} has {count(unnamed, 'generation')} without a method; "
            "fill in the column `method`"
        )
    other: Manifest | None = manifest
    if references and not isinstance(references, Found):
        other = manifest_at(references, "references", layout)
    found = {}
    for method in sorted({str(one.method) for _, one in rows}, key=natural_key):
        subjects: dict[str, list[Picture]] = {}
        for subject, one in rows:
            if one.method == method:
                subjects.setdefault(subject, []).append(one)
        own = replace(manifest, roles={**manifest.roles, "generation": subjects, "distractor": {}})
        generated = from_manifest(own, "generation")
        if isinstance(references, Found):
            found[method] = find_sides(references, generated, layout, distractors)
            continue
        side = (
            from_manifest(other, "reference")
            if other
            else find_references(references or manifest.path, "auto" if layout == "manifest" else layout)
        )
        if other is manifest:
            generated.left_out = LeftOut()  # one manifest is both sides: what it left out counts once
        found[method] = join(side, generated, layout, distractor_side(distractors))
    return found


def _samples(place: Path) -> dict[str, Path]:
    """The methods of a DreamBench++ samples folder, by their path in it; empty for any other folder."""
    found: dict[str, Path] = {}
    level = [place]
    for _ in range(_DEPTH):
        level = [folder for parent in level for folder in _subfolders(parent)]
        found |= {folder.relative_to(place).as_posix(): folder for folder in level if is_method(folder)}
        level = [folder for folder in level if not is_method(folder)]
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))


def _references_in(place: Path) -> Path:
    names = {folder.name.lower(): folder for folder in _subfolders(place)}
    for name in REFERENCE_FOLDERS:
        if name in names:
            return names[name]
    beside = [folder for folder in _subfolders(place.resolve().parent) if folder.name in REFERENCE_FOLDERS]
    hint = beside[0] if beside else Path("DIR")
    raise InputError(
        f"no references in {printable(place)}: expected a folder {', '.join(REFERENCE_FOLDERS)} in it; "
        f"give them with --refs {printable(hint)}"
    )


def _folders_in(place: Path, references: Side) -> dict[str, Path]:
    folders = {
        folder.name: folder
        for folder in _subfolders(place)
        if not (isinstance(references, Path) and folder.samefile(references))
        and folder.name.lower() not in REFERENCE_FOLDERS
    }
    beside = [name for name in folders if name.lower().startswith(_NO_METHODS)]
    for name in beside:
        del folders[name]
    if beside:
        logger.info("not taken for methods: %s", ", ".join(map(printable, beside)))
    if not folders:
        raise InputError(
            f"no method folders in {printable(place)}: expected METHOD/SUBJECT/picture in it; "
            "name them otherwise with --method NAME=DIR"
        )
    return folders


def _subfolders(place: Path) -> list[Path]:
    try:
        folders = [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot read folder {printable(place)}: {error.strerror}") from error
    return sorted(folders, key=lambda folder: natural_key(folder.name))
