"""Our preprocessing of 1024 px pictures against the PIL image processor of transformers, on one core.

Of decoded pictures, and for fast preprocessing, which decodes otherwise, of JPEG files.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from perf.data import CLIP_PROCESSOR, photographs, siglip_processor, write_json
from perf.measure import Row, alternate

PICTURES = 16


def measure(folder: Path) -> list[Row]:
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor

    from nearid_cli.images.decode import decode, read_picture
    from nearid_cli.images.preprocessing import Preprocessing
    from nearid_cli.images.resize import RESIZER

    RESIZER.compile()  # as long runs do by themselves
    files = [path.read_bytes() for path in photographs(folder / "pictures", PICTURES)]
    images = [decode(file) for file in files]
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

        def fast(ours: Preprocessing = ours) -> torch.Tensor:
            fast = ours.hastened()
            pictures = (read_picture(file, halve=fast.takes_half).image for file in files)
            return fast.normalise([fast.to_uint8(picture) for picture in pictures], "cpu")

        def opened(stock: AutoImageProcessor = stock) -> torch.Tensor:
            pictures = [Image.open(BytesIO(file)).convert("RGB") for file in files]
            pixels: torch.Tensor = stock(pictures, return_tensors="pt")["pixel_values"]
            return pixels

        assert torch.equal(prepare(), process())
        contenders = {"ours": prepare, "stock": process, "fast": fast, "opened": opened}
        ms = {who: 1e3 * taken / PICTURES for who, taken in alternate(contenders, rounds=10).items()}
        rows += [
            Row(f"preprocessing {name} / image processor", ms["ours"], ms["stock"], "ms/img", limit=0.6),
            Row(f"JPEG to tensor, fast, {name} / Pillow and it", ms["fast"], ms["opened"], "ms/img", 0.33),
        ]
    torch.set_num_threads(threads)
    return rows
