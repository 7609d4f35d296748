"""Opening a data set in any of the forms it comes in, with the `datasets` library and without its noise.

Pictures stay the bytes they are. `datasets` memory-maps Arrow files: a folder of `save_to_disk` is read where it
lies; Parquet files and Hub data sets are converted once, into its own cache (`HF_HOME`, `HF_DATASETS_CACHE`). There it
knows Parquet files by path and time, which other content may have; so each content has a folder of its own.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from nearid_cli.errors import InputError, NearIDError
from nearid_cli.files import digest_file, files_below, whole_folder
from nearid_cli.opening import TEXT_BYTES, UnfitFileError, expanded, open_regular
from nearid_cli.text import count, file_size, printable

if TYPE_CHECKING:
    from datasets import Dataset

Notify = Callable[[str], None]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.parquet")
_FORMS = "a Hub id, a folder of save_to_disk, a Parquet file or a folder of Parquet files"


def open_source(source: str, split: str = "train", notify: Notify = lambda line: None) -> Dataset:
    """Open a data set; its pictures are not decoded.

    Args:
        source: a folder or file that exists (it wins), or else a Hub id `organisation/name`. A folder is
            what `save_to_disk` wrote, or holds Parquet files itself or in `data/`.
        split: which split of a `DatasetDict`, of Parquet files named `SPLIT-00000-of-00001.parquet`, or of a
            Hub data set. What is not divided into splits counts as `train`.
        notify: called with one line before something may be downloaded.

    Returns:
        At least one row; every column of type `Image` has `decode=False`.

    Raises:
        InputError: the data set is not there, damaged, empty, or lacks the split; or `datasets` is not installed.
    """
    datasets = _library()
    path = expanded(source)
    with _quiet(datasets):
        try:
            if path.is_dir():
                dataset = _open_folder(datasets, path, split)
            elif path.exists():
                dataset = _open_parquet(datasets, [path], str(path), split)
            else:
                dataset = _open_hub(datasets, source, split, notify)
            for name, feature in list(dataset.features.items()):
                if isinstance(feature, datasets.Image):
                    dataset = dataset.cast_column(name, datasets.Image(decode=False))
        except NearIDError:
            raise
        except IndexError as error:  # datasets cannot read back what save_to_disk wrote for no rows
            raise _no_rows(source) from error
        except Exception as error:  # datasets and Arrow raise nearly everything; the message says what
            raise InputError(f"{printable(source)} cannot be opened: {_reason(error)}") from error
    if len(dataset) == 0:
        raise _no_rows(source)
    return dataset


def default_split(source: str, preferred: str) -> str:
    """The split to take when nobody says which: `train`, which is all, of what is not divided into splits.

    Looks at names of files alone. A data set of the Hub counts as divided.

    Args:
        source: as for `open_source`.
        preferred: which split of what is divided.
    """
    path = expanded(source)
    if path.is_dir():
        undivided = not (path / "dataset_dict.json").exists() and not any(map(_shard, _parquet_files(path)))
    else:
        undivided = path.exists() and not _shard(path)
    return "train" if undivided else preferred


def _no_rows(source: str) -> InputError:
    return InputError(f"{printable(source)} has no rows")


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            'reading data sets needs the datasets library: pip install "nearid-cli[bench]", or "nearid-cli[train]"'
        ) from error
    return datasets


def _open_folder(datasets: Any, folder: Path, split: str) -> Dataset:
    if any((folder / name).exists() for name in ("dataset_dict.json", "state.json")):
        _check_files(folder)
    if (folder / "dataset_dict.json").exists():
        splits = datasets.load_from_disk(str(folder))
        return splits[_known(split, list(splits), str(folder))]
    if (folder / "state.json").exists():
        _known(split, ["train"], str(folder))
        return datasets.load_from_disk(str(folder))
    if files := _parquet_files(folder):
        return _open_parquet(datasets, files, str(folder), split)
    raise InputError(f"{printable(folder)} is no data set: expected {_FORMS}, found a folder of other things")


def _check_files(folder: Path) -> None:
    """Refuse what `datasets` would open, and wait for or read without end.

    Raises:
        InputError: a file in the folder is no regular one, cannot be opened, or is larger than such files are.
    """
    unfit: list[str] = []

    def note(error: OSError) -> None:
        place = printable(Path(error.filename).relative_to(folder))
        unfit.append(f"{place}/: {error.strerror or error}")

    for place, _, names in os.walk(folder, onerror=note):
        for file in (Path(place, name) for name in names):
            try:
                open_regular(file, TEXT_BYTES if file.suffix == ".json" else None).close()
            except OSError as error:
                unfit.append(f"{printable(file.relative_to(folder))}: {error.strerror or error}")
    if unfit:
        raise InputError(f"{printable(folder)}: {count(len(unfit), 'file')} cannot be read", unfit)


def _parquet_files(folder: Path) -> list[Path]:
    for place in (folder, folder / "data"):
        if files := sorted(place.glob("[!.]*.parquet")):
            return files
    return []


def _shard(file: Path) -> re.Match[str] | None:
    """What the name of a Parquet file says: the split, where it is a part of one."""
    return _SHARD.fullmatch(file.name)


def _open_parquet(datasets: Any, files: Sequence[Path], source: str, split: str) -> Dataset:
    import pyarrow.parquet

    splits: dict[str, list[str]] = {}
    unreadable, rows = [], 0
    for file in files:
        try:
            with open_regular(file) as opened:
                rows += pyarrow.parquet.read_metadata(opened).num_rows
        except UnfitFileError as error:
            unreadable.append(f"{printable(file.name)}: {error.strerror}")
        except (pyarrow.ArrowException, OSError) as error:
            unreadable.append(f"{printable(file.name)}: {_reason(error)}")
        named = _shard(file)
        splits.setdefault(named[1] if named else "train", []).append(str(file))
    if unreadable:
        raise InputError(
            f"{printable(source)}: {count(len(unreadable), 'file')} cannot be read as Parquet", unreadable
        )
    if not rows:
        raise _no_rows(source)
    return _converted(datasets, splits[_known(split, list(splits), source)], source)


def _converted(datasets: Any, files: Sequence[str], source: str) -> Dataset:
    """Parquet files as a data set, converted if these bytes were not converted before.

    Raises:
        InputError: they change while they are read.
    """
    content = _digest(files)
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "parquet-by-content" / content
    if not folder.exists():
        try:
            with whole_folder(folder) as aside:
                datasets.Dataset.from_parquet(list(files), cache_dir=str(aside))
                if _digest(files) != content:
                    raise InputError(f"{printable(source)} changed while it was read; run again")
        except OSError:
            if not folder.exists():  # where it does, another process was faster
                raise
    # Not asked of `from_parquet`, which would look at the files again.
    parts = [datasets.Dataset.from_file(str(file)) for file in files_below(folder) if file.suffix == ".arrow"]
    dataset: Dataset = datasets.concatenate_datasets(parts)
    return dataset


def _digest(files: Sequence[str]) -> str:
    """The digest of the content of files in their order, in hex."""
    return blake3(" ".join(digest_file(Path(file)) for file in files).encode()).hexdigest()


def _known(split: str, splits: Sequence[str], source: str) -> str:
    if split not in splits:
        raise InputError(
            f'{printable(source)} has no split "{printable(split)}"; it has {", ".join(map(printable, splits))}'
        )
    return split


def _open_hub(datasets: Any, source: str, split: str, notify: Notify) -> Dataset:
    from huggingface_hub import constants

    shown = printable(source)
    if not _HUB_ID.fullmatch(source):
        raise InputError(f"no data set {shown}: no such file or folder, and not a Hub id (organisation/name)")
    try:
        if not constants.HF_HUB_OFFLINE:
            size = _ask_hub(source)
            notify(f"opening {shown} from the Hub ({size}; what is cached is not downloaded again)")
        return datasets.load_dataset(source, split=split)
    except (ConnectionError, FileNotFoundError) as error:
        if not constants.HF_HUB_OFFLINE:
            raise
        raise InputError(
            f"no data set {shown}: no such folder here, and as a Hub id it is not in the cache of datasets "
            f"({printable(datasets.config.HF_DATASETS_CACHE)}) and HF_HUB_OFFLINE is set; fetch it where there "
            "is a network, or give a folder"
        ) from error


def _ask_hub(repo_id: str) -> str:
    """The size of a data set. Asked once, because `datasets` by itself would try for half a minute."""
    from huggingface_hub import HfApi, constants, errors, utils

    httpx: Any = utils.httpx  # type: ignore[attr-defined]  # of the generation that it runs on
    try:
        info = HfApi().dataset_info(repo_id, timeout=constants.HF_HUB_ETAG_TIMEOUT, files_metadata=True)
    except errors.GatedRepoError as error:
        reason = f"it is gated: accept its terms on https://huggingface.co/datasets/{repo_id}, then `hf auth login`"
        raise InputError(f"no data set {repo_id}: {reason}") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"no data set {repo_id}: no such folder here, and the Hub has no such data set; check the spelling, "
            "or `hf auth login` if it is private"
        ) from error
    except (httpx.HTTPError, errors.OfflineModeIsEnabled) as error:
        raise InputError(
            f"no data set {repo_id}: no such folder here, and the Hub cannot be asked at {constants.ENDPOINT}; "
            "if it was opened before, set HF_HUB_OFFLINE=1 to use the copy in the cache"
        ) from error
    return file_size(sum(file.size or 0 for file in info.siblings or ()))


def _reason(error: BaseException) -> str:
    """What went wrong first, in one line: `datasets` wraps it in "An error occurred while generating"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Keep progress bars, log lines and warnings of `datasets` and of the Hub's client off the terminal."""
    import huggingface_hub.utils

    libraries = [
        library for library in (datasets, huggingface_hub.utils) if not library.are_progress_bars_disabled()
    ]
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for library in libraries:
                library.disable_progress_bars()
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for library in libraries:
                library.enable_progress_bars()
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
