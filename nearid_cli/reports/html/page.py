"""The report as one HTML file that needs nothing else: no server, no network, no other file.

The templates, the styles and the scripts are the files beside this one. A content security policy allows exactly
this style and this script, by their hashes, and pictures from the page itself: whatever a file name holds, nothing
else runs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nearid_cli.reports.blocks import Block, Document, Topic
from nearid_cli.reports.gate import outcome, status
from nearid_cli.reports.gauge import gauges
from nearid_cli.reports.html import plots, sections, steps
from nearid_cli.reports.html.charts import drawn
from nearid_cli.reports.html.chosen import chosen
from nearid_cli.reports.html.data import memory_note, page_data, subjects_of
from nearid_cli.reports.html.pictures import Gallery
from nearid_cli.reports.labels import cut, labels
from nearid_cli.reports.order import apart, ground
from nearid_cli.reports.table import Column, Mark, Table
from nearid_cli.results import CompareResult, GateResult
from nearid_cli.text import count, printable

COLUMNS = 8
"""So many columns of numbers a table has beside its names; more go into further tables below, which fit on paper."""

LEGEND: dict[Mark, str] = {"best": "Best in bold, second underlined", "better": "▲ better, ▼ worse"}
_SCRIPTS = (  # in one function, so that they share its names; the last one starts
    "page.js",
    "filter.js",
    "strips.js",
    "grid.js",
    "cells.js",
    "flip.js",
    "enlarge.js",
    "keys.js",
    "plots.js",
    "paper.js",
)
_STYLES = ("style.css", "grid.css", "print.css")


def to_html(document: Document, pictures: Gallery) -> str:
    """The page.

    Args:
        document: of a score result or of a comparison; verdicts on it are shown near the top.
        pictures: of the files that `page_files` named, embedded or served.
    """
    told = document.story
    result: CompareResult = told.result
    gate: GateResult | None = document.judged.result if document.judged else None
    usual = all(metric.usual for metric in result.metrics)
    mapped = any(image.maps for run in result.runs.values() for image in run.images)
    script = "\n".join(['"use strict";', "(() => {", *map(_text, _SCRIPTS), "})();"])

    those = chosen(result)
    macros, shown = _pieces({method.name: plots.colour(place) for place, method in enumerate(result.methods)})
    return _page(
        "page.html",
        _STYLES,
        script=Markup(script),
        result=result,
        ground=ground(result) if apart(result) else "",
        usual=usual,
        banded=usual or _banded(result),
        gaps=any(None in image.scores.values() for run in result.runs.values() for image in run.images),
        lower=any(not metric.higher_is_better for metric in result.metrics),
        span=next(iter(gauges(result).values())).span,
        command=document.draft.title,
        images=sum(len(method.result.images) for method in result.methods),
        subjects=len(subjects_of(result.methods)),
        heading=told.heading,
        lead=told.lead,
        gate=gate and {"line": outcome(gate), "status": status(gate)},
        parts=_parts(document, result),
        macros=macros,
        blocks=shown,
        note=f"{pictures.note[:1].upper()}{pictures.note[1:]}{memory_note(result.methods)}. {those.note}".rstrip(),
        made=[replace(one, folded="") for one in _about(document, Topic.ORIGIN)],
        masked=pictures.masked,
        mapped=mapped,
        keys=[*_keys(result, pictures.masked, mapped)],
        data=page_data(result, pictures, gate, those),
    )


def _keys(result: CompareResult, masked: bool, mapped: bool) -> Iterator[tuple[str, str]]:
    """What the keys of the grid do, without those of what the page does not have."""
    yield "Arrows", "from cell to cell; Page Up and Page Down go farther, Home and End along a row"
    yield "Enter", "the picture in large; there, ← and → go to its neighbours, ↑ and ↓ to other references"
    if len(result.methods) > 1:
        yield "F", "flip between the two methods that are chosen, in one place; in large, too"
        yield "A, B", "choose the method of the cell as the one or the other of the two"
    yield "N, P", "the next or previous seed of a row that has several"
    yield "R", "another reference of the subject"
    if masked:
        yield "M", "what of the pictures was masked, or all of them"
    if mapped:
        yield "V", "where identity broke, or the generations"
    yield "Esc", "back from a picture in large"
    yield "?", "these keys"


def _banded(result: CompareResult) -> bool:
    """Whether any method has a floor or a ceiling."""
    found = (scores for run in result.runs.values() for scores in run.aggregate.values())
    return any(end is not None for one in found for end in (one.floor, one.ceiling))


def plain_html(document: Document) -> str:
    """A document that has no pictures as a page: its blocks, what folds away last."""
    content = _pieces({})[1](document.draft.on_pages)
    return _page("plain.html", ("style.css", "print.css"), heading=document.draft.title, content=content)


def _page(template: str, styles: Iterable[str], **values: Any) -> str:
    style = Markup("".join(map(_text, styles)))
    return environment().get_template(template).render(style=style, **values)


def _pieces(colours: Mapping[str, str]) -> tuple[Any, Callable[[Iterable[Block]], Markup]]:
    """The macros of `blocks.html`, and what makes HTML of blocks: each by the macro of its class's name.

    Args:
        colours: of the methods.
    """

    def shown(blocks: Iterable[Block]) -> Markup:
        found = Markup()
        for one in blocks:
            content = getattr(macros, type(one).__name__.lower())(one)
            found += macros.folded(one.folded, content) if one.folded else content
        return found

    macros: Any = environment().get_template("blocks.html").make_module({"blocks": shown, "colours": colours})
    return macros, shown


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
    made.globals["LEGEND"] = LEGEND
    made.filters |= {
        "colour": plots.colour,
        "count": count,
        "cut": cut,
        "digest": _digest,
        "drawn": drawn,
        "is_wordy": is_wordy,
        "labels": labels,
        "parts": parts,
    }
    return made


def _about(document: Document, topic: Topic) -> list[Block]:
    """The document's blocks about something."""
    return [one for one in document.draft.on_pages if one.topic is topic]


