"""The job of `nearid synth`: render identities in several processes and write them, all or nothing."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image

from nearid_cli import __version__
from nearid_cli.embedding.devices import choose_device
from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file, whole_folder
from nearid_cli.layouts.contexts import MADE_BY
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.walk import walk
from nearid_cli.opening import real_path
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.reports.files import check_outputs
from nearid_cli.synth.dataset import require_datasets, write_dataset
from nearid_cli.synth.encoding import Identity, render_identities
from nearid_cli.synth.folders import distractor_sets, write_folders
from nearid_cli.synth.sample import CATEGORIES, DIFFICULTIES, SynthOptions
from nearid_cli.text import printable, unknown
from nearid_cli.workers import in_order

FORMS = ("folders", "dataset")
DEVICES = ("cpu", "cuda", "auto")
TRIAL = "nearid-mini"
"""The metric and the backbone of an example, which needs no download."""
_BATCH = 128  # rows of an example's batch: the trainer's own number, so far as there are as many
# Identities that a process renders before it hands them over: half a second's work on a core.
_CHUNK = 8


@dataclass(frozen=True)
class Written:
    """What a run wrote, and in how many seconds."""

    identities: int
    pictures: int
    seconds: float


def check_options(options: SynthOptions, form: str) -> None:
    """Refuse options that name something unknown or cannot be written.

    Raises:
        UsageError: the first of them.
    """
    if form not in FORMS:
        raise UsageError(unknown("form", form, FORMS))
    if options.difficulty not in (known := (*DIFFICULTIES, "mixed")):
        raise UsageError(unknown("difficulty", options.difficulty, known))
    for category in options.categories:
        if category not in CATEGORIES:
            raise UsageError(unknown("category", category, CATEGORIES))
    if form == "folders" and options.views < 2:
        raise UsageError(
            "--as folders needs --views 2 or 3: references are all views but the last, the generation is the last"
        )
    if form == "dataset":
        require_datasets()


def find_backgrounds(folder: Path | None, reach: Reach = WITHIN) -> tuple[Path, ...]:
    """All pictures in a folder at any depth, in natural order; none for None.

    Raises:
        InputError: the folder cannot be read or holds no pictures.
    """
    if folder is None:
        return ()
    names = walk(folder, reach=reach).names
    if not names:
        raise InputError(f"no pictures in {printable(folder)} to take backgrounds from")
    return tuple(folder / name for name in names)


def choose_renderer(device: str) -> str:
    """What `--device` means here: `cpu` or `cuda` (or `cuda:N`).

    Raises:
        UsageError: not a device that renders, or none that this machine has.
    """
    if device == "auto":
        return "cuda" if choose_device("auto") == "cuda" else "cpu"
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(unknown("device", device, DEVICES))
    return choose_device(device)


def write_identities(
    options: SynthOptions,
    folder: Path,
    numbers: range,
    form: str = "folders",
    device: str = "cpu",
    workers: int | None = None,
    sheet: Path | None = None,
    progress: bool = False,
) -> Written:
    """Render identities and write them to a new folder. The same arguments give the same bytes.

    Args:
        options: what to render.
        folder: new or empty; it appears when everything is in it.
        numbers: which identities, consecutive.
        form: `folders` or `dataset`.
        device: where to render, `cpu`, `cuda`, `cuda:N` or `auto`.
        workers: rendering processes; None for one a core. They do not change a byte.
        sheet: a PNG file to draw the first identities into.
        progress: whether to show a progress bar on stderr.

    Raises:
        UsageError: options, form, device or the place of the sheet are wrong.
        InputError: the folder is not empty, or it or the sheet cannot be written.
        NearIDError: a rendering process died.
    """
    check_options(options, form)
    device = choose_renderer(device)
    if sheet:
        _check_sheet(sheet, folder)
    started = time.perf_counter()
    each = options.views * (1 + options.distractors)
    shown: list[Identity] = []
    with _whole_or_nothing(folder) as root:
        chunks = [numbers[first : first + _CHUNK] for first in range(0, len(numbers), _CHUNK)]
        work = partial(render_identities, options, device)
        with (
            closing(
                in_order(work, chunks, workers or os.cpu_count() or 1, "a rendering process")
            ) as rendered,
            closing(
                _watched(rendered, shown, sheet_length(options.views), len(numbers), each, progress)
            ) as identities,
        ):
            if form == "folders":
                write_folders(root, identities)
            else:
                write_dataset(root, identities, options.distractors, options.seed)
        _describe(root / MADE_BY, options, numbers, form, device)
        if sheet:
            replace_file(sheet, draw_sheet(shown))
    return Written(len(numbers), each * len(numbers), time.perf_counter() - started)


def _check_sheet(sheet: Path, folder: Path) -> None:
    """Refuse a sheet that could not be written, before anything is rendered."""
    if real_path(folder) in (real_path(sheet), *real_path(sheet).parents):
        raise UsageError(
            f"the sheet {printable(sheet)} is in {printable(folder)}, which must be new; put it beside that folder"
        )
    check_outputs([sheet], known=(".png",))


def _watched(
    chunks: Iterable[Sequence[Identity]],
    shown: list[Identity],
    show: int,
    total: int,
    each: int,
    progress: bool,
) -> Generator[Identity]:
    """The identities one by one; counts their pictures in a progress bar and keeps the first for the sheet."""
    from tqdm import tqdm

    with tqdm(total=total * each, desc="render", unit="img", leave=False, disable=not progress) as bar:
        for chunk in chunks:
            for identity in chunk:
                if len(shown) < show:
                    shown.append(identity)
                yield identity
                bar.update(each)


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    """`files.whole_folder`, with what is in the way of it said to people."""
    check_on_disk(folder)
    target = real_path(folder)  # through a symlink, which stays one
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            what = "is not empty" if target.is_dir() else "is a file"
            raise InputError(f"{printable(folder)} {what}; give a new folder")
        if target.is_mount():  # which cannot be replaced by another folder
            raise InputError(f"{printable(folder)} is a mount point; give a new folder in it")
        with whole_folder(target) as aside:
            yield aside
    except OSError as error:
        raise InputError(
            f"cannot write {printable(folder)}: {(error.strerror or str(error)).lower()}"
        ) from error


def _describe(file: Path, options: SynthOptions, numbers: range, form: str, device: str) -> None:
    """Say what made the files: everything that decides about their bytes."""
    facts = {
        "schema": "nearid.synth/1",
        "tool": {"name": "nearid-cli", "version": __version__},
        "form": form,
        "start": numbers.start,
        "identities": len(numbers),
        "device": device,
        **asdict(options),
        "backgrounds": [printable(path) for path in options.backgrounds],
    }
    file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def next_command(options: SynthOptions, folder: Path, form: str, identities: int) -> list[str] | None:
    """The command that uses what was written; None where there is nothing to learn from.

    It works as it stands, without a network.

    >>> " ".join(next_command(SynthOptions(), Path("out"), "folders", 100))
    'nearid score out/references out/generations --distractors out/distractors --metric nearid-mini'
    """
    sets = [("--distractors", str(folder / name)) for name in distractor_sets(options.distractors)]
    if form == "folders":
        alike = sets[0] if sets else ()
        places = [str(folder / name) for name in ("references", "generations")]
        return ["nearid", "score", *places, *alike, "--metric", TRIAL]
    if not sets:
        return None
    data = ["--positives", str(folder / "positives"), *itertools.chain(*sets)]
    batch = str(min(identities, _BATCH))
    return ["nearid", "train", *data, "--backbone", TRIAL, "--batch-size", batch, "--output", "run"]


# Between the pictures of an identity, and between identities, in pixels.
_NARROW, _WIDE = 2, 12
# Identities below each other, and pictures beside each other.
_DOWN, _ACROSS = 3, 12


def sheet_length(views: int) -> int:
    """How many identities a sheet shows.

    >>> sheet_length(3), sheet_length(2)
    (12, 18)
    """
    return _DOWN * (_ACROSS // views)


def draw_sheet(identities: Sequence[Identity]) -> bytes:
    """A PNG file: each identity's views in a row, and below each view its distractors.

    Args:
        identities: at least one, all with as many views and distractors; shown from left to right.
    """
    blocks = [_block(identity) for identity in identities]
    width, height = blocks[0].size
    across = min(len(blocks), _ACROSS // len(identities[0].views))
    down = -(-len(blocks) // across)
    sheet = Image.new("RGB", (across * (width + _WIDE) + _WIDE, down * (height + _WIDE) + _WIDE), "white")
    for index, block in enumerate(blocks):
        row, column = divmod(index, across)
        sheet.paste(block, (_WIDE + column * (width + _WIDE), _WIDE + row * (height + _WIDE)))
    return _png(sheet)


def _block(identity: Identity) -> Image.Image:
    rows = [[Image.open(BytesIO(file)) for file in row] for row in (identity.views, *identity.distractors)]
    width, height = rows[0][0].size
    step_x, step_y = width + _NARROW, height + _NARROW
    block = Image.new("RGB", (len(rows[0]) * step_x - _NARROW, len(rows) * step_y - _NARROW), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            block.paste(picture, (column * step_x, row * step_y))
    return block


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
