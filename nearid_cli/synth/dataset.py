"""Identities as Hugging Face data sets on disk, with the columns of the NearID data sets and some more.

    DIR/positives/      images1..3, masks1..3, parts1..3
    DIR/distractors/    nimg1..3, nmasks1..3, and what was changed; a second set is in distractors-2/

Rows are aligned by position and by `id`. The files are laid out as `datasets.Dataset.save_to_disk` does, but written
as rows come: 40,000 identities need no more memory than 400, no copy in the library's cache, and the same
rows give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from nearid_cli.errors import UsageError
from nearid_cli.files import digest_file
from nearid_cli.synth.encoding import Identity
from nearid_cli.synth.folders import distractor_sets, kinds

SPLIT = "train"
_FILE = "data-00000-of-00001.arrow"
# Bytes of pictures in one batch of the Arrow stream: many rows of small pictures, few of large ones.
_BATCH_BYTES = 8_000_000

_COMMON = {
    "id": "int64",
    "category": "string",
    "category_description": "string",
    "n_images": "int64",
    "objaverse_id": "string",
    "prompts1": "string",
    "prompts2": "string",
    "prompts3": "string",
    "quality": "string",
    "split": "string",
}
_CHANGE = {"difficulty": "string", "kinds": "string", "amount": "float64", "changed_pixels": "float64"}


def require_datasets() -> None:
    """Raise UsageError unless the datasets library is installed."""
    try:
        import datasets  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'writing data sets needs the datasets library: pip install "nearid-cli[train]"'
        ) from error


def write_dataset(root: Path, identities: Iterable[Identity], distractors: int, seed: int) -> None:
    """Write identities as they come.

    Args:
        root: the folder to make the data sets in.
        identities: each of at most three views and `distractors` distractors.
        distractors: how many sets of distractors there are.
        seed: what the identities were made from, for `objaverse_id`.

    Raises:
        OSError: the disk would not take it.
    """
    with ExitStack() as stack:
        slots = _slots("images", "masks", "parts")
        add_positives = stack.enter_context(_rows(root / "positives", slots, _COMMON))
        sets = [
            stack.enter_context(_rows(root / name, _slots("nimg", "nmasks"), _COMMON | _CHANGE))
            for name in distractor_sets(distractors)
        ]
        for identity in identities:
            common = _common(identity, seed)
            pictures = _pictures(images=identity.views, masks=identity.masks, parts=identity.parts)
            add_positives(pictures | common)
            for add, nimg, nmasks, change in zip(
                sets, identity.distractors, identity.distractor_masks, identity.changes, strict=True
            ):
                changed = {
                    "difficulty": change.difficulty,
                    "kinds": kinds(change),
                    "amount": change.amount,
                    "changed_pixels": change.pixels,
                }
                add(_pictures(nimg=nimg, nmasks=nmasks) | common | changed)


def _slots(*names: str) -> list[str]:
    """The columns of pictures: NearID's data sets have three slots.

    >>> _slots("nimg")
    ['nimg1', 'nimg2', 'nimg3']
    """
    return [f"{name}{slot}" for name in names for slot in (1, 2, 3)]


def _pictures(**columns: Sequence[bytes]) -> dict[str, bytes | None]:
    """The pictures of a row; the slots of views that there are not hold None."""
    cells: dict[str, bytes | None] = dict.fromkeys(_slots(*columns))
    for name, files in columns.items():
        cells.update({f"{name}{slot}": content for slot, content in enumerate(files, 1)})
    return cells


def _common(identity: Identity, seed: int) -> dict[str, Any]:
    prompts: dict[str, str | None] = dict.fromkeys(_slots("prompts"))
    prompts.update({f"prompts{slot}": prompt for slot, prompt in enumerate(identity.prompts, 1)})
    return {
        "id": identity.number,
        "category": identity.category,
        "category_description": identity.description,
        "n_images": len(identity.views),
        "objaverse_id": f"synth-{seed}-{identity.number}",
        **prompts,
        "quality": "rendered",
        "split": SPLIT,
    }


@contextmanager
def _rows(
    folder: Path, pictures: Sequence[str], values: Mapping[str, str]
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Adds rows to one data set on disk, their pictures the bytes of files or None; whole when the block ends well."""
    import pyarrow as pa
    from datasets import DatasetInfo, Features, Image, Value

    folder.mkdir()
    columns = {name: Image() for name in pictures} | {name: Value(kind) for name, kind in values.items()}
    features = Features(columns)
    waiting: list[dict[str, Any]] = []
    size = 0

    def add(row: dict[str, Any]) -> None:
        nonlocal size
        for name in pictures:
            if (content := row[name]) is not None:
                size += len(content)
                row[name] = {"bytes": content, "path": None}
        waiting.append(row)
        if size >= _BATCH_BYTES:
            flush()

    def flush() -> None:
        nonlocal size
        stream.write_batch(pa.RecordBatch.from_pylist(waiting, schema=features.arrow_schema))
        waiting.clear()
        size = 0

    # Python's own file: its errors say what is wrong with the disk in one phrase.
    with (folder / _FILE).open("wb") as file:
        stream = pa.ipc.new_stream(file, features.arrow_schema)
        yield add
        if waiting:
            flush()
        stream.close()
    # The two files by which the library knows an Arrow stream for a data set.
    DatasetInfo(features=features).write_to_directory(str(folder))
    state: dict[str, Any] = {
        "_data_files": [{"filename": _FILE}],
        # The library names cached results after it: it must change with the rows, and only with them.
        "_fingerprint": digest_file(folder / _FILE)[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": SPLIT,
    }
    (folder / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
