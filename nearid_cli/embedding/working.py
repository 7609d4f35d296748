"""Embedding what is missing, in this process: threads decode ahead, this thread runs the encoders batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nearid_cli.embedding.forward import Batches
from nearid_cli.embedding.patience import StarvedError
from nearid_cli.errors import ModelError
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.text import count

if TYPE_CHECKING:
    from nearid_cli.embedding.decoders import Decoders
    from nearid_cli.embedding.ledger import Witness
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.encoders.spec import Encoder, EncoderSpec


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
    decoders: Decoders, encoders: Mapping[str, Encoder], settings: Settings, witness: Witness
) -> None:
    """Embed what is missing, picture by picture and encoder by encoder.

    Args:
        decoders: prepare what is missing; ended when this returns or raises.
        encoders: by name.
        settings: how.
        witness: is told what comes of it.

    Raises:
        ModelError: an encoder fails.
        StarvedError: as `patiently`, after all that could be prepared is embedded.
    """
    batches = {
        name: Batches(name, encoder, settings.pictures_a_pass, witness) for name, encoder in encoders.items()
    }
    starved = None
    with decoders:
        try:
            for digest, (findings, made) in decoders.seen(encoders):
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
