"""What the machine fails at is tried again, then an error of the run, and never a finding about a picture."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nearid_cli.embedding import patience
from nearid_cli.embedding.patience import StarvedError, patiently
from tests.commandline import Nearid

SCORE = ("score", "refs", "gens", "-m", "hog", "--skip-bad", "--format", "json")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_WAITS", (0, 0.01))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[int | None]], None]:
    """Have opening `gens/cat/1.png` fail with the errors that are given, one after the other, None for none."""

    os_open = os.open

    def fail(errors: Iterator[int | None]) -> None:
        def opened(path: str | os.PathLike[str], *how: int) -> int:
            number = next(errors, None) if os.fspath(path).endswith("gens/cat/1.png") else None
            if number is not None:
                raise OSError(number, os.strerror(number), path)
            return os_open(path, *how)

        monkeypatch.setattr(os, "open", opened)

    return fail


def forever(error: int, after: int = 0) -> Iterator[int | None]:
    yield from [None] * after
    while True:
        yield error


@pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE])
def test_what_fails_for_a_moment_changes_nothing(
    nearid: Nearid, data: Path, failing: Callable[[Iterator[int | None]], None], error: int
) -> None:
    expected = json.loads(nearid(*SCORE, "--no-cache").out)
    failing(iter([error, error, None, error]))  # twice when it is identified, and once when it is decoded
    found = json.loads(nearid(*SCORE).out)
    assert found["inputs"]["skipped"] == []
    assert found["metrics"] == expected["metrics"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errno.EIO, "Input/output error (EIO) in each of 3 tries"),
        (errno.EMFILE, "Too many open files (EMFILE) in each of 3 tries"),
    ],
)
@pytest.mark.parametrize(
    ("after", "done"), [(0, "14 of 15 pictures were read"), (1, "14 of 15 pictures are embedded and kept")]
)
def test_what_fails_for_ever_ends_the_run_and_skips_nothing(
    nearid: Nearid,
    data: Path,
    failing: Callable[[Iterator[int | None]], None],
    error: int,
    says: str,
    after: int,
    done: str,
) -> None:
    failing(forever(error, after))
    found = nearid(*SCORE)
    assert found.code == 2
    assert found.error.startswith(f"{says} at gens/cat/1.png; {done}; ")
    failing(iter([]))
    assert json.loads(nearid(*SCORE).out)["inputs"]["skipped"] == []


def test_errors_of_files_stay_errors_of_files(
    nearid: Nearid, data: Path, failing: Callable[[Iterator[int | None]], None]
) -> None:
    failing(forever(errno.EACCES))
    assert [one["reason"] for one in json.loads(nearid(*SCORE).out)["inputs"]["skipped"]] == [
        "permission denied"
    ]


def test_a_picture_that_finds_no_memory_among_others_is_prepared_alone() -> None:
    tries: dict[int, int] = {}

    def work(item: int) -> int:
        tries[item] = tries.get(item, 0) + 1
        if item % 3 == 0 and tries[item] == 1:
            raise MemoryError
        return item

    with ThreadPoolExecutor(4) as pool:
        found = list(patiently(pool, range(9), work, 4))
    assert found == [(n, n) for n in (1, 2, 4, 5, 7, 8, 0, 3, 6)]


def test_other_errors_pass() -> None:
    def work(item: int) -> int:
        raise OSError("of another kind")

    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="of another kind"):
        list(patiently(pool, range(2), work, 4))


def test_memory_that_never_comes() -> None:
    def work(item: int) -> int:
        raise MemoryError

    with ThreadPoolExecutor(1) as pool, pytest.raises(StarvedError) as caught:
        list(patiently(pool, range(2), work, 4))
    assert caught.value.explained("a.png", "3 are kept").message == (
        "Cannot allocate memory (ENOMEM) in each of 3 tries at a.png; 3 are kept; "
        "free memory, or lower --workers or --memory, and run again"
    )


FEW_DESCRIPTORS = """
import os, resource, sys
from nearid_cli.cli.app import main
import nearid_cli.images.decode, nearid_cli.evaluate.score, tqdm  # no import finds a file any more
import nearid_cli.embedding.pipeline as pipeline

def few(*given, **named):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    held = []
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        pass
    for _ in range(int(sys.argv[1])):
        os.close(held.pop())
    try:
        return identify(*given, **named)
    finally:
        for one in held:
            os.close(one)

identify, pipeline.identify = pipeline.identify, few
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("left", "code"), [(2, 0), (0, 2)])
def test_descriptors_that_are_nearly_used_up(data: Path, left: int, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW_DESCRIPTORS, str(left), *SCORE, "--no-cache", "--workers", "16"],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert ("Too many open files (EMFILE)" in done.stderr) == (code == 2)
    assert "skipped" not in done.stderr


@pytest.mark.parametrize(("window", "together"), [(1, 1), (3, 1), (1, 4), (2, 3), (9, 50)])
def test_handfuls_are_worked_on_in_order_and_not_too_far_ahead(window: int, together: int) -> None:
    """What fails once in the middle of a handful is tried again at the end, and nothing else is."""
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 5 and begun.count(5) == 1:
            raise OSError(errno.EIO, "once")
        return -item

    with ThreadPoolExecutor(2) as pool:
        found = []
        for item, result in patiently(pool, range(23), work, window, together):
            assert len(begun) <= len(found) + 1 + (window + 1) * together
            found.append((item, result))
    assert found == [(item, -item) for item in [*range(5), *range(6, 23), 5]]
    assert sorted(begun) == sorted([*range(23), 5])


def test_what_starves_in_a_handful_is_named_itself() -> None:
    def work(item: int) -> int:
        if item == 6:
            raise OSError(errno.EMFILE, "for ever")
        return item

    with ThreadPoolExecutor(2) as pool:
        found = patiently(pool, range(9), work, 2, 4)
        assert [item for item, _ in (next(found) for _ in range(8))] == [0, 1, 2, 3, 4, 5, 7, 8]
        with pytest.raises(StarvedError) as starved:
            next(found)
    assert starved.value.item == 6
