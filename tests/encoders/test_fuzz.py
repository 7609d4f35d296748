"""Checkpoints with anything in their files: every one is an embedding, or an error of ours in one line."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder, load_text_encoder
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.encoders.text import text_spec
from nearid_cli.errors import NearIDError
from nearid_cli.images.reading import UnreadableImage

Checkpoint = Callable[[str], Path]

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 32, 224, 10**6, 10**9, 2**31, 2**63, 10**30, 10**400, 0.0, 0.5, -1.5, 1e300,
    float("nan"), float("inf"), float("-inf"), "", "gelu", "xielu", "32", "../x", "/etc/passwd", "a" * 5000, "\x00",
    "\ud800", "clip", "nearid", [], [1], [1, 2], [32, 32], [[]], {}, {"a": 1}, {"height": 32, "width": 32},
    {"shortest_edge": 10}, {"height": -1, "width": 0},
]  # fmt: skip
KEYS = [
    "_attn_implementation", "auto_map", "model_type", "architectures", "quantization_config", "num_labels", "dtype",
    "torch_dtype", "vision_config", "text_config", "vision_config_dict", "image_processor_type", "size", "crop_size",
    "do_pad", "pad_size", "do_resize", "resample", "image_processor", "feature_extractor_type", "processor_class",
    "tokenizer_class", "weight_map", "__metadata__", "data_offsets", "shape",
]  # fmt: skip


def mutate(content: Any, chance: random.Random) -> Any:
    """A JSON document with one to three things changed, somewhere."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = _mutated(content, chance)
    return content


def _mutated(content: Any, chance: random.Random) -> Any:
    if isinstance(content, dict) and content and chance.random() < 0.9:
        changed = dict(content)
        key = chance.choice(list(changed))
        action = chance.random()
        if action < 0.5:
            changed[key] = _mutated(changed[key], chance)
        elif action < 0.65:
            del changed[key]
        elif action < 0.85:
            changed[chance.choice(KEYS)] = chance.choice(VALUES)
        else:
            changed[key] = changed[chance.choice(list(changed))]
        return changed
    if isinstance(content, list) and content and chance.random() < 0.7:
        place = chance.randrange(len(content))
        return [*content[:place], _mutated(content[place], chance), *content[place + chance.randrange(2) :]]
    if isinstance(content, int) and chance.random() < 0.4:
        return content + chance.choice((-1, 1, 8, 10**6))
    return chance.choice(VALUES)


