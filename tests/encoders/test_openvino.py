"""Embeddings by OpenVINO are those of torch, known apart from them; and whatever goes wrong is said."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearid_cli.embedding import devices
from nearid_cli.encoders import load, openvino_encoder, torch_encoder
from nearid_cli.encoders.architectures import ARCHITECTURES
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import Encoder, EncoderSpec, EngineError
from nearid_cli.errors import ModelError
from tests.commandline import Nearid
from tests.tiny import (
    tiny_clip,
    tiny_clip_tower,
    tiny_dinov2,
    tiny_dinov3,
    tiny_nearid,
    tiny_registers,
    tiny_siglip,
    tiny_siglip_tower,
    tiny_vit,
    write_json,
)

if importlib.util.find_spec("openvino") is None:  # imported, it would report its use to its makers
    pytest.skip('not installed: pip install ".[openvino]"', allow_module_level=True)

_BUILDERS = {
    "nearid": tiny_nearid,
    "clip": tiny_clip,
    "clip_vision_model": tiny_clip_tower,
    "siglip": tiny_siglip,
    "siglip_vision_model": tiny_siglip_tower,
    "dinov2": tiny_dinov2,
    "dinov2_with_registers": tiny_registers,
    "dinov3_vit": tiny_dinov3,
    "vit": tiny_vit,
}


@pytest.fixture(autouse=True)
def _is_installed(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_openvino", lambda: True)


@pytest.fixture
def pixels() -> list[np.ndarray]:
    """Five prepared pictures; the last is the first again."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(4)]
    return [*pictures, pictures[0].copy()]


def spec_of(folder: Path, engine: str, readout: str = "", dtype: str = "float32") -> EncoderSpec:
    (spec,) = resolve(parse_metrics([f"x={folder}{readout and '::' + readout}"]), dtype, engine=engine)
    return spec


def check(folder: Path, pixels: list[np.ndarray], cache: Path, readout: str = "") -> None:
    by_torch, by_openvino = (spec_of(folder, engine, readout) for engine in ("torch", "openvino"))
    assert by_torch.fingerprint != by_openvino.fingerprint
    expected = load_encoder(by_torch).embed(pixels)
    encoder = load_encoder(by_openvino, cache=cache)
    rows = encoder.embed(pixels)
    assert rows.dtype == np.float32
    assert ((rows * expected).sum(axis=1) >= 0.999999).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3  # agreement means something
    assert np.array_equal(rows[0], rows[4])
    for number in range(1, 5):
        assert np.array_equal(encoder.embed(pixels[:number]), rows[:number])
        assert np.array_equal(encoder.embed(pixels[::-1][:number]), rows[::-1][:number])


def test_every_architecture_is_tried() -> None:
    assert _BUILDERS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", _BUILDERS)
def test_it_embeds_as_torch(name: str, tmp_path: Path, pixels: list[np.ndarray]) -> None:
    check(_BUILDERS[name](tmp_path / name), pixels, tmp_path / "cache")
    assert "openvino_telemetry" not in sys.modules


@pytest.mark.torture
@pytest.mark.parametrize("name", _BUILDERS)
def test_every_readout(name: str, tmp_path: Path, pixels: list[np.ndarray]) -> None:
    folder = _BUILDERS[name](tmp_path / name)
    for readout in [one for one in read_files(folder).readouts if (name, one) != ("vit", "pooled")]:
        check(folder, pixels, tmp_path / "cache", readout)


@pytest.fixture
def siglip(tmp_path: Path) -> Path:
    return tiny_siglip(tmp_path / "siglip")


@pytest.fixture
def cold(siglip: Path, tmp_path: Path) -> Callable[[], Encoder]:
    """Loads an encoder by OpenVINO, whose converted model is kept in `cache`."""
    return lambda: load_encoder(spec_of(siglip, "openvino"), cache=tmp_path / "cache")


