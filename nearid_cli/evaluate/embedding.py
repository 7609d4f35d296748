"""What `score`, `embed` and `pair` share: the way from files to embeddings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from nearid_cli.activity import doing
from nearid_cli.embedding import pipeline
from nearid_cli.embedding.cache import open_cache
from nearid_cli.embedding.devices import (
    choose_device_of_cluster,
    choose_devices,
    choose_dtype,
    choose_engine,
)
from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.reading import Content
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.texts import embed_texts
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.kept_models import KeptModels, openvino_version
from nearid_cli.encoders.registry import MetricRequest, parse_metrics, with_scores
from nearid_cli.encoders.spec import EngineError
from nearid_cli.errors import BadImage, BadImagesError, ModelError, UsageError
from nearid_cli.files import cache_folder, cache_place, digest_file
from nearid_cli.flags import COLOR_PROFILES, PAIRS, PREPROCESSINGS, SIXTEEN_BIT
from nearid_cli.images.fast import check_installed
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import Reading
from nearid_cli.interrupts import interrupts_held
from nearid_cli.layouts.dataset import Source
from nearid_cli.options import Options
from nearid_cli.results import Metric
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from nearid_cli.embedding.cluster.cluster import Cluster
    from nearid_cli.embedding.rows import Rows
    from nearid_cli.embedding.several import LoadOn
    from nearid_cli.encoders.spec import Encoder, EncoderSpec
    from nearid_cli.encoders.text_encoder import TextEncoder

logger = logging.getLogger(__name__)

MEND_OR_SKIP = "the others are embedded and cached. Mend or remove these, or go on without them: --skip-bad"


def requested(options: Options) -> list[MetricRequest]:
    """The metrics that were asked for: `options.metrics`, and of the given scores those that are not among them.

    Raises:
        UsageError: an unknown or malformed metric.
    """
    configured = with_scores(options.configured, options.scores, options.directions)
    requests = parse_metrics(options.metrics, configured)
    asked = {request.name for request in requests}
    more = [name for name in options.scores if name not in asked]
    return [*requests, *(parse_metrics(more, configured) if more else ())]


class Job:
    """What the options come to: device, cache, how pictures are read. Embeds with any encoders.

    Args:
        options: as they were given.

    Raises:
        NearIDError: wrong options, an unusable cache.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        if options.pairs not in PAIRS:
            raise UsageError(f"--pairs must be {' or '.join(PAIRS)}, found {printable(options.pairs)!r}")
        if options.preprocessing not in PREPROCESSINGS:
            expected = " or ".join(PREPROCESSINGS)
            raise UsageError(
                f"--preprocessing must be {expected}, found {printable(options.preprocessing)!r}"
            )
        if options.preprocessing == "fast":
            check_installed()
        BUDGET.size = options.memory  # None after a job that named one, too
        if options.engine == "ray":
            there = choose_device_of_cluster(options.device)
            devices = choose_devices("cpu" if there == "cpu" else "auto")  # for what is done here
        else:
            devices = choose_devices(options.device)
            there = devices[0]
        device = devices[0]
        self._dtype = choose_dtype(options.dtype, there)
        self._engine = choose_engine(options.engine, there, self._dtype)
        self._engine_is_said = False
        place = cache_place(options.cache)
        self._folder = cache_folder(options.cache)
        self.cache = (
            open_cache(place, options.verify_content, options.trust_cache) if options.use_cache else None
        )
        self._loaded_texts: dict[EncoderSpec, TextEncoder] = {}
        self.settings = Settings(
            device=device,
            devices=devices,
            batch_size=options.batch_size,
            workers=options.workers,
            max_pixels=options.max_pixels,
            reading=_reading(options),
            progress=options.progress,
            cluster=self._cluster(options, there) if options.engine == "ray" else None,
        )

    def _cluster(self, options: Options, there: str) -> Cluster:
        from nearid_cli.embedding.cluster.cluster import Cluster

        return Cluster(there, options.device != "auto", self.digest_file, options.memory)

    @property
    def digest_file(self) -> Callable[[Path], str]:
        """The digest of a file of any size, from the cache where it has not changed."""
        return self.cache.memo.digest_file if self.cache else digest_file

    def resolve(self, requests: Sequence[MetricRequest]) -> list[EncoderSpec]:
        """What each metric's encoder is, without loading it.

        Raises:
            NearIDError: missing or damaged checkpoints.
        """
        with doing("looking for checkpoints"):
            specs = resolve(
                requests,
                self._dtype,
                self.digest_file,
                logger.info,
                self.options.safetensors_only,
                self._engine,
            )
        return [
            self.as_read(self._settled(request, spec)) for request, spec in zip(requests, specs, strict=True)
        ]

    def _settled(self, request: MetricRequest, spec: EncoderSpec) -> EncoderSpec:
        """An encoder, or the same by torch, where `auto` took OpenVINO and that turns out not to run it.

        Tried before anything is looked up by its fingerprint, and once: by a model that is kept it is known to run.
        """
        if self._engine != "auto" or not spec.engine or self._runs_as_it_seems(spec):
            return spec
        kept = KeptModels(self._folder)
        why = kept.failed(spec.converted)
        if why is None:
            try:
                self._load(spec)
                return spec
            except EngineError as error:
                why = error.message
                with suppress(OSError):  # then it is tried again
                    kept.note_failure(spec.converted, why)
            except ModelError:  # which is said when it is loaded
                return spec
        logger.warning("%s runs by torch: %s", printable(spec.name), printable(why))
        return resolve(
            [request], self._dtype, self.digest_file, safetensors_only=self.options.safetensors_only
        )[0]

    def _runs_as_it_seems(self, spec: EncoderSpec) -> bool:
        """Whether OpenVINO has run an encoder before."""
        if KeptModels(self._folder).has(spec.converted):
            return True
        return self.cache is not None and self.cache.dimension(self.as_read(spec)) is not None

    def _say_engine(self, spec: EncoderSpec) -> None:
        """Say once that `auto` takes OpenVINO, which changes what embeddings are known by; and where it cannot."""
        if self._engine != "auto":
            return
        if spec.folder is not None and not spec.converted:
            logger.info(
                f"{printable(spec.name)} runs by torch, though OpenVINO is installed: its pictures are of many sizes"
            )
        if spec.engine and not self._engine_is_said:
            self._engine_is_said = True
            logger.info(
                f"embedding by OpenVINO {openvino_version()}, because it is installed; its embeddings and results are "
                "known apart from those by torch, which --engine torch gives"
            )

    def as_read(self, spec: EncoderSpec) -> EncoderSpec:
        """An encoder of pictures that are read and prepared as the options say, which its fingerprint tells apart."""
        if self.options.preprocessing == "fast":
            spec = spec.hastened()
        words = self.settings.reading.describe()
        if not words:
            return spec
        fingerprint = blake3(f"{spec.fingerprint}\n{words}".encode()).hexdigest()
        return replace(spec, preprocessing=f"{words}, {spec.preprocessing}", fingerprint=fingerprint)

    def embed(self, sources: Sequence[Source], specs: Sequence[EncoderSpec]) -> Embedded:
        """Embed files, and pictures in memory, with each encoder, through the cache.

        Raises:
            NearIDError: an encoder cannot be loaded, or fails.
        """
        return embed(sources, specs, self._load, self.cache, self.settings, self._load_on)

    def embed_contents(
        self, contents: Mapping[bytes, Content], specs: Sequence[EncoderSpec]
    ) -> tuple[Mapping[str, Rows], Mapping[bytes, str]]:
        """Embed pictures that are no files, such as those in data sets, with each encoder, through the cache.

        Args:
            contents: by digest.
            specs: the encoders.

        Returns:
            For each encoder the embedding [D] of each digest, and of those that cannot be used the reason.

        Raises:
            NearIDError: an encoder cannot be loaded, fails, or has no embedding of a picture.
        """
        rows, absent, unusable = pipeline.embed_contents(
            contents, specs, self._load, self.cache, self.settings, self._load_on
        )
        lacking = [
            f"{printable(spec.name)}: {count(len(absent[spec.name]), 'picture')} ({spec.absent}), such as "
            f"{printable(next(contents[digest].name for digest in contents if digest in absent[spec.name]))}"
            for spec in specs
            if absent[spec.name]
        ]
        if lacking:
            raise ModelError("a benchmark needs every picture, and some have no embedding", lacking)
        return rows, {digest: error.reason for digest, error in unusable.items()}

    def embed_texts(self, texts: Sequence[str], spec: EncoderSpec) -> Mapping[str, npt.NDArray[np.float32]]:
        """Embed texts, through the cache; see `nearid_cli.embedding.texts`."""
        return embed_texts(texts, spec, self._load_texts, self.cache, self.settings)

    def _load_texts(self, spec: EncoderSpec) -> TextEncoder:
        """Load what embeds texts, with torch and all; once, though each method has prompts of its own."""
        from nearid_cli.encoders.load import load_text_encoder

        if spec not in self._loaded_texts:
            with doing(f"loading {spec.name}", at_once=True):
                with interrupts_held():
                    import torch  # noqa: F401

                self._loaded_texts[spec] = load_text_encoder(spec, self.settings.device, self._folder)
        return self._loaded_texts[spec]

    @property
    def _load_on(self) -> LoadOn:
        """What loads an encoder in the process of a device."""
        from nearid_cli.encoders.load import load_encoder

        return partial(load_encoder, cache=self._folder)

    def _load(self, spec: EncoderSpec) -> Encoder:
        """Load an encoder, with torch and all."""
        from nearid_cli.encoders.load import load_encoder

        # Torch is imported in one long breath: no other thread runs.
        with doing(f"loading {spec.name}", at_once=spec.folder is not None or spec.plugin is not None):
            self._say_engine(spec)
            if spec.folder is not None and not spec.engine:
                with interrupts_held():
                    import torch  # noqa: F401

            return load_encoder(spec, self.settings.device, self._folder)


