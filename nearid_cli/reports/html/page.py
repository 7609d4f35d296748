"""The report as one HTML file that needs nothing else: no server, no network, no other file.

The templates, the styles and the scripts are the files beside this one. A content security policy allows exactly
this style and this script, by their hashes, and pictures from the page itself: whatever a file name holds, nothing
else runs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nearid_cli.reports import gate_text
from nearid_cli.reports.against import about_trials
from nearid_cli.reports.ground import apart, ground
from nearid_cli.reports.html import blocks, plots, sections
from nearid_cli.reports.html.blocks import Bullets, Section
from nearid_cli.reports.html.data import memory_note, methods_of, page_data, subjects_of
from nearid_cli.reports.html.pictures import Gallery
from nearid_cli.reports.html.svg import LEAST_SPAN
from nearid_cli.reports.html.words import answer
from nearid_cli.reports.labels import cut
from nearid_cli.reports.order import best_first
from nearid_cli.reports.terminal import findings
from nearid_cli.reports.verdict import compare_findings
from nearid_cli.results import CompareResult, GateResult, Method, ScoreResult
from nearid_cli.text import count, printable

_SCRIPTS = ("page.js", "enlarge.js", "plots.js", "paper.js")  # in one function, so that they share its names


def to_html(result: ScoreResult | CompareResult, pictures: Gallery, gate: GateResult | None = None) -> str:
    """The page.

    Args:
        result: of one method or of several.
        pictures: of the files that `page_files` named, embedded or served.
        gate: verdicts to show near the top.
    """
    if isinstance(result, CompareResult):
        result = best_first(result)
    methods = methods_of(result)
    heading, lead = answer(result, methods)
    style = _text("style.css") + _text("print.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_text, _SCRIPTS), "})();"])
    return (
        environment()
        .get_template("page.html")
        .render(
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            kicker=_kicker(result, methods),
            heading=heading,
            lead=lead,
            gate=gate and {"line": gate_text.outcome(gate), "status": "passed" if gate.passed else "failed"},
            parts=list(_sections(result, methods, gate)),
            names=sections.labels(methods, blocks.NAME),
            note=f"{pictures.note[:1].upper()}{pictures.note[1:]}{memory_note(result)}.",
            made=sections.provenance(result, methods),
            data=page_data(result, pictures),
        )
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
    made.filters |= {"blocks": _blocks, "colour": plots.colour, "cut": cut}
    return made


def _blocks(those: Iterable[object]) -> Markup:
    """Blocks as HTML: each by the macro of its class's name."""
    macros = environment().get_template("blocks.html").module
    return Markup("").join(getattr(macros, type(one).__name__.lower())(one) for one in those)


def _sections(
    result: ScoreResult | CompareResult, methods: Sequence[Method], gate: GateResult | None
) -> Iterator[Section]:
    """Every part above the pictures."""
    metrics = [metric.name for metric in result.metrics]
    if gate is not None:
        yield Section(
            "gate", "Gate", "Every rule of the gate with what it found.", [sections.gate_table(gate)]
        )
    notes = compare_findings(result) if isinstance(result, CompareResult) else findings(result)
    about, shown = _SCORES, sections.scores(methods, metrics)
    if isinstance(result, CompareResult):
        over = f", over the {ground(result)}" if apart(result) else ""
        about += f" Best method by {metrics[0]} first{over}, {_ORDER}."
        shown = sections.headline(result, metrics)
    yield Section("scores", "Scores", about, [*shown, Bullets([*about_trials(result), *notes])])
    if isinstance(result, CompareResult) and result.comparisons:
        title = f"Differences from {result.baseline}"
        yield Section("differences", title, _DIFFERENCES, sections.differences(result, metrics))
    subjects = subjects_of(methods)
    if subjects:
        heatmaps = sections.subject_heatmaps(methods, subjects, metrics)
        about = f"Mean scores, best subject by {metrics[0]} first; equal ones in their natural order."
        yield Section("subjects", "Subjects", about, [heatmaps])
    if any(method.result.images for method in methods):
        content = sections.distributions(methods, metrics)
        yield Section("distributions", "Distributions", _DISTRIBUTIONS, content)
        if len(metrics) > 1:
            agreements = sections.agreements(result) if isinstance(result, CompareResult) else []
            scatters = sections.scatters(methods, metrics)
            yield Section("agreement", "Do the metrics agree?", _AGREEMENT, [scatters, *agreements])


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


def _kicker(result: ScoreResult | CompareResult, methods: Sequence[Method]) -> str:
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
