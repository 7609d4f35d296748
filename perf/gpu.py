"""On a CUDA GPU: how much of the matmul peak the forward pass reaches, and how close the whole comes to its parts.

A SigLIP2 so400m with random weights at 384 px in float16: as `nearid` runs it, and as fast as a GPU can be kept busy
(`perf/steady.py`), which says what is left to be had. PERF_COMPILE=1 adds torch.compile to the latter.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from perf.data import photographs, siglip_processor, write_json
from perf.measure import Row

PICTURES = 2048
BATCHES = 16
EDGE = 384
SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": EDGE,
    "patch_size": 14,
}


def measure(folder: Path) -> list[Row]:
    import torch

    if not torch.cuda.is_available():
        print("gpu: no GPU here")
        return []
    import numpy as np
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import SiglipVisionConfig, SiglipVisionModel

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.pipeline import embed
    from nearid_cli.embedding.settings import BATCH_SIZES, Settings
    from nearid_cli.encoders.checkpoints import find_preprocessing, resolve
    from nearid_cli.encoders.files import read_files
    from nearid_cli.encoders.load import load_encoder, load_model
    from nearid_cli.encoders.registry import parse_metrics
    from nearid_cli.encoders.torch_encoder import ReadModel
    from nearid_cli.images.decode import decode
    from perf.steady import Steady, batch_that_fits

    torch.manual_seed(0)
    model = SiglipVisionModel(SiglipVisionConfig(**SO400M))
    model.save_pretrained(folder / "so400m")
    write_json(folder / "so400m" / "preprocessor_config.json", siglip_processor(EDGE))
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        model.to("meta")(pixel_values=torch.empty(1, 3, EDGE, EDGE))
    flops = counter.get_total_flops()
    (spec,) = resolve(parse_metrics([f"so400m={folder / 'so400m'}"], {}), "float16")
    encoder = load_encoder(spec, "cuda")
    files = read_files(folder / "so400m")
    read: Any = ReadModel(load_model(files, spec.readout, "float16").cuda(), files, spec.readout)
    print(f"gpu: {torch.cuda.get_device_name()}, attention by {_attention(read)}")

    def best(run: Callable[[], object], rounds: int = 5) -> float:
        seconds = []
        for _ in range(rounds + 1):
            torch.cuda.synchronize()
            start = time.perf_counter()
            run()
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return min(seconds[1:])

    square = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    peak = 2 * len(square) ** 3 * 20 / best(lambda: [square @ square for _ in range(20)])
    batch = BATCH_SIZES["cuda"]
    pixels = list(np.random.default_rng(0).integers(256, size=(batch, EDGE, EDGE, 3), dtype=np.uint8))
    forward = batch / best(lambda: encoder.embed(pixels))

    fitting = batch_that_fits(read, (EDGE, EDGE))
    if os.environ.get("PERF_COMPILE"):
        read = torch.compile(read)
    preprocessing: Any = find_preprocessing(files)
    steady = Steady(read, preprocessing, (EDGE, EDGE), fitting)
    many = [pixels[number % batch] for number in range(fitting)]
    fastest = fitting * BATCHES / best(lambda: list(steady.run([many] * BATCHES)), 3)
    alike = (next(steady.run([many]))[:batch] * encoder.embed(many)[:batch]).sum(axis=1).min()
    print(f"gpu: {fitting} pictures fit; least cosine between both ways {alike:.6f}")

    paths = photographs(folder / "pictures", PICTURES)
    fresh = itertools.count()

    def decode_all() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda path: encoder.prepare(decode(path)), paths):
                pass

    def whole(*devices: str) -> None:
        cache = Cache(folder / f"cache{next(fresh)}")
        settings = Settings(device=devices[0], devices=devices)
        embed(paths, [spec], lambda _: encoder, cache, settings, partial(load_encoder, cache=cache.folder))

    decoding, end_to_end = PICTURES / best(decode_all, 2), PICTURES / best(lambda: whole("cuda"), 2)
    rows = [
        _reached("so400m forward pass / matmul peak", forward * flops, peak, 0.6),
        _reached("so400m, graph and double buffers / matmul peak", fastest * flops, peak, 0.6),
        _speed("end to end / slower of forward and decode", end_to_end, min(forward, decoding), 0.9),
    ]
    if (gpus := torch.cuda.device_count()) > 1:
        # Whole processes' worth of imports are in it, as in a run.
        all_of_them = PICTURES / best(lambda: whole(*(f"cuda:{number}" for number in range(gpus))), 1)
        rows.append(_speed(f"{gpus} GPUs / one, start included", all_of_them, end_to_end, 1))
    return rows


def _reached(what: str, ours: float, peak: float, limit: float) -> Row:
    return Row(what, ours / 1e12, peak / 1e12, "TF/s", limit, at_least=True)


def _speed(what: str, ours: float, peer: float, limit: float) -> Row:
    return Row(what, ours, peer, "img/s", limit, at_least=True)


def _attention(model: Any) -> str:
    """Which of torch's kernels for attention run the model: the first that does alone, in order of speed."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    example = torch.zeros((1, 3, EDGE, EDGE), dtype=torch.float16, device="cuda")
    for kind in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        try:
            with torch.inference_mode(), sdpa_kernel(kind):
                model(example)
        except RuntimeError:  # it does not take this shape, or this GPU
            continue
        return kind.name.lower()
    return "plain products"
