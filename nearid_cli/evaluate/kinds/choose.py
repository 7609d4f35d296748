"""From metrics that were asked for to metrics that give numbers: the only place that knows the class of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nearid_cli.embedding.pairs import Comparing
from nearid_cli.encoders.making import make
from nearid_cli.encoders.plugged import spec_of
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import ModelError
from nearid_cli.evaluate.embedding import Job, describe
from nearid_cli.evaluate.kinds.embedding import PROTOCOL, MeasuredByEmbedding
from nearid_cli.evaluate.kinds.given import MeasuredElsewhere
from nearid_cli.evaluate.kinds.measured import Measured
from nearid_cli.evaluate.kinds.pairwise import MeasuredByPairs
from nearid_cli.evaluate.kinds.text import MeasuredByText
from nearid_cli.evaluate.kinds.towers import MeasuredByTowers
from nearid_cli.measures.clip_text import ClipText
from nearid_cli.options import Options
from nearid_cli.plugins import AnyMetric, EmbeddingMetric, GivenMetric, PairwiseMetric, TextMetric

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import EncoderSpec


def measured(requests: Sequence[MetricRequest], job: Job) -> list[Measured]:
    """Metrics ready to give numbers, in the order asked for; nothing heavy is loaded yet.

    Raises:
        ModelError: checkpoints that are missing or damaged; all are named.
        NearIDError: a plug-in that cannot be had, an unusable cache.
    """
    made: dict[str, AnyMetric] = {}
    problems: list[ModelError] = []
    for request in requests:
        if request.plugin:
            try:
                made[request.name] = make(request, job.options, job.digest_file)
            except ModelError as error:
                problems.append(error)
    found = [
        replace(one, readout="projected", text=True) if one.plugin else one
        for one in requests
        if not one.plugin or isinstance(made.get(one.name), ClipText)
    ]
    specs = {}
    try:
        specs = {spec.name: spec for spec in job.resolve(found)}
    except ModelError as error:
        problems.append(error)
    if problems:
        raise _all(problems)
    return [
        _of_plugin(request.name, made[request.name], specs.get(request.name), job)
        if request.plugin
        else MeasuredByEmbedding(specs[request.name], describe(specs[request.name], PROTOCOL))
        for request in requests
    ]


def _all(problems: Sequence[ModelError]) -> ModelError:
    """One error for all metrics that cannot be had."""
    first, *others = problems
    if not others:
        return first
    lines = [line for one in problems for line in (one.message, *(f"  {detail}" for detail in one.details))]
    return ModelError(f"{len(problems)} reasons why metrics cannot be used", lines)


def _of_plugin(name: str, metric: AnyMetric, spec: EncoderSpec | None, job: Job) -> Measured:
    if isinstance(metric, ClipText):
        assert spec is not None
        return MeasuredByTowers(spec, metric, job)
    if isinstance(metric, EmbeddingMetric):
        spec = job.as_read(spec_of(name, metric, metric.settings, job.digest_file))
        return MeasuredByEmbedding(spec, describe(spec, f"{metric.protocol}; {PROTOCOL}"))
    if isinstance(metric, PairwiseMetric):
        comparing = Comparing(name, metric, job.cache, job.settings)
        return MeasuredByPairs(comparing, metric, every=job.options.pairs == "all")
    if isinstance(metric, TextMetric):
        return MeasuredByText(Comparing(name, metric, job.cache, job.settings), metric)
    if isinstance(metric, GivenMetric):
        return MeasuredElsewhere(name, metric)
    raise TypeError(f"no kind for {type(metric).__name__}")


def takes_masks(request: MetricRequest, options: Options) -> bool:
    """Whether a metric is given masks beside whole pictures, rather than pictures that are masked already.

    Raises:
        NearIDError: it cannot be made.
    """
    if not request.plugin:
        return False
    metric = make(request, options)
    return isinstance(metric, PairwiseMetric) and metric.takes_masks
