"""Finding several methods with the references that they share; and for `nearid layout`, whatever folders hold."""

from __future__ import annotations

import glob
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.captions import with_prompts_beside
from nearid_cli.layouts.dataset import Dataset, LeftOutFiles, Picture
from nearid_cli.layouts.detect import Shared, look_at_side, manifest_at
from nearid_cli.layouts.find import LOOK, distractor_side, find
from nearid_cli.layouts.join import join
from nearid_cli.layouts.kinds.tables import MANIFEST
from nearid_cli.layouts.layout import Layout, Naming
from nearid_cli.layouts.matching import index_of, loose_key
from nearid_cli.layouts.names import folder_labels, is_generic, is_phrase, own_name
from nearid_cli.layouts.reach import Reach, refuse_links
from nearid_cli.layouts.references import alternatives
from nearid_cli.layouts.registry import AUTO, LAYOUTS
from nearid_cli.layouts.resolve import How, names_of, resolve, resolve_references
from nearid_cli.layouts.sides import Assigned, SeveralMethodsError, Side, Tree, path_below
from nearid_cli.layouts.tables.manifest import Manifest
from nearid_cli.layouts.walk import Look, has_pictures, scan, why_skipped
from nearid_cli.mirrors import here
from nearid_cli.options import LayoutOptions
from nearid_cli.text import count, natural_key, printable, quoted

logger = logging.getLogger(__name__)

REFERENCE_FOLDERS = ("refs", "references", "real", "src_image")
# What `nearid synth` and `nearid score` put beside methods.
_NO_METHODS = ("distractors", "masks", "results")
_DEPTH = 3  # how deep the samples of a DreamBench++ method may lie: <method>/<variant>/<run>/tgt_image


