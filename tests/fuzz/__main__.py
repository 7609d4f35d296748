"""`python -m tests.fuzz TARGET`: inputs without end, or for so long, with atheris where it is installed.

Atheris learns which inputs reach new code, which takes Python 3.11 and `pip install atheris`. Without it, inputs are
made of the kept ones by `mutations` alone. What breaks a target is kept in the folder of findings, and ends the run.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import CORPUS, TARGETS, run, seeds


def main() -> int:
    """Fuzz one target; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=0, help="so many inputs; 0 for no end")
    parser.add_argument("--seconds", type=float, default=0, help="so long; 0 for no end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    parser.add_argument(
        "--learned", type=Path, help="where atheris keeps inputs that reach new code, for later runs"
    )
    parser.add_argument("--plain", action="store_true", help="without atheris")
    asked = parser.parse_args()
    logging.disable()
    asked.findings.mkdir(parents=True, exist_ok=True)
    try:
        if asked.plain:
            raise ImportError
        import atheris
    except ImportError:
        return _plainly(asked)
    return _by_coverage(atheris, asked)


def _plainly(asked: argparse.Namespace) -> int:
    random, given = Random(asked.seed), seeds(asked.target)
    grammar = TARGETS[asked.target].grammar
    start = last = time.monotonic()
    number = found = 0
    while not (asked.runs and number >= asked.runs) and not (asked.seconds and last - start > asked.seconds):
        data = given[number] if number < len(given) else mutated(random, given, grammar)
        found += not _stands(asked, data)
        number += 1
        last = time.monotonic()
    print(f"{asked.target}: {number:,} inputs in {last - start:,.0f} s, {found} findings")
    return min(found, 1)


def _stands(asked: argparse.Namespace, data: bytes) -> bool:
    """Whether a target stands an input; one that it does not is kept."""
    try:
        run(asked.target, data)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        name = hashlib.sha256(data).hexdigest()[:12]
        (asked.findings / f"{asked.target}-{name}").write_bytes(data)
        lines = traceback.format_exception(error)
        (asked.findings / f"{asked.target}-{name}.txt").write_text(
            "".join(lines), "utf-8", "backslashreplace"
        )
        print(f"{asked.target}: {name}: {lines[-1].strip()[:300]}", flush=True)
        return False
    return True


def _by_coverage(atheris, asked: argparse.Namespace) -> int:  # type: ignore[no-untyped-def] - no types of its own
    given = seeds(asked.target)
    grammar = TARGETS[asked.target].grammar
    with atheris.instrument_imports(include=["nearid_cli"]):
        for data in given:
            _stands(asked, data)  # which imports what it needs, under instruments

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        made = mutated(random, [data, *given[:3]] if random.random() < 0.2 else [data], grammar)
        return (made if random.random() < 0.5 else atheris.Mutate(made, most))[:most]

    def take(data: bytes) -> None:
        _stands(asked, data)

    learned = asked.learned or asked.findings / f"{asked.target}-learned"
    learned.mkdir(parents=True, exist_ok=True)
    for data in TARGETS[asked.target].made():
        (learned / hashlib.sha256(data).hexdigest()).write_bytes(data)
    options = [f"-seed={asked.seed or 1}", "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1"]
    options += [f"-runs={asked.runs}"] if asked.runs else []
    options += [f"-max_total_time={int(asked.seconds)}"] if asked.seconds else []
    arguments = [sys.argv[0], *options, "-max_len=65536", str(learned), str(CORPUS / asked.target)]
    atheris.Setup(arguments, take, custom_mutator=mutate)
    atheris.Fuzz()
    return int(any(asked.findings.glob(f"{asked.target}-*.txt")))


if __name__ == "__main__":
    sys.exit(main())
