"""Joining references and generations into subjects that are matched by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Dataset, Picture, Subject
from nearid_cli.layouts.dreambench import entry_key
from nearid_cli.layouts.folders import as_one
from nearid_cli.layouts.found import Found, own_name, stem
from nearid_cli.layouts.left_out import together
from nearid_cli.layouts.matching import SubjectIndex, loose_key, match_beginnings, match_subjects
from nearid_cli.layouts.walk import natural_key
from nearid_cli.text import count, printable

# Folder names that say what the pictures are for and not whose they are.
GENERIC_NAMES = frozenset(
    {"ref", "refs", "reference", "references", "real", "src", "source", "sources", "src_image"}
    | {"input", "inputs", "instance", "instance_images", "train", "target", "targets", "tgt_image"}
    | {"data", "dataset", "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos"}
    | {"gen", "gens", "generated", "generation", "generations", "fake", "sample", "samples"}
    | {"out", "output", "outputs", "result", "results"}
)
_SHOWN_NAMES = 8


def join(
    references: Found, generations: Found, layout: str = "auto", distractors: Found | None = None
) -> Dataset:
    """Match the generations of each subject to its references.

    Args:
        references: what the reference side holds.
        generations: what the generation side holds.
        layout: what `--layout` says: `flat` takes all pictures for one subject, `prefix` goes by the
            beginnings of generations' file names and not by their folders.
        distractors: what the folder or manifest of distractors holds; both sides may have some as well.

    Raises:
        InputError: names are ambiguous, or not one subject matches.
    """
    if not references.subjects:
        _name_the_one(references, generations, forced=layout == "flat")
    keys = (loose_key, entry_key) if references.layout == "dreambench++" else (loose_key,)
    index = SubjectIndex(references.subjects, keys)
    if layout == "prefix":
        generations.loose = sorted(generations.pictures(), key=lambda one: natural_key(one.name))
        generations.subjects, generations.layout = {}, "prefix"
    matched = match_subjects(index, generations.subjects)
    claims = match_beginnings(index, {stem(one.name) for one in generations.loose})
    if claims and not generations.subjects:
        generations.layout = "prefix"
    if not matched and not claims and not _holders(index, generations):
        matched = _match_whole_folder(index, generations)
    if not matched and not claims:
        raise _nothing_matches(references, generations, index)

    by_subject: dict[str, list[Picture]] = {}
    unclaimed: list[Picture] = []
    for name, pictures in generations.subjects.items():
        if name in matched:
            by_subject.setdefault(matched[name], []).extend(pictures)
    for one in generations.loose:
        if subject := claims.get(stem(one.name)):
            by_subject.setdefault(subject, []).append(one)
        else:
            unclaimed.append(one)

    sides = [references, generations]
    if distractors:
        sides.append(_claimed(index, distractors))
    known, strange = _distractors(index, *sides)
    subjects = [
        Subject(name, tuple(references.subjects[name]), tuple(by_subject[name]), tuple(known.get(name, ())))
        for name in sorted(by_subject, key=natural_key)
    ]
    ungenerated = _lacking(references.subjects, by_subject, "reference", "generations")
    layouts = dict.fromkeys([references.layout, generations.layout])
    return Dataset(
        layout=" + ".join(layouts),
        references=str(references.root),
        generations=str(generations.root),
        distractors=next((str(side.root) for side in reversed(sides) if side.distractors), None),
        subjects=tuple(subjects),
        ungenerated=tuple(ungenerated),
        unmatched=(
            *_lacking(generations.subjects, matched, "generation", "references"),
            *ungenerated,
            *_lacking(strange, (), "distractor", "references"),
            *(f"{printable(one.name)}: generation that no subject claims" for one in unclaimed),
            *(f"{printable(one.name)}: reference outside a subject's folder" for one in references.loose),
            *(
                f"{printable(one.name)}: distractor that no subject claims"
                for side in sides[2:]
                for one in side.loose
            ),
        ),
        left_out=together(side.left_out for side in sides),
        repeated_references=references.layout == "dreambench++-samples",
    )


def _name_the_one(references: Found, generations: Found, forced: bool) -> None:
    """Flat references are one subject, named after their folder, or the generations' if that says nothing.

    So are flat generations, unless only some of them begin with its name: those of other subjects may
    lie among them.
    """
    names = [own_name(references.root), own_name(generations.root)]
    name = next((name for name in names if name.lower() not in GENERIC_NAMES), names[0])
    references.subjects, references.loose = {name: references.loose}, []
    if not generations.subjects:
        index = SubjectIndex([name])
        claimed = sum(bool(index.beginning(stem(one.name))) for one in generations.loose)
        if forced or claimed in (0, len(generations.loose)) or index.alike(names[1]):
            generations.subjects, generations.loose = {name: generations.loose}, []


def _match_whole_folder(index: SubjectIndex, generations: Found) -> dict[str, str]:
    """The generations of one subject may be given by that subject's own folder."""
    if generations.layout == "manifest":
        return {}
    own = own_name(generations.root)
    matched = match_subjects(index, [own])
    if matched and generations.subjects:
        generations.loose = as_one(
            generations.root, sorted((one.name for one in generations.pictures()), key=natural_key)
        )
    if matched:
        generations.subjects, generations.loose = {own: generations.loose}, []
    return matched


