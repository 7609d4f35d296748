"""The names of the object families, apart from what draws them, so that `--help` needs no torch."""

from __future__ import annotations

# The first eight are those that nearid-mini was trained on.
CATEGORIES = (
    "bottle",
    "mug",
    "lamp",
    "car",
    "robot",
    "house",
    "rocket",
    "chair",
    "teapot",
    "camera",
    "mushroom",
    "creature",
)
