"""What a `Scorer` knows of generations, as bytes that other processes and other days understand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_cli.errors import InputError, UsageError
from nearid_cli.evaluate.remembering import Vectors
from nearid_cli.layouts.dataset import LetGo

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.encoders.spec import EncoderSpec

FORMAT = "nearid.scorer/1"
_WIDTH = 32  # bytes of a digest


@dataclass(frozen=True)
class Generation:
    """A generation that was embedded and let go.

    Attributes:
        subject: whose.
        picture: what it is known by.
        path: of its file, as it was given; None for one from memory.
        file: the same, absolute.
        prompt, seed, labels: as for `nearid_cli.results.Image`.
    """

    subject: str
    picture: LetGo
    path: str | None = None
    file: str | None = None
    prompt: str | None = None
    seed: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """What is handed from one `Scorer` to another.

    Attributes:
        encoders: fingerprint of each encoder by its name.
        references: hex digests of the references and distractors that generations are scored with, by subject.
        generations: in the order in which they came.
        vectors: of the generations, and of the references where they were asked for.
    """

    encoders: Mapping[str, str]
    references: Mapping[str, Sequence[str | None]]
    generations: Sequence[Generation]
    vectors: Vectors

    def pack(self) -> bytes:
        """The state as a safetensors file."""
        from safetensors.numpy import save

        facts = {
            "format": FORMAT,
            "encoders": self.encoders,
            "references": self.references,
            "generations": [_facts(one) for one in self.generations],
        }
        arrays: dict[str, npt.NDArray[Any]] = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
        for number, name in enumerate(self.encoders):
            rows = self.vectors.rows[name]
            arrays[f"{number}.digests"] = _digests(rows)
            arrays[f"{number}.rows"] = np.stack(list(rows.values())) if rows else np.zeros((0, 0), np.float32)
            arrays[f"{number}.absent"] = _digests(sorted(self.vectors.absent[name]))
        packed: bytes = save(arrays)
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> State:
        """A state from its bytes.

        Raises:
            InputError: they are of something else, or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = load(packed)
            facts = json.loads(arrays["facts"].tobytes())
            if facts["format"] != FORMAT:
                raise InputError(f"expected a state of format {FORMAT}, found {facts['format']}")
            rows, absent = {}, {}
            for number, name in enumerate(facts["encoders"]):
                digests = _read(arrays[f"{number}.digests"])
                rows[name] = dict(zip(digests, arrays[f"{number}.rows"], strict=True))
                absent[name] = set(_read(arrays[f"{number}.absent"]))
            generations = [_generation(one) for one in facts["generations"]]
            return cls(facts["encoders"], facts["references"], generations, Vectors(rows, absent))
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"expected the state of a Scorer, found other bytes ({error})") from error


def check_same(
    own: tuple[Sequence[EncoderSpec], Mapping[str, Sequence[str | None]]], other: State, whose: str
) -> None:
    """Refuse the state of a scorer that scores otherwise.

    Args:
        own: the encoders and `State.references` of the one that is to take it.
        other: the state.
        whose: what the other one is called.

    Raises:
        UsageError: it has other metrics or other references.
    """
    encoders = {spec.name: spec.fingerprint for spec in own[0]}
    if encoders != other.encoders:
        raise UsageError(
            f"expected the metrics of {whose} to be ours, found {_names(other.encoders)} where ours are "
            f"{_names(encoders)}; all must be made with the same metrics, checkpoints, dtype and options of reading"
        )
    if dict(own[1]) != dict(other.references):
        names = sorted(
            name for name in {*own[1], *other.references} if own[1].get(name) != other.references.get(name)
        )
        raise UsageError(
            f"expected the references of {whose} to be ours, found others of: {', '.join(names)}"
        )


def _names(encoders: Mapping[str, str]) -> str:
    """Encoders by name, and the beginning of what they are known by."""
    return ", ".join(f"{name} ({fingerprint[:8]})" for name, fingerprint in encoders.items())


def _facts(one: Generation) -> dict[str, Any]:
    digest = one.picture.digest
    return {
        "subject": one.subject,
        "place": one.picture.place,
        "digest": None if digest is None else digest.hex(),
        "reason": one.picture.reason,
        "path": one.path,
        "file": one.file,
        "prompt": one.prompt,
        "seed": one.seed,
        "labels": dict(one.labels),
    }


def _generation(facts: Mapping[str, Any]) -> Generation:
    rest = dict(facts)
    digest = rest.pop("digest")
    picture = LetGo(rest.pop("place"), None if digest is None else bytes.fromhex(digest), rest.pop("reason"))
    return Generation(picture=picture, **rest)


def _digests(digests: Any) -> npt.NDArray[np.uint8]:
    """Digests as [N, 32]."""
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _WIDTH)


def _read(digests: npt.NDArray[np.uint8]) -> list[bytes]:
    return [row.tobytes() for row in digests]