def _claimed(index: SubjectIndex, distractors: Found) -> Found:
    """Distractors with each loose one given to the subject that its name begins with, or to the only one."""
    claims = match_beginnings(index, {stem(one.name) for one in distractors.loose})
    if len(index.names) == 1:
        (only,) = index.names
        claims = {stem(one.name): only for one in distractors.loose}
    by_subject = {name: list(pictures) for name, pictures in distractors.distractors.items()}
    for one in distractors.loose:
        if subject := claims.get(stem(one.name)):
            by_subject.setdefault(subject, []).append(one)
    unclaimed = [one for one in distractors.loose if stem(one.name) not in claims]
    return replace(distractors, distractors=by_subject, loose=unclaimed)


def _distractors(
    index: SubjectIndex, *sides: Found
) -> tuple[dict[str, list[Picture]], dict[str, list[Picture]]]:
    """Distractors by subject, and those whose subject has no references."""
    known: dict[str, list[Picture]] = {}
    strange: dict[str, list[Picture]] = {}
    for side in sides:
        matched = match_subjects(index, side.distractors)
        for name, pictures in side.distractors.items():
            taken = known if name in matched else strange
            taken.setdefault(matched.get(name, name), []).extend(pictures)
    return known, strange


def _lacking(
    subjects: Mapping[str, Sequence[Picture]], having: Mapping[str, object] | tuple[()], noun: str, lack: str
) -> list[str]:
    return [
        f"{printable(name)}: {count(len(subjects[name]), noun)}, no {lack}"
        for name in sorted(subjects, key=natural_key)
        if name not in having
    ]


def _nothing_matches(references: Found, generations: Found, index: SubjectIndex) -> InputError:
    """Say what was found on both sides, and which folder was probably meant."""
    root = generations.root
    if holders := _holders(index, generations):
        message = (
            f"generations folder {printable(root)} holds {count(len(holders), 'method')} "
            f"rather than subjects: {', '.join(map(printable, holders))}; a score is of one method, so give one, "
            f"for example {printable(root / holders[0])}"
        )
        if len(holders) > 1:
            message += f"; for all: nearid compare {printable(root)} --refs {printable(references.root)}"
        return InputError(message)
    if holders := _holders(SubjectIndex(generations.subjects), references):
        return InputError(
            f"references folder {printable(references.root)} holds no subject of the generations, but "
            f"{printable(holders[0])} in it does; give {printable(references.root / holders[0])}"
        )
    return InputError(
        f"not one subject of the references {printable(references.root)} matches one of the generations "
        f"{printable(root)}: give folders with the same subject names, begin the names of flat generations "
        "with the subject, or use --layout flat if all pictures are of one subject",
        [
            f"references ({references.layout}): {_names(references)}",
            f"generations ({generations.layout}): {_names(generations)}",
        ],
    )


def _holders(index: SubjectIndex, side: Found) -> list[str]:
    """The folders directly in a root that hold subjects of the other side: methods, most likely."""
    holders: dict[str, None] = {}
    if side.layout in ("folders", "customconcept101"):
        for one in side.pictures():
            folder, slash, rest = one.name.partition("/")
            if slash and folder not in holders:
                inner, deeper, _ = rest.partition("/")
                if index.alike(inner) if deeper else index.beginning(stem(inner)):
                    holders[folder] = None
    return list(holders)


def _names(side: Found) -> str:
    names = sorted(side.subjects, key=natural_key) or [one.name for one in side.loose]
    more = len(names) - _SHOWN_NAMES
    return ", ".join(map(printable, names[:_SHOWN_NAMES])) + (f" and {more:,} more" if more > 0 else "")
