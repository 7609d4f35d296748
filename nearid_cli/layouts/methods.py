"""Finding several methods with the references that they share, for `nearid compare`."""

from __future__ import annotations

import glob
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, NearIDError, UsageError
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.detect import Layout, layout_named
from nearid_cli.layouts.dreambench import is_method
from nearid_cli.layouts.find import LOOK, distractor_side, find, look_at_side, manifest_at
from nearid_cli.layouts.found import Found, Side, from_manifest, own_name
from nearid_cli.layouts.imagefolder import find_methods_described
from nearid_cli.layouts.inside import refuse_inside
from nearid_cli.layouts.join import join
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.manifest import Manifest
from nearid_cli.layouts.matching import index_of, loose_key
from nearid_cli.layouts.names import folder_labels, is_generic, is_phrase
from nearid_cli.layouts.pattern import Pattern
from nearid_cli.layouts.resolve import names_of, resolve
from nearid_cli.layouts.tree import Tree
from nearid_cli.layouts.walk import is_system_folder, natural_key, scan
from nearid_cli.options import LayoutOptions
from nearid_cli.text import count, printable, quoted

logger = logging.getLogger(__name__)

REFERENCE_FOLDERS = ("refs", "references", "real", "src_image")
# What `nearid synth` and `nearid score` put beside methods.
_NO_METHODS = ("distractors", "masks", "results")
_DEPTH = 3  # how deep the samples of a DreamBench++ method may lie: <method>/<variant>/<run>/tgt_image


def find_methods(
    places: Sequence[Path],
    references: Side | None,
    named: Mapping[str, Side],
    layout: str | LayoutOptions = "auto",
    distractors: Side | None = None,
) -> dict[str, Dataset]:
    """The data set of each method, all with the same references.

    Args:
        places: one folder of method folders, with the references in one of `REFERENCE_FOLDERS` unless `references` is
            given; or the samples of DreamBench++; or a manifest with a column `method`. Several are the folders of a
            method each, called by the part of their paths that tells them apart. Patterns as `runs/*` are expanded.
        references: of all methods, as for `find`.
        named: further methods, name -> what `find` takes as generations.
        layout: as for `find`.
        distractors: likewise.

    Raises:
        UsageError: nothing is given, or two methods have one name.
        InputError: a folder is not laid out as expected, there are no references, or a method cannot be found; all
            such methods are named.
    """
    how = layout if isinstance(layout, LayoutOptions) else LayoutOptions(layout)
    places = expanded(places)
    if not places and not named:
        raise UsageError(
            "nothing to compare: give a folder of method folders, the folders of methods, a manifest, finished "
            "results, or --method NAME=DIR"
        )
    refuse_inside(references, [*places, *named.values()])
    found: dict[str, Dataset] = {}
    if len(places) == 1:
        found = _in_one_place(places[0], references, how, distractors)
    elif places:
        if references is None:
            raise InputError(
                f"no references for {count(len(places), 'folder')} of methods; give them with --refs DIR"
            )
        kept = [place for place in places if not _is_references(place, references)]
        found = _each(dict(zip(names_apart(kept), kept, strict=True)), references, how, distractors)
    if twice := [name for name in named if name in found]:
        raise UsageError(f"two methods are called {printable(twice[0])}; give --method another name")
    found |= _each(named, references, how, distractors)
    if len({dataset.how for dataset in found.values()}) > 1:
        raise InputError(
            "the references are read in several ways, depending on the method; say how with --refs-pattern or --layout",
            [f"{printable(name)}: {dataset.how or dataset.layout}" for name, dataset in found.items()],
        )
    return found


def expanded(places: Iterable[Path]) -> list[Path]:
    """Paths with patterns such as `runs/*`, which a shell did not expand, replaced by the folders that match.

    Raises:
        InputError: nothing matches.
    """
    found: list[Path] = []
    for place in places:
        text = str(place)
        if place.exists() or not glob.has_magic(text):
            found.append(place)
            continue
        matches = [Path(one) for one in glob.glob(text) if Path(one).is_dir()]  # noqa: PTH207
        if not matches:
            raise InputError(f"no folder matches {printable(text)}")
        found += sorted(matches, key=lambda path: natural_key(path.name))
    return found


def names_apart(places: Sequence[Path]) -> list[str]:
    """What tells paths apart: the parts that not all of them begin or end with.

    >>> names_apart([Path("runs/lora/out"), Path("runs/ip/out")]), names_apart([Path("a"), Path("b/a")])
    (['lora', 'ip'], ['a', 'b/a'])
    """
    parts = [Path(own_name(place) if str(place) in (".", "..") else place).parts for place in places]
    start = end = 0
    shortest = min(map(len, parts), default=0)
    while start < shortest - 1 and len({own[start] for own in parts}) == 1:
        start += 1
    while end < shortest - start - 1 and len({own[-1 - end] for own in parts}) == 1:
        end += 1
    return ["/".join(own[start : len(own) - end]) for own in parts]


