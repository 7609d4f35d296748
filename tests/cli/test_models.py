"""`nearid models` with the checkpoint that is in the package."""

from __future__ import annotations

import re

from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER
from tests.commandline import Nearid


def test_list_says_that_it_is_always_here(nearid: Nearid) -> None:
    lines = nearid("models", "list").out.splitlines()
    (line,) = [line for line in lines if line.startswith("nearid-mini")]
    assert re.search(r"nearid-cli:nearid-mini +pooled +[\d.]+ MB, in the", line)
    assert "for demos, tests and" in line


def test_info_shows_no_revision(nearid: Nearid) -> None:
    found = dict(line.split(maxsplit=1) for line in nearid("models", "info", "nearid-mini").out.splitlines())
    assert found["checkpoint"] == "nearid-cli:nearid-mini"
    assert found["revision"] == "none"
    assert re.fullmatch(r"[0-9a-f]{64} \(float32\)", found["fingerprint"])


def test_pull_has_nothing_to_do(nearid: Nearid) -> None:
    finished = nearid("models", "pull", "nearid-mini")
    assert (finished.code, finished.err) == (0, "")
    assert re.fullmatch(
        rf"nearid-mini: {re.escape(str(SHIPPED_FOLDER))} \([\d.]+ MB\), part of nearid-cli\n", finished.out
    )


def test_verify_loads_the_weights(nearid: Nearid) -> None:
    finished = nearid("models", "verify", "nearid-mini")
    assert finished.code == 0
    assert "nearid-mini: complete and finite; fingerprint" in finished.out
    assert re.search(r"^model\.safetensors +blake3:", finished.out, re.MULTILINE)
