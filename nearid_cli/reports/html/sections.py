"""The parts of the page that hold plots and tables, each as HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nearid_cli.reports import gate_text
from nearid_cli.reports.figures import (
    CONTEXT,
    DISTRACTORS,
    figure,
    number_figure,
    p_figure,
    score_figure,
    signed_figure,
)
from nearid_cli.reports.ground import apart, over_common
from nearid_cli.reports.html import plots, tables
from nearid_cli.reports.html.heatmap import COLUMN, heatmap
from nearid_cli.reports.html.heatmap import NAME as HEAT_NAME
from nearid_cli.reports.html.svg import escaped
from nearid_cli.reports.html.tables import cells, folded, listed, row_name, table, word
from nearid_cli.reports.labels import Label, attributes, labelled
from nearid_cli.reports.order import best_subjects_first
from nearid_cli.reports.pairing import how_all_paired
from nearid_cli.reports.provenance import old_schema
from nearid_cli.results import CompareResult, Comparison, GateResult, Method
from nearid_cli.text import count


def headline(result: CompareResult, metrics: Sequence[str]) -> str:
    """The scores that are ranked, and below them those of each method by itself, where these are others."""
    own = apart(result)
    shown = scores(over_common(result).methods, metrics, counted=own is None)
    if own is None:
        return shown
    heading = "<h3>Each over its own subjects and generations, not ranked</h3>"
    return shown + heading + _scores_table(own.methods, metrics)


def scores(methods: tuple[Method, ...], metrics: Sequence[str], counted: bool = True) -> str:
    """A plot of scores on their bands for each metric, and the table of all numbers.

    `counted` says how many subjects a method has, where that is not the same for all.
    """
    figures = []
    names = _names(methods, plots.NAME)
    for number, metric in enumerate(metrics):
        rows = []
        for place, method in enumerate(methods):
            scores = method.result.aggregate[metric]
            band = (scores.floor, scores.ceiling)
            rows.append(
                plots.Row(
                    names[method.name],
                    plots.colour(place),
                    None if math.isnan(scores.score) else scores.score,
                    scores.ci95,
                    band,
                    method.copying,
                )
            )
        svg = plots.interval_plot(f"score-{number}", f"Score by {metric}", rows, ends=("floor", "ceiling"))
        figures.append(_figure(svg, metric))
    return f'<div class="figures">{"".join(figures)}</div>{_scores_table(methods, metrics, counted)}'


def _scores_table(methods: tuple[Method, ...], metrics: Sequence[str], counted: bool = True) -> str:
    first = metrics[0]
    extra = [
        name
        for name in (*CONTEXT, *DISTRACTORS)
        if any(getattr(method.result.aggregate[first], name) is not None for method in methods)
    ]
    copies = any(method.copies for method in methods)
    counted = counted and any(method.lacking for method in methods)
    names = _names(methods, tables.NAME)
    header: list[str | Label] = [
        "method",
        *_labels(metrics, tables.HEADER),
        *(f"{name.replace('_', ' ')}" for name in extra),
        *(["subjects"] if counted else []),
        *(["copies"] if copies else []),
    ]
    rows = []
    for place, method in enumerate(methods):
        line = [row_name(names[method.name], _key(place))]
        for metric in metrics:
            scores = method.result.aggregate[metric]
            leads = method.ranks.get(metric) == 1
            shown = score_figure(scores.score, scores.ci95)
            line.append(f"<td><strong>{shown}</strong></td>" if leads else f"<td>{shown}</td>")
        line += cells(*(number_figure(method.result.aggregate[first], name) for name in extra))
        if counted:
            line += cells(f"{method.result.inputs.subjects:,}")
        if copies:
            kind = ' class="bad"' if method.copying else ""
            line.append(f"<td{kind}>{method.copies:,} of {len(method.result.images):,}</td>")
        rows.append(line)
    caption = f"Aggregate scores with 95 % intervals; {', '.join(name.replace('_', ' ') for name in extra)} by {first}"
    return table(caption if extra else "Aggregate scores with 95 % intervals", header, rows)


def differences(result: CompareResult, metrics: Sequence[str]) -> str:
    """Every method against the baseline: a plot for each metric, and the tables of the test."""
    figures, found_tables = [], []
    for number, metric in enumerate(metrics):
        found = [one for one in result.comparisons if one.metric == metric]
        title = f"Difference from {result.baseline} by {metric}"
        svg = plots.interval_plot(f"delta-{number}", title, _difference_marks(result, found), zero=True)
        figures.append(_figure(svg, metric))
        found_tables.append(_differences_table(result, metric, found))
    rest = folded("".join(found_tables[1:]), f"The same by {', '.join(metrics[1:])}") if metrics[1:] else ""
    return f'<div class="figures">{"".join(figures)}</div>{found_tables[0]}{rest}'


def _difference_marks(result: CompareResult, found: Sequence[Comparison]) -> list[plots.Row]:
    places = {method.name: place for place, method in enumerate(result.methods)}
    names = _names(result.methods, plots.NAME)
    return [
        plots.Row(
            names[one.method],
            plots.colour(places[one.method]),
            one.delta,
            one.ci95,
            (None, None) if one.detectable is None else (-one.detectable, one.detectable),
            result.methods[places[one.method]].copying,
        )
        for one in found
    ]


def _differences_table(result: CompareResult, metric: str, found: Sequence[Comparison]) -> str:
    places = {method.name: place for place, method in enumerate(result.methods)}
    names = _names(result.methods, tables.NAME)
    kinds = [kind for kind in ("prompts", "pairs") if any(getattr(one, kind) for one in found)]
    rows = []
    for one in found:
        numbers = (
            signed_figure(one.delta, one.ci95),
            p_figure(one.p_adjusted),
            p_figure(one.p),
            f"{one.wins} / {one.ties} / {one.losses}",
            f"{one.subjects:,}",
            *(f"{getattr(one, kind):,}" for kind in kinds),
            figure(one.detectable),
        )
        name = row_name(names[one.method], _key(places[one.method]))
        rows.append([name, word(one.verdict), *cells(*numbers)])
    header = (
        "method",
        "verdict",
        "difference",
        "p (adjusted)",
        "p",
        "win / tie / loss",
        "subjects",
        *kinds,
        "detectable",
    )
    return table(f"Differences from {result.baseline} by {metric}, {how_all_paired(found)}", header, rows)


def subject_heatmaps(methods: tuple[Method, ...], subjects: Sequence[str], metrics: Sequence[str]) -> str:
    """Methods by subjects for each metric, best subject by the first metric first."""
    by_method = [{one.subject: one.scores for one in method.result.subjects} for method in methods]
    ordered = best_subjects_first(methods, subjects, metrics[0])
    names = list(_names(methods, HEAT_NAME).values())
    columns = _labels(ordered, COLUMN)
    row_names = _labels(ordered, tables.NAME)
    header: list[str | Label] = ["subject", *_labels([method.name for method in methods], tables.HEADER)]
    panels = []
    for number, metric in enumerate(metrics):
        scores = [
            [found[subject][metric].score if subject in found else None for subject in ordered]
            for found in by_method
        ]
        svgs = heatmap(f"heat-{number}", f"{metric} by method and subject", names, columns, scores)
        rows = [
            [row_name(row_names[place]), *cells(*(figure(row[place]) for row in scores))]
            for place in range(len(ordered))
        ]
        numbers = folded(table(f"{metric} by subject and method", header, rows))
        panels.append(_wide("".join(svgs)) + numbers)
    return choice("heat", "Metric", metrics, panels)


def distributions(methods: tuple[Method, ...], metrics: Sequence[str]) -> str:
    """Where the generations of each method lie by each metric."""
    figures, rows = [], []
    names, row_names = _names(methods, plots.NAME), _names(methods, tables.NAME)
    for number, metric in enumerate(metrics):
        spreads = []
        for place, method in enumerate(methods):
            values = np.array([image.scores[metric] for image in method.result.images], np.float64)
            scores = method.result.aggregate[metric]
            spreads.append(
                plots.Spread(names[method.name], plots.colour(place), values, scores.floor, scores.ceiling)
            )
            quantiles = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [None] * 5
            name = row_name(row_names[method.name], _key(place))
            rows.append([name, word(metric), *cells(f"{len(values):,}", *map(figure, quantiles))])
        svg = plots.distribution_plot(f"spread-{number}", f"Generations by {metric}", spreads)
        figures.append(_figure(svg, metric))
    header = ["method", "metric", "generations", "lowest", "quartile", "median", "quartile", "highest"]
    numbers = folded(table("Distribution of the generations' scores", header, rows))
    return f'<div class="figures">{"".join(figures)}</div>{numbers}'


def scatters(methods: tuple[Method, ...], metrics: Sequence[str]) -> str:
    """Every further metric against the first one, with the strips of what they disagree about."""
    first = metrics[0]
    columns = [
        {
            name: np.array([image.scores[name] for image in method.result.images], np.float64)
            for name in metrics
        }
        for method in methods
    ]
    copies = [
        np.array([image.copy_of is not None for image in method.result.images], np.bool_)
        for method in methods
    ]
    panels = []
    for number, metric in enumerate(metrics[1:], start=1):
        clouds = [
            plots.Cloud(plots.colour(place), by[metric], by[first], copied)
            for place, (by, copied) in enumerate(zip(columns, copies, strict=True))
        ]
        svg = plots.scatter_plot(f"scatter-{number}", metric, first, clouds)
        high, low = (
            f"{escaped(metric)} rates {a}, {escaped(first)} {b}"
            for a, b in (("high", "low"), ("low", "high"))
        )
        panels.append(
            f'<div class="beside"><figure data-metric="{number}">{_wide(svg)}<figcaption class="readout">'
            "Click a point to see its picture.</figcaption></figure>"
            f"<div>{legend(methods)}"
            f'<h3>{high}</h3><div class="some" data-disagreement="{number}" data-way="0"></div>'
            f'<h3>{low}</h3><div class="some" data-disagreement="{number}" data-way="1"></div></div></div>'
        )
    return choice("scatter", f"Against {first}", metrics[1:], panels)


def legend(methods: tuple[Method, ...]) -> str:
    """The methods with their colours; nothing where there is one method only."""
    names = _names(methods, tables.NAME).values()
    items = "".join(
        f"<li>{_key(place)}<bdi{attributes(name)}>{escaped(name.short)}</bdi></li>"
        for place, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>' if len(methods) > 1 else ""


def agreements(result: CompareResult) -> str:
    """Rank correlations between metrics, and the methods that they rank differently."""
    rows = [
        [
            f'<th scope="row">{escaped(one.a)} and {escaped(one.b)}</th>',
            word(one.level),
            *cells(f"{one.n:,}", figure(one.kendall), figure(one.spearman)),
        ]
        for one in result.agreements
    ]
    if not rows:
        return ""
    header = ["metrics", "over", "n", "Kendall", "Spearman"]
    items = [
        f"{one.metric} ranks {one.method} {'higher' if one.difference > 0 else 'lower'} than {one.against} does."
        for one in result.disagreements
        if one.level == "methods"
    ]
    return table("Rank correlation between metrics", header, rows) + listed(items)


def gate_table(gate: GateResult) -> str:
    """The verdicts, failures first."""
    rows = []
    for verdict in (one for status in gate_text.STATUSES for one in gate_text.with_status(gate, status)):
        line = cells(
            gate_text.check_title(verdict),
            verdict.expected,
            gate_text.found_figure(verdict),
            gate_text.baseline_figure(verdict),
            gate_text.drop_figure(verdict),
            verdict.reason,
            gate_text.moved(verdict) or "-",
        )
        status = f'<th scope="row"><span class="verdict {verdict.status}">{verdict.status}</span></th>'
        rows.append([status, *line])
    header = "verdict", "check", "expected", "found", "baseline", "drop", "reason", "moved most"
    return table(gate_text.compared(gate), header, rows, kind="words")


def provenance(methods: tuple[Method, ...], result_tool: str, created: str) -> str:
    """What made the numbers: enough to make them again."""
    first = methods[0].result
    facts = [
        [
            f'<th scope="row">{escaped(metric.name)}</th>',
            *cells(*(value or "-" for value in list(vars(metric).values())[1:])),
        ]
        for metric in first.metrics
    ]
    parts = [
        f"<p>Made by {escaped(result_tool)}, {escaped(created)}.</p>",
        *(f"<p>{escaped(line)}</p>" for line in dict.fromkeys(old_schema(m.result) for m in methods) if line),
        table("Metrics", list(vars(first.metrics[0])), facts, kind="words"),
    ]
    rows = []
    for method in methods:
        inputs = method.result.inputs
        line = cells(
            inputs.references,
            inputs.generations,
            inputs.layout,
            f"{inputs.subjects:,}",
            f"{inputs.reference_images:,}",
            f"{inputs.generation_images:,}",
            inputs.distractors or "-",
        )
        rows.append([row_name(Label(method.name, method.name)), *line])
    header = [
        "method",
        "references",
        "generations",
        "layout",
        "subjects",
        "reference images",
        "generation images",
    ]
    parts.append(table("Inputs", [*header, "distractors"], rows, kind="words"))
    for method in methods:
        inputs = method.result.inputs
        skipped = [f"{one.path}: {one.reason}" for one in inputs.skipped]
        parts += [
            listed(skipped, f"{method.name}: {count(len(skipped), 'picture')} skipped"),
            listed(inputs.unmatched, f"{method.name}: {len(inputs.unmatched):,} unmatched"),
            listed(method.lacking, f"{method.name} lacks {count(len(method.lacking), 'subject')}"),
        ]
    return "".join(parts)


def choice(name: str, label: str, options: Sequence[str], panels: Sequence[str]) -> str:
    """Panels of which one is shown, chosen by radio buttons; on paper all. Just the panel where there is only one."""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{place}"{" checked" if place == 0 else ""}>'
        f"<span>{escaped(option)}</span></label>"
        for place, option in enumerate(options)
    )
    titled = len(options) > 1
    titles = [f'<p class="paper">{escaped(option)}</p>' if titled else "" for option in options]
    shown = "".join(
        f'<div data-panel="{name}"{" hidden" if place else ""}>{titles[place]}{panel}</div>'
        for place, panel in enumerate(panels)
    )
    fieldset = f'<fieldset class="choice"><legend>{escaped(label)}</legend>{buttons}</fieldset>'
    return (fieldset if titled else "") + shown


def _names(methods: Sequence[Method], most: int) -> dict[str, Label]:
    return labelled([method.name for method in methods], most)


def _labels(names: Sequence[str], most: int) -> list[Label]:
    return list(labelled(names, most).values())


def _key(place: int) -> str:
    """The dot in a method's colour."""
    return f'<i class="key {plots.colour(place)}"></i>'


def _figure(svg: str, name: str) -> str:
    return f"<figure><figcaption>{escaped(name)}</figcaption>{_wide(svg)}</figure>"


def _wide(svg: str) -> str:
    """A box in which a plot scrolls where the window is too narrow to read it."""
    return f'<div class="scroll plots">{svg}</div>'
