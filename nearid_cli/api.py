"""What the commands do, for notebooks and other programs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.embedding.devices import choose_device, choose_dtype
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import DEFAULT_METRICS, parse_metrics
from nearid_cli.errors import BadImage, BadImagesError, UsageError
from nearid_cli.evaluate.comparable import check_methods
from nearid_cli.evaluate.compare import compare as _compare
from nearid_cli.evaluate.embedding import Options
from nearid_cli.evaluate.pair import pair as _pair
from nearid_cli.evaluate.score import score as _score
from nearid_cli.evaluate.score import score_methods
from nearid_cli.layouts.methods import find_methods
from nearid_cli.reports import findings
from nearid_cli.reports.verdict import compare_findings
from nearid_cli.results import CompareResult, PairResult, ScoreResult
from nearid_cli.text import count, storable, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Encoder, EncoderSpec

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


def score(
    references: PathLike,
    generations: PathLike | None = None,
    metrics: str | Iterable[str] = DEFAULT_METRICS,
    *,
    layout: str = "auto",
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    distractors: PathLike | None = None,
    **options: Any,
) -> ScoreResult:
    """Score the generations of each subject against its references, as `nearid score` does.

    Args:
        references: folder of references, or a manifest of everything.
        generations: folder of generations, or a manifest; None when `references` is a manifest of both.
        metrics: as in `--metric`.
        layout: how the folders are laid out; see docs/layouts.md.
        allow_unmatched: go on without the subjects that lack references or generations.
        skip_bad: go on without pictures that cannot be read.
        distractors: folder or manifest of each subject's look-alikes.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.subjects`, `.aggregate`, `.images`, `.to_pandas()`, `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    chosen = _options(metrics, options)
    result = _score(
        Path(references),
        None if generations is None else Path(generations),
        chosen,
        layout=layout,
        allow_unmatched=allow_unmatched,
        skip_bad=skip_bad,
        distractors=None if distractors is None else Path(distractors),
    )
    for line in findings(result):
        logger.warning(line)
    return result


