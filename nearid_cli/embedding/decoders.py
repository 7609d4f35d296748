"""Threads that read and prepare pictures ahead of the encoders, and begin before the models are loaded.

To import torch and read models keeps one thread busy for seconds at a cold start, and a picture needs neither to be
made as small as its encoders take it. What is prepared meanwhile waits in memory, so that it is bounded by bytes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from nearid_cli.embedding.patience import patiently
from nearid_cli.embedding.preparing import prepared
from nearid_cli.encoders.load import preparer_alone
from nearid_cli.errors import ModelError
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.interrupts import interrupt_waits
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.spec import EncoderSpec, Pixels, Preparer
    from nearid_cli.images.reading import Findings

_EARLY_BYTES = 64 * 2**20
"""Of pictures that wait for models: 150 for an encoder of 384 px, 450 for one of 224."""

_EARLY = 4096
"""Pictures that are begun without a model, at most, however small they are made."""


class Seen(NamedTuple):
    """A picture that was opened: what of it was a matter of choice, and what each encoder takes, or why it is bad."""

    findings: Findings | None
    made: dict[str, Pixels | None] | UnreadableImage


class Decoders:
    """See above. As a context it ends the threads: what they have not begun nobody wants any more.

    Args:
        missing: digest -> names of the encoders that lack it.
        contents: by digest.
        settings: how.
    """

    def __init__(
        self,
        missing: Mapping[bytes, Sequence[str]],
        contents: Mapping[bytes, Content],
        settings: Settings,
    ) -> None:
        self._missing = missing
        self._contents = contents
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="decode")
        # One fewer, so that loading has a core and is as soon done: Ctrl-C has to wait for the import of torch.
        self._early_pool = ThreadPoolExecutor(max(1, settings.threads - 1), thread_name_prefix="decode-early")
        self._early: dict[bytes, Future[Seen | None]] = {}
        self._waiting = 0  # bytes
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # First, or who is let go takes the next picture. On an interrupt too: nobody waits for what nobody wants.
        self._early_pool.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if kind is not None:
            BUDGET.give_up()  # or Python would not end before all that wait for memory have been decoded

    def begin(self, specs: Sequence[EncoderSpec]) -> None:
        """Begin without the encoders of these specs, which are about to be loaded, if that can be and is worth it."""
        if "torch" in sys.modules or all(spec.folder is None for spec in specs):  # then they are soon there
            return
        try:
            preparers = {spec.name: preparer_alone(spec) for spec in specs}
        except ModelError:  # which whoever loads them is told with all others
            return
        alone = {name: preparer for name, preparer in preparers.items() if preparer is not None}
        for digest in islice(self._missing, _EARLY):
            names = self._missing[digest]
            if alone.keys() >= set(names):  # or the picture would be decoded again for the rest
                asked = {name: alone[name] for name in names}
                self._early[digest] = self._early_pool.submit(self._prepare_early, digest, asked)

    def _prepare_early(self, digest: bytes, preparers: Mapping[str, Preparer]) -> Seen | None:
        if self._waiting >= min(_EARLY_BYTES, BUDGET.size) or interrupt_waits():
            return None
        seen = self._prepare(digest, preparers)
        if not isinstance(seen.made, UnreadableImage):
            with self._counting:
                self._waiting += sum(0 if pixels is None else pixels.nbytes for pixels in seen.made.values())
        return seen

    def _prepare(self, digest: bytes, preparers: Mapping[str, Preparer]) -> Seen:
        found: list[Findings] = []
        try:
            made = prepared(self._contents[digest], preparers.values(), self._settings, found.append)
        except UnreadableImage as error:
            return Seen(found[-1] if found else None, error)
        except ModelError as error:
            raise ModelError(
                f"{error.message} ({printable(self._contents[digest].name)})", error.details
            ) from error
        return Seen(found[-1], {name: made[one.preparation] for name, one in preparers.items()})

    def seen(self, encoders: Mapping[str, Preparer]) -> Iterator[tuple[bytes, Seen]]:
        """All that is missing, prepared for the encoders, by name, with a bounded number of pictures ahead.

        Raises:
            ModelError: an encoder fails.
            StarvedError: as `patiently`.
        """
        self._early_pool.shutdown(wait=False, cancel_futures=True)
        self._early = {digest: one for digest, one in self._early.items() if not one.cancelled()}

        def prepare(digest: bytes) -> Seen:
            early = self._early.pop(digest, None)
            seen = early.result() if early is not None else None
            return seen or self._prepare(digest, {name: encoders[name] for name in self._missing[digest]})

        window = 2 * self._settings.threads + self._settings.pictures_a_pass
        return patiently(self._pool, self._missing, prepare, window)
