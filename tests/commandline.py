"""What a run of the command line leaves behind, and how an error must read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.spec import EncoderSpec

LOST = re.compile(
    r"Exception ignored in: .*\n(?:.*\n)*?KeyboardInterrupt: ?\n"
    r"|Traceback .*\n(?:.*\n)*?.* in spawn_main\n(?:.*\n)*?EOFError: Ran out of input\n"
)
"""What Python says of its own accord and goes on: where Ctrl-C comes within a callback that it or compiled code makes
(of an import's lock, of pydantic for options of Typer); and from a child that is told nothing, because its parent was
killed in the moment in which it began.
"""


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What stderr got, but for the line that says which configuration is in force."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("configuration: "))

    @property
    def error(self) -> str:
        """The message of a run that failed as it should: one line on stderr, nothing on stdout."""
        return self._problem()[0]

    @property
    def details(self) -> list[str]:
        """The indented lines below the message."""
        return self._problem()[1]

    def _problem(self) -> tuple[str, list[str]]:
        assert self.code == 2, (self.code, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        assert "error: unexpected" not in self.err, self.err
        lines = self.err.splitlines()
        (start,) = [index for index, line in enumerate(lines) if line.startswith("error: ")]
        assert all(line.startswith("  ") for line in lines[start + 1 :]), self.err
        return lines[start].removeprefix("error: "), [line.strip() for line in lines[start + 1 :]]


Nearid = Callable[..., Finished]

_OF_THE_DATA = ("rough intervals", "are one picture", "unmatched")


def warnings_of_work(err: str) -> list[str]:
    """The warnings that are about cache, files and machine, and not about the few pictures of a test."""
    return [
        line
        for line in err.splitlines()
        if line.startswith("warning: ") and not any(words in line for words in _OF_THE_DATA)
    ]


def cached_digests(cache: Cache, spec: EncoderSpec) -> set[bytes]:
    """The pictures whose embedding by `spec` is in the cache, read part by part."""
    return {
        digest
        for table in cache.parts("embeddings", spec.fingerprint).tables()
        for digest in table.column("digest").to_pylist()
    }