def compare(
    methods: PathLike | Mapping[str, PathLike] | Mapping[str, ScoreResult],
    references: PathLike | None = None,
    metrics: str | Iterable[str] | None = None,
    *,
    baseline: str | None = None,
    layout: str = "auto",
    distractors: PathLike | None = None,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    **options: Any,
) -> CompareResult:
    """Compare methods, as `nearid compare` does.

    Args:
        methods: a folder of method folders or a manifest; folders by name; or finished results of `score` by name.
        references: folder or manifest of the references, unless they lie among the methods.
        metrics: as in `--metric`; None for the default ones, or for all that finished results have.
        baseline: the method that the others are compared with; None for the best by the first metric.
        layout: how the folders are laid out; see docs/layouts.md.
        distractors: folder or manifest of each subject's look-alikes.
        allow_unmatched: go on without generations that have no references.
        skip_bad: go on without pictures that cannot be read.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.methods`, `.comparisons`, `.agreements`, `.disagreements`, `.to_pandas()`, `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    named: dict[str, Path] = {}
    if isinstance(methods, Mapping):
        finished = {name: one for name, one in methods.items() if isinstance(one, ScoreResult)}
        named = {name: Path(one) for name, one in methods.items() if not isinstance(one, ScoreResult)}
        if finished and named:
            raise UsageError("expected finished results or folders for all methods, found both")
        if finished:
            names = [metrics] if isinstance(metrics, str) else metrics
            return _compare(finished, baseline, None if names is None else list(names))
    chosen = _options(DEFAULT_METRICS if metrics is None else metrics, options)
    datasets = find_methods(
        None if isinstance(methods, Mapping) else Path(methods),
        None if references is None else Path(references),
        named,
        layout,
        None if distractors is None else Path(distractors),
    )
    check_methods(list(datasets), baseline)
    results = score_methods(datasets, chosen, allow_unmatched=allow_unmatched, skip_bad=skip_bad)
    result = _compare(results, baseline)
    for line in compare_findings(result):
        logger.warning(line)
    return result


def pair(
    a: PathLike, b: PathLike, metrics: str | Iterable[str] = DEFAULT_METRICS, **options: Any
) -> PairResult:
    """How alike two pictures are by each metric, as `nearid pair` says.

    Args:
        a: a picture file.
        b: another one.
        metrics: as in `--metric`.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Raises:
        NearIDError: a picture or a metric cannot be used.
    """
    chosen = _options(metrics, options)
    return _pair(Path(a), Path(b), chosen)


def _options(metrics: str | Iterable[str], options: Mapping[str, Any]) -> Options:
    known = [field.name for field in fields(Options) if field.name != "metrics"]
    for name in options:
        if name not in known:
            raise UsageError(unknown("option", name, known))
    return Options(metrics=[metrics] if isinstance(metrics, str) else list(metrics), **options)


class ImageEncoder:
    """A metric's encoder, loaded. Made by `load_encoder`."""

    def __init__(self, encoder: Encoder, batch_size: int) -> None:
        self._encoder = encoder
        self._batch_size = batch_size

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is: checkpoint, revision, readout, preprocessing, dtype, fingerprint."""
        return self._encoder.spec

    def embed(self, images: Iterable[PathLike | Image.Image]) -> npt.NDArray[np.float32]:
        """Embed pictures, without the cache.

        Args:
            images: paths or PIL images; both are turned upright by their EXIF orientation and made RGB.

        Returns:
            Float32 array [N, D], rows of length 1: `a @ b.T` are cosine similarities.

        Raises:
            BadImagesError: naming every file that cannot be read.
            UsageError: no pictures, or something that is neither a path nor a PIL image.
        """
        import numpy as np

        if isinstance(images, (str, os.PathLike)) or hasattr(images, "convert"):
            raise UsageError("expected several pictures, found one; write embed([picture])")
        prepared: list[Any] = []
        rows: list[Any] = []
        bad: list[BadImage] = []
        for image in images:
            opened = _open(image, bad)
            if opened is not None:
                prepared.append(self._encoder.prepare(opened))
            if len(prepared) == self._batch_size:
                rows.append(self._encoder.embed(prepared))
                prepared = []
        if bad:
            raise BadImagesError(f"{count(len(bad), 'picture')} cannot be read", bad)
        if prepared:
            rows.append(self._encoder.embed(prepared))
        if not rows:
            raise UsageError("expected at least one picture, found none")
        embedded: npt.NDArray[np.float32] = np.concatenate(rows)
        return embedded


def _open(image: PathLike | Image.Image, bad: list[BadImage]) -> Image.Image | None:
    from PIL import Image

    from nearid_cli.images.decode import UnreadableImage, decode, to_rgb

    if isinstance(image, Image.Image):
        return to_rgb(image)
    if not isinstance(image, (str, os.PathLike)):
        raise UsageError(f"expected a path or a PIL image, found {type(image).__name__}")
    try:
        return decode(Path(image))
    except UnreadableImage as error:
        bad.append(BadImage(storable(image), error.reason))
        return None


def load_encoder(
    metric: str = "nearid",
    *,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 16,
    configured: Mapping[str, Mapping[str, str]] | None = None,
) -> ImageEncoder:
    """Load a metric's encoder.

    Args:
        metric: as in `--metric`: a name, `NAME=PATH_OR_ID`, a folder or a Hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (float16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        batch_size: pictures a forward pass.
        configured: metrics of your own, name -> {checkpoint, readout, revision}.

    Raises:
        UsageError: an unknown metric, device or dtype, or several metrics.
        ModelError: the checkpoint cannot be had or used.
    """
    from nearid_cli.encoders.load import load_encoder as load

    requests = parse_metrics([metric], configured)
    if len(requests) != 1:
        raise UsageError(f"expected one metric, found {len(requests)}: {metric}")
    chosen = choose_device(device)
    (spec,) = resolve(requests, choose_dtype(dtype, chosen))
    return ImageEncoder(load(spec, chosen), batch_size)
