"""Cold embedding of 1024 px JPEGs with a small encoder, in one process, imports and model loading left out.

Ours is the whole pipeline with a fresh cache: digests, safe decoding, embeddings, Parquet on the disk; with exact
preprocessing, and with fast. sentence-transformers is one of the peers where it is installed. Where the model is the
work (a SigLIP base) the peer is its forward pass alone, on pictures that are prepared.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perf.data import photographs, siglip_processor, small_encoder, write_json
from perf.measure import Row, alternate

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Encoder

PICTURES = 2_000
BATCH = 16
FEW = 16
"""Pictures of the larger model."""


def measure(folder: Path) -> list[Row]:
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel, pipeline
    from transformers.utils import logging

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.pipeline import embed
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.load import load_encoder

    logging.disable_progress_bar()
    paths = photographs(folder / "pictures", PICTURES)
    spec, encoder = small_encoder(folder / "small")
    hastened = load_encoder(spec.hastened())
    model = AutoModel.from_pretrained(folder / "small").eval()
    processor = AutoImageProcessor.from_pretrained(folder / "small", backend="pil")
    fresh = itertools.count()

    def ours(encoder: Encoder = encoder) -> None:
        cache = Cache(folder / f"cache{next(fresh)}")
        embedded = embed(paths, [encoder.spec], lambda _: encoder, cache, Settings())
        assert len(embedded.rows[spec.name]) == PICTURES

    def fast() -> None:
        ours(hastened)

    transformers_pipeline = pipeline(
        "image-feature-extraction",
        model=model,
        image_processor=processor,
        batch_size=BATCH,
        pool=True,
        return_tensors=True,
    )

    def stock() -> None:
        assert len(list(transformers_pipeline([str(path) for path in paths]))) == PICTURES

    def loader() -> None:
        pictures: Any = _Pictures(paths, processor)
        batches: Any = torch.utils.data.DataLoader(pictures, BATCH, num_workers=2)
        with torch.inference_mode():
            assert sum(len(model(pixel_values=batch).pooler_output) for batch in batches) == PICTURES

    def resized(path: Path) -> Image.Image:
        with Image.open(path) as image:
            small: Image.Image = image.resize((224, 224), Image.Resampling.BILINEAR)
            return small

    def decode() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            assert len(list(pool.map(resized, paths))) == PICTURES

    contenders = {"ours": ours, "fast": fast, "stock": stock, "loader": loader, "decode": decode}
    if find_spec("sentence_transformers"):
        contenders["sentences"] = _by_sentence_transformers(folder / "small", paths)
    else:
        print("cold: not installed: sentence-transformers")
    seconds = alternate(contenders, rounds=5)
    speed = {name: PICTURES / taken for name, taken in seconds.items()}
    rows = [
        Row(f"{what} / {against}", speed[who], speed[peer], "img/s", limit, at_least=True)
        for what, who, against, peer, limit in (
            ("cold embed", "ours", "transformers pipeline", "stock", 2.6),
            ("cold embed", "ours", "torch DataLoader, 2 workers", "loader", 1.6),
            ("cold embed", "ours", "decode and resize alone", "decode", 0.9),
            ("cold embed", "ours", "sentence-transformers", "sentences", 1),
            ("cold embed, fast", "fast", "transformers pipeline", "stock", 5),
            ("cold embed, fast", "fast", "torch DataLoader, 2 workers", "loader", 3),
            ("cold embed, fast", "fast", "sentence-transformers", "sentences", 1),
        )
        if peer in speed
    ]
    return [*rows, _of_a_larger_model(folder / "base", paths[:FEW])]


def _of_a_larger_model(checkpoint: Path, paths: list[Path]) -> Row:
    from PIL import Image
    from transformers import SiglipVisionConfig, SiglipVisionModel

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.pipeline import embed
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.load import load_encoder
    from nearid_cli.encoders.registry import parse_metrics

    SiglipVisionModel(SiglipVisionConfig(image_size=224, patch_size=16)).save_pretrained(checkpoint)
    write_json(checkpoint / "preprocessor_config.json", siglip_processor(224))
    (spec,) = resolve(parse_metrics([f"base={checkpoint}"]), "float32")
    encoder = load_encoder(spec)
    prepared: list[Any] = [encoder.prepare(Image.open(path)) for path in paths]
    fresh = itertools.count()

    def whole() -> None:
        cache = Cache(checkpoint.with_name(f"base-cache{next(fresh)}"))
        assert not embed(paths, [spec], lambda _: encoder, cache, Settings()).bad

    seconds = alternate({"whole": whole, "alone": lambda: encoder.embed(prepared)}, rounds=3)
    speed = {name: len(paths) / taken for name, taken in seconds.items()}
    what = "cold embed by a SigLIP base / its forward pass alone"
    return Row(what, speed["whole"], speed["alone"], "img/s", 0.9, at_least=True)


def _by_sentence_transformers(checkpoint: Path, paths: list[Path]) -> Callable[[], None]:
    """The same readout, from paths."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    module = Transformer(
        str(checkpoint),
        modality_config={"image": {"method": "forward", "method_output_name": "pooler_output"}},
        module_output_name="sentence_embedding",
    )
    model = SentenceTransformer(modules=[module], device="cpu")

    def run() -> None:
        assert len(model.encode([str(path) for path in paths], batch_size=BATCH)) == PICTURES

    return run


class _Pictures:
    """The data set that a DataLoader reads."""

    def __init__(self, paths: list[Path], processor: Any) -> None:
        self.paths, self.processor = paths, processor

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        from PIL import Image

        with Image.open(self.paths[index]) as image:
            return self.processor(image.convert("RGB"), return_tensors="pt")["pixel_values"][0]
