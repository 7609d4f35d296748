"""`nearid pair`: how alike two pictures are, by each metric."""

from __future__ import annotations

from nearid_cli.evaluate.embedding import describe, embed_files, refuse_bad, requested
from nearid_cli.layouts.dataset import InMemory, Source
from nearid_cli.options import Options
from nearid_cli.results import PairResult
from nearid_cli.results.score import memory_root
from nearid_cli.text import storable


def pair(a: Source, b: Source, options: Options | None = None) -> PairResult:
    """The cosine similarity of two pictures, files or in memory, by each metric.

    Raises:
        NearIDError: a picture or a metric cannot be used.
    """
    options = options or Options()
    specs, embedded = embed_files([a, b], requested(options), options)
    refuse_bad(embedded, "give two pictures that can be read")
    similarity = {}
    for spec in specs:
        first, second = embedded.matrix(spec.name, [d for d in embedded.digests if d is not None])
        similarity[spec.name] = float(first.astype(float) @ second.astype(float))
    metrics = tuple(describe(spec, "cosine similarity of the two embeddings") for spec in specs)
    return PairResult(_name(a), _name(b), metrics, similarity)


def _name(picture: Source) -> str:
    return storable(memory_root(picture.place) if isinstance(picture, InMemory) else picture)
