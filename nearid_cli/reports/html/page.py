"""The report as one HTML file that needs nothing else: no server, no network, no other file.

The template, the styles and the script are the files beside this one. A content security policy allows exactly
this style and this script, by their hashes, and pictures from the page itself: whatever a file name holds, nothing
else runs.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from string import Template

from nearid_cli.reports import gate_text
from nearid_cli.reports.against import about_trials
from nearid_cli.reports.ground import apart, ground
from nearid_cli.reports.html import sections, tables
from nearid_cli.reports.html.data import json_in_html, memory_note, methods_of, page_data, subjects_of
from nearid_cli.reports.html.pictures import Pictures
from nearid_cli.reports.html.svg import LEAST_SPAN, escaped
from nearid_cli.reports.html.words import answer
from nearid_cli.reports.labels import cut
from nearid_cli.reports.order import best_first
from nearid_cli.reports.terminal import findings
from nearid_cli.reports.verdict import compare_findings
from nearid_cli.results import CompareResult, GateResult, Method, ScoreResult
from nearid_cli.text import count

_SCRIPTS = ("page.js", "enlarge.js", "plots.js", "paper.js")  # in one function, so that they share its names
_LINK = 36  # so many characters of a section's title its link shows
_LONG = 70  # a title of more characters is set smaller


def to_html(result: ScoreResult | CompareResult, pictures: Pictures, gate: GateResult | None = None) -> str:
    """The page.

    Args:
        result: of one method or of several.
        pictures: of the files that `page_files` named, embedded or served.
        gate: verdicts to show near the top.
    """
    if isinstance(result, CompareResult):
        result = best_first(result)
    methods = methods_of(result)
    heading, lines = answer(result, methods)
    parts = _sections(result, methods, gate)
    style = _text("style.css") + _text("print.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_text, _SCRIPTS), "})();"])
    links = [(name, title) for name, title, _, _ in parts] + [
        ("pictures", "Pictures"),
        ("made", "What made it"),
    ]
    return Template(_text("page.html")).substitute(
        policy=_policy(style, script),
        title=escaped(f"{heading} - nearid"),
        style=style,
        links="".join(f'<a href="#{name}">{escaped(cut(title, _LINK))}</a>' for name, title in links),
        kicker=escaped(_kicker(result, methods)),
        heading=escaped(heading),
        size=' class="long"' if len(heading) > _LONG else "",
        lead=f'<p class="lead">{" ".join(map(escaped, lines))}</p>{_gate_line(gate)}',
        sections="".join(_section(*part) for part in parts),
        legend=sections.legend(methods),
        note=escaped(f"{pictures.note[:1].upper()}{pictures.note[1:]}{memory_note(result)}."),
        provenance=sections.provenance(methods, f"{result.tool.name} {result.tool.version}", result.created),
        data=json_in_html(page_data(result, pictures)),
        script=script,
    )


def _sections(
    result: ScoreResult | CompareResult, methods: tuple[Method, ...], gate: GateResult | None
) -> list[tuple[str, str, str, str]]:
    """Id, title, explanation and content of every part above the pictures."""
    metrics = [metric.name for metric in methods[0].result.metrics]
    parts = []
    if gate is not None:
        parts.append(
            ("gate", "Gate", "Every rule of the gate with what it found.", sections.gate_table(gate))
        )
    notes = compare_findings(result) if isinstance(result, CompareResult) else findings(result)
    about, shown = _SCORES, sections.scores(methods, metrics)
    if isinstance(result, CompareResult):
        over = f", over the {ground(result)}" if apart(result) else ""
        about += f" Best method by {metrics[0]} first{over}, {_ORDER}."
        shown = sections.headline(result, metrics)
    parts.append(("scores", "Scores", about, shown + tables.listed([*about_trials(result), *notes])))
    if isinstance(result, CompareResult) and result.comparisons:
        content = sections.differences(result, metrics)
        parts.append(("differences", f"Differences from {result.baseline}", _DIFFERENCES, content))
    subjects = subjects_of(methods)
    if subjects:
        content = sections.subject_heatmaps(methods, subjects, metrics)
        about = f"Mean scores, best subject by {metrics[0]} first; equal ones in their natural order."
        parts.append(("subjects", "Subjects", about, content))
    if any(method.result.images for method in methods):
        parts.append(
            ("distributions", "Distributions", _DISTRIBUTIONS, sections.distributions(methods, metrics))
        )
        if len(metrics) > 1:
            content = sections.scatters(methods, metrics)
            if isinstance(result, CompareResult):
                content += sections.agreements(result)
            parts.append(("agreement", "Do the metrics agree?", _AGREEMENT, content))
    return parts


_SCORES = (
    "A dot is the mean over subjects, its line the 95 % interval. The grey band runs from the floor (how alike "
    "strangers are) to the ceiling (how alike the references of a subject are among themselves). No axis and no "
    f"scale of colours covers less than {LEAST_SPAN}, so that noise does not look like a difference."
)
_ORDER = "those that copy references last, equal ones in the order given"
_DIFFERENCES = (
    "Above 0 a method is better than the baseline on the same subjects; what the true difference may be is where its "
    "interval runs. A comparison of so many subjects shows a true difference as large as the ends of the grey band in "
    "four cases of five, and a smaller one less often."
)
_DISTRIBUTIONS = (
    "Where the generations lie; the marks are floor and ceiling. Heights compare within a row only."
)
_AGREEMENT = (
    "A point is a generation. Copies aside, the shaded corner holds what a metric puts into its top quarter and the "
    "first metric into its lowest: most often the right scene around the wrong object."
)


def _gate_line(gate: GateResult | None) -> str:
    if gate is None:
        return ""
    line = gate_text.outcome(gate)
    status = "passed" if gate.passed else "failed"
    return f'<p class="lead verdict {status}">{escaped(line[0].upper() + line[1:])}.</p>'


def _section(name: str, title: str, about: str, content: str) -> str:
    return f'<section id="{name}"><h2>{escaped(title)}</h2><p class="about">{escaped(about)}</p>{content}</section>'


def _kicker(result: ScoreResult | CompareResult, methods: tuple[Method, ...]) -> str:
    """What was looked at, above the title."""
    images = sum(len(method.result.images) for method in methods)
    what = [count(images, "generation"), count(len(subjects_of(methods)), "subject"), result.created[:10]]
    if isinstance(result, CompareResult):
        names = (
            ", ".join(method.name for method in methods) if len(methods) <= 4 else f"{len(methods)} methods"
        )
        return " · ".join(["nearid compare", names, *what])
    return " · ".join(["nearid score", methods[0].name, *what])


def _text(name: str) -> str:
    return resources.files("nearid_cli.reports.html").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    allowed = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{kind} {source}" for kind, source in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
