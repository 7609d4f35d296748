"""Files of a checkpoint that are none: pipes, devices, folders, files of the kernel, of any size. None is read."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.hub.cache import Repository
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.encoders.tokenizer_files import read_tokenizer
from nearid_cli.errors import ModelError

Checkpoint = Callable[[str], Path]


def look_up(folder: Path) -> None:
    resolve([MetricRequest("x", str(folder), text=True)], "float32")
    read_tokenizer(folder)


def pipe(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def of_the_kernel(file: Path) -> None:
    file.symlink_to("/proc/self/environ")


def enormous(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(2**40)  # sparse


def looped(file: Path) -> None:
    file.symlink_to(file.name)


@pytest.mark.parametrize("make", [pipe, device, of_the_kernel, enormous, looped, Path.mkdir])
@pytest.mark.parametrize(
    "name", ["config.json", "preprocessor_config.json", "model.safetensors", "vocab.json", "merges.txt"]
)
def test_what_is_no_file_is_one_line(checkpoint: Checkpoint, make: Callable[[Path], None], name: str) -> None:
    folder = checkpoint("clip-with-text")
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(ModelError, match=name) as error:
        look_up(folder)
    assert all(line.isprintable() for line in str(error.value).splitlines())
    assert "PATH" not in str(error.value)


def test_a_reference_of_the_hub_cache_that_is_a_pipe_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--org--model" / "refs"
    refs.mkdir(parents=True)
    os.mkfifo(refs / "main")
    assert Repository("org/model").commit("main") is None


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', "4 bytes, which is not"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}', "400 bytes, which is not"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', "begins at byte"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
         "begins at byte"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
         "says twice what a is"),
        (b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', "no dtype, shape and data_offsets"),
        (b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', "no dtype, shape and data_offsets"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999]}}', "no dtype, shape"),
        (b'{"a":[]}', "no dtype, shape and data_offsets"),
        (b"[]", "no table but list"),
        (b'{"a":' * 50_000, "nested too deeply"),
        (b"9" * 5000, "a number in it is too long"),
        (b"\xff", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_head_that_does_not_fit_its_file_is_refused(checkpoint: Checkpoint, head: bytes, why: str) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"\0" * 4)
    with pytest.raises(ModelError, match=f"found a damaged file .*{why}"):
        resolve([MetricRequest("x", str(folder))], "float32")


def test_a_head_of_a_million_weights_or_of_any_length_is_not_read(checkpoint: Checkpoint) -> None:
    file = checkpoint("vit") / "model.safetensors"
    for length, size in ((2**63, 100), (2**25, 2**30)):
        with file.open("wb") as stream:
            stream.write(struct.pack("<Q", length))
            stream.truncate(size)
        with pytest.raises(ModelError, match="found a damaged file"):
            resolve([MetricRequest("x", str(file.parent))], "float32")
