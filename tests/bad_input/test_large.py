"""Files of gigabytes that are called pictures: neither read nor held, whatever they begin with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BEGINNINGS = {
    "nothing": (b"", "not an image: nothing but zero bytes where it should begin"),
    "a JPEG": (b"\xff\xd8\xff\xe0", "5.4 GB is over the limit of 1.1 GB"),
}
MIB = 2**20
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_inblock, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("command", "beginning"),
    [("score", "nothing"), ("score", "a JPEG"), ("embed", "a JPEG"), ("layout", "a JPEG")],
)
def test_five_gigabytes(data: Path, command: str, beginning: str) -> None:
    start, reason = BEGINNINGS[beginning]
    with (data / "gens/cat/large.jpg").open("wb") as file:
        file.write(start)
        file.truncate(5 * 2**30)
    arguments = {
        "score": ["refs", "gens", "-m", "hog", "--skip-bad", "--format", "json"],
        "embed": ["gens", "-m", "hog", "--skip-bad", "-o", "embeddings.parquet"],
        "layout": ["refs", "gens"],
    }[command]
    program = [sys.executable, "-m", "nearid_cli", command, *arguments]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *program], cwd=data, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    memory, read = map(int, done.stderr.splitlines()[-1].split())
    assert memory * 1024 < 700 * MIB
    assert read * 512 < 1024 * MIB
    assert command == "layout" or reason in done.stdout + done.stderr