def find_methods(
    places: Sequence[Path],
    references: Side | None,
    named: Mapping[str, Side],
    layout: str | LayoutOptions = AUTO.name,
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
    places, named = [here(place) for place in places], {name: here(one) for name, one in named.items()}
    references, distractors = here(references), here(distractors)
    return _contestants(places, references, named, layout, distractors).find(_expanded(places), named)


def find_one_or_several(
    places: Sequence[Path],
    references: Side | None,
    named: Mapping[str, Side],
    layout: str | LayoutOptions = AUTO.name,
    distractors: Side | None = None,
) -> dict[str, Dataset]:
    """As `find_methods`; but one folder or manifest may hold the generations of just one method, whose name is `""`.

    Raises:
        UsageError: as for `find_methods`.
        InputError: likewise.
    """
    if len(places) == 1 and not named:
        places, references, distractors = [here(places[0])], here(references), here(distractors)
        contestants = _contestants(places, references, named, layout, distractors)
        try:
            return {"": contestants.alone(places[0])}
        except SeveralMethodsError:
            pass
        except InputError as error:
            try:
                return find_methods(places, references, named, layout, distractors)
            except InputError:
                raise error from None
    return find_methods(places, references, named, layout, distractors)


def _contestants(
    places: Sequence[Path],
    references: Side | None,
    named: Mapping[str, Side],
    layout: str | LayoutOptions,
    distractors: Side | None,
) -> _Contestants:
    how = How.of(layout).among(*places, references, *named.values(), distractors)
    return _Contestants(references, how, distractors)


def _expanded(places: Iterable[Path]) -> list[Path]:
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


def _names_apart(places: Sequence[Path]) -> list[str]:
    """What tells paths apart: the parts that not all of them begin or end with.

    >>> _names_apart([Path("runs/lora/out"), Path("runs/ip/out")]), _names_apart([Path("a"), Path("b/a")])
    (['lora', 'ip'], ['a', 'b/a'])
    """
    parts = [Path(own_name(place) if str(place) in (".", "..") else place).parts for place in places]
    most = min(map(len, parts), default=1) - 1  # something must be left of the shortest
    start = min(_alike(parts), most)
    end = min(_alike([own[::-1] for own in parts]), most - start)
    return ["/".join(own[start : len(own) - end]) for own in parts]


def _alike(paths: Sequence[tuple[str, ...]]) -> int:
    """With how many parts all paths begin."""
    return sum(1 for _ in takewhile(lambda parts: len({*parts}) == 1, zip(*paths, strict=False)))


@dataclass(frozen=True)
class _Contestants:
    """What all methods share: references, how folders are read, distractors; each as for `find`."""

    references: Side | None
    how: How
    distractors: Side | None

    @cached_property
    def _shared(self) -> Assigned | Shared:
        """The references, which are given."""
        assert self.references is not None
        if isinstance(self.references, Assigned):
            return self.references
        return Shared(self.references, self.how.layout, self.how.reach.including(self.references))

    @property
    def _how_to_look(self) -> tuple[Layout, Reach]:
        return self.how.layout, self.how.reach

    def find(self, places: Sequence[Path], named: Mapping[str, Side]) -> dict[str, Dataset]:
        if not places and not named:
            raise UsageError(
                "nothing to compare: give a folder of method folders, the folders of methods, a manifest, finished "
                "results, or --method NAME=DIR"
            )
        _refuse_inside(self.references, [*places, *named.values()])
        found: dict[str, Dataset] = {}
        if len(places) == 1:
            found = self._in_one_place(places[0])
        elif places:
            if self.references is None:
                raise InputError(
                    f"no references for {count(len(places), 'folder')} of methods; give them with --refs DIR"
                )
            kept = [place for place in places if not _is_references(place, self.references)]
            found = self._each(dict(zip(_names_apart(kept), kept, strict=True)))
        if twice := [name for name in named if name in found]:
            raise UsageError(f"two methods are called {printable(twice[0])}; give --method another name")
        found |= self._each(named)
        if len({dataset.how for dataset in found.values()}) > 1:
            raise InputError(
                "the references are read in several ways, depending on the method; say how with --refs-pattern or "
                "--layout",
                [f"{printable(name)}: {dataset.how or dataset.layout}" for name, dataset in found.items()],
            )
        return found

    def alone(self, place: Path) -> Dataset:
        """The generations of one method in a place, whose references may be in it, too."""
        both = manifest_at(place, "generations", *self._how_to_look) is not None or AUTO.holds_both(place)
        if self.references is not None or both:
            return find(
                self.references or place, place if self.references else None, self.how, self.distractors
            )
        references = _references_in(place, self.how.reach)
        tree = scan(place, reach=self.how.reach)
        tree.names = [name for name in tree.names if name.partition("/")[0] != references.name]
        sides = resolve(look_at_side(references, "references", *self._how_to_look), tree, self.how)
        return join(*sides, distractor_side(self.distractors, self.how.reach), self.how.reach)

    def _in_one_place(self, place: Path) -> dict[str, Dataset]:
        manifest = manifest_at(place, "methods", *self._how_to_look)
        if manifest is not None:
            return self._from_manifest(manifest)
        if samples := _each_with_both(place, self.how.reach):
            return self._each(samples)
        look = Look(place, self.how.reach)
        described = next((found for one in LAYOUTS if (found := one.find_methods(look))), None)
        references = self.references
        if references is None and described is not None and described.layout.holds_both(place):
            references = place
        if described is not None and references is not None:
            side = look_at_side(references, "references", *self._how_to_look)
            return self._with_methods(side, described, f"{described.layout.name} {printable(place)}")
        return replace(self, references=references or _references_in(place, self.how.reach))._below(place)

    def _below(self, place: Path) -> dict[str, Dataset]:
        """The methods below a folder, as a pattern says or as folders do."""
        if self.how.generations is not None and "method" in self.how.generations.names:
            return self._by_method(*resolve(self._shared.copy(), scan(place, reach=self.how.reach), self.how))
        folders = _folders_in(place, self.references, self.how.reach)
        if below := self._below_subjects(folders):
            return self._subject_first(place, folders, below)
        found = self._each(folders, skip_empty=True)
        self._refuse_subjects(place, found)
        return found

    def _each(self, folders: Mapping[str, Side], skip_empty: bool = False) -> dict[str, Dataset]:
        def one(name: str) -> Dataset | None:
            folder = folders[name]
            if self.references is None and (isinstance(folder, Assigned) or not AUTO.holds_both(folder)):
                raise InputError(f"no references for {printable(_root(folder))}; give them with --refs DIR")
            if skip_empty and isinstance(folder, Path) and not has_pictures(folder, self.how.reach):
                return None
            return find(self._shared if self.references else folder, folder, self.how, self.distractors)

        return _all(folders, one)

    def _below_subjects(self, folders: Mapping[str, Path]) -> dict[str, list[str]] | None:
        """The folders of methods below those of subjects, `cat/lora/0.png`: method -> subjects; None for other trees.

        All top folders must be called like subjects, and the folders in them like neither subjects nor prompts.
        """
        side = self._shared.copy()
        index = index_of(frozenset(names_of(side)), side.keys if isinstance(side, Assigned) else ())
        if not all(index.alike(name) for name in folders):
            return None
        methods: dict[str, list[str]] = defaultdict(list)
        for subject, folder in folders.items():
            for inner in _subfolders(folder, self.how.reach):
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
        self, place: Path, folders: Mapping[str, Path], methods: Mapping[str, Sequence[str]]
    ) -> dict[str, Dataset]:
        logger.info("methods are the folders below subjects: %s", ", ".join(map(printable, methods)))
        names = [
            name for name in scan(place, reach=self.how.reach).names if name.partition("/")[0] in folders
        ]
        strays = [name for name in names if name.count("/") < 2]

        def one(method: str) -> Dataset:
            own = [name for name in names if name.split("/")[1:2] == [method]]
            containers: dict[tuple[str, ...], dict[str, str]] = {
                (subject, method): {"method": method} for subject in folders
            }
            tree = Tree(place, own, containers=containers)
            tree.left_out.add("outside a method's folder", *strays)
            sides = resolve(self._shared.copy(), tree, self.how)
            return join(*sides, distractor_side(self.distractors, self.how.reach), self.how.reach)

        return _all(sorted(methods, key=natural_key), one)

    def _refuse_subjects(self, place: Path, found: Mapping[str, Dataset]) -> None:
        """The folder of one method looks like one of methods: every subject in it would pass for a method."""
        if all(
            [loose_key(one.name) for one in dataset.subjects] == [loose_key(name)]
            for name, dataset in found.items()
        ):
            assert self.references is not None
            raise InputError(
                f"{printable(place)} is one method: it holds {count(len(found), 'subject')} of the references, such as "
                f"{printable(next(iter(found)))}, and no methods; give the folder that holds several methods, or "
                f"score this one: nearid score {quoted(_root(self.references))} {quoted(place)}"
            )

    def _from_manifest(self, manifest: Manifest) -> dict[str, Dataset]:
        """One data set a method; references and distractors of the manifest are everyone's."""
        side = manifest.side("reference") if self.references is None else self._shared.copy()
        # One manifest is both sides: what it left out counts once.
        left_out = LeftOutFiles() if self.references is None else manifest.left_out
        generated = Assigned(manifest.path, MANIFEST, manifest.roles["generation"], left_out=left_out)
        return self._with_methods(side, generated, f"manifest {printable(manifest.path)}")

    def _with_methods(self, side: Assigned | Tree, generated: Assigned, what: str) -> dict[str, Dataset]:
        """One data set a method of generations that a table describes."""
        if unnamed := sum(one.method is None for one in generated.pictures()):
            raise InputError(
                f"{what} has {count(unnamed, 'generation')} without a method; fill in the column `method`"
            )
        subjects: dict[str, list[Picture]] = {subject: [] for subject in generated.subjects}
        generated = with_prompts_beside(generated, lambda one: None, self.how.reach)
        # Patterns are for folders.
        referenced, _ = resolve(
            side, replace(generated, subjects=subjects), How(self.how.layout, reach=self.how.reach)
        )
        return self._by_method(referenced, generated)

    def _by_method(self, references: Assigned, generated: Assigned) -> dict[str, Dataset]:
        """One data set a method of generations whose method is known."""
        methods: dict[str, dict[str, list[Picture]]] = defaultdict(dict)
        for subject, pictures in generated.subjects.items():
            for one in pictures:
                methods[one.method or ""].setdefault(subject, []).append(one)
        reach = self.how.reach

        def of(method: str) -> Dataset:
            generations = replace(generated, subjects=methods[method])
            return join(references, generations, distractor_side(self.distractors, reach), reach)

        return {method: of(method) for method in sorted(methods, key=natural_key)}