def test_large_models_and_the_model_that_is_kept(
    cold: Callable[[], Encoder],
    siglip: Path,
    tmp_path: Path,
    pixels: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Large models take a picture a pass. The second load converts nothing, and what is damaged is converted anew."""
    monkeypatch.setattr(torch_encoder, "_SMALL", 0)
    check(siglip, pixels, tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(load, "_converted", lambda *_: pytest.fail("converted again"))
        rows = cold().embed(pixels)
    (kept,) = (tmp_path / "cache/openvino").glob("*/model.bin")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert np.array_equal(cold().embed(pixels), rows)
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "changed or cut" in caplog.text


def test_a_model_that_cannot_be_kept_runs(
    cold: Callable[[], Encoder], tmp_path: Path, pixels: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    assert np.isfinite(cold().embed(pixels)).all()
    assert "is not kept" in caplog.text


def test_a_full_disk_is_said_by_its_name(
    cold: Callable[[], Encoder], pixels: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**12, before[1]))
    try:
        rows = cold().embed(pixels)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert np.isfinite(rows).all()
    assert "cannot be written (File too large)" in caplog.text


def test_bfloat16_where_the_processor_has_it(siglip: Path, tmp_path: Path, pixels: list[np.ndarray]) -> None:
    if not devices._multiplies_bfloat16():
        pytest.skip("the processor has no bfloat16")
    expected = load_encoder(spec_of(siglip, "torch")).embed(pixels)
    rows = load_encoder(spec_of(siglip, "openvino", dtype="bfloat16"), cache=tmp_path).embed(pixels)
    alike = (rows * expected).sum(axis=1)
    assert ((alike >= 0.999) & (alike < 1 - 1e-6)).all()  # so small a model is further off than real ones


def test_pictures_of_many_sizes_are_torchs(nearid: Nearid, tmp_path: Path) -> None:
    folder = tiny_dinov2(tmp_path / "dinov2")
    processor = json.loads((folder / "preprocessor_config.json").read_bytes())
    write_json(folder, "preprocessor_config.json", processor | {"do_center_crop": False})
    assert spec_of(folder, "auto") == spec_of(folder, "torch")
    Image.new("RGB", (40, 60), "red").save(tmp_path / "red.png")
    auto = nearid("pair", "red.png", "red.png", "-m", f"x={folder}", "--engine", "auto")
    assert auto.code == 0, auto.err
    assert (
        auto.err.count("x runs by torch, though OpenVINO is installed: its pictures are of many sizes") == 1
    )
    with pytest.raises(ModelError, match=r"needs pictures of one size.*choose --engine torch"):
        spec_of(folder, "openvino")


def metric(finished: Any) -> Any:
    assert finished.code == 0, finished.err
    return json.loads(finished.out)["metrics"][0]


def test_results_name_it_and_do_not_mix(nearid: Nearid, data: Path, checkpoint: Any) -> None:
    checkpoint("nearid")
    score = ("score", "refs", "gens", "-m", "x=nearid", "--format", "json", "--cache", "cache")
    by_torch = metric(nearid(*score, "-o", "torch.json"))
    auto = nearid(*score, "--engine", "auto", "-o", "auto.json")
    found = metric(auto)
    assert "engine" not in by_torch
    assert found["engine"] == "openvino"
    assert found["fingerprint"] != by_torch["fingerprint"]
    assert auto.err.count("embedding by OpenVINO") == 1
    refused = nearid("compare", "torch.json", "auto.json")
    assert refused.code == 2
    assert "engine (openvino, not torch)" in refused.err
    Path("nearid.toml").write_text('[[gate.rules]]\nmetric = "x"\nmax_drop = 0.1\n', encoding="utf-8")
    gated = nearid("gate", "auto.json", "--baseline", "torch.json")
    assert "is by another engine: run openvino, baseline torch (--engine torch)" in gated.err + gated.out
    assert "float32, openvino" in nearid("cache", "info", "--cache", "cache").out
    again = nearid("cache", "verify", "--recompute", "4", "--cache", "cache")
    assert again.code == 0, again.err + again.out


def test_what_openvino_does_not_run(
    nearid: Nearid, data: Path, checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint("nearid")
    tried = []

    def fails(*_: object) -> None:
        tried.append(1)
        raise EngineError("OpenVINO cannot convert the model: aten::odd; choose --engine torch")

    monkeypatch.setattr(openvino_encoder, "converted", fails)
    score = ("score", "refs", "gens", "-m", "x=nearid", "--format", "json", "--cache", "cache")
    asked = nearid(*score, "--engine", "openvino")
    assert asked.code == 2
    assert asked.err.count("aten::odd") == 1
    for _ in range(2):
        auto = nearid(*score, "--engine", "auto")
        assert "engine" not in metric(auto)
        assert auto.err.count("x runs by torch: OpenVINO cannot convert the model: aten::odd") == 1
    assert len(tried) == 2  # a run of `auto` remembers


def test_fast_preprocessing_by_openvino(nearid: Nearid, data: Path, checkpoint: Any) -> None:
    """Both ways to be faster together are the fast pictures of torch, under a fingerprint of their own."""
    pytest.importorskip("cykooz_resizer")
    embed = ("embed", "refs", "-m", "x=nearid", "--cache", "cache")
    checkpoint("nearid")
    rows = {}
    for engine in ("torch", "openvino"):
        for way in ("exact", "fast"):
            done = nearid(*embed, "--engine", engine, "--preprocessing", way, "-o", "x.parquet")
            assert done.code == 0, done.err
            rows[engine, way] = np.array(pq.read_table("x.parquet").column("embedding").to_pylist())
    assert len(list(Path("cache/embeddings").iterdir())) == 4
    assert ((rows["torch", "fast"] * rows["openvino", "fast"]).sum(axis=1) >= 0.999999).all()
    assert not np.array_equal(rows["openvino", "fast"], rows["openvino", "exact"])
    # One model for both: pictures are prepared before it.
    assert len(list(Path("cache/openvino").glob("*/model.xml"))) == 1
    info = nearid("cache", "info", "--cache", "cache").out
    assert "float32, fast, openvino" in info


def test_pull_prepares_and_verify_covers_it(
    nearid: Nearid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_siglip(tmp_path / "one")
    many = tiny_dinov2(tmp_path / "many")
    processor = json.loads((many / "preprocessor_config.json").read_bytes())
    write_json(many, "preprocessor_config.json", processor | {"do_center_crop": False})
    pull = ("models", "pull", "x=one", "y=many", "hog", "--cache", "cache")
    assert nearid(*pull).code == 0
    assert not Path("cache").exists()
    refused = nearid(*pull, "--engine", "openvino")
    assert (refused.code, len(refused.details)) == (2, 1)
    assert "not all of 2 checkpoints could be converted" in refused.error
    assert refused.details[0].startswith("y: --engine openvino needs pictures of one size")
    (kept,) = Path("cache/openvino").glob("*/model.xml")
    monkeypatch.setattr(load, "_converted", lambda *_: pytest.fail("converted again"))
    assert nearid("models", "pull", "x=one", "--engine", "openvino", "--cache", "cache").code == 0
    assert re.search(
        r"^model\.xml +blake3:", nearid("models", "verify", "x=one", "--cache", "cache").out, re.M
    )
    assert "model.xml" not in nearid("models", "verify", "x=one").out  # of another cache
    monkeypatch.setattr(devices, "_has_openvino", lambda: False)
    assert 'pip install "nearid-cli[openvino]"' in nearid(*pull, "--engine", "openvino").err
    assert kept.is_file()


def test_pull_says_what_cannot_be_kept(nearid: Nearid, tmp_path: Path) -> None:
    tiny_siglip(tmp_path / "one")
    Path("cache").write_text("a file is in the way")
    pulled = nearid("models", "pull", "x=one", "--engine", "openvino", "--cache", "cache")
    assert pulled.code == 2
    assert "x: it runs, and cannot be kept in cache" in pulled.err


def test_the_package_is_not_installed(
    nearid: Nearid, data: Path, checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint("nearid")
    monkeypatch.setattr(devices, "_has_openvino", lambda: False)
    finished = nearid("score", "refs", "gens", "-m", "x=nearid", "--engine", "openvino")
    assert finished.code == 2
    assert 'pip install "nearid-cli[openvino]"' in finished.err


_LOAD = """
import sys
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import parse_metrics
import numpy as np
(spec,) = resolve(parse_metrics(["x=" + sys.argv[1]]), "float32", engine="openvino")
if len(sys.argv) > 2:
    print("ready", flush=True); sys.stdin.readline()
row = load_encoder(spec).embed([np.arange(3072, dtype=np.uint8).reshape(32, 32, 3)])[0]
loaded = [name for name in ("torch", "transformers", "openvino_telemetry") if name in sys.modules]
print(row.tobytes().hex(), *loaded)
"""


@pytest.mark.torture
def test_several_processes_convert_at_once_and_the_next_needs_no_torch(siglip: Path) -> None:
    command = [sys.executable, "-c", _LOAD, str(siglip)]
    started = [
        subprocess.Popen([*command, "wait"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    outs = [one.communicate("\n", timeout=600)[0].split() for one in started]
    assert [one.returncode for one in started] == [0] * 4
    assert len({out[0] for out in outs}) == 1
    assert subprocess.check_output(command, text=True).split() == [outs[0][0]]
