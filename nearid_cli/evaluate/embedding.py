"""What `score`, `embed` and `pair` share: options, and the way from files to embeddings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.embedding.cache import Cache, default_cache_folder
from nearid_cli.embedding.devices import choose_device, choose_dtype
from nearid_cli.embedding.pipeline import Embedded, Settings, embed
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import DEFAULT_METRICS, MetricRequest, parse_metrics
from nearid_cli.errors import BadImagesError
from nearid_cli.evaluate.interrupts import interrupts_held
from nearid_cli.results import Metric
from nearid_cli.text import count

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Encoder, EncoderSpec

logger = logging.getLogger(__name__)

MEND_OR_SKIP = "the others are embedded and cached. Mend or remove these, or go on without them: --skip-bad"


@dataclass(frozen=True)
class Options:
    """Which metrics, and how pictures are embedded; the flags that several commands share.

    Attributes:
        metrics: as in `--metric`: names, `NAME=PATH_OR_ID`, paths, Hub ids, comma lists.
        configured: the user's own metrics, name -> {checkpoint, readout, revision}.
        cache: the cache's folder; None for the default place.
        use_cache: False to neither read nor keep embeddings.
        verify_content: read every picture again instead of trusting its size and time.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (float16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        batch_size: pictures a forward pass; None for the device's default.
        workers: decoding threads; None for one a core.
        max_pixels: pictures with more pixels are bad; None for the default limit.
        progress: show progress bars on stderr.
    """

    metrics: Sequence[str] = DEFAULT_METRICS
    configured: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cache: str | Path | None = None
    use_cache: bool = True
    verify_content: bool = False
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int | None = None
    progress: bool = False

    def requests(self) -> list[MetricRequest]:
        """The metrics that were asked for.

        Raises:
            UsageError: an unknown or malformed metric.
        """
        return parse_metrics(self.metrics, self.configured)


def embed_files(
    paths: Sequence[Path],
    requests: Sequence[MetricRequest],
    options: Options,
    extra: Sequence[EncoderSpec] = (),
) -> tuple[list[EncoderSpec], Embedded]:
    """Embed files with each metric (and each extra encoder), through the cache.

    Raises:
        NearIDError: wrong options, missing or damaged checkpoints, an unusable cache.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    folder = Path(options.cache).expanduser() if options.cache else default_cache_folder()
    cache = Cache(folder) if options.use_cache else None
    specs = resolve(requests, dtype, cache.memo.digest_file if cache else None, logger.info)
    settings = Settings(
        device=device,
        batch_size=options.batch_size,
        workers=options.workers,
        max_pixels=options.max_pixels,
        verify_content=options.verify_content,
        progress=options.progress,
    )

    def load(spec: EncoderSpec) -> Encoder:
        from nearid_cli.encoders.load import load_encoder

        if spec.folder is not None:
            with interrupts_held():
                import torch  # noqa: F401

        return load_encoder(spec, device)

    return specs, embed(paths, [*specs, *extra], load, cache, settings)


def refuse_bad(embedded: Embedded, advice: str) -> None:
    """Stop if there are bad pictures.

    Args:
        embedded: what came of the files.
        advice: what to do about them.

    Raises:
        BadImagesError: naming every bad picture.
    """
    if embedded.bad:
        number = f"{count(len(embedded.bad), 'picture')} of {len(embedded.digests):,} cannot be used"
        raise BadImagesError(f"{number}; {advice}", embedded.bad)


def describe(spec: EncoderSpec, protocol: str) -> Metric:
    """What made a metric's numbers."""
    return Metric(
        name=spec.name,
        checkpoint=spec.checkpoint,
        revision=spec.revision,
        fingerprint=spec.fingerprint,
        readout=spec.readout,
        dtype=spec.dtype,
        preprocessing=spec.preprocessing,
        protocol=protocol,
    )
