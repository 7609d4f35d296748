"""Weights in torch's pickle format: read once, by torch's weights-only unpickler, and kept as safetensors.

A pickle is a program. The weights-only unpickler runs a small part of that language: it makes tensors, and refuses
everything else by name. What it made is written as a safetensors file, named by the digests of both files:

    CACHE/weights/<digest of the pickle>-<digest of the safetensors file>.safetensors

so a copy that was changed or cut is found out and made again, any number of processes may make it at once, and no
later run unpickles anything. Where no copy can be kept, each run reads the pickle into memory.
"""

from __future__ import annotations

import logging
import re
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.encoders.layout import SAFETENSORS
from nearid_cli.encoders.spec import check_digest
from nearid_cli.errors import ModelError
from nearid_cli.files import digest_file, flush, folder_aside, new_hasher
from nearid_cli.opening import open_regular
from nearid_cli.owners import why_not_ours
from nearid_cli.text import count, file_size, printable

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

COPY = re.compile(rf"[0-9a-f]{{64}}-[0-9a-f]{{64}}{re.escape(SAFETENSORS)}")
"""What lies in `weights`: see `files.delete_named`."""

_SAFE_SINCE = (2, 6)  # before, torch's weights-only unpickler could be led to run code (CVE-2025-32434)


def converted(source: Path, folder: Path, expected: str | None = None) -> Path:
    """The safetensors copy of a file of pickled weights, made if it is not there.

    Args:
        source: the pickle.
        folder: where copies are kept.
        expected: the BLAKE3 digest that the pickle must have, hex; None for any.

    Returns:
        The copy, whose content has the digest that `digest_of` gives.

    Raises:
        ModelError: the file needs more than tensors, is damaged, or torch is too old to read it safely.
        ChangedCheckpointError: it is not the one that is expected.
        OSError: it cannot be read, or the copy cannot be written.
    """
    from nearid_cli.encoders.weights import write_tensors

    digest = digest_file(source)
    check_digest(source, digest, expected)
    for copy in sorted(folder.glob(f"{digest}-*{SAFETENSORS}")):
        if why_not_ours(copy):  # its name says that it is whole, and not that it is of this pickle
            continue
        if digest_of(copy) == digest_file(copy):
            return copy
        copy.unlink(missing_ok=True)
    logger.info(
        f"reading {printable(source)} ({file_size(source.stat().st_size)}) once by torch's weights-only loader; "
        f"kept as safetensors in {printable(folder)}"
    )
    with folder_aside(folder / digest) as aside:
        private = aside / "pickle"
        # Torch maps the file, which nobody may cut or change meanwhile.
        with open_regular(source) as stream, private.open("xb") as target:
            shutil.copyfileobj(stream, target, 2**21)
        check_digest(source, digest_file(private), digest)
        written = aside / "copy"
        write_tensors(read_pickle(private, source), written)
        flush(written)
        copy = folder / f"{digest}-{digest_file(written)}{SAFETENSORS}"
        written.replace(copy)
    flush(folder)
    return copy


def read_without_copy(source: Path, expected: str | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a file of pickled weights, which is held in memory beside them until all are made.

    Args and errors as for `converted`.
    """
    with open_regular(source) as stream:
        content = stream.readall()
    check_digest(source, new_hasher().update(content).hexdigest(), expected)
    return read_pickle(BytesIO(content), source)


def digest_of(copy: Path) -> str:
    """The digest that the content of a copy must have."""
    return copy.stem.rpartition("-")[2]


def read_pickle(file: Path | BytesIO, source: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file that `torch.save` wrote from a state dict, in the zip format or the one before it.

    Args:
        file: one on disk is mapped, so that nobody else may write to it.
        source: what to call it.

    Returns:
        By name, each contiguous and with memory of its own.

    Raises:
        ModelError: see `converted`.
    """
    import torch

    check_torch(torch.__version__, source)
    with _nothing_else_allowed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TypedStorage, in older files
        try:
            mapped = isinstance(file, Path) and zipfile.is_zipfile(file)
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
        except MemoryError:
            raise
        except Exception as error:  # a file from anywhere: the unpickler may stumble over anything
            raise ModelError(
                f"expected a file of tensors only, found {_reason(error)} in {printable(source)}; it was not run. "
                "Where you trust the file, save its tensors as safetensors (docs/guides/offline.md)"
            ) from error
    return _own_memory(_checked(content, source))


def check_torch(version: str, source: Path) -> None:
    """Refuse a torch whose weights-only unpickler is not safe.

    Raises:
        ModelError: it is older than 2.6.
    """
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) < _SAFE_SINCE:
        raise ModelError(
            f"{printable(source)} is a pickle, which is read with torch 2.6 or newer only, found {version}: "
            'pip install --upgrade "torch>=2.6", or use a checkpoint with safetensors'
        )


@contextmanager
def _nothing_else_allowed() -> Iterator[None]:
    """Take back what this program's other parts have allowed the weights-only unpickler, inside the block."""
    from torch import serialization

    allowed = serialization.get_safe_globals()
    serialization.clear_safe_globals()
    try:
        yield
    finally:
        serialization.add_safe_globals(allowed)


def _reason(error: Exception) -> str:
    """What torch says about a file that it does not read, without its advice to read it unsafely."""
    text = " ".join(str(error).split())
    if match := re.search(r"GLOBAL (\S+)|Unsupported class (\S+)|[Gg]lobal (\S+)", text):
        name = match[1] or match[2] or match[3]
        return f"a call for {printable(name)}"
    if "TorchScript" in text:
        return "a TorchScript program"
    if "legacy .tar" in text:
        return "torch's format of before 2016 (.tar)"
    text = text.rpartition("WeightsUnpickler error: ")[2].split(". ")[0].split(" Check the doc")[0]
    return f"a damaged or foreign file ({printable(text[:120]) or type(error).__name__})"


def _checked(content: object, source: Path) -> dict[str, torch.Tensor]:
    """The content as a dictionary of plain tensors.

    Raises:
        ModelError: it is anything else.
    """
    import torch

    place = printable(source)
    if not isinstance(content, Mapping):
        raise ModelError(f"expected tensors by name in {place}, found {type(content).__name__}")
    others = [
        name
        for name, value in content.items()
        if not (isinstance(name, str) and isinstance(value, torch.Tensor))
    ]
    if others:
        inside = next((name for name in ("state_dict", "model", "model_state_dict") if name in content), None)
        hint = (
            f"; it is a training checkpoint, whose weights are in {inside}: save these alone"
            if inside
            else ""
        )
        raise ModelError(
            f"expected nothing but tensors by name in {place}, found "
            f"{count(len(others), 'other entry', 'other entries')} such as {printable(str(others[0]))}{hint}"
        )
    odd = [
        name
        for name, tensor in content.items()
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu"
    ]
    if odd:
        raise ModelError(
            f"expected plain tensors in {place}, found {count(len(odd), 'quantised or sparse one')} such as "
            f"{printable(odd[0])}; use the model that it was made from"
        )
    return dict(content)


def _own_memory(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that are contiguous and share no memory, which safetensors asks for."""
    seen: set[int] = set()
    own: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        memory = tensor.untyped_storage()
        whole = tensor.is_contiguous() and memory.nbytes() == tensor.numel() * tensor.element_size()
        own[name] = tensor if whole and memory.data_ptr() not in seen else tensor.clone().contiguous()
        seen.add(memory.data_ptr())
    return own
