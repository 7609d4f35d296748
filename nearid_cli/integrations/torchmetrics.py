"""`NearIDScore`: identity scores as a metric of torchmetrics, for its collections, loggers and trainers.

from nearid_cli.integrations.torchmetrics import NearIDScore

metric = NearIDScore("nearid", references={"cat": ["refs/cat/0.jpg", "refs/cat/1.jpg"]})
metric.update(pictures, subject="cat", prompt="a cat in the snow")
metric.compute()  # {"nearid": tensor(0.71), "nearid_floor": ..., ...}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

try:
    from torchmetrics import Metric
except ModuleNotFoundError as error:
    if error.name != "torchmetrics":
        raise
    raise ImportError(
        "nearid_cli.integrations.torchmetrics needs torchmetrics: pip install 'nearid-cli[torchmetrics]'"
    ) from None

from nearid_cli.flags import DEFAULT_METRICS
from nearid_cli.options import Options
from nearid_cli.scorer.scorer import Scorer

if TYPE_CHECKING:
    from nearid_cli.api import Metrics
    from nearid_cli.layouts.given import ManyPictures
    from nearid_cli.scorer.scorer import Texts

NUMBERS = ("ceiling", "floor", "retention", "identification")
"""Of each metric besides its score: as in `nearid_cli.results.AggregateScores`."""

_LENGTH = 8  # bytes that say how long a state is


class NearIDScore(Metric):
    """How well generations keep the identity of their subjects.

    `update` takes what `nearid_cli.Scorer.update` takes. `compute` gives for each metric its score over all subjects
    that have generations, as `nearid`, and as `nearid_ceiling`, `nearid_floor`, `nearid_retention` and
    `nearid_identification` the numbers beside it: scalars of float64, NaN where there is none, such as the retention of
    a single subject. Pictures are embedded by `update`, on the device that `device` says; the state is what came out,
    as bytes, and goes where the metric is sent. Processes are joined as torchmetrics does it.

    Args:
        metrics: as for `nearid_cli.Scorer`.
        references: likewise.
        distractors: likewise.
        skip_bad: likewise.
        **options: fields of `nearid_cli.Options`, such as `device="cuda"`, and keywords of torchmetrics' `Metric`.

    Raises:
        NearIDError: as for `nearid_cli.Scorer`.
        ValueError: a keyword that nobody knows.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    generations: list[torch.Tensor]

    def __init__(
        self,
        metrics: Metrics = DEFAULT_METRICS,
        references: Mapping[str, ManyPictures] | ManyPictures = (),
        *,
        distractors: Mapping[str, ManyPictures] | ManyPictures | None = None,
        skip_bad: bool = False,
        **options: Any,
    ) -> None:
        own = {one.name for one in fields(Options)}
        super().__init__(**{name: value for name, value in options.items() if name not in own})
        self._scorer = Scorer(
            metrics,
            references,
            distractors=distractors,
            allow_unmatched=True,  # the value of a batch is that of the subjects in it
            skip_bad=skip_bad,
            **{name: value for name, value in options.items() if name in own},
        )
        self.add_state("generations", [], dist_reduce_fx="cat")
        self.reset()

    def reset(self) -> None:
        """Forget all generations."""
        super().reset()
        # A process without generations must have something of the others' dtype to gather.
        self.generations.append(torch.zeros(0, dtype=torch.uint8, device=self.device))

    def update(
        self,
        generations: ManyPictures,
        subject: str | Sequence[str] | None = None,
        prompt: Texts = None,
        seed: Texts = None,
        labels: Mapping[str, Texts] | None = None,
    ) -> None:
        """Take some generations; arguments and errors are those of `nearid_cli.Scorer.update`."""
        self._scorer.reset()
        self._scorer.update(generations, subject, prompt=prompt, seed=seed, labels=labels)
        state = self._scorer.state()
        self._scorer.reset()
        packed = np.frombuffer(len(state).to_bytes(_LENGTH, "little") + state, np.uint8)
        self.generations.append(torch.from_numpy(packed.copy()).to(self.device))

    def compute(self) -> dict[str, torch.Tensor]:
        """The numbers by name.

        Raises:
            InputError: no generations.
        """
        self._scorer.reset()
        for state in _states(self.generations):
            self._scorer.merge(state)
        result = self._scorer.compute(gather=False)
        self._scorer.reset()
        found: dict[str, float | None] = {}
        for name, scores in result.aggregate.items():
            found[name] = scores.score
            found |= {f"{name}_{number}": getattr(scores, number) for number in NUMBERS}
        return {
            name: torch.tensor(torch.nan if value is None else value, dtype=torch.float64, device=self.device)
            for name, value in found.items()
        }


def _states(generations: torch.Tensor | Sequence[torch.Tensor]) -> list[bytes]:
    """The states of all updates; what was gathered is one tensor."""
    parts = [generations] if isinstance(generations, torch.Tensor) else generations
    packed = b"".join(part.to("cpu", torch.uint8).numpy().tobytes() for part in parts)
    states = []
    start = 0
    while start < len(packed):
        begin = start + _LENGTH
        start = begin + int.from_bytes(packed[start:begin], "little")
        states.append(packed[begin:start])
    return states
