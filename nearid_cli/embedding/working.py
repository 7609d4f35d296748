"""Embedding what is missing, in this process: threads decode ahead, this thread runs the encoders batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from nearid_cli.embedding.forward import Batches
from nearid_cli.embedding.patience import StarvedError, patiently
from nearid_cli.embedding.preparing import prepared
from nearid_cli.errors import ModelError
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from nearid_cli.embedding.ledger import Witness
    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.spec import Encoder, EncoderSpec, Pixels
    from nearid_cli.images.reading import Findings


class _Seen(NamedTuple):
    """A picture that was opened: what of it was a matter of choice, and what each encoder takes, or why it is bad."""

    findings: Findings | None
    made: dict[str, Pixels | None] | UnreadableImage


def load_all(specs: Sequence[EncoderSpec], load: Callable[[EncoderSpec], Encoder]) -> dict[str, Encoder]:
    """Load encoders, by name.

    Raises:
        ModelError: naming every one that fails.
    """
    encoders: dict[str, Encoder] = {}
    failures: list[ModelError] = []
    for spec in specs:
        try:
            encoders[spec.name] = load(spec)
        except ModelError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        details = [line for error in failures for line in (error.message, *error.details)]
        raise ModelError(f"{count(len(failures), 'checkpoint')} cannot be loaded", details)
    return encoders


def embed_here(
    missing: Mapping[bytes, Sequence[str]],
    contents: Mapping[bytes, Content],
    encoders: Mapping[str, Encoder],
    settings: Settings,
    witness: Witness,
) -> None:
    """Embed what is missing, picture by picture and encoder by encoder.

    Args:
        missing: digest -> names of the encoders that lack it.
        contents: by digest.
        encoders: by name.
        settings: how.
        witness: is told what comes of it.

    Raises:
        ModelError: an encoder fails.
        StarvedError: as `patiently`, after all that could be prepared is embedded.
    """

    def prepare(digest: bytes) -> _Seen:
        asked = {name: encoders[name] for name in missing[digest]}
        found: list[Findings] = []
        try:
            made = prepared(contents[digest], asked.values(), settings, found.append)
        except UnreadableImage as error:
            return _Seen(found[-1] if found else None, error)
        except ModelError as error:
            raise ModelError(
                f"{error.message} ({printable(contents[digest].name)})", error.details
            ) from error
        return _Seen(found[-1], {name: made[encoder.preparation] for name, encoder in asked.items()})

    batches = {
        name: Batches(name, encoder, settings.pictures_a_pass, witness) for name, encoder in encoders.items()
    }
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="decode")
    window = 2 * settings.threads + settings.pictures_a_pass
    starved = None
    try:
        try:
            for digest, (findings, made) in patiently(pool, missing, prepare, window):
                if isinstance(made, UnreadableImage):
                    witness.saw(digest, findings, made)
                    continue
                witness.saw(digest, findings, None)
                for name, pixels in made.items():
                    batches[name].add(digest, pixels)
        except StarvedError as error:
            starved = error
        for gathered in batches.values():
            gathered.embed()
        if starved:
            raise starved
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # first, or who is let go takes the next picture
        BUDGET.give_up()  # or Python would not end before all that wait for memory have been decoded
        raise
    finally:
        # On an interrupt too: nobody waits for pictures that nobody wants.
        pool.shutdown(wait=False, cancel_futures=True)
