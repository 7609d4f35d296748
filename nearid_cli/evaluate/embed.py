"""`nearid embed`, the embeddings of any pictures as a table for other tools, and `nearid pair`: how alike two are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from nearid_cli.activity import doing
from nearid_cli.embedding.reading import GivenPicture
from nearid_cli.errors import InputError
from nearid_cli.evaluate.embedding import Job, describe, refuse_bad, requested
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.layouts.dataset import Whole
from nearid_cli.layouts.find import find_images
from nearid_cli.layouts.reach import Reach
from nearid_cli.mirrors import here
from nearid_cli.options import Options
from nearid_cli.plugins import NoScore
from nearid_cli.results import EmbedResult, PairResult, Skipped
from nearid_cli.results.score import memory_root
from nearid_cli.text import count, printable, storable

logger = logging.getLogger(__name__)


def embed_pictures(
    paths: Sequence[Path],
    options: Options | None = None,
    *,
    skip_bad: bool = False,
    follow_symlinks: bool = False,
) -> EmbedResult:
    """Embed files, and all pictures in folders.

    Args:
        paths: files and folders.
        options: metrics, device, cache, ...
        skip_bad: go on without pictures that cannot be read.
        follow_symlinks: follow links that lead out of the folders.

    Raises:
        NearIDError: no pictures, bad pictures, or an unusable metric.
    """
    options = options or Options()
    requests = requested(options)
    with doing("looking for pictures"):
        pictures, left_out = find_images(paths, Reach(follow_symlinks=follow_symlinks))
    if left_out:
        logger.info("found %s; left out: %s", count(len(pictures), "picture"), left_out.summary())
        for line in left_out.lines():
            logger.debug(line)
    job = Job(options)
    metrics = measured(requests, job)
    specs = [metric.encoder for metric in metrics]
    embedded = job.embed([picture.path for picture in pictures], specs)
    if not skip_bad:
        refuse_bad(embedded.bad, len(pictures))
    for bad in embedded.bad:
        logger.debug("skipped: %s (%s)", bad.path, bad.reason)
    usable = [
        (picture.path, digest)
        for picture, digest in zip(pictures, embedded.digests, strict=True)
        if digest is not None
    ]
    if not usable:
        raise InputError("no picture is left that can be read")
    digests = tuple(digest for _, digest in usable)
    return EmbedResult(
        paths=tuple(path for path, _ in usable),
        digests=digests,
        metrics=tuple(describe(spec, "embedding") for spec in specs),
        embeddings={
            spec.name: embedded.matrix(
                spec.name, (digest for digest in digests if digest not in embedded.absent[spec.name])
            )
            for spec in specs
        },
        skipped=tuple(Skipped(bad.path, bad.reason) for bad in embedded.bad),
        absent={
            spec.name: {
                position: spec.absent
                for position, digest in enumerate(digests)
                if digest in embedded.absent[spec.name]
            }
            for spec in specs
            if embedded.absent[spec.name]
        },
    )


def pair(a: Whole, b: Whole, options: Options | None = None) -> PairResult:
    """How alike two pictures are, files or in memory, by each metric; for asymmetric ones, the first is the reference.

    Raises:
        NearIDError: a picture or a metric cannot be used.
    """
    options = options or Options()
    a, b = here(a), here(b)
    job = Job(options)
    metrics = measured(requested(options), job)
    embedded = job.embed([a, b], [spec for metric in metrics for spec in metric.encoders])
    refuse_bad(embedded.bad, 2, "give two pictures that can be read")
    known = {digest: one for one, digest in zip((a, b), embedded.digests, strict=True) if digest is not None}
    contents = {digest: GivenPicture(source, digest) for digest, source in known.items()}
    first, second = (digest for digest in embedded.digests if digest is not None)
    found = {metric.name: metric.alike([(first, second)], embedded.rows, contents)[0] for metric in metrics}
    if lacking := [
        f"{printable(name)}: {printable(one.reason)}"
        for name, one in found.items()
        if isinstance(one, NoScore)
    ]:
        raise InputError(
            f"no number of {printable(_name(a))} and {printable(_name(b))} by every metric", lacking
        )
    return PairResult(
        _name(a),
        _name(b),
        tuple(metric.describe(of_pairs=True) for metric in metrics),
        {name: one for name, one in found.items() if not isinstance(one, NoScore)},
    )


def _name(picture: Whole) -> str:
    return storable(picture if isinstance(picture, Path) else memory_root(picture.place))
