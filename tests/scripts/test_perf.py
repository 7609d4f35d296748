"""What `perf/` measures on a GPU, as far as a CPU goes, and what it runs beside nearid: they embed as nearid does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.encoders.checkpoints import find_preprocessing, resolve
from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.load import load_encoder, load_model
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.torch_encoder import ReadModel
from nearid_cli.images.preprocessing import Preprocessing
from perf import gpu
from perf.steady import Steady, power_of_two
from perf.ways import EXACT, WAYS, Way, installed
from tests.tiny import tiny_siglip


def test_the_steady_way_gives_the_products_numbers(tmp_path: Path) -> None:
    folder = tiny_siglip(tmp_path / "siglip")
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32")
    files = read_files(folder)
    preprocessing = find_preprocessing(files)
    assert isinstance(preprocessing, Preprocessing)
    model = ReadModel(load_model(files, spec.readout, "float32"), files, spec.readout)
    random = np.random.default_rng(0)
    batches = [list(random.integers(256, size=(16, 32, 32, 3), dtype=np.uint8)) for _ in range(3)]
    found = list(Steady(model, preprocessing, (32, 32), 16).run(batches))
    encoder = load_encoder(spec)
    assert len(found) == 3
    for rows, pictures in zip(found, batches, strict=True):
        assert np.array_equal(rows, encoder.embed(pictures))


def test_sizes_of_batches() -> None:
    assert [power_of_two(number) for number in (0, 1, 2, 3, 100, 512, 10**9)] == [1, 1, 2, 2, 64, 512, 512]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.measure(tmp_path) == []
    assert capsys.readouterr().out == "gpu: no GPU here\n"


@pytest.mark.parametrize("name", [EXACT, "torch bfloat16"])
def test_other_ways_embed_as_nearid_does(tmp_path: Path, name: str) -> None:
    folder = tiny_siglip(tmp_path / "model")
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32")
    picture = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8))
    ours, other = (
        encoder.embed([encoder.prepare(picture)])[0]
        for encoder in (load_encoder(spec), WAYS[name].load(tmp_path))
    )
    assert ours @ other > (0.999 if "bfloat16" in name else 0.999999)


def test_ways_that_need_more_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = {"x": Way(WAYS[EXACT].load, ("numpy", "no_such_package")), "y": WAYS[EXACT]}
    assert installed(lacking) == ["y"]
    assert capsys.readouterr().out == "x: not installed: no_such_package\n"
