"""Weights in safetensors files: written; and read once, into memory of their own, and held to their digest.

Files are read and not mapped. A mapped file that is cut ends the process without a word, and one that is written over
changes a model that is in use.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nearid_cli.encoders.heads import Head, StoredTensor, head_of, unreadable
from nearid_cli.encoders.spec import CHANGED, ChangedCheckpointError, check_digest
from nearid_cli.errors import ModelError
from nearid_cli.files import new_hasher
from nearid_cli.opening import open_regular
from nearid_cli.text import printable

if TYPE_CHECKING:
    from blake3 import blake3

_BLOCK = 2**21  # bytes, which stay in a processor's cache while they are hashed
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool,
}  # fmt: skip
_FORMATS = {dtype: name for name, dtype in _DTYPES.items()}


def formats_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The number formats of tensors in memory, as safetensors calls them."""
    return {
        name: _FORMATS.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
        for name, tensor in tensors.items()
    }


def read_tensors(
    file: Path, head: Head, wanted: Callable[[str], bool], digest: str | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of a safetensors file, one by one, in the order of the file.

    Only when the last one was taken is it known that the file is the right one, so that none may be used before.

    Args:
        file: its path.
        head: what it says of itself, by which it was found to be fit.
        wanted: says by its name whether a tensor is; others take no memory.
        digest: the BLAKE3 digest that the whole file must have, hex; None for any.

    Yields:
        Name and tensor, on the CPU, in the number format of the file.

    Raises:
        ModelError: the file cannot be read, is damaged, or has a tensor in a format that torch lacks.
        ChangedCheckpointError: it has another head or digest, or was cut while it was read.
    """
    try:
        with open_regular(file) as stream:
            if head_of(stream, file) != head:
                raise ChangedCheckpointError(f"{printable(file)} {CHANGED}")
            hasher = None if digest is None else new_hasher().update(head.raw)
            for name, entry in head.entries.items():
                if wanted(name):
                    yield name, _read(stream, file, name, entry, hasher)
                elif hasher is None:
                    stream.seek(entry.end)
                else:
                    _skip(stream, file, entry, hasher)
    except OSError as error:
        raise unreadable(file, error) from error
    if hasher is not None:
        check_digest(file, hasher.hexdigest(), digest)


def _read(stream: FileIO, file: Path, name: str, entry: StoredTensor, hasher: blake3 | None) -> torch.Tensor:
    if entry.dtype not in _DTYPES:
        raise ModelError(
            f"expected numbers that torch has in {printable(file)}, found {printable(entry.dtype)}: "
            f"{printable(name)}"
        )
    # A host program may have another default device.
    memory = torch.empty(entry.end - entry.start, dtype=torch.uint8, device="cpu")
    if len(memory):
        _fill(stream, file, memory.numpy().data, hasher)
    return memory.view(_DTYPES[entry.dtype]).view(entry.shape)


def _skip(stream: FileIO, file: Path, entry: StoredTensor, hasher: blake3) -> None:
    left = entry.end - entry.start
    block = memoryview(bytearray(min(left, _BLOCK)))
    while left:
        part = block[:left]
        _fill(stream, file, part, hasher)
        left -= len(part)


def _fill(stream: FileIO, file: Path, target: memoryview, hasher: blake3 | None) -> None:
    """Read bytes into all of `target`."""
    at = 0
    while at < len(target):
        length = stream.readinto(target[at : at + _BLOCK])
        if not length:
            raise ChangedCheckpointError(
                f"{printable(file)} was cut while it was read. Nothing of it was used; run again when it is whole"
            )
        if hasher is not None:
            hasher.update(target[at : at + length])
        at += length


def write_tensors(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """Write a safetensors file.

    Args:
        tensors: contiguous, on the CPU, none in the memory of another.
        file: its path.

    Raises:
        OSError: the disk would not take it; with its path and what the system said.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, file, {"format": "pt"})
    except SafetensorError as error:  # what is to be written is sound; the number is in the text only
        told = re.search(r"os error (\d+)", str(error))
        code = int(told[1]) if told else errno.EIO
        raise OSError(code, os.strerror(code), str(file)) from error
