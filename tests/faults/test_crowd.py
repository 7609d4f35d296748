"""Many processes, and two users, on one cache: every number is right."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.embedding.cache import Cache
from tests.commandline import warnings_of_work

from .conftest import Ran, Runs, numbers

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json", "--cache", "cache")
OTHER = ("score", "refs", "gens2", "-m", "hog", "--format", "json", "--cache", "cache")
EMBED = ("embed", "refs", "gens", "-m", "hog", "--cache", "cache", "-o")
ROLES: tuple[tuple[str, ...], ...] = (
    SCORE,
    OTHER,
    SCORE,
    (*EMBED, "1.parquet"),
    (*EMBED, "2.parquet"),
    ("cache", "compact", "--cache", "cache"),
    ("cache", "verify", "--cache", "cache"),
    ("cache", "clear", "--yes", "--cache", "cache"),
)


def other_pictures(place: Path) -> None:
    for path in (place / "gens").rglob("*.png"):
        copy = place / "gens2" / path.relative_to(place / "gens")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes() + b"with another digest")


def crowd(plain: Runs, place: Path, seconds: float) -> int:
    """Eight roles again and again for some time; gives how many runs there were."""
    other_pictures(place)
    expected = {role: numbers(plain(place, *role[:-2], "--no-cache").out) for role in (SCORE, OTHER)}
    end = time.monotonic() + seconds
    running = {role: plain.start(place, *ROLES[role]) for role in range(len(ROLES))}
    done = 0
    while running:
        for role, run in list(running.items()):
            ran = plain.wait(run)
            done += 1
            check(ROLES[role], ran, expected)
            del running[role]
            if time.monotonic() < end:
                running[role] = plain.start(place, *ROLES[role])
    _, damaged, unread = Cache(place / "cache").verify()
    assert (damaged, unread) == ([], [])
    return done


def check(role: tuple[str, ...], ran: Ran, expected: dict[tuple[str, ...], object]) -> None:
    assert ran.code == 0, (role, ran.err)
    assert not warnings_of_work(ran.err), (role, ran.err)
    if role in expected:
        assert numbers(ran.out) == expected[role]


def test_eight_processes_on_one_cache(plain: Runs, place: Path) -> None:
    assert crowd(plain, place, 0) == 8


@pytest.mark.torture
def test_eight_processes_on_one_cache_for_long(
    plain: Runs, place: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("tries", crowd(plain, place, 120))


ALICE, BOB = 4321, 4322


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes two users")
@pytest.mark.parametrize("trusting", [False, True])
def test_two_users_on_one_cache(plain: Runs, place: Path, trusting: bool) -> None:
    for folder in (place, *place.parents):
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    (place / "cache").mkdir()
    (place / "cache").chmod(0o777)
    expected = numbers(plain(place, *SCORE[:-2], "--no-cache").out)
    trust = ["--trust-cache"] if trusting else []
    for user in (ALICE, BOB, ALICE):
        ran = plain(place, *SCORE, *trust, user=user, umask=0, environment={"HOME": str(place)})
        assert ran.code == 0, ran.err
        assert numbers(ran.out) == expected
        said = [line for line in warnings_of_work(ran.err) if "--trust-cache" in line]
        assert len(said) == (not trusting), ran.err
    owners = {path.stat().st_uid for path in (place / "cache").rglob("*.parquet")}
    assert owners == ({ALICE} if trusting else set())
