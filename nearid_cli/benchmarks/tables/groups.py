"""The sources of distractors that NearID-Bench pools, as Table 1 of the paper and the published tables pool them."""

from __future__ import annotations

GROUPS = {
    "all": ("flux", "flux_1024", "powerpaint", "sdxl", "sdxl_1024", "qwen", "qwen_1328"),
    "low-res": ("flux", "sdxl", "qwen"),
    "full-res": ("flux_1024", "sdxl_1024", "qwen_1328"),
    "flux": ("flux", "flux_1024"),
    "powerpaint": ("powerpaint",),
    "sdxl": ("sdxl", "sdxl_1024"),
    "qwen": ("qwen", "qwen_1328"),
    "fluxc": ("fluxc", "fluxc_1024"),
}
"""Name -> source tags. `all` is Table 1; fluxc stands apart, as it does there."""


def source_tag(folder: str) -> str:
    """The tag of a source, from the name of its folder or data set.

    What stands before the first dash is the data set; the rest is the source and its note, however they are joined.

    >>> [source_tag(name) for name in ("NearID-Flux-1024", "NearID-Flux_1024", "SynCD-Qwen", "flux")]
    ['flux_1024', 'flux_1024', 'qwen', 'flux']
    """
    pieces = [piece.strip() for piece in folder.split("-") if piece.strip()]
    return "_".join(pieces[1:] or pieces).lower()
