"""`nearid cache info | verify | compact | clear`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import show
from nearid_cli.cli.groups import group
from nearid_cli.cli.options import Yes
from nearid_cli.embedding import EMBEDDINGS, FEATURES, PAIRS
from nearid_cli.errors import CacheError, UsageError
from nearid_cli.flags import CacheFolder, Flag, TrustCache
from nearid_cli.text import count, file_size, printable

if TYPE_CHECKING:
    from nearid_cli.embedding.cache import Cache, CachedNumbers

app = group(
    "Look after the embedding cache.",
    {name: f"nearid_cli.cli.cache:{name}" for name in ("info", "verify", "compact", "clear")},
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def open_cache(folder: CacheFolder, trusted: bool) -> Cache:
    """The cache in this place, or in the default one; with what other users put there, if they are trusted."""
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.files import cache_place

    return Cache(cache_place(folder), trusted=trusted)


def info(cache: CacheFolder = None, trust_cache: TrustCache = False) -> None:
    """Show where the cache is and what it holds.

    `perceptual-hash` and `thumbnail` are no metrics: `nearid score` finds copied and repeated pictures by them.
    """
    opened = open_cache(cache, trust_cache)
    rows = opened.info()
    typer.echo(
        f"{printable(opened.name)}: {', '.join(_counted(rows))}, {file_size(sum(row.size for row in rows))}"
    )
    if copies := opened.copies():
        typer.echo(
            f"{count(len(copies), 'copy', 'copies')} of parts under URLs in {printable(opened.folder)}, "
            f"{file_size(sum(copies))}"
        )
    if not opened.under_url:
        if weights := opened.converted_weights():
            typer.echo(
                f"{count(len(weights), 'file')} of pickled weights kept as safetensors, {file_size(sum(weights))}"
            )
        if models := opened.converted_models():
            typer.echo(f"{count(len(models), 'model')} converted for OpenVINO, {file_size(sum(models))}")
    if rows:
        show.rows(
            ("metric", "checkpoint", "dtype", "embeddings", "parts", "size", "fingerprint"),
            [
                (
                    row.metric if row.what == EMBEDDINGS else f"{row.metric} ({row.what})",
                    row.checkpoint or "none",
                    ", ".join((row.dtype, *row.ways)),
                    f"{row.numbers:,}",
                    f"{row.parts:,}",
                    file_size(row.size),
                    row.fingerprint[:12],
                )
                for row in rows
            ],
            numbers=(3, 4, 5),
        )


def _counted(rows: Sequence[CachedNumbers]) -> Iterator[str]:
    """How much there is of each kind; embeddings even where there are none."""
    for what, noun, plural in (
        (EMBEDDINGS, "embedding", None),
        (PAIRS, "number of a pair", "numbers of pairs"),
        (FEATURES, "feature", None),
    ):
        number = sum(row.numbers for row in rows if row.what == what)
        if number or what == EMBEDDINGS:
            yield count(number, noun, plural)


def verify(
    context: typer.Context,
    cache: CacheFolder = None,
    trust_cache: TrustCache = False,
    recompute: Annotated[
        int, Flag("Embed so many of the embeddings again, drawn at random, and compare.", "N", low=0)
    ] = 0,
    seed: Annotated[int, Flag("What the sample depends on.", "N")] = 0,
) -> None:
    """Check every part of the cache.

    Its checksum must be right, and its embeddings finite and of length 1. Who computed them it does not say;
    --recompute does some of the work again.
    """
    opened = open_cache(cache, trust_cache)
    with doing("checking every part"):
        found = opened.verify()
    where = printable(opened.name)
    if opened.under_url:
        where += f" and the memo of this machine's files in {printable(opened.folder)}"
    if found.damaged or found.unread:
        bad = [(found.damaged, "damaged part"), (found.unread, "unreadable part")]
        raise CacheError(
            f"{' and '.join(count(len(parts), noun) for parts, noun in bad if parts)} in {where}, "
            f"{found.sound:,} sound; the next run sets damaged parts aside, goes on without unreadable ones, and "
            "computes again what was in them",
            [printable(problem) for problem in (*found.damaged, *found.unread)],
        )
    typer.echo(f"{where}: {count(found.sound, 'part')} of embeddings and of the file memo, all sound")
    if recompute:
        _recompute(opened, recompute, seed, context.obj.metrics)


def _recompute(cache: Cache, number: int, seed: int, configured: Mapping[str, Any]) -> None:
    """Say what came of a sample that was embedded again.

    Raises:
        CacheError: some embeddings are not what their metrics compute.
    """
    from nearid_cli.evaluate.recompute import recompute

    with doing("embedding a sample again"):
        found = recompute(cache, number, seed, configured)
    for reason, those in sorted(found.unchecked.items()):
        typer.echo(f"{count(those, 'embedding')} could not be checked: {reason}")
    if found.wrong:
        raise CacheError(
            f"{count(len(found.wrong), 'embedding')} in {printable(cache.name)} of "
            f"{len(found.wrong) + found.same + found.close:,} that were computed again came out as something "
            "else: do not trust it, and empty it by nearid cache clear",
            [printable(line) for line in found.wrong],
        )
    close = f", and {found.close:,} but for rounding" if found.close else ""
    typer.echo(f"{count(found.same, 'embedding')} came out the same again to the last bit{close}")


def compact(cache: CacheFolder = None, trust_cache: TrustCache = False) -> None:
    """Merge many small parts into few large ones."""
    opened = open_cache(cache, trust_cache)
    before = sum(row.parts for row in opened.info())
    with _changing(opened), doing("merging parts"):
        opened.compact(above=1)
    typer.echo(
        f"{printable(opened.name)}: {count(before, 'part')} before, "
        f"{sum(row.parts for row in opened.info()):,} now"
    )


def clear(
    cache: CacheFolder = None,
    metric: Annotated[str | None, Flag("Only this metric's embeddings.", "METRIC", short="m")] = None,
    older_than: Annotated[str | None, Flag("Only what was written longer ago: 30d, 12h, 2w.", "AGE")] = None,
    yes: Yes = False,
) -> None:
    """Delete embeddings from the cache."""
    age = None if older_than is None else _seconds(older_than)
    opened = open_cache(cache, trusted=True)  # whoever wrote it: nothing of it is used
    rows = opened.info()
    if metric is not None and metric not in {row.metric for row in rows}:
        known = ", ".join(sorted({row.metric for row in rows})) or "nothing"
        raise UsageError(f"the cache holds no embeddings of {metric!r}; it holds {known}")
    what = f"embeddings of {metric}" if metric else "all embeddings"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"clearing {what} asks first, and there is nobody to ask; add --yes")
        typer.confirm(f"Delete {what} in {printable(opened.name)}?", abort=True, err=True)
    with _changing(opened), doing("deleting"):
        freed = opened.clear(metric, age)
    typer.echo(f"{file_size(freed)} freed")


@contextmanager
def _changing(cache: Cache) -> Iterator[None]:
    """Say in a sentence that a disk takes no changes."""
    try:
        yield
    except (OSError, MemoryError) as error:
        from nearid_cli.embedding.caution import why

        raise CacheError(f"the cache {printable(cache.name)} cannot be changed: {why(error)}") from error


def _seconds(age: str) -> float:
    """An age such as 30d, 12h or 90 (days) in seconds."""
    number, unit = (age[:-1], age[-1]) if age[-1:] in _UNITS else (age, "d")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"--older-than must be an age such as 30d, 12h or 2w, found {age!r}")
    return seconds
