"""The report as one HTML file that needs nothing else: no server, no network, no other file.

The templates, the styles and the scripts are the files beside this one. A content security policy allows exactly
this style and this script, by their hashes, and pictures from the page itself: whatever a file name holds, nothing
else runs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nearid_cli.reports.blocks import Block, Document, Topic
from nearid_cli.reports.gate import outcome, status
from nearid_cli.reports.ground import apart, ground
from nearid_cli.reports.html import plots, sections, tables
from nearid_cli.reports.html.blocks import Section
from nearid_cli.reports.html.data import memory_note, page_data, subjects_of
from nearid_cli.reports.html.pictures import Gallery
from nearid_cli.reports.html.svg import LEAST_SPAN
from nearid_cli.reports.html.words import story
from nearid_cli.reports.labels import cut
from nearid_cli.reports.table import Mark
from nearid_cli.results import CompareResult
from nearid_cli.text import count, printable

_SCRIPTS = ("page.js", "enlarge.js", "plots.js", "paper.js")  # in one function, so that they share its names


def to_html(document: Document, pictures: Gallery) -> str:
    """The page.

    Args:
        document: of a score result or of a comparison; verdicts on it are shown near the top.
        pictures: of the files that `page_files` named, embedded or served.
    """
    told = story(document.result)
    gate = document.judged and document.judged.result
    style = _text("style.css") + _text("print.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_text, _SCRIPTS), "})();"])

    def shown(blocks: Iterable[Block]) -> Markup:
        """Blocks as HTML: each by the macro of its class's name."""
        found = Markup()
        for one in blocks:
            content = getattr(macros, type(one).__name__.lower())(one)
            found += macros.folded(one.folded, content) if one.folded else content
        return found

    colours = {method.name: plots.colour(place) for place, method in enumerate(told.result.methods)}
    macros: Any = environment().get_template("blocks.html").make_module({"blocks": shown, "colours": colours})
    page = environment().get_template("page.html")
    return page.render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        kicker=_kicker(document.content.title, told.result),
        heading=told.heading,
        lead=told.lead,
        gate=gate and {"line": outcome(gate), "status": status(gate)},
        parts=list(_sections(document, told.result)),
        macros=macros,
        blocks=shown,
        note=f"{pictures.note[:1].upper()}{pictures.note[1:]}{memory_note(told.result.methods)}.",
        made=[replace(one, folded="") for one in _about(document, Topic.ORIGIN)],
        data=page_data(told.result, pictures),
    )


@functools.cache
def environment() -> Environment:
    """The templates. Whatever text they are given is made printable and escaped, but for what is HTML already."""
    made = Environment(
        loader=PackageLoader("nearid_cli.reports.html", ""),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    made.globals |= {"LEGEND": tables.LEGEND, "Mark": Mark}
    made.filters |= {
        "colour": plots.colour,
        "cut": cut,
        "is_wordy": tables.is_wordy,
        "labels": tables.labels,
        "parts": tables.parts,
    }
    return made


def _about(document: Document, topic: Topic) -> list[Block]:
    """The document's blocks about something; what is folded away comes last."""
    found = [one for one in document.content.blocks if one.topic is topic and one.where != "terminal"]
    return sorted(found, key=lambda one: bool(one.folded))


def _sections(document: Document, result: CompareResult) -> Iterator[Section]:
    """Every part above the pictures."""
    methods = result.methods
    metrics = [metric.name for metric in result.metrics]
    if document.judged:
        verdicts = _about(document.judged, Topic.SCORES)
        yield Section("gate", "Gate", "Every rule of the gate with what it found.", verdicts)
    about = _SCORES
    if len(methods) > 1:
        over = f", over the {ground(result)}" if apart(result) else ""
        about += f" Best method by {metrics[0]} first{over}, {_ORDER}."
    found = [sections.scores(result, metrics), *_about(document, Topic.SCORES)]
    yield Section("scores", "Scores", about, found)
    if result.comparisons:
        found = [sections.differences(result, metrics), *_about(document, Topic.DIFFERENCES)]
        yield Section("differences", f"Differences from {result.baseline}", _DIFFERENCES, found)
    subjects = subjects_of(methods)
    if subjects:
        found = [sections.subject_heatmaps(methods, subjects, metrics), *_about(document, Topic.SUBJECTS)]
        about = f"Mean scores, best subject by {metrics[0]} first; equal ones in their natural order."
        yield Section("subjects", "Subjects", about, found)
    if any(method.result.images for method in methods):
        found = [*sections.distributions(methods, metrics)]
        yield Section("distributions", "Distributions", _DISTRIBUTIONS, found)
        if len(metrics) > 1:
            found = [sections.scatters(methods, metrics), *_about(document, Topic.AGREEMENT)]
            yield Section("agreement", "Do the metrics agree?", _AGREEMENT, found)


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


def _kicker(command: str, result: CompareResult) -> str:
    """What was looked at, above the title."""
    names = [method.name for method in result.methods]
    images = sum(len(method.result.images) for method in result.methods)
    subjects = len(subjects_of(result.methods))
    return " · ".join(
        [
            command,
            ", ".join(names) if len(names) <= 4 else f"{len(names)} methods",
            count(images, "generation"),
            count(subjects, "subject"),
            result.created[:10],
        ]
    )


def _text(name: str) -> str:
    """A file beside this one as it is."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


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
