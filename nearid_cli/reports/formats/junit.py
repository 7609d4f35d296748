"""The verdicts of a gate as JUnit XML, which GitHub's test reporters, GitLab and Jenkins show.

There is no written standard; these elements and attributes are the ones that all of them read. JUnit knows no
warning: a check that only warns is a test that passes and says so in its `system-out`, since a skipped test would
look as if nobody had checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearid_cli.reports.formats.base import FileFormat
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document
    from nearid_cli.results import GateResult


class Junit(FileFormat):
    """The verdicts alone, for test reporters of CI servers."""

    extension = ".xml"
    holds = ("gate",)
    place = 10
    elsewhere = "JUnit XML holds the verdicts of a gate: add --gate to nearid score, or use nearid gate"

    def render(self, document: Document) -> str:
        """One test case a verdict."""
        return to_junit((document.judged or document).result)


def to_junit(gate: GateResult) -> str:
    """The verdicts as a JUnit document, one test case a verdict, its class the rule.

    Names hold bounds but no results, so that a check keeps its name from run to run. Characters that XML cannot
    hold become backslash escapes.
    """
    from xml.etree import ElementTree

    from nearid_cli.reports.gate import check_title, compared, fell_most, numbers, rule_title, with_status

    counts = {
        "tests": f"{len(gate.verdicts)}",
        "failures": f"{len(with_status(gate, 'failed'))}",
        "errors": "0",
        "skipped": "0",
        "time": "0",
    }
    root = ElementTree.Element("testsuites", {"name": "nearid gate", **counts})
    # Readers want the local time of a clock without its zone; ours is UTC.
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": compared(gate), **counts, "timestamp": gate.created[:19]}
    )
    for verdict in gate.verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": rule_title(verdict.rule),
                "name": f"{check_title(verdict)}: {printable(verdict.expected)}",
                "time": "0",
            },
        )
        facts = verdict.reason, numbers(verdict), fell_most(verdict)
        details = "\n".join(map(printable, filter(None, facts)))
        if verdict.status == "failed":
            failure = ElementTree.SubElement(
                case, "failure", {"message": printable(verdict.reason), "type": verdict.rule.statistic}
            )
            failure.text = details
        elif verdict.status == "warned":
            out = ElementTree.SubElement(case, "system-out")
            out.text = f"WARNING, which fails no gate (on_fail is warn)\n{details}"
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
