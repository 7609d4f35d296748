"""`nearid layout`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.flags import MASK_SOURCES, Flag, Verbose
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    from nearid_cli.layouts.dataset import Dataset, Picture
    from nearid_cli.layouts.methods import ReferencesAlone
    from nearid_cli.options import LayoutOptions

_EXAMPLES = 12


@shared.types_of("nearid_cli.options")
def layout(
    *,
    references: Annotated[
        Path,
        typer.Argument(help="Folder of references, of methods with theirs, or a manifest.", metavar="REFS"),
    ],
    generations: Annotated[
        Path | None,
        typer.Argument(help="Folder of generations or of methods, or a manifest.", metavar="GENS"),
    ] = None,
    distractors: shared.Distractors = None,
    how: LayoutOptions,
    masks: Annotated[
        str | None,
        Flag(
            "Where masks are, as for score: shows which pictures have one, and a manifest names them.",
            "DIR|" + "|".join(MASK_SOURCES),
            words=MASK_SOURCES,
        ),
    ] = None,
    output: Annotated[
        tuple[Path, ...],
        Flag(
            "Write a manifest that score and compare take: .csv, .jsonl or .parquet; repeat for several.",
            "FILE",
            short="o",
        ),
    ] = (),
    verbose: Verbose = False,
) -> None:
    """Show how folders are read, without opening a picture: subjects, prompts, seeds, steps, methods."""
    from nearid_cli.errors import UsageError
    from nearid_cli.layouts.masks import check_mask_options, find_masks
    from nearid_cli.layouts.methods import ReferencesAlone, read_layout
    from nearid_cli.layouts.tables.manifest import check_manifest_name, leads_outside, write_manifest
    from nearid_cli.options import MaskOptions

    for path in output or []:
        check_manifest_name(path)
    check_mask_options(MaskOptions(masks))
    found = read_layout(references, generations, how, distractors)
    if isinstance(found, ReferencesAlone):
        for what, given in (("a manifest", output), ("--distractors", distractors), ("--masks", masks)):
            if given:
                raise UsageError(f"{what} needs generations, too: give their folder")
        _show_references(found, verbose)
        return
    if masks is not None:
        found = dict(find_masks(found, MaskOptions(masks)).datasets)
    for path in output or []:
        rows = write_manifest(path, found)
        typer.echo(f"wrote {printable(path)}: {count(rows, 'row')}", err=True)
        if leads_outside(path, found):
            typer.echo("its paths lead out of its folder: reading it may take --allow-outside", err=True)
    for method, dataset in found.items():
        _show(method, dataset, verbose)


def _show(method: str, dataset: Dataset, verbose: bool) -> None:
    from nearid_cli.layouts.prompts import places_of_prompts

    if method:
        print(f"method {printable(method)}")
    print(f"layout {dataset.layout}: {count(len(dataset.subjects), 'subject')}")
    for side, how in (("references", dataset.how), ("generations", dataset.how_generations)):
        if how:
            print(f"{side}: {how}")
    labels = sorted({name for one in dataset.subjects for own in one.generations for name in _said(own)})
    with_distractors = any(subject.distractors for subject in dataset.subjects)
    header = ["subject", "references", "generations", *(["distractors"] if with_distractors else [])]
    header += [_plural(name) for name in labels]
    cells = []
    for subject in dataset.subjects:
        said = [_said(one) for one in subject.generations]
        cells.append(
            [
                printable(subject.name),
                f"{len(subject.references):,}",
                f"{len(subject.generations):,}",
                *([f"{len(subject.distractors):,}"] if with_distractors else []),
                *(str(len({own[name] for own in said if name in own}) or "-") for name in labels),
            ]
        )
    show.rows(header, cells, numbers=range(1, len(header)))
    print()
    shown = [(subject.name, subject.generations[0]) for subject in dataset.subjects[:_EXAMPLES]]
    show.rows(
        ["for example", "subject", *labels],
        [
            [
                printable(one.name),
                printable(name),
                *(printable(_said(one).get(label, "-")) for label in labels),
            ]
            for name, one in shown
        ],
    )
    if places := places_of_prompts(dataset.subjects):
        print(f"prompts: {places}")
    _show_masks(dataset, verbose)
    for line in dataset.unmatched:
        print(f"unmatched: {line}")
    for line in dataset.notes:
        print(line)
    _show_left_out(dataset.left_out.lines(), dataset.left_out.summary(), verbose)
    print()


def _show_masks(dataset: Dataset, verbose: bool) -> None:
    """How many pictures have a mask or a box, and which lack one; nothing where none has."""
    pictures = [one for subject in dataset.subjects for one in subject.pictures()]
    lacking = [one.name for one in pictures if not one.has_mask]
    if len(lacking) == len(pictures):
        return
    print(f"masks or boxes: {len(pictures) - len(lacking):,} of {count(len(pictures), 'picture')}")
    if lacking:
        print(f"without a mask: {few(lacking, len(lacking) if verbose else 3)}")


def _show_references(found: ReferencesAlone, verbose: bool) -> None:
    how = f" ({found.found.how})" if found.found.how else ""
    print(f"references, layout {found.found.layout.name}: {count(len(found.found.subjects), 'subject')}{how}")
    show.rows(
        ["subject", "references", "for example"],
        [
            [printable(name), f"{len(own):,}", printable(own[0].name)]
            for name, own in found.found.subjects.items()
        ],
        numbers=(1,),
    )
    print()
    for one, subjects in found.others:
        print(f"or {count(len(subjects), 'subject')} ({few(subjects)}), if {one.how}: {one.choice}")
    for picture in found.found.loose:
        print(f"outside a subject's folder: {printable(picture.name)}")
    for name in found.found.unfit:
        print(f"does not fit --refs-pattern: {printable(name)}")
    _show_left_out(found.found.left_out.lines(), found.found.left_out.summary(), verbose)


def _show_left_out(lines: list[str], summary: str, verbose: bool) -> None:
    for line in lines if verbose else [f"left out: {summary}"] if lines else []:
        print(line)


def _said(picture: Picture) -> dict[str, str]:
    """What a picture's path says besides its subject."""
    said = {"method": picture.method, "prompt": picture.prompt, "seed": picture.seed, **picture.labels}
    return {name: value for name, value in said.items() if value is not None}


def _plural(label: str) -> str:
    return f"{label[:-1]}ies" if label.endswith("y") else f"{label}s"
