from __future__ import annotations

import json
import logging
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

import nearid_cli
from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.pickled import check_torch, converted, read_pickle
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.errors import ModelError
from nearid_cli.files import digest_file, in_use, name_aside
from tests.commandline import Nearid
from tests.encoders.test_load import opened
from tests.tiny import pickle_weights

Checkpoint = Callable[[str], Path]


def embed(folder: Path, photos: list[Path], cache: Path, readout: str = "") -> np.ndarray[Any, Any]:
    (spec,) = resolve(parse_metrics([f"x={folder}{readout and '::' + readout}"]), "float32")
    encoder = load_encoder(spec, cache=cache)
    return encoder.embed([encoder.prepare(image) for image in opened(photos)])


@pytest.mark.parametrize("name", ["clip", "vit", "nearid"])
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
def test_pickled_weights_give_the_embeddings_of_safetensors(
    checkpoint: Checkpoint, photos: list[Path], tmp_path: Path, name: str, options: dict[str, bool]
) -> None:
    folder = checkpoint(name)
    expected = embed(folder, photos, tmp_path)
    pickle_weights(folder, **options)
    np.testing.assert_array_equal(embed(folder, photos, tmp_path), expected)


def test_they_are_what_transformers_reads(checkpoint: Checkpoint, photos: list[Path], tmp_path: Path) -> None:
    folder = checkpoint("dinov2")
    model = transformers.Dinov2Model.from_pretrained(folder).eval()
    pickle_weights(folder)
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32")
    encoder = load_encoder(spec, cache=tmp_path)
    prepared = [encoder.prepare(image) for image in opened(photos)]
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    with torch.inference_mode():
        pixels = processor(opened(photos), return_tensors="pt")["pixel_values"]
        features = torch.nn.functional.normalize(model(pixels).last_hidden_state[:, 0], dim=1)
    np.testing.assert_allclose(encoder.embed(prepared), features.numpy(), atol=1e-6)


def test_shards_and_other_names(checkpoint: Checkpoint, photos: list[Path], tmp_path: Path) -> None:
    folder = checkpoint("vit")
    expected = embed(folder, photos, tmp_path)
    weights = pickle_weights(folder, "pytorch_model.pt")
    np.testing.assert_array_equal(embed(folder, photos, tmp_path), expected)
    (folder / "pytorch_model.pt").unlink()
    names = sorted(weights)
    shards = {"pytorch_model-00001-of-00002.bin": names[:9], "pytorch_model-00002-of-00002.bin": names[9:]}
    for shard, part in shards.items():
        torch.save({name: weights[name] for name in part}, folder / shard)
    index = {"weight_map": {name: shard for shard, part in shards.items() for name in part}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    np.testing.assert_array_equal(embed(folder, photos, tmp_path), expected)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_tensors_of_every_kind_of_memory(tmp_path: Path, new: bool) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "base": base,
        "tied": base,
        "row": base[1],
        "transposed": base.T,
        "strided": base[:, ::2],
        "half": base.half() / 7,
        "bfloat16": base.to(torch.bfloat16),
        "double": base.double() / 3,
        "whole": torch.arange(5),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base * 2),
        "expanded": torch.ones(1, 3).expand(4, 3),
    }
    torch.save(tensors, tmp_path / "x.bin", _use_new_zipfile_serialization=new)
    found = load_file(converted(tmp_path / "x.bin", tmp_path / "weights"))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach()), name


def test_a_copy_is_made_once_and_again_when_it_is_damaged(
    checkpoint: Checkpoint, photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, cache = checkpoint("vit"), tmp_path / "cache"
    pickle_weights(folder)
    caplog.set_level(logging.INFO, "nearid_cli")
    expected = embed(folder, photos, cache)
    (copy,) = (cache / "weights").iterdir()
    assert "once by torch's weights-only loader" in caplog.text

    caplog.clear()
    inode = copy.stat().st_ino
    np.testing.assert_array_equal(embed(folder, photos, cache), expected)
    assert (caplog.text, copy.stat().st_ino) == ("", inode)

    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    np.testing.assert_array_equal(embed(folder, photos, cache), expected)
    assert "once by torch's weights-only loader" in caplog.text
    assert [file.name for file in (cache / "weights").iterdir()] == [copy.name]

    # Another file under the same name is another model.
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(weights | {"layernorm.bias": weights["layernorm.bias"] + 1}, folder / "pytorch_model.bin")
    assert np.abs(embed(folder, photos, cache) - expected).max() > 1e-3
    assert Cache(cache).clear() > 0
    assert not (cache / "weights").exists()


_as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to other users"
)


