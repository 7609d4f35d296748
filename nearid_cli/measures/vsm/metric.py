"""The metric `vsm`. Nothing heavy is imported before it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from nearid_cli.encoders.checkpoints import MissingCheckpointError
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.files import digest_file
from nearid_cli.flags import DTYPES, LATENTS
from nearid_cli.measures.vsm.parts import MIND_THE_GLITCH, SETTINGS, Ask, find_parts
from nearid_cli.measures.vsm.recipe import SIZE, read_recipe
from nearid_cli.metrics.matching import Matches, inconsistencies, match, visual_consistency
from nearid_cli.plugins import NoScore, PairwiseMetric
from nearid_cli.text import unknown

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.measures.vsm.features import DiffusionFeatures

logger = logging.getLogger(__name__)

_LOADED: WeakValueDictionary[tuple[str, str], DiffusionFeatures] = WeakValueDictionary()
"""The networks that some metric holds: metrics that differ in thresholds alone have the same ones."""

NO_POINT = NoScore("no point of the reference matches")

# Part of every fingerprint. Raise it when a change of ours changes features.
_VERSION = 1


class VisualSemanticMatching(PairwiseMetric):
    """The share of a reference's points that look the same in a generation, of those that mean the same there.

    Features are float32 [2, side * side, width]: the semantic and the visual vectors of the cells of a square grid, row
    by row, of length 1; in cells outside of the mask 0.

    Args:
        checkpoint: a folder or a Hub id; what else is needed is described in `parts`.
        revision: of a Hub repository.
        semantic_threshold: points whose semantic score is not above it do not count; from 0 to below 1.
        threshold: a point with a visual score above it looks the same; likewise.
        dtype: `float32`, `float16`, `bfloat16`, or `auto` for that of the checkpoint's settings.
        vsm_latent: `sample` or `mean` of the VAE's posterior.
        hash_file: digest of a file of a folder.

    Raises:
        UsageError: a threshold or word that is none, or see `find_parts`.
        ModelError: files that cannot be had or read.
    """

    range = (0.0, 1.0)
    symmetric = False
    takes_masks = True
    keeps_features = True
    options = ("dtype", "vsm_latent")
    hashes_files = True

    def __init__(
        self,
        checkpoint: str = MIND_THE_GLITCH,
        revision: str | None = None,
        semantic_threshold: float = 0.6,
        threshold: float = 0.6,
        dtype: str = "auto",
        vsm_latent: str = "sample",
        hash_file: Callable[[Path], str] = digest_file,
    ) -> None:
        for name, value in (("semantic_threshold", semantic_threshold), ("threshold", threshold)):
            if type(value) not in (int, float) or not 0 <= value < 1:
                raise UsageError(f"vsm: expected {name} to be from 0 to below 1, found {value!r}")
        for name, word, known in (("dtype", dtype, DTYPES), ("latent", vsm_latent, LATENTS)):
            if word not in known:
                raise UsageError(unknown(name, word, known))
        self._thresholds = float(semantic_threshold), float(threshold)
        self._latent = vsm_latent
        self._parts = find_parts(checkpoint, revision, logger.info).hashed(hash_file)
        self._recipe = read_recipe(self._parts.read(SETTINGS), self._parts.files[SETTINGS])
        self._extract: DiffusionFeatures | None = None
        self.checkpoint = checkpoint
        digest = self._parts.fingerprint
        self.revision = self._parts.commit or digest
        self.dtype = self._recipe.dtype if dtype == "auto" else dtype
        self.version = self.features_version = f"vsm/{_VERSION} {digest} {vsm_latent} {self.dtype}"
        self.preprocessing = f"squashed to {SIZE}x{SIZE}, bilinear, -1 to 1; latent: {vsm_latent}"
        self.protocol = self._said()

    @classmethod
    def files(cls, checkpoint: str, revision: str | None) -> Sequence[Path] | None:
        """See `AnyMetric.files`."""
        try:
            return list(find_parts(checkpoint, revision, ask=Ask.NEVER).files.values())
        except MissingCheckpointError:
            return None

    @classmethod
    def pull(cls, checkpoint: str, revision: str | None, notify: Callable[[str], None]) -> None:
        """See `AnyMetric.pull`."""
        find_parts(checkpoint, revision, notify, Ask.ALWAYS)

    def _said(self) -> str:
        semantic, visual = self._thresholds
        timestep = (
            "the learned timestep" if self._parts.contents.timestep else "timestep 261, none being learned"
        )
        return (
            f"share of the reference's cells with visual score > {visual:g}, of those with semantic score > "
            f"{semantic:g} and best for their cell of the generation; {self._recipe.side}x{self._recipe.side} cells of "
            f"the foreground where there are masks, else of the whole picture; diffusion features at {timestep}"
        )

    def load(self, device: str) -> None:
        """See `AnyMetric.load`.

        Raises:
            ModelError: see `building.build`.
        """
        from nearid_cli.measures.vsm.building import build

        known_by = self.features_version, device
        extract = _LOADED.get(known_by)
        if extract is None:
            extract = _LOADED[known_by] = build(self._parts, self._recipe, self.dtype, device)
        self._extract = extract

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> npt.NDArray[np.float32]:
        """See the class. A sample of the latent is seeded by the picture's pixels, so that it can be had again.

        Raises:
            ModelError: numbers ran over in a 16-bit format.
        """
        assert self._extract is not None
        vectors = self._extract(image, seed_of(image) if self._latent == "sample" else None)
        if not np.isfinite(vectors).all():
            raise ModelError(f"vsm: features are not finite in {self.dtype}; choose --dtype float32")
        if mask is not None:
            vectors = vectors * cells_of(mask, self._recipe.side)[:, None]
        return vectors

    def compare(
        self, reference: npt.NDArray[np.float32], generation: npt.NDArray[np.float32]
    ) -> float | NoScore:
        """VSM of a pair of features, or that no point is kept."""
        found = visual_consistency(self._match(reference, generation), self._thresholds[1])
        return NO_POINT if found is None else found

    def map(
        self, reference: npt.NDArray[np.float32], generation: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """The generation's cells [side, side] that mean the same as the reference: 1 where they look different, else 0.

        The mean of these is 1 - VSM. NaN in other cells.
        """
        return inconsistencies(self._match(reference, generation), self._thresholds[1])

    def _match(self, reference: npt.NDArray[np.float32], generation: npt.NDArray[np.float32]) -> Matches:
        return match(reference, generation, self._thresholds[0])


def seed_of(image: Image.Image) -> int:
    """The first 8 bytes of the BLAKE3 digest of an RGB picture's levels, row by row."""
    from blake3 import blake3

    return int.from_bytes(blake3(image.tobytes()).digest(8), "big")


def cells_of(mask: Image.Image, side: int) -> npt.NDArray[np.bool_]:
    """Which cells of the grid count, [side * side]: those whose first pixel of the squashed mask is not 0.

    The mask is squashed as pictures are, and the grid takes the nearest pixel, as published computations do.
    """
    from PIL import Image

    levels = np.asarray(mask.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    first = np.arange(side) * SIZE // side
    cells: npt.NDArray[np.bool_] = levels[np.ix_(first, first)].ravel() > 0
    return cells
