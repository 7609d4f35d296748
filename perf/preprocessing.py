"""Our preprocessing of decoded 1024 px pictures against the PIL image processor of transformers, on one core."""

from __future__ import annotations

from pathlib import Path

from perf.data import CLIP_PROCESSOR, photographs, siglip_processor, write_json
from perf.measure import Row, alternate

PICTURES = 16


def measure(folder: Path) -> list[Row]:
    import torch
    from transformers import AutoImageProcessor

    from nearid_cli.images.decode import decode
    from nearid_cli.images.preprocessing import Preprocessing

    images = [decode(path) for path in photographs(folder / "pictures", PICTURES)]
    rows = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, config in (("SigLIP, 384 px", siglip_processor(384)), ("CLIP, 224 px", CLIP_PROCESSOR)):
        write_json(folder / name / "preprocessor_config.json", config)
        stock = AutoImageProcessor.from_pretrained(folder / name, backend="pil")
        ours = Preprocessing.from_config(config, None)
        assert ours is not None

        def prepare(ours: Preprocessing = ours) -> torch.Tensor:
            return ours.normalise([ours.to_uint8(image) for image in images], "cpu")

        def process(stock: AutoImageProcessor = stock) -> torch.Tensor:
            pixels: torch.Tensor = stock(images, return_tensors="pt")["pixel_values"]
            return pixels

        assert torch.equal(prepare(), process())
        seconds = alternate({"ours": prepare, "stock": process}, rounds=10)
        ours_ms, stock_ms = (1e3 * seconds[who] / PICTURES for who in ("ours", "stock"))
        rows.append(Row(f"preprocessing {name} / image processor", ours_ms, stock_ms, "ms/img", limit=0.6))
    torch.set_num_threads(threads)
    return rows