@_as_root
def test_a_copy_that_another_user_made_is_not_used(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    copy = converted(tmp_path / "pytorch_model.bin", tmp_path / "weights")
    save_file({"weight": torch.zeros(2)}, tmp_path / "planted")
    planted = copy.with_name(f"{copy.name.partition('-')[0]}-{digest_file(tmp_path / 'planted')}.safetensors")
    (tmp_path / "planted").rename(planted)
    copy.unlink()
    assert converted(tmp_path / "pytorch_model.bin", tmp_path / "weights") == planted
    os.chown(planted, 4321, 4321)
    assert converted(tmp_path / "pytorch_model.bin", tmp_path / "weights") == copy


@_as_root
@pytest.mark.parametrize("trust", [(), ("--trust-cache",)], ids=["", "trusted"])
def test_a_copy_of_another_user_is_not_used_where_embeddings_of_theirs_are(
    checkpoint: Checkpoint, photos: list[Path], tmp_path: Path, nearid: Nearid, trust: tuple[str, ...]
) -> None:
    """A foreign copy is another model; whoever is trusted with embeddings need not be with that."""
    folder = checkpoint("vit")
    pickle_weights(folder)
    run = ("embed", photos[0].parent, "-m", f"x={folder}", "--cache", "cache", *trust)
    assert nearid(*run, "-o", "before.parquet").code == 0
    (copy,) = (tmp_path / "cache/weights").iterdir()
    save_file({name: tensor + 1 for name, tensor in load_file(copy).items()}, tmp_path / "planted")
    planted = copy.with_name(f"{copy.name.partition('-')[0]}-{digest_file(tmp_path / 'planted')}.safetensors")
    (tmp_path / "planted").rename(planted)
    os.chown(planted, 4321, 4321)
    copy.unlink()
    shutil.rmtree(tmp_path / "cache/embeddings")
    assert nearid(*run, "-o", "after.parquet").code == 0
    before, after = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("before", "after"))
    assert before.equals(after)


def test_several_processes_at_once(checkpoint: Checkpoint, tmp_path: Path) -> None:
    pickle_weights(checkpoint("vit"))
    source, cache = tmp_path / "vit" / "pytorch_model.bin", tmp_path / "weights"
    code = (
        "import sys; from pathlib import Path\n"
        "from nearid_cli.encoders.pickled import converted\n"
        "import torch; print('ready', flush=True); sys.stdin.readline()\n"
        "print(converted(Path(sys.argv[1]), Path(sys.argv[2])).name)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, source, cache],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    names = {one.communicate()[0].strip() for one in started}
    assert [one.returncode for one in started] == [0, 0, 0]
    assert names == {file.name for file in cache.iterdir()}
    assert len(names) == 1


def test_what_a_killed_process_left_is_swept_and_nothing_that_is_written(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "x.bin")
    weights = tmp_path / "weights"
    left, written = (name_aside(weights / "copy") for _ in range(2))
    for folder in (left, written):
        folder.mkdir(parents=True)
        (folder / ".tmpAbC").touch()  # as safetensors names what it writes
        os.utime(folder, (1, 1))
    with in_use(written):
        copy = converted(tmp_path / "x.bin", weights)
        assert set(weights.iterdir()) == {copy, written}


class Evil:
    """What an attacker puts into a file of weights."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return touch, (str(self.target),)


def touch(target: str) -> None:
    """Harm, and not on torch's own list of what nobody can allow, as os.system is."""
    Path(target).touch()


def _pickled(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def _legacy(path: Path, content: object) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def _zipped(path: Path, content: object) -> None:
    torch.save(content, path)


@pytest.mark.parametrize("write", [_zipped, _legacy, _pickled])
@pytest.mark.parametrize("forced", [False, True])
def test_code_in_a_pickle_does_not_run(
    checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, object], None],
    forced: bool,
) -> None:
    folder, touched = checkpoint("vit"), tmp_path / "touched"
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    if write is _pickled:
        write(file, {"evil": Evil(touched)})
        pickle.loads(file.read_bytes())  # the attack is a real one
        touched.unlink()
    else:
        write(file, weights | {"evil": Evil(touched)})
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    # Neither the environment nor another part of the program opens the door for our files.
    with torch.serialization.safe_globals([touch] if forced else []):
        allowed = set(torch.serialization.get_safe_globals())
        with pytest.raises(
            ModelError, match=r"found a call for .*touch in .*pytorch_model\.bin; it was not run"
        ):
            embed(folder, [], tmp_path)
        assert set(torch.serialization.get_safe_globals()) == allowed
    assert not touched.exists()
    assert list((tmp_path / "weights").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected tensors by name in .*x.bin, found list"),
        (
            {"epoch": 3, "state_dict": {"a": torch.ones(1)}},
            "2 other entries such as epoch; it is a training checkpoint",
        ),
        ({1: torch.ones(1)}, "1 other entry such as 1"),
        ({"a": torch.ones(2).to_sparse()}, "1 quantised or sparse one such as a"),
        (torch.nn.Linear(2, 2), r"a call for torch\.nn\.modules\.linear\.Linear"),
    ],
)
def test_what_is_more_or_other_than_tensors_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(ModelError, match=message):
        read_pickle(tmp_path / "x.bin", tmp_path / "x.bin")


