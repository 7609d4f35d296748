"""A checkpoint by OpenVINO on a CPU against transformers' pipeline as one writes it: float32, eager, a picture a pass.

The forward pass of a mid-size tower with random weights (SigLIP base at 224 px), also against what products of
matrices reach in the same run, which no forward pass can do without. And then whole processes, each loading the model
and embedding one picture: their peak memory, and how long ours takes to load a model that is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from perf.data import photographs, siglip_processor, write_json
from perf.measure import Row, alternate, process

PICTURES = 4
ROUNDS = 4
SQUARE = 2048

_OURS = """
import sys, time
from pathlib import Path
from PIL import Image
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import parse_metrics
(spec,) = resolve(parse_metrics(["x=" + sys.argv[1]]), sys.argv[4], engine="openvino")
start = time.perf_counter()
encoder = load_encoder(spec, cache=Path(sys.argv[2]))
taken = time.perf_counter() - start
encoder.embed([encoder.prepare(Image.open(sys.argv[3]))])
"""
_STOCK = """
import sys, time
start = time.perf_counter()
import transformers
transformers.utils.logging.disable_progress_bar()
embed = transformers.pipeline(
    "image-feature-extraction", sys.argv[1], pool=True, model_kwargs={"attn_implementation": "eager"}
)
taken = time.perf_counter() - start
embed(sys.argv[3])
"""
_SAY = """
peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
print("said", taken, int(peak) / 1024, file=sys.stderr)
"""


def measure(folder: Path) -> list[Row]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import SiglipVisionConfig, SiglipVisionModel, pipeline
    from transformers.utils import logging

    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.load import load_encoder
    from nearid_cli.encoders.registry import parse_metrics

    logging.disable_progress_bar()
    torch.manual_seed(0)
    model = SiglipVisionModel(SiglipVisionConfig(image_size=224, patch_size=16))
    model.save_pretrained(folder / "base")
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        model.to("meta")(pixel_values=torch.empty(1, 3, 224, 224))
    operations = counter.get_total_flops() / 1e9
    write_json(folder / "base/preprocessor_config.json", siglip_processor(224))
    paths = photographs(folder / "pictures", PICTURES, edge=224)
    pictures = [Image.open(path).convert("RGB") for path in paths]
    encoders = {}
    for dtype in ("float32", "bfloat16"):
        (spec,) = resolve(parse_metrics([f"x={folder / 'base'}"]), dtype, engine="openvino")
        encoders[dtype] = load_encoder(spec, cache=folder / "cache")
    (spec,) = resolve(parse_metrics([f"x={folder / 'base'}"]), "float32")
    by_torch = load_encoder(spec)
    pipe = pipeline(
        "image-feature-extraction",
        str(folder / "base"),
        pool=True,
        model_kwargs={"attn_implementation": "eager"},
    )

    def run(encoder: Any) -> Any:
        return encoder.embed([encoder.prepare(picture) for picture in pictures])

    expected = run(by_torch)
    for dtype, encoder in encoders.items():
        print(f"least cosine to torch in float32, {dtype}: {(run(encoder) * expected).sum(axis=1).min():.7f}")
    squares = {name: torch.rand(SQUARE, SQUARE, dtype=getattr(torch, name)) for name in encoders}
    seconds = alternate(
        {
            "product float32": lambda: squares["float32"] @ squares["float32"],
            "product bfloat16": lambda: squares["bfloat16"] @ squares["bfloat16"],
            "float32": lambda: run(encoders["float32"]),
            "bfloat16": lambda: run(encoders["bfloat16"]),
            "torch": lambda: run(by_torch),
            "stock": lambda: [pipe(picture) for picture in pictures],
        },
        rounds=ROUNDS,
    )
    speed = {name: PICTURES / taken for name, taken in seconds.items()}
    products = {name: 2e-9 * SQUARE**3 / seconds[f"product {name}"] for name in squares}
    reached = {name: operations * speed[name] for name in squares}
    said = {
        name: _said(program, folder, paths[0], dtype)
        for name, program, dtype in (
            ("stock", _STOCK, ""),
            ("float32", _OURS, "float32"),
            ("bfloat16", _OURS, "bfloat16"),
        )
    }
    load, peak = ({name: one[which] for name, one in said.items()} for which in (0, 1))
    stock = "transformers pipeline"
    table = [
        ("OpenVINO float32", speed["float32"], stock, speed["stock"], "img/s", 2.2, True),
        ("OpenVINO bfloat16", speed["bfloat16"], stock, speed["stock"], "img/s", 3.5, True),
        *(
            (f"{name} pass", reached[name], "matmul peak", products[name], "GFLOP/s", 0.6, True)
            for name in squares
        ),
        ("nearid by torch", speed["torch"], stock, speed["stock"], "img/s", 1, True),
        ("load a model that is kept, float32", load["float32"], "5 s", 5, "s", 1, False),
        ("load a model that is kept, bfloat16", load["bfloat16"], "5 s", 5, "s", 1, False),
        ("load, float32", load["float32"], stock, load["stock"], "s", 1, False),
        ("load, bfloat16", load["bfloat16"], stock, load["stock"], "s", 1, False),
        ("peak memory, float32", peak["float32"], stock, peak["stock"], "MiB", 0.5, False),
        ("peak memory, bfloat16", peak["bfloat16"], stock, peak["stock"], "MiB", 0.5, False),
    ]
    return [
        Row(f"{what} / {against}", ours, peer, unit, limit, at_least)
        for what, ours, against, peer, unit, limit, at_least in table
    ]


def _said(program: str, folder: Path, picture: Path, dtype: str) -> tuple[float, float]:
    """Seconds that loading takes, and the peak in MiB, of a process."""
    said = process(sys.executable, "-c", program + _SAY, folder / "base", folder / "cache", picture, dtype)
    seconds, peak = said.rpartition("said ")[2].split()
    return float(seconds), float(peak)
