"""Joining references and generations into subjects that are matched by name."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.elsewhere import shown
from nearid_cli.errors import InputError
from nearid_cli.layouts.contexts import pair_contexts
from nearid_cli.layouts.dataset import Dataset, LeftOutFiles, Picture, SubjectPictures
from nearid_cli.layouts.given import is_given
from nearid_cli.layouts.kinds.plain import PREFIX
from nearid_cli.layouts.matching import (
    SubjectIndex,
    index_of,
    match_beginnings,
    match_subjects,
    pattern_of_mentions,
)
from nearid_cli.layouts.names import stem
from nearid_cli.layouts.prompts import NAMES, disagreements, said
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.sides import Assigned, check_one_method
from nearid_cli.layouts.tables.manifest import CONTEXT
from nearid_cli.remote.stores import url_of
from nearid_cli.text import count, few, natural_key, printable

_SHOWN_NAMES = 8
_OF_PICTURES = frozenset({"step", "seed", "date", CONTEXT})
"""Labels that say nothing of a subject, even where all of its references have the same."""


def join(
    references: Assigned,
    generations: Assigned,
    distractors: Assigned | None = None,
    reach: Reach = WITHIN,
) -> Dataset:
    """Match the generations of each subject to its references.

    Args:
        references: what the reference side holds.
        generations: what the generation side holds.
        distractors: what the folder or manifest of distractors holds; both sides may have some as well.
        reach: where links and paths may lead from these.

    Raises:
        InputError: names are ambiguous, generations are of several methods, or not one subject matches.
    """
    index = index_of(frozenset(references.subjects), references.keys)
    matched = match_subjects(index, generations.subjects)
    claims = match_beginnings(index, {stem(one.name) for one in generations.loose})
    if claims and not generations.subjects:
        generations.layout = PREFIX
    if not matched and not claims:
        raise _nothing_matches(references, generations)

    by_subject: dict[str, list[Picture]] = {}
    unclaimed: list[Picture] = []
    for name, pictures in generations.subjects.items():
        if name in matched:
            by_subject.setdefault(matched[name], []).extend(pictures)
    for one in generations.loose:
        if beginning := claims.get(stem(one.name)):
            if beginning.rest and (one.prompt is None or one.prompt_from):
                one = said(one, beginning.rest, NAMES)
            by_subject.setdefault(beginning.subjects[0], []).append(one)
        else:
            unclaimed.append(one)
    check_one_method(f"generations {printable(generations.root)}", by_subject)

    sides = [references, generations]
    if distractors:
        sides.append(_claimed(index, distractors))
    known, strange = _distractors(index, *sides)
    # Of all subjects, whether a method has generations of them or not: contexts are the same for every method.
    paired = pair_contexts(references.subjects, known, [references.root, *_roots(sides)])
    subjects = [
        SubjectPictures(
            name,
            tuple(paired.references[name]),
            tuple(by_subject[name]),
            tuple(paired.distractors.get(name, ())),
        )
        for name in sorted(by_subject, key=natural_key)
    ]
    subjects = with_labels_of_references(subjects)
    ungenerated = _lacking(references.subjects, by_subject, "reference", "generations")
    left_out = LeftOutFiles()
    for side in sides:
        left_out.extend(side.left_out)
    layouts = dict.fromkeys([references.layout.name, generations.layout.name])
    return Dataset(
        layout=" + ".join(layouts),
        reach=reach,
        references=shown(str(references.root)),
        # A Scorer keeps no pictures, and so nothing that stands in for where they were.
        generations=shown(url_of(generations.root) or str(generations.root)),
        distractors=next((shown(str(root)) for root in _roots(sides)), None),
        subjects=tuple(subjects),
        ungenerated=tuple(ungenerated),
        strangers=tuple(
            SubjectPictures(name, tuple(references.subjects[name]), ())
            for name in sorted(references.subjects, key=natural_key)
            if name not in by_subject
        ),
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
            *(f"{printable(name)}: does not fit --refs-pattern" for name in references.unfit),
            *(f"{printable(name)}: does not fit --pattern" for name in generations.unfit),
        ),
        left_out=left_out,
        how=references.how,
        how_generations=generations.how,
        pairing=paired.how,
        notes=(*paired.notes, *generations.notes, *disagreements(subjects)),
    )


def with_labels_of_references(subjects: Sequence[SubjectPictures]) -> list[SubjectPictures]:
    """The subjects, each of whose generations has the labels that are said of the subject at its references.

    Those are labels that no generation has itself, and of which all references of a subject that have one say the same.
    What a trainer's names or a context say is of a picture.
    """
    own = {label for subject in subjects for one in subject.generations for label in one.labels}
    given = []
    for subject in subjects:
        found: dict[str, set[str]] = {}
        for one in subject.references:
            for label, value in one.labels.items():
                found.setdefault(label, set()).add(value)
        labels = {
            label: values.pop()
            for label, values in found.items()
            if label not in own | _OF_PICTURES and len(values) == 1
        }
        if labels:
            generations = (replace(one, labels={**one.labels, **labels}) for one in subject.generations)
            subject = replace(subject, generations=tuple(generations))
        given.append(subject)
    return given


def _roots(sides: Sequence[Assigned]) -> list[Path]:
    """Where distractors come from, what was given for them first."""
    return [side.root for side in reversed(sides) if side.distractors]


def _claimed(index: SubjectIndex, distractors: Assigned) -> Assigned:
    """Distractors with each loose one given to the subject that its name begins with, or to the only one."""
    stems = {stem(one.name) for one in distractors.loose}
    begun = {own: beginning.subjects[0] for own, beginning in match_beginnings(index, stems).items()}
    claims = dict.fromkeys(stems, index.only) if index.only else begun
    by_subject = {name: list(pictures) for name, pictures in distractors.distractors.items()}
    for one in distractors.loose:
        if subject := claims.get(stem(one.name)):
            by_subject.setdefault(subject, []).append(one)
    unclaimed = [one for one in distractors.loose if stem(one.name) not in claims]
    return replace(distractors, distractors=by_subject, loose=unclaimed)


def _distractors(
    index: SubjectIndex, *sides: Assigned
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
    subjects: Mapping[str, Sequence[Picture]], having: Container[str], noun: str, lack: str
) -> list[str]:
    return [
        f"{printable(name)}: {count(len(subjects[name]), noun)}, no {lack}"
        for name in sorted(subjects, key=natural_key)
        if name not in having
    ]


def _nothing_matches(references: Assigned, generations: Assigned) -> InputError:
    if is_given(references) and is_given(generations):
        return InputError(
            "not one subject of the references is one of the generations: give both dicts the same names",
            [f"references: {_named(references)}", f"generations: {_named(generations)}"],
        )
    root = printable(generations.root)
    if generations.unfit and not generations.subjects:
        return InputError(
            f"no path in {root} fits --pattern, which is for paths below that folder, with the file's name",
            [f"for example {printable(generations.unfit[0])}"],
        )
    mentioned = pattern_of_mentions(references.subjects, (one.name for one in generations.pictures()))
    return InputError(
        f"not one subject of the references {printable(references.root)} matches one of the generations "
        f"{printable(generations.root)}: give folders with the same subject names, begin the names of flat "
        "generations with the subject, or use --layout flat if all pictures are of one subject",
        [
            f"references ({references.layout.name}): {_named(references)}",
            f"generations ({generations.layout.name}): {_named(generations)}",
            *([f"if names of generations mention the subject: --pattern '{mentioned}'"] if mentioned else []),
        ],
    )


def _named(side: Assigned) -> str:
    names = sorted(side.subjects, key=natural_key) or [one.name for one in side.loose] or side.unfit
    return few(names, _SHOWN_NAMES)
