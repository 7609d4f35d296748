"""Rating files of DreamBench++ as small as they can be and still look like the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

METHODS = (
    "textual_inversion_sd",
    "dreambooth_sd",
    "dreambooth_lora_sdxl",
    "blip_diffusion",
    "emu2",
    "ip_adapter_plus_vit_h_sdxl",
    "ip_adapter_vit_g_sdxl",
)
SUBJECTS = {
    "live_subject_animal": ("00_kitten", "01_cotton-top_tamarin", "02_dog", "03_fox"),
    "live_subject_human": ("00_boy", "01_girl", "02_man", "03_woman", "04_old_man", "05_baby"),
    "object": ("19_mug", "20_magic_cube", "21_tree-like_character", "22_t-shirt", "23_boat"),
    "style": ("00_ukiyo-e", "01_pastel", "02_low-poly_geometric", "03_sunset", "04_sketch"),
}
PROMPTS = 4
KEYS = [
    f"{category}_{subject}-{prompt}"
    for category, subjects in SUBJECTS.items()
    for subject in subjects
    for prompt in range(PROMPTS)
]


def metric_key(key: str) -> str:
    """A key as the published metrics write it."""
    return key.replace("magic_cube", "rubik's_cube") + "_0"


def group_file(root: Path, group: int, method: str) -> Path:
    return root / f"data_human_rating/merged_data/group{group}/{method}-cp.json"


def save(path: Path, ratings: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ratings, indent=4))


def write_ratings(root: Path, methods: tuple[str, ...] = METHODS, seed: int = 0) -> Path:
    """Both human groups and two metrics, `data_good_rating` and `data_poor_rating`, of these methods.

    Items stand in another order in each file: joined by position, every correlation would be wrong.
    """
    random = np.random.default_rng(seed)
    for method in methods:
        quality = random.normal(size=len(KEYS))

        def ratings(noise: float, quality: np.ndarray = quality) -> np.ndarray:
            return quality + noise * random.normal(size=len(KEYS))

        def put(path: Path, values: list[float], keys: list[str]) -> None:
            order = random.permutation(len(KEYS))
            save(path, {keys[i]: values[i] for i in order})

        for group in (1, 2):
            rounded = np.clip(np.round(2 + 1.2 * ratings(0.5)), 0, 4).astype(int).tolist()
            put(group_file(root, group, method), rounded, KEYS)
        good = (70 + 8 * ratings(0.6)).tolist()
        poor = (40 + 3 * ratings(2.5)).tolist()
        put(root / "data_good_rating" / f"{method}.json", good, [metric_key(key) for key in KEYS])
        put(root / "data_poor_rating" / f"{method}.json", poor, KEYS)
    return root


PUBLISHED = {
    "data_gpt_rating/concept_preservation_full": 0.7,
    "data_dino_rating": 1.2,
    "data_clipi_rating": 1.1,
    "data_backbone_rating": 1.0,
    "data_backbone_maphead_rating": 1.3,
    "data_vsm_rating": 4.0,
    "data_qwen3vl_30b_rating": 0.8,
    "data_nearid_rating": 0.9,
}
"""The folders of scores in the published code, below `dreambench_plus/ratings`, each with the noise of made-up ones."""


def write_published(root: Path, seed: int = 0) -> Path:
    """The whole tree of ratings as it lies in the published code; returns its folder.

    GPT-4o and Qwen3-VL give whole numbers under the keys of people, DINO and CLIP-I numbers under keys without an image
    index, all others with one; only people call the cube a magic cube.
    """
    random = np.random.default_rng(seed)
    indexed = ("backbone", "maphead", "vsm", "nearid")
    for method in METHODS:
        quality = random.normal(size=len(KEYS))
        for group in (1, 2):
            ratings = np.clip(np.round(2 + quality + 0.5 * random.normal(size=len(KEYS))), 0, 4)
            save(group_file(root, group, method), dict(zip(KEYS, ratings.astype(int).tolist(), strict=True)))
        for folder, noise in PUBLISHED.items():
            scores = 60 + 9 * (quality + noise * random.normal(size=len(KEYS)))
            keys = KEYS
            if any(part in folder for part in indexed):
                keys = [metric_key(key) for key in KEYS]
            elif "gpt" not in folder:
                keys = [metric_key(key).removesuffix("_0") for key in KEYS]
            if "gpt" in folder or "qwen" in folder:
                scores = np.clip(np.round(scores / 20), 0, 4)
            save(root / folder / f"{method}.json", dict(zip(keys, scores.tolist(), strict=True)))
    return root