def _refuse_inside(references: Side | None, methods: Iterable[Side]) -> None:
    """Raise InputError if methods' folders lie in that of the references, where all would count as real pictures."""
    if isinstance(references, Path) and references.is_dir():
        folders = [one for one in methods if isinstance(one, Path) and one.is_dir()]
        if inside := [printable(one) for one in folders if path_below(references, one)]:
            raise InputError(
                f"the references' folder {printable(references)} holds folders of methods, whose pictures would count "
                "as real ones: give the folder of the real pictures",
                inside,
            )


def _is_references(place: Path, references: Side | None) -> bool:
    """`nearid compare runs/* --refs runs/refs` names the references among the methods."""
    return (
        isinstance(references, Path) and place.exists() and references.exists() and place.samefile(references)
    )


def _all(names: Collection[str], find_one: Callable[[str], Dataset | None]) -> dict[str, Dataset]:
    """Each method's data set, None for a folder without pictures; everything that is wrong with any of them at once."""
    found: dict[str, Dataset] = {}
    failed: dict[str, InputError] = {}
    empty: list[str] = []
    for name in names:
        try:
            if dataset := find_one(name):
                found[name] = dataset
            else:
                empty.append(name)
        except InputError as error:
            failed[name] = error
    if empty:
        shown = ", ".join(map(printable, empty))
        logger.info("not taken for methods, since they hold no pictures: %s", shown)
        if len(empty) == len(names):
            raise InputError(f"no method has pictures: looked in {shown}")
    tried = len(names) - len(empty)
    # The command that shows how the names of each are read is another for each.
    told = {
        (error.message, *(line for line in error.details if not line.startswith(LOOK)))
        for error in failed.values()
    }
    if len(failed) == 1 or (len(told) == 1 and len(failed) == tried):
        raise next(iter(failed.values()))  # what all of them share, such as the references, is at fault
    if failed:
        problems = [
            line
            for name, error in failed.items()
            for line in (f"{printable(name)}: {error.message}", *(f"  {more}" for more in error.details))
        ]
        raise InputError(f"{count(len(failed), 'method')} of {tried} cannot be compared", problems)
    return found