def test_a_program_of_torch_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions of torch advise against it
        torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "x.pt")
    with pytest.raises(ModelError, match="found a TorchScript program"):
        read_pickle(tmp_path / "x.pt", tmp_path / "x.pt")


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -10])
@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_a_damaged_pickle_is_one_line(tmp_path: Path, keep: int, new: bool) -> None:
    file = tmp_path / "x.bin"
    torch.save({"a": torch.ones(2000)}, file, _use_new_zipfile_serialization=new)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="a damaged or foreign file") as error:
        read_pickle(file, file)
    assert str(file) in error.value.message
    assert "weights_only" not in error.value.message


def test_int8_in_a_pickle_is_refused_as_in_safetensors(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = checkpoint("vit")
    weights = pickle_weights(folder)
    torch.save(
        {name: tensor.to(torch.int8) for name, tensor in weights.items()}, folder / "pytorch_model.bin"
    )
    with pytest.raises(ModelError, match=r"found int8 in .*pytorch_model\.bin"):
        embed(folder, [], tmp_path)


def test_an_older_torch_is_not_trusted_with_a_pickle() -> None:
    with pytest.raises(ModelError, match=r"torch 2\.6 or newer only, found 2\.5\.1\+cpu: pip install"):
        check_torch("2.5.1+cpu", Path("x.bin"))
    for version in ("2.6.0", "2.13.0+cpu", "3.0"):
        check_torch(version, Path("x.bin"))


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
def test_a_cache_that_cannot_be_written(
    checkpoint: Checkpoint,
    photos: list[Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, bool],
) -> None:
    folder = checkpoint("vit")
    expected = embed(folder, photos, tmp_path / "cache")
    pickle_weights(folder, **options)
    (tmp_path / "file").touch()
    np.testing.assert_array_equal(embed(folder, photos, tmp_path / "file"), expected)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert re.search(r"pytorch_model\.bin is not kept as safetensors: .*--cache DIR", warning)

    torch.save({"a": torch.ones(2, dtype=torch.int8)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"found int8 in .*pytorch_model\.bin"):
        embed(folder, [], tmp_path / "file")


def test_a_disk_that_is_full_before_a_copy_is_whole(tmp_path: Path) -> None:
    # One number on the disk, and a hundred thousand where they are written out.
    torch.save({"a": torch.zeros(1).expand(100_000)}, tmp_path / "x.bin")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            converted(tmp_path / "x.bin", tmp_path / "weights")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert list((tmp_path / "weights").iterdir()) == []


def test_safetensors_only(
    checkpoint: Checkpoint, nearid: Nearid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint("vit")
    pickle_weights(folder)
    for name, shade in (("a", 90), ("b", 200)):
        Image.linear_gradient("L").point(lambda level, shade=shade: level * shade // 255).save(
            tmp_path / f"{name}.png"
        )
    pair = ("pair", tmp_path / "a.png", tmp_path / "b.png", "-m", f"x={folder}")
    for arguments in (pair, ("models", "pull", f"x={folder}"), ("models", "verify", f"x={folder}")):
        refused = nearid(*arguments, "--safetensors-only")
        assert refused.code == 2
        assert "has its weights in pytorch_model.bin only, which --safetensors-only refuses" in refused.err
    assert nearid(*pair).code == 0
    assert list((Path(os.environ["NEARID_CACHE"]) / "weights").glob("*.safetensors"))
    assert "1 file of pickled weights kept as safetensors" in nearid("cache", "info").out
    with pytest.raises(ModelError, match="--safetensors-only refuses"):
        nearid_cli.load_encoder(f"x={folder}", safetensors_only=True)
    monkeypatch.setenv("NEARID_SAFETENSORS_ONLY", "1")
    assert "--safetensors-only refuses" in nearid(*pair).err
    monkeypatch.delenv("NEARID_SAFETENSORS_ONLY")
    (tmp_path / "nearid.toml").write_text("safetensors-only = true\n")
    for arguments in (pair, ("models", "pull", f"x={folder}"), ("models", "verify", f"x={folder}")):
        assert "--safetensors-only refuses" in nearid(*arguments).err