def _reading(options: Options) -> Reading:
    """Which pixels pictures have where their files leave a choice.

    Raises:
        UsageError: a word that stands for none.
    """
    for option, value, words in (
        ("--color-profile", options.color_profile, COLOR_PROFILES),
        ("--sixteen-bit", options.sixteen_bit, SIXTEEN_BIT),
    ):
        if value not in words:
            raise UsageError(f"{option} must be {' or '.join(words)}, found {printable(value)!r}")
    return Reading(options.color_profile, options.sixteen_bit)


def refuse_bad(bad: Sequence[BadImage], pictures: int, advice: str = MEND_OR_SKIP) -> None:
    """Stop if there are bad pictures.

    Args:
        bad: which ones.
        pictures: how many there are, good and bad.
        advice: what to do about them.

    Raises:
        BadImagesError: naming every bad picture.
    """
    if bad:
        number = f"{count(len(bad), 'picture')} of {pictures:,} cannot be used"
        raise BadImagesError(f"{number}; {advice}", bad)


def describe(spec: EncoderSpec, protocol: str) -> Metric:
    """What made a metric's numbers."""
    names = ("name", "checkpoint", "revision", "fingerprint", "readout", "dtype", "preprocessing", "engine")
    return Metric(**{name: getattr(spec, name) for name in names}, protocol=protocol)
