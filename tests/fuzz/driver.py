"""Runs a fuzz target: by atheris for as long as one likes, or by mutations that a seed decides, as a plain test.

    python -m tests.fuzz.driver pictures -max_total_time=900

A target is a module here with `check(data)`, which raises where a promise is broken, and `seeds()`, what is mutated
besides the files of `corpus/<target>/`. What atheris finds is kept there as a small file.
"""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

CORPUS = Path(__file__).parent / "corpus"
_ODD = (0, 1, 127, 128, 254, 255)
"""Bytes where numbers change their sign, or end."""


def target(name: str) -> ModuleType:
    """The module of a target."""
    return importlib.import_module(f"tests.fuzz.{name}")


def known(name: str) -> list[bytes]:
    """Seeds of a target, and what was found once."""
    kept = sorted(CORPUS.joinpath(name).glob("*"))
    return [*target(name).seeds(), *(path.read_bytes() for path in kept)]


def mutations(inputs: list[bytes], number: int, seed: int) -> Iterator[bytes]:
    """So many inputs, each made of one of these by a few changes."""
    chance = random.Random(seed)
    for _ in range(number):
        data = bytearray(chance.choice(inputs))
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            _change(data, chance)
        yield bytes(data)


def _change(data: bytearray, chance: random.Random) -> None:
    at = min(int(len(data) * chance.random() ** 3), max(0, len(data) - 1))  # more often near the beginning
    length = chance.choice((1, 2, 4, 16, 256))
    match chance.randrange(5):
        case 0:
            data[at : at + 1] = bytes([chance.choice(_ODD)])
        case 1:
            data[at : at + length] = chance.randbytes(length)
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = data[at : at + length] * chance.choice((1, 2, 100))
        case 4:
            data[at : at + 4] = bytes([chance.choice(_ODD)]) * 4


def main() -> None:
    """Fuzz the target that the first argument names, by atheris; further arguments are libFuzzer's."""
    import atheris

    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["nearid_cli", "PIL"]):
        check = target(name).check
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(known(name)):
            Path(folder, str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], "-timeout=10", "-rss_limit_mb=2048", *options, folder], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
