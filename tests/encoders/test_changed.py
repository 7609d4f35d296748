"""Checkpoints that change between being looked up and being loaded, and files that are cut while they are read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.heads import read_head
from nearid_cli.encoders.load import load_encoder, load_text_encoder
from nearid_cli.encoders.registry import MetricRequest, parse_metrics
from nearid_cli.encoders.spec import ChangedCheckpointError, EncoderSpec
from nearid_cli.encoders.text import text_spec
from nearid_cli.encoders.weights import read_tensors
from nearid_cli.errors import ModelError
from nearid_cli.files import digest_file
from tests.tiny import change_weights, hub_cache, pickle_weights, tiny_clip_with_text, tiny_vit

Checkpoint = Callable[[str], Path]


def spec_of(folder: Path) -> EncoderSpec:
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32")
    return spec


def swap(file: Path, other: Path) -> None:
    """Put another file's content in place, of the same size and with the same time."""
    before = file.stat()
    assert other.stat().st_size == before.st_size
    shutil.copyfile(other, file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_weights_of_another_model_are_not_loaded_under_the_first_ones_fingerprint(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder, other = checkpoint("vit"), tiny_vit(tmp_path / "other", seed=1)
    spec = spec_of(folder)
    swap(folder / "model.safetensors", other / "model.safetensors")
    with pytest.raises(ChangedCheckpointError, match=r"model\.safetensors changed after") as error:
        load_encoder(spec)
    assert not error.value.details
    assert spec_of(folder).fingerprint != spec.fingerprint
    load_encoder(spec_of(folder))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_settings_that_change_are_not_loaded(checkpoint: Checkpoint, name: str) -> None:
    folder = checkpoint("vit")
    spec = spec_of(folder)
    content = (folder / name).read_text()
    (folder / name).write_text(content + "\n")
    with pytest.raises(ChangedCheckpointError, match=name):
        load_encoder(spec)
    (folder / name).write_text(content)
    load_encoder(spec)


def test_settings_and_weights_that_were_not_there_are_not_loaded(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    spec = spec_of(folder)
    processor = (folder / "preprocessor_config.json").read_text()
    (folder / "processor_config.json").write_text(f'{{"image_processor": {processor}}}')
    with pytest.raises(ChangedCheckpointError, match=r"processor_config\.json"):
        load_encoder(spec)
    (folder / "processor_config.json").unlink()
    pickle_weights(folder)
    with pytest.raises(ChangedCheckpointError, match=r"pytorch_model\.bin"):
        load_encoder(spec)


def test_a_shard_that_changes_is_not_loaded(checkpoint: Checkpoint, tmp_path: Path) -> None:
    import transformers

    folders = [checkpoint("vit"), tiny_vit(tmp_path / "other", seed=1)]
    for folder in folders:
        model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
    spec = spec_of(folders[0])
    last = max(file.name for file in folders[0].glob("model-*-of-*.safetensors"))
    swap(folders[0] / last, folders[1] / last)
    with pytest.raises(ChangedCheckpointError, match=last):
        load_encoder(spec)


def test_a_pickle_that_changes_is_neither_loaded_nor_kept(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder, other = checkpoint("vit"), tiny_vit(tmp_path / "other", seed=1)
    for one in (folder, other):
        pickle_weights(one)
    spec = spec_of(folder)
    swap(folder / "pytorch_model.bin", other / "pytorch_model.bin")
    with pytest.raises(ChangedCheckpointError, match=r"pytorch_model\.bin"):
        load_encoder(spec, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_settings_of_a_snapshot_that_change_are_not_loaded(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = hub_cache(tmp_path / "hub", "org/model", checkpoint("vit"))
    (spec,) = resolve([MetricRequest("x", "org/model")], "float32")
    assert spec.digests["model.safetensors"] is None
    load_encoder(spec)
    blob = (snapshot / "preprocessor_config.json").resolve()
    blob.write_text(blob.read_text().replace("0.485", "0.486"))
    with pytest.raises(ChangedCheckpointError):
        load_encoder(spec)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_a_tokenizer_that_changes_is_not_loaded(tmp_path: Path, name: str) -> None:
    folder = tiny_clip_with_text(tmp_path / "clip")
    (pictures,) = resolve([MetricRequest("x", str(folder), text=True)], "float32")
    spec = text_spec(pictures)
    load_text_encoder(spec)
    (folder / name).write_text((folder / name).read_text() + "\n")
    with pytest.raises(ChangedCheckpointError, match=name):
        load_text_encoder(spec)


def test_a_file_that_is_cut_while_it_is_read_ends_in_a_line(checkpoint: Checkpoint) -> None:
    file = checkpoint("vit") / "model.safetensors"
    reading = read_tensors(file, read_head(file), lambda name: True)
    next(reading)
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(ChangedCheckpointError, match="was cut while it was read"):
        list(reading)


def test_weights_that_are_cut_after_loading_do_not_end_the_process(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    code = (
        "import os, sys\n"
        "from PIL import Image\n"
        "from tests.encoders.test_changed import spec_of\n"
        "from nearid_cli.encoders.load import load_encoder\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "encoder = load_encoder(spec_of(folder))\n"
        "picture = encoder.prepare(Image.radial_gradient('L').convert('RGB'))\n"
        "os.truncate(folder / 'model.safetensors', 100)\n"
        "print(encoder.embed([picture]).sum())"
    )
    expected = load_encoder(spec_of(folder))
    picture = expected.prepare(Image.radial_gradient("L").convert("RGB"))
    found = subprocess.run(
        [sys.executable, "-c", code, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert float(found.stdout) == pytest.approx(float(expected.embed([picture]).sum()), abs=1e-5)


def test_the_digest_of_a_file_that_is_cut_meanwhile_is_one_of_its_states(tmp_path: Path) -> None:
    # Mapped, it ended the process: the bus error of a page that is no more.
    code = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from nearid_cli.files import digest_file\n"
        "file = Path(sys.argv[1])\n"
        "def cut():\n"
        "    while True: os.truncate(file, 0); os.truncate(file, 2**28)\n"
        "threading.Thread(target=cut, daemon=True).start()\n"
        "for _ in range(8): digest_file(file)\n"
    )
    (tmp_path / "a").touch()
    found = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_weights_that_are_swapped_again_and_again_are_loaded_under_their_own_fingerprint(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = checkpoint("vit")
    others = [tiny_vit(tmp_path / str(seed), seed=seed) / "model.safetensors" for seed in (1, 2)]
    own = {}
    picture = Image.radial_gradient("L").convert("RGB")
    for other in others:
        shutil.copyfile(other, folder / "model.safetensors")
        encoder = load_encoder(spec_of(folder))
        own[encoder.spec.fingerprint] = encoder.embed([encoder.prepare(picture)]).tobytes()
    stop = threading.Event()

    def swapping() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            swap(folder / "model.safetensors", others[number % 2])

    thread = threading.Thread(target=swapping)
    thread.start()
    outcomes = {"loaded": 0, "refused": 0}
    try:
        for _ in range(12):
            try:
                encoder = load_encoder(spec_of(folder))
            except ModelError:
                outcomes["refused"] += 1
                continue
            outcomes["loaded"] += 1
            fingerprint = encoder.spec.fingerprint
            assert own.get(fingerprint) == encoder.embed([encoder.prepare(picture)]).tobytes()
    finally:
        stop.set()
        thread.join()
    assert sum(outcomes.values()) == 12


def test_what_is_read_is_what_safetensors_reads(checkpoint: Checkpoint) -> None:
    import torch
    from safetensors.torch import load_file

    for name in ("clip", "nearid"):
        file = checkpoint(name) / "model.safetensors"
        expected = load_file(file)
        found = dict(read_tensors(file, read_head(file), lambda name: True, digest_file(file)))
        assert found.keys() == expected.keys()
        for key, tensor in expected.items():
            assert found[key].dtype == tensor.dtype
            assert torch.equal(found[key], tensor)
    kinds = {
        str(dtype): torch.tensor([[0, 1], [1, 0]]).to(dtype)
        for dtype in (torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool)
    }
    file = checkpoint("vit") / "model.safetensors"
    change_weights(
        file.parent, lambda weights: weights.update(kinds, one=torch.tensor(3.0), none=torch.ones(0, 2))
    )
    found = dict(read_tensors(file, read_head(file), lambda name: name in {*kinds, "one", "none"}))
    assert found.keys() == {*kinds, "one", "none"}
    for key, tensor in load_file(file).items():
        assert key not in found or torch.equal(found[key], tensor)
