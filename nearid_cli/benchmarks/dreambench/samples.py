"""The samples of DreamBench++: pictures that methods generated, beside the pictures they were made from.

`<method>.../{src_image,tgt_image,text}/<category>_<NN>_<subject>/<prompt>_<image>.jpg`: a source and a target of the
same name are a pair, and its score is 100 times the cosine of their embeddings.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nearid_cli.embedding.reading import GivenPicture
from nearid_cli.encoders.descriptors import PERCEPTUAL_HASH
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import InputError
from nearid_cli.evaluate.embedding import Job, refuse_bad
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.evaluate.kinds.embedding import OF_PAIRS
from nearid_cli.evaluate.kinds.measured import Measured
from nearid_cli.layouts.kinds.dreambench import SAMPLES
from nearid_cli.layouts.names import own_name
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.walk import walk
from nearid_cli.options import Options
from nearid_cli.results import Metric, Skipped
from nearid_cli.text import count, few, printable

logger = logging.getLogger(__name__)

# What a method's folder begins with; its settings follow. The ratings shorten huge and giant.
_FOLDERS = {
    "textual_inversion_sd": "textual_inversion_sd",
    "dreambooth_sd": "dreambooth_sd",
    "dreambooth_lora_sdxl": "dreambooth_lora_sdxl",
    "blip_diffusion": "blip_diffusion",
    "emu2": "emu2",
    "ip_adapter_plus_vit_huge_sdxl": "ip_adapter_plus_vit_h_sdxl",
    "ip_adapter_plus_vit_h_sdxl": "ip_adapter_plus_vit_h_sdxl",
    "ip_adapter_vit_giant_sdxl": "ip_adapter_vit_g_sdxl",
    "ip_adapter_vit_g_sdxl": "ip_adapter_vit_g_sdxl",
}
_METHOD = re.compile(rf"({'|'.join(sorted(_FOLDERS, key=len, reverse=True))})(?![A-Za-z0-9])")

PROTOCOL = "100 x cosine of source and target"


def _describe(metric: Measured) -> Metric:
    """What makes the scores of a metric.

    Raises:
        UsageError: it does not compare pictures.
    """
    said = metric.describe(of_pairs=True)
    if metric.encoders:
        return replace(said, protocol=said.protocol.replace(OF_PAIRS, PROTOCOL))
    times = "100 x" if said.higher_is_better else "-100 x"
    return replace(said, protocol=f"{times} {said.protocol}; the source is the reference")


@dataclass(frozen=True)
class Pair:
    """A source and a target of the same name; `key` is how the published files name the pair."""

    key: str
    source: Path
    target: Path


@dataclass(frozen=True)
class FoundPairs:
    """The pairs of each method, and the names (`method: picture`) that only one side has."""

    methods: Mapping[str, Sequence[Pair]]
    unpaired: Sequence[str]


@dataclass(frozen=True)
class Scored:
    """What came of scoring samples.

    Attributes:
        metrics: what made the scores.
        scores: by metric, method and key.
        skipped: pictures that cannot be read.
        without: by method, the keys that have no scores because of these, or no score by some metric.
    """

    metrics: tuple[Metric, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    skipped: tuple[Skipped, ...]
    without: Mapping[str, frozenset[str]]


def method_of(folder: str) -> str:
    """The method that a folder of samples belongs to, as the ratings name it; its own name where it is none of these.

    >>> method_of("ip_adapter_vit_giant_sdxl_scale_0_6_seed_42"), method_of("my_method")
    ('ip_adapter_vit_g_sdxl', 'my_method')
    """
    match = _METHOD.match(folder)
    return _FOLDERS[match[1]] if match else folder


def find_samples(root: Path, reach: Reach = WITHIN) -> FoundPairs:
    """The pairs of all methods in a folder of samples, or of one method, given its own folder.

    Args:
        root: itself.
        reach: where links may lead besides.

    Raises:
        InputError: there are none, two folders belong to one method, or two pictures have the same name.
    """
    reach = reach.including(root)
    if SAMPLES.holds_both(root):
        folders = [root]
    elif root.is_dir():
        every = sorted(folder for folder in root.iterdir() if folder.is_dir() and folder.name[0] != ".")
        folders = [folder for folder in every if SAMPLES.holds_both(folder)]
        if folders and (others := [own_name(folder) for folder in every if folder not in folders]):
            logger.warning(
                "%s of the samples left out, without src_image and tgt_image in it: %s",
                count(len(others), "folder"),
                few(others),
            )
    else:
        raise InputError(f"no samples: {printable(root)} is no folder")
    if not folders:
        raise InputError(
            f"no samples in {printable(root)}: expected a folder a method with src_image and tgt_image in it"
        )
    by_method: dict[str, Path] = {}
    twice, unpaired = [], []
    methods: dict[str, list[Pair]] = {}
    for folder in folders:
        method = method_of(own_name(folder))
        if method in by_method:
            twice.append(f"{printable(method)}: {printable(by_method[method])} and {printable(folder)}")
            continue
        by_method[method] = folder
        sources, targets = (_pictures(folder, side, twice, reach) for side in ("src_image", "tgt_image"))
        methods[method] = [
            Pair(name.replace("/", "-"), sources[name], targets[name]) for name in targets if name in sources
        ]
        unpaired += [f"{method}: no source for {name}" for name in targets if name not in sources]
        unpaired += [f"{method}: no target for {name}" for name in sources if name not in targets]
    if twice:
        raise InputError(
            f"{count(len(twice), 'name')} in the samples stand for two things; keep one of each", twice
        )
    if not any(methods.values()):
        raise InputError(
            f"no samples in {printable(root)}: no picture in src_image has one of its name in tgt_image"
        )
    pairs = sum(map(len, methods.values()))
    logger.info("samples: %s, %s of pictures", count(len(methods), "method"), count(pairs, "pair"))
    return FoundPairs(methods, [printable(line) for line in unpaired])


def score_samples(
    samples: FoundPairs, requests: Sequence[MetricRequest], options: Options, *, skip_bad: bool = False
) -> Scored:
    """Score every pair by every metric, embedding each picture once, through the cache.

    Raises:
        BadImagesError: pictures that cannot be read, unless `skip_bad`.
        NearIDError: an unusable metric or cache.
    """
    pairs = [(method, pair) for method, own in samples.methods.items() for pair in own]
    paths = [path for _, pair in pairs for path in (pair.source, pair.target)]
    job = Job(options)
    metrics = measured(requests, job)
    described = [_describe(metric) for metric in metrics]
    # The hash opens every picture, so that it is known which can be used, whatever the metrics do.
    encoders = [spec for metric in metrics for spec in metric.encoders] or [job.as_read(PERCEPTUAL_HASH)]
    embedded = job.embed(paths, encoders)
    if not skip_bad:
        refuse_bad(embedded.bad, len(paths))
    if embedded.bad:
        bad = [f"{image.path} ({image.reason})" for image in embedded.bad]
        logger.warning("%s skipped: %s", count(len(bad), "picture"), few(bad))
    known = {digest: path for path, digest in zip(paths, embedded.digests, strict=True) if digest is not None}
    usable, sources, targets = [], [], []
    without: dict[str, set[str]] = {method: set() for method in samples.methods}
    for (method, pair), source, target in zip(
        pairs, embedded.digests[::2], embedded.digests[1::2], strict=True
    ):
        if source is None or target is None:
            without[method].add(pair.key)
        else:
            usable.append((method, pair.key))
            sources.append(source)
            targets.append(target)
    if not usable:
        raise InputError("no pair of pictures is left that can be read")
    scores: dict[str, dict[str, dict[str, float]]] = {}
    digests = list(dict.fromkeys([*sources, *targets]))
    places = {digest: place for place, digest in enumerate(digests)}
    contents = {digest: GivenPicture(known[digest], digest) for digest in digests}
    for metric in metrics:
        likeness = metric.likeness(digests, embedded.rows, contents, both_ways=False)
        similarities = likeness(
            *(np.array([places[digest] for digest in side]) for side in (sources, targets))
        )
        own = scores[metric.name] = {method: {} for method in samples.methods}
        for (method, key), similarity in zip(usable, similarities.tolist(), strict=True):
            if math.isnan(similarity):
                without[method].add(key)
            else:
                own[method][key] = 100 * similarity
    return Scored(
        metrics=tuple(described),
        scores=scores,
        skipped=tuple(Skipped(image.path, image.reason) for image in embedded.bad),
        without={method: frozenset(keys) for method, keys in without.items()},
    )


def _pictures(folder: Path, side: str, twice: list[str], reach: Reach) -> dict[str, Path]:
    """The pictures of one side by name: the path below it without extension."""
    found: dict[str, Path] = {}
    walked = walk(folder / side, reach=reach)
    for name in walked.names:
        path, bare = folder / side / name, name.rpartition(".")[0]
        other = found.setdefault(bare, path)
        if other != path:
            twice.append(f"{printable(other)} and {printable(path)}")
    if walked.left_out:
        logger.info("%s/%s: left out: %s", own_name(folder), side, walked.left_out.summary())
    return found