def _is_references(place: Path, references: Side) -> bool:
    """`nearid compare runs/* --refs runs/refs` names the references among the methods."""
    return (
        isinstance(references, Path) and place.exists() and references.exists() and place.samefile(references)
    )


def _in_one_place(
    place: Path, references: Side | None, how: LayoutOptions, distractors: Side | None
) -> dict[str, Dataset]:
    layout = layout_named(how.layout)
    manifest = manifest_at(place, "methods", layout)
    if manifest is not None:
        return _from_manifest(manifest, references, how, distractors)
    if samples := _samples(place):
        return _each(samples, references, how, distractors)
    if (described := find_methods_described(place)) is not None and references is not None:
        side = look_at_side(references, "reference", layout)
        return _with_methods(side, described, f"imagefolder {printable(place)}", layout, distractors)
    references = references or _references_in(place)
    if how.pattern is not None and "method" in Pattern(how.pattern).names:
        return _by_pattern(place, references, how, distractors)
    folders = _folders_in(place, references)
    if below := _below_subjects(place, folders, references, layout):
        return _subject_first(place, folders, below, references, how, distractors)
    found = _each(folders, references, how, distractors, skip_empty=True)
    _refuse_subjects(place, references, found)
    return found


class _NoPicturesError(InputError):
    """A folder that would be a method has none."""


def _each(
    folders: Mapping[str, Side],
    references: Side | None,
    how: LayoutOptions,
    distractors: Side | None,
    skip_empty: bool = False,
) -> dict[str, Dataset]:
    def one(name: str) -> Dataset:
        folder = folders[name]
        if references is None and (isinstance(folder, Found) or not is_method(folder)):
            raise InputError(f"no references for {printable(_root(folder))}; give them with --refs DIR")
        if skip_empty and isinstance(folder, Path) and not scan(folder).names:
            raise _NoPicturesError(f"no pictures in {printable(folder)}")
        return find(references or folder, folder, how, distractors)

    return _all(folders, one)


def _all(names: Iterable[str], find_one: Callable[[str], Dataset]) -> dict[str, Dataset]:
    """Each method's data set; everything that is wrong with any of them at once."""
    found: dict[str, Dataset] = {}
    problems: list[str] = []
    errors: list[NearIDError] = []
    empty: list[str] = []
    names = list(names)
    for name in names:
        try:
            found[name] = find_one(name)
        except _NoPicturesError:
            empty.append(name)
        except InputError as error:
            errors.append(error)
            problems += [f"{printable(name)}: {error.message}", *(f"  {line}" for line in error.details)]
    if empty:
        logger.info(
            "not taken for methods, since they hold no pictures: %s", ", ".join(map(printable, empty))
        )
    if not found and not errors and empty:
        raise InputError(f"no method has pictures: looked in {', '.join(map(printable, empty))}")
    tried = len(names) - len(empty)
    if errors and (len(errors) == 1 or (_all_alike(errors) and len(errors) == tried)):
        raise errors[0]  # what all of them share, such as the references, is at fault
    if errors:
        raise InputError(f"{count(len(errors), 'method')} of {tried} cannot be compared", problems)
    return found


def _all_alike(errors: Sequence[NearIDError]) -> bool:
    """Whether all methods fail for one reason, but for the command that shows how the names of each are read."""
    return (
        len(
            {
                (error.message, tuple(line for line in error.details if not line.startswith(LOOK)))
                for error in errors
            }
        )
        == 1
    )


def _below_subjects(
    place: Path, folders: Mapping[str, Path], references: Side, layout: Layout
) -> dict[str, list[str]] | None:
    """The folders of methods below those of subjects, `cat/lora/0.png`: method -> subjects; None for other trees.

    All top folders must be called like subjects, and the folders in them like neither subjects nor prompts.
    """
    side = look_at_side(references, "reference", layout)
    index = index_of(frozenset(names_of(side)), side.keys if isinstance(side, Found) else ())
    if not all(index.alike(name) for name in folders):
        return None
    methods: dict[str, list[str]] = defaultdict(list)
    for subject, folder in folders.items():
        for inner in _subfolders(folder):
            methods[inner.name].append(subject)
    if not methods or any(
        index.alike(name)
        or is_phrase(name)
        or name.isdecimal()
        or is_generic(name)
        or folder_labels(name) is not None
        for name in methods
    ):
        return None
    often = sum(map(len, methods.values())) / len(methods)
    return dict(methods) if often > len(folders) / 2 else None


