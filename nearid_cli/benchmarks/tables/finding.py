"""Which similarity files lie below some folders, and which of them to take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.benchmarks.tables.similarities import VARIANTS, SimilarityName, parse_name
from nearid_cli.encoders.registry import REGISTRY, SHIPPED
from nearid_cli.errors import InputError, UsageError
from nearid_cli.text import count, did_you_mean, printable, unknown

PREFER = ("first", "last")


@dataclass(frozen=True)
class SimilarityFile:
    """A similarity file and what its name says."""

    path: Path
    name: SimilarityName

    @property
    def model(self) -> str:
        """Family and checkpoint."""
        family, checkpoint = self.name.family, self.name.checkpoint
        return f"{family}:{checkpoint}" if family else checkpoint


@dataclass(frozen=True)
class Found:
    """The files to take, and those to leave with the reason."""

    files: tuple[SimilarityFile, ...]
    passed_over: tuple[tuple[str, str], ...]


def find_similarities(
    roots: Sequence[Path],
    variants: Sequence[str] = (),
    metrics: Sequence[str] = (),
    prefer: str | None = None,
) -> Found:
    """Find the similarity files below some folders. The same file reached twice counts once.

    Args:
        roots: searched in this order, their folders by name; a file is taken as it is.
        variants: take these alone; all of `VARIANTS` if empty.
        metrics: take these models alone: a checkpoint, its last part, or a name of `nearid models list`.
        prefer: which file to take where there are several for one model, source, variant, rows and mode.

    Raises:
        UsageError: an unknown variant, metric or `prefer`, or a variant that no file has.
        InputError: a root does not exist or holds no similarity file; several files for the same, and no `prefer`.
    """
    for variant in variants:
        if variant not in VARIANTS:
            raise UsageError(unknown("masks", variant, ["none", *VARIANTS[1:]]))
    if prefer is not None and prefer not in PREFER:
        raise UsageError(unknown("choice for --prefer", prefer, PREFER))
    every, passed_over = _below(roots)
    files = [file for file in every if not variants or file.name.variant in variants]
    if not files:
        there = [variant for variant in VARIANTS if any(file.name.variant == variant for file in every)]
        raise UsageError(f"no similarity file of --masks {_masks(variants)}; found: {_masks(there)}")
    files = _chosen(files, metrics)
    tried = [file for file in files if file.name.mode != "positives"]
    if not tried:
        raise InputError(
            f"{count(len(files), 'similarity file')} of mode positives and no other: without distractors there are "
            "no trials; use --mode full or fullneg of nearid bench nearid"
        )
    passed_over += [
        (str(file.path), "mode positives: no distractors, so no trials")
        for file in files
        if file.name.mode == "positives"
    ]
    taken, left = _one_of_each(tried, prefer)
    return Found(tuple(taken), (*passed_over, *left))


def _masks(variants: Sequence[str]) -> str:
    """Variants as `--masks` calls them."""
    return ", ".join("none" if variant == "image" else variant for variant in variants)


def _below(roots: Sequence[Path]) -> tuple[list[SimilarityFile], list[tuple[str, str]]]:
    """The similarity files below all roots, and the files that are named nearly like one."""
    absent = [root for root in roots if not (root.is_dir() or root.is_file())]
    if missing := [f"{printable(root)}: no such folder" for root in absent]:
        raise InputError(f"cannot search {count(len(missing), 'folder')}: {missing[0]}", missing[1:])
    files: list[SimilarityFile] = []
    strange: list[tuple[str, str]] = []
    seen: set[Path] = set()
    empty = []
    for root in roots:
        some = False
        for path in _walk(root):
            name = parse_name(path)
            some |= name is not None
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            if name is not None:
                files.append(SimilarityFile(path, name))
            else:
                strange.append((str(path), "not named like a similarity file of NearID-Bench"))
        if not some:
            empty.append(printable(root))
    if empty:
        raise InputError(
            f"no similarity files below {', '.join(empty)}; expected names such as "
            "NearID-Flux/sims_image_testall_fullneg_CHECKPOINT.csv",
            [printable(path) for path, _ in strange],
        )
    return files, strange


def _walk(root: Path) -> Iterator[Path]:
    """The files `sims*.csv` below a folder, sorted; a file is itself. Linked folders are followed, once."""

    def refuse(error: OSError) -> None:
        raise InputError(f"cannot read folder {printable(error.filename)}: {error.strerror}") from error

    if root.is_file():
        yield root
        return
    entered: set[str] = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        if (real := os.path.realpath(folder)) in entered:
            subfolders.clear()
            continue
        entered.add(real)
        subfolders.sort()
        yield from (
            Path(folder, name) for name in sorted(names) if name.startswith("sims") and name.endswith(".csv")
        )


def _chosen(files: Sequence[SimilarityFile], metrics: Sequence[str]) -> list[SimilarityFile]:
    """The files of some models, all if none is named."""
    if not metrics:
        return list(files)
    chosen: dict[Path, SimilarityFile] = {}
    for metric in metrics:
        own = [
            file
            for file in files
            if {metric, _tag(metric)}
            & {file.model, file.name.checkpoint, file.name.checkpoint.rpartition("/")[2]}
        ]
        if not own:
            models = list(dict.fromkeys(file.model for file in files))
            raise UsageError(
                f'no similarity file of metric "{printable(metric)}": {did_you_mean(metric, models)}'
            )
        chosen |= {file.path: file for file in own}
    return [file for file in files if file.path in chosen]


def _tag(metric: str) -> str:
    """How `nearid bench nearid` writes the checkpoint of a metric that has a name."""
    known = REGISTRY.get(metric)
    if known is None or known.checkpoint in ("", SHIPPED):
        return metric
    # Of two metrics of one checkpoint the first has the readout of its architecture, which is not written.
    first = next(other for other in REGISTRY.values() if other.checkpoint == known.checkpoint)
    return known.checkpoint if known is first else f"{known.checkpoint}+{known.readout}"


def _one_of_each(
    files: Sequence[SimilarityFile], prefer: str | None
) -> tuple[list[SimilarityFile], list[tuple[str, str]]]:
    """One file for each model, source, variant, rows and mode."""
    places: dict[SimilarityName, list[SimilarityFile]] = {}
    for file in files:
        places.setdefault(file.name, []).append(file)
    several = [own for own in places.values() if len(own) > 1]
    if several and prefer is None:
        raise InputError(
            f"{count(len(several), 'similarity file')} found twice, and they may differ: choose with --prefer first or "
            "--prefer last (of the folders as you name them), or leave a folder out",
            [
                f"{printable(own[0].model)} on {own[0].name.source} ({own[0].name.variant}): "
                + " and ".join(printable(file.path) for file in own)
                for own in several
            ],
        )
    index = -1 if prefer == "last" else 0
    taken = [own[index] for own in places.values()]
    left = [
        (str(file.path), f"--prefer {prefer}: {own[index].path} was taken")
        for own in several
        for file in own
        if file is not own[index]
    ]
    return taken, left