def _each_with_both(place: Path, reach: Reach) -> dict[str, Path]:
    """The folders that hold references and generations of a method each, by their path; empty for any other folder."""
    found: dict[str, Path] = {}
    level = [place]
    for _ in range(_DEPTH):
        below = {folder: AUTO.holds_both(folder) for parent in level for folder in _subfolders(parent, reach)}
        found |= {folder.relative_to(place).as_posix(): folder for folder, both in below.items() if both}
        level = [folder for folder, both in below.items() if not both]
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))


def _references_in(place: Path, reach: Reach) -> Path:
    names = {folder.name.lower(): folder for folder in _subfolders(place, reach)}
    for name in REFERENCE_FOLDERS:
        if name in names:
            return names[name]
    around = _subfolders(place.resolve().parent, replace(reach, follow_symlinks=True))
    beside = [folder for folder in around if folder.name in REFERENCE_FOLDERS]
    hint = beside[0] if beside else Path("DIR")
    raise InputError(
        f"no references in {printable(place)}: expected a folder {', '.join(REFERENCE_FOLDERS)} in it; "
        f"give them with --refs {printable(hint)}"
    )


def _folders_in(place: Path, references: Side | None, reach: Reach) -> dict[str, Path]:
    folders = {
        folder.name: folder
        for folder in _subfolders(place, reach)
        if not _is_references(folder, references) and folder.name.lower() not in REFERENCE_FOLDERS
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
    return side.root if isinstance(side, Assigned) else side


def _subfolders(place: Path, reach: Reach) -> list[Path]:
    """The folders in a folder, in natural order.

    Raises:
        InputError: it cannot be read, or some are links that lead elsewhere.
    """
    try:
        # Scanning tells what is a folder; asking each picture takes four times as long.
        with os.scandir(place) as entries:
            folders = [
                place / entry.name
                for entry in entries
                if (entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir()))
                and not why_skipped(entry.name)
            ]
    except OSError as error:
        raise InputError(f"cannot read folder {printable(place)}: {error.strerror}") from error
    leading_out = [f"{one.name} -> {os.path.realpath(one)}" for one in folders if not reach.opens(one)]
    refuse_links(place, leading_out)
    return sorted(folders, key=lambda folder: natural_key(folder.name))


class ReferencesAlone(NamedTuple):
    """References, and the other ways in which they could be read, each with its subjects."""

    found: Assigned
    others: Sequence[tuple[Naming, list[str]]]


def read_layout(
    references: Path, generations: Path | None, asked: LayoutOptions, distractors: Path | None = None
) -> dict[str, Dataset] | ReferencesAlone:
    """How references and generations are read.

    Args:
        references: a folder or a manifest; with `generations` None perhaps of both, or of methods and their references.
        generations: a folder or a manifest; of one method or of several.
        asked: how they are laid out.
        distractors: a folder or a manifest; they need generations.

    Returns:
        The data set of each method, of one that has no name under `""`; or what the references hold, alone.

    Raises:
        UsageError: an unknown layout or pattern.
        InputError: names can be read in two ways, or nothing matches.
    """
    references, generations, distractors = here(references), here(generations), here(distractors)
    how = How.of(asked).among(references, generations, distractors)
    try:
        return {"": find(references, generations, how, distractors)}
    except SeveralMethodsError:
        if generations is not None:
            return find_methods([generations], references, {}, asked, distractors)
    except InputError:
        if generations is not None:
            raise
    try:  # it does not hold both sides of one method
        return find_methods([references], None, {}, asked, distractors)
    except InputError:
        pass
    side = look_at_side(references, "references", how.layout, how.reach)
    others = alternatives(side) if isinstance(side, Tree) and how.references is None else []
    found = resolve_references(side, how)
    return ReferencesAlone(found, [one for one in others if one[0].how != found.how])
