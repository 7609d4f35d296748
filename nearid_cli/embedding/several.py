"""Embedding what is missing on several devices: a process for each, with its share of the pictures.

Each reads, decodes and embeds for itself, and tells this process what comes of it, which alone writes the cache. Shares
are dealt out one by one, so that large pictures that lie together do not meet in one of them.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nearid_cli.embedding.decoders import Decoders
from nearid_cli.embedding.patience import StarvedError
from nearid_cli.embedding.working import embed_here, load_all
from nearid_cli.errors import ModelError
from nearid_cli.images.memory import BUDGET
from nearid_cli.text import printable, said
from nearid_cli.workers import side_by_side

if TYPE_CHECKING:
    from nearid_cli.embedding.ledger import Ledger
    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.spec import Embeddings, Encoder, EncoderSpec
    from nearid_cli.images.reading import Findings, UnreadableImage
    from nearid_cli.workers import Say

    LoadOn = Callable[[EncoderSpec, str], Encoder]

_log = logging.getLogger(__name__)
_OURS = "nearid_cli"


@dataclass(frozen=True)
class _Share:
    """What one process does.

    Attributes:
        missing: as for `Decoders`.
        contents: likewise.
        specs: of the encoders.
        load: loads an encoder on a device.
        settings: with that device alone, and the threads that are its own.
        memory: bytes for decoding, where they were named.
        processes: how many there are, which share what is free otherwise.
    """

    missing: Mapping[bytes, Sequence[str]]
    contents: Mapping[bytes, Content]
    specs: Sequence[EncoderSpec]
    load: LoadOn
    settings: Settings
    memory: int | None
    processes: int


def embed_side_by_side(
    missing: Mapping[bytes, Sequence[str]],
    contents: Mapping[bytes, Content],
    specs: Sequence[EncoderSpec],
    load: LoadOn,
    settings: Settings,
    ledger: Ledger,
) -> None:
    """Embed what is missing on several devices at once.

    Args:
        missing: digest -> names of the encoders that lack it.
        contents: by digest.
        specs: of these encoders.
        load: loads an encoder on a device, in the process that has it; pickles.
        settings: how, with the devices.
        ledger: is told what comes of it.

    Raises:
        NearIDError: by which the first of the processes ended that failed. The others do their shares before.
    """
    _check_that_they_travel(specs)
    devices, digests = settings.devices, list(missing)
    shares = []
    for index, device in enumerate(devices):
        own = digests[index :: len(devices)]
        shares.append(
            _Share(
                {digest: missing[digest] for digest in own},
                {digest: contents[digest] for digest in own},
                specs,
                load,
                replace(
                    settings,
                    device=device,
                    devices=(),
                    workers=max(1, settings.threads // len(devices)),
                    progress=False,
                ),
                BUDGET.given,
                len(devices),
            )
        )
    failures: list[Exception] = []
    logged: set[tuple[str, int, str]] = set()
    names = [f"the process of {device}" for device in devices]
    with contextlib.closing(side_by_side(_work, shares, names)) as told:
        for index, what in told:
            if isinstance(what, Exception):
                failures.append(what)
                if len(failures) < len(devices):
                    _log.warning("%s ended early: %s; the others go on", names[index], said(what))
            elif what[0] == "log":
                if what[1:] not in logged:  # each process says it
                    logged.add(what[1:])
                    name, level, text = what[1:]
                    logging.getLogger(name).log(level, "%s", text)
            else:
                method, *arguments = what
                getattr(ledger, method)(*arguments)
    if failures:
        raise failures[0]


def _check_that_they_travel(specs: Sequence[EncoderSpec]) -> None:
    """Refuse plug-ins that cannot be made again in another process."""
    for spec in specs:
        if spec.plugin is None:
            continue
        try:
            pickle.dumps(spec.plugin)
            problem = (
                "its class is in the program itself" if type(spec.plugin).__module__ == "__main__" else ""
            )
        except Exception as error:  # whatever a plug-in's state says of being pickled
            problem = said(error)[:200]
        if problem:
            raise ModelError(
                f'metric "{printable(spec.name)}" cannot be used on several devices: it does not go to other processes '
                f"({printable(problem)}); choose one --device"
            )


class _Sent:
    """The witness of a process: what it is told goes to the one that writes the cache."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def saw(self, digest: bytes, findings: Findings | None, unusable: UnreadableImage | None) -> None:
        self._say(("saw", digest, findings, unusable))

    def took(self, encoder: str, digests: Sequence[bytes], rows: Embeddings) -> None:
        self._say(("took", encoder, digests, rows))

    def lacked(self, encoder: str, digest: bytes) -> None:
        self._say(("lacked", encoder, digest))

    def doubted(self, encoder: str, digests: Sequence[bytes]) -> None:
        self._say(("doubted", encoder, digests))


class _Logs(logging.Handler):
    """Sends what is logged to the process that has a terminal."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._tell = say

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(("log", record.name, record.levelno, record.getMessage()))


def _work(share: _Share, say: Say) -> None:
    """The life of a process that embeds."""
    log = logging.getLogger(_OURS)
    log.handlers, log.propagate = [_Logs(say)], False
    log.setLevel(logging.INFO)
    BUDGET.size, BUDGET.processes = share.memory, share.processes
    load = functools.partial(_load, share.load, share.settings.device)
    try:
        with Decoders(share.missing, share.contents, share.settings) as decoders:
            decoders.begin(share.specs)
            embed_here(decoders, load_all(share.specs, load), share.settings, _Sent(say))
    except StarvedError as starved:
        content: Any = share.contents[starved.item]  # type: ignore[index]
        raise starved.explained(printable(content.name), "all that could be read is embedded") from starved


def _load(load: LoadOn, device: str, spec: EncoderSpec) -> Encoder:
    return load(spec, device)