def damage(content: bytes, chance: random.Random) -> bytes:
    """Bytes with some changed, cut, doubled or in front."""
    action = chance.random()
    place = chance.randrange(min(len(content), 4000) + 1)
    if action < 0.5:
        changed = bytearray(content)
        for _ in range(chance.choice((1, 2, 8))):
            if changed:
                changed[chance.randrange(min(len(changed), 4000))] = chance.randrange(256)
        return bytes(changed)
    if action < 0.7:
        return content[:place]
    if action < 0.85:
        return content[:place] + content[place // 2 :]
    return (
        chance.choice(
            (b"", b"[" * 100_000, b'{"a":' * 20_000, b"9" * 10_000, b"\xff\xfe{}", b"null", b"\x00" * 9)
        )
        + content[: chance.choice((0, len(content)))]
    )


def mutate_file(file: Path, chance: random.Random) -> None:
    content = file.read_bytes()
    if file.suffix == ".safetensors" and chance.random() < 0.6:
        length = int.from_bytes(content[:8], "little")
        head = json.dumps(mutate(json.loads(content[8 : 8 + length]), chance)).encode()
        length = len(head) if chance.random() < 0.9 else chance.choice((0, 1, 2**31, 2**63, 2**64 - 1))
        file.write_bytes(
            length.to_bytes(8, "little") + head + content[8 + int.from_bytes(content[:8], "little") :]
        )
    elif file.suffix == ".json" and chance.random() < 0.8:
        file.write_text(json.dumps(mutate(json.loads(content), chance)))
    else:
        file.write_bytes(damage(content, chance))


def outcome(folder: Path, text: bool) -> str:
    """What becomes of a checkpoint, in a word; anything but an embedding or an error of ours is raised."""
    picture = Image.radial_gradient("L").convert("RGB").resize((50, 40))
    try:
        (spec,) = resolve([MetricRequest("x", str(folder), text=text)], "float32")
        if text:
            encoder = load_text_encoder(text_spec(spec))
            encoder.embed([encoder.prepare("a cat").ids])
            return "embedded"
        pictures = load_encoder(spec)
        prepared = pictures.prepare(picture)
        assert prepared is not None
        assert pictures.embed([prepared]).shape[0] == 1
    except (NearIDError, UnreadableImage) as error:
        lines = str(error).splitlines()
    else:
        return "embedded"
    assert all(line.strip() and line.isprintable() and len(line) < 2000 for line in lines), lines
    return "refused"


def fuzz(built: dict[str, Path], folder: Path, seed: int) -> str:
    """One checkpoint with one of its files, sometimes two, made something else."""
    chance = random.Random(seed)
    name = chance.choice(sorted(built))
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built[name], folder)
    files = sorted(file for file in folder.iterdir() if file.suffix != ".txt")
    for file in chance.sample(files, chance.choice((1, 1, 1, 2)) if len(files) > 1 else 1):
        mutate_file(file, chance)
    return outcome(folder, text=name == "clip-with-text" and chance.random() < 0.5)


@pytest.fixture
def built(checkpoint: Checkpoint) -> dict[str, Path]:
    """All tiny checkpoints, some in shards, with transformers' own processor, or with it in processor_config.json."""
    import transformers

    found = {
        name: checkpoint(name) for name in ("nearid", "clip-with-text", "siglip", "dinov2", "dinov3", "vit")
    }
    sharded = Path(shutil.copytree(found["vit"], found["vit"].parent / "sharded"))
    model = transformers.ViTModel.from_pretrained(sharded, add_pooling_layer=False)
    (sharded / "model.safetensors").unlink()
    model.save_pretrained(sharded, max_shard_size="60KB")
    stock = Path(shutil.copytree(found["dinov2"], found["vit"].parent / "stock"))
    settings = json.loads((stock / "preprocessor_config.json").read_bytes())
    (stock / "preprocessor_config.json").write_text(
        json.dumps(settings | {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.9})
    )
    # As transformers 5 may keep it.
    nested = Path(shutil.copytree(found["siglip"], found["vit"].parent / "nested"))
    settings = json.loads((nested / "preprocessor_config.json").read_bytes())
    (nested / "preprocessor_config.json").unlink()
    (nested / "processor_config.json").write_text(
        json.dumps({"image_processor": settings, "processor_class": "SiglipProcessor"})
    )
    return {**found, "sharded": sharded, "stock": stock, "nested": nested}


def test_any_checkpoint_is_an_embedding_or_one_line(built: dict[str, Path], tmp_path: Path) -> None:
    for seed in range(60):
        try:
            fuzz(built, tmp_path / "fuzzed", seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.torture
def test_any_of_many_checkpoints_is_an_embedding_or_one_line(built: dict[str, Path], tmp_path: Path) -> None:
    minutes = float(os.environ.get("NEARID_FUZZ_MINUTES", "15"))
    first = int(os.environ.get("NEARID_FUZZ_SEED", str(time.time_ns() % 10**9)))
    end, seed, outcomes, found = time.monotonic() + minutes * 60, first, Counter[str](), []
    while time.monotonic() < end:
        try:
            outcomes[fuzz(built, tmp_path / "fuzzed", seed)] += 1
        except Exception as error:
            found.append(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}")
        seed += 1
    print("\n".join(found))
    print(f"{seed - first:,} checkpoints from seed {first}: {dict(outcomes)}, {len(found)} findings")
    assert found == []