def _subject_first(
    place: Path,
    folders: Mapping[str, Path],
    methods: Mapping[str, Sequence[str]],
    references: Side,
    how: LayoutOptions,
    distractors: Side | None,
) -> dict[str, Dataset]:
    layout = layout_named(how.layout)
    logger.info("methods are the folders below subjects: %s", ", ".join(map(printable, methods)))
    names = [name for name in scan(place).names if name.partition("/")[0] in folders]
    patterns = [None if text is None else Pattern(text) for text in (how.refs_pattern, how.pattern)]
    strays = [name for name in names if name.count("/") < 2]

    def one(method: str) -> Dataset:
        own = [name for name in names if name.split("/")[1:2] == [method]]
        containers: dict[tuple[str, ...], dict[str, str]] = {
            (subject, method): {"method": method} for subject in folders
        }
        left_out = LeftOut({"outside a method's folder": strays} if strays else {})
        tree = Tree(place, own, left_out, containers)
        side = look_at_side(references, "reference", layout)
        return join(*resolve(side, tree, layout, *patterns), distractor_side(distractors))

    return _all(sorted(methods, key=natural_key), one)


def _by_pattern(
    place: Path, references: Side, how: LayoutOptions, distractors: Side | None
) -> dict[str, Dataset]:
    """The methods that a pattern with `{method}` finds."""
    layout = layout_named(how.layout)
    walked = scan(place)
    patterns = [None if text is None else Pattern(text) for text in (how.refs_pattern, how.pattern)]
    side = look_at_side(references, "reference", layout)
    referenced, generated = resolve(side, Tree(place, walked.names, walked.left_out), layout, *patterns)
    rows = [(subject, one) for subject, own in generated.subjects.items() for one in own]
    return _by_method(referenced, generated, rows, distractors)


def _refuse_subjects(place: Path, references: Side, found: Mapping[str, Dataset]) -> None:
    """The folder of one method looks like one of methods: every subject in it would pass for a method of its own."""
    if all(
        [loose_key(one.name) for one in dataset.subjects] == [loose_key(name)]
        for name, dataset in found.items()
    ):
        raise InputError(
            f"{printable(place)} is one method: it holds {count(len(found), 'subject')} of the references, such as "
            f"{printable(next(iter(found)))}, and no methods; give the folder that holds several methods, or "
            f"score this one: nearid score {quoted(_root(references))} {quoted(place)}"
        )


def _from_manifest(
    manifest: Manifest, references: Side | None, how: LayoutOptions, distractors: Side | None
) -> dict[str, Dataset]:
    """One data set a method; references and distractors of the manifest are everyone's."""
    layout = layout_named(how.layout)
    side = (
        from_manifest(manifest, "reference")
        if references is None
        else look_at_side(references, "reference", layout)
    )
    # One manifest is both sides: what it left out counts once.
    left_out = LeftOut() if references is None else manifest.left_out
    generated = Found(manifest.path, "manifest", manifest.roles["generation"], left_out=left_out)
    return _with_methods(side, generated, f"manifest {printable(manifest.path)}", layout, distractors)


def _with_methods(
    side: Found | Tree, generated: Found, what: str, layout: Layout, distractors: Side | None
) -> dict[str, Dataset]:
    """One data set a method of generations that a table describes."""
    rows = [(subject, one) for subject, pictures in generated.subjects.items() for one in pictures]
    if unnamed := sum(one.method is None for _, one in rows):
        raise InputError(
            f"{what} has {count(unnamed, 'generation')} without a method; fill in the column `method`"
        )
    generated = replace(generated, subjects={subject: [] for subject, _ in rows})
    referenced, _ = resolve(side, generated, layout)
    return _by_method(referenced, generated, rows, distractors)


def _by_method(
    references: Found,
    generated: Found,
    rows: Sequence[tuple[str, Picture]],
    distractors: Side | None,
) -> dict[str, Dataset]:
    """One data set a method of generations whose method is known."""
    methods: dict[str, dict[str, list[Picture]]] = defaultdict(dict)
    for subject, one in rows:
        methods[one.method or ""].setdefault(subject, []).append(one)
    return {
        method: join(references, replace(generated, subjects=methods[method]), distractor_side(distractors))
        for method in sorted(methods, key=natural_key)
    }


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


def _root(side: Side) -> Path:
    return side.root if isinstance(side, Found) else side


def _subfolders(place: Path) -> list[Path]:
    try:
        folders = [entry for entry in place.iterdir() if entry.is_dir() and not is_system_folder(entry.name)]
    except OSError as error:
        raise InputError(f"cannot read folder {printable(place)}: {error.strerror}") from error
    return sorted(folders, key=lambda folder: natural_key(folder.name))