def _parts(document: Document, result: CompareResult) -> dict[str, list[Block]]:
    """What the page shows above the pictures, by the ids of its parts: plots, then what the document says."""
    methods, metrics = result.methods, list(gauges(result).values())
    parts: dict[str, list[Block]] = {}
    if document.judged:
        parts["gate"] = _about(document.judged, Topic.SCORES)
    if result.curves:
        parts["steps"] = [steps.steps(result, metrics), *_about(document, Topic.STEPS)]
    parts["scores"] = [sections.scores(result, metrics), *_about(document, Topic.SCORES)]
    if text := [*sections.identity_against_text(result, metrics)]:
        parts["text"] = text
    if result.comparisons:
        parts["differences"] = [sections.differences(result, metrics), *_about(document, Topic.DIFFERENCES)]
    if groups := _about(document, Topic.GROUPS):
        parts["groups"] = groups
    if subjects := subjects_of(methods):
        heatmaps = sections.subject_heatmaps(methods, subjects, metrics)
        parts["subjects"] = [heatmaps, *_about(document, Topic.SUBJECTS)]
    if any(method.result.images for method in methods):
        parts["distributions"] = [*sections.distributions(methods, metrics)]
        if len(metrics) > 1:
            parts["agreement"] = [sections.scatters(methods, metrics), *_about(document, Topic.AGREEMENT)]
    return parts


def is_wordy(table: Table) -> bool:
    """Whether a table is mostly words, which fold, so that it need not be divided."""
    return 2 * sum(column.kind.text for column in table.shown) > len(table.shown)


def parts(table: Table) -> Iterator[tuple[str, list[Column]]]:
    """The tables below each other that a table is divided into: which part each is, in words, and its columns."""
    columns = table.shown
    if len(columns) <= COLUMNS or is_wordy(table):
        yield "", columns
        return
    tables = math.ceil(len(columns) / COLUMNS)
    number = math.ceil(len(columns) / tables)  # of columns in each, about alike
    for start in range(0, len(columns), number):
        some = columns[start : start + number]
        yield f", columns {start + 1} to {start + len(some)}", some


def _text(name: str) -> str:
    """A file beside this one as it is."""
    return resources.files("nearid_cli.reports.html").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    """By which a content security policy allows a text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
