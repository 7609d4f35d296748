"""On a CUDA GPU: how much of the matmul peak the forward pass reaches, and how close the whole comes to its parts.

A SigLIP2 so400m with random weights at 384 px in float16, as `nearid` runs it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from perf.data import photographs, siglip_processor, write_json
from perf.measure import Row

PICTURES = 2048
BATCH = 128
SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
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
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.load import load_encoder
    from nearid_cli.encoders.registry import parse_metrics
    from nearid_cli.images.decode import decode

    torch.manual_seed(0)
    model = SiglipVisionModel(SiglipVisionConfig(**SO400M))
    model.save_pretrained(folder / "so400m")
    write_json(folder / "so400m" / "preprocessor_config.json", siglip_processor(384))
    with FlopCounterMode(display=False) as flops, torch.device("meta"):
        model.to("meta")(pixel_values=torch.empty(1, 3, 384, 384))
    (spec,) = resolve(parse_metrics([f"so400m={folder / 'so400m'}"], {}), "float16")
    encoder = load_encoder(spec, "cuda")

    def best(run: Callable[[], object], rounds: int = 5) -> float:
        seconds = []
        for _ in range(rounds + 1):
            torch.cuda.synchronize()
            start = time.perf_counter()
            run()
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return min(seconds[1:])

    edge = 8192
    a, b = (torch.randn(edge, edge, device="cuda", dtype=torch.float16) for _ in range(2))
    peak = 2 * edge**3 * 20 / best(lambda: [a @ b for _ in range(20)])
    pixels = list(np.random.default_rng(0).integers(256, size=(BATCH, 384, 384, 3), dtype=np.uint8))
    forward = BATCH / best(lambda: encoder.embed(pixels))

    paths = photographs(folder / "pictures", PICTURES)
    fresh = itertools.count()

    def decode_all() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda path: encoder.prepare(decode(path)), paths):
                pass

    def whole() -> None:
        cache = Cache(folder / f"cache{next(fresh)}")
        embed(paths, [spec], lambda _: encoder, cache, Settings(device="cuda"))

    decoding, end_to_end = PICTURES / best(decode_all, 2), PICTURES / best(whole, 2)
    reached = forward * flops.get_total_flops()
    slower = min(forward, decoding)
    return [
        Row("so400m forward pass / matmul peak", reached / 1e12, peak / 1e12, "TF/s", 0.6, at_least=True),
        Row("end to end / slower of forward and decode", end_to_end, slower, "img/s", 0.9, at_least=True),
    ]
