"""The verdicts of a gate as JUnit XML."""

from __future__ import annotations

from nearid_cli.reports.blocks import Document
from nearid_cli.reports.formats.base import Format


class Junit(Format):
    """The verdicts alone, for test reporters of CI servers."""

    extension = ".xml"
    holds = ("gate",)
    place = 8
    elsewhere = "JUnit XML holds the verdicts of a gate: add --gate to nearid score, or use nearid gate"

    def render(self, document: Document) -> str:
        """One test case a verdict."""
        from nearid_cli.reports.junit import to_junit

        return to_junit((document.judged or document).result)
