"""What is trained for: a weighted sum of losses, written as `infonce_ext:1.0:temperature=0.07+circle:0.5`.

Reading it needs no torch, so that a wrong word on the command line is told at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nearid_cli.errors import UsageError
from nearid_cli.text import did_you_mean, printable, unknown

if TYPE_CHECKING:
    from torch import Tensor

MASKINGS = ("strict", "reference")
ANCHORS = ("first", "all")


@dataclass(frozen=True)
class Parameter:
    """A number that a loss takes, with its default and the closed range that keeps float32 finite."""

    default: float
    low: float
    high: float


_SCALE = (1e-6, 1e6)
_WEIGHT = Parameter(1.0, *_SCALE)
_TEMPERATURE = Parameter(0.07, *_SCALE)
_ALPHA = Parameter(0.5, 0.0, 1e6)

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "infonce_ext": {"temperature": _TEMPERATURE, "alpha": _ALPHA},
    "circle": {"m": Parameter(0.25, 0.0, 2.0), "gamma": Parameter(64.0, *_SCALE)},
    "triplet": {"margin": Parameter(0.2, 0.0, 2.0)},
    "siglip": {"temperature": _TEMPERATURE, "bias": Parameter(-10.0, -1e6, 1e6)},
    "arcface": {
        "margin": Parameter(0.5, 0.0, math.pi),
        "scale": Parameter(64.0, *_SCALE),
        "temperature": _TEMPERATURE,
        "alpha": replace(_ALPHA, default=0.0),
    },
}
"""The losses, their parameters and the published defaults. The formulas are in `losses.py`."""


@dataclass(frozen=True)
class Term:
    """One loss of a sum, with all its parameters."""

    name: str
    weight: float
    parameters: dict[str, float]

    def __str__(self) -> str:
        return f"{self.name}:{self.weight!r}:" + ",".join(f"{k}={v!r}" for k, v in self.parameters.items())


@dataclass(frozen=True)
class Objective:
    """A weighted sum of losses over a batch of three views and three distractors a sample.

    Attributes:
        terms: the losses, each at most once.
        masking: `strict`, invalid slots have no influence at all; `reference`, padded slots stay in the
            denominators where the published code leaves them.
        anchors: `first`, slot 0 is the anchor; `all`, the means run over each view in turn as the anchor.

    `str` gives the text that `parse_objective` reads, with every parameter spelled out.
    """

    terms: tuple[Term, ...]
    masking: str = "strict"
    anchors: str = "first"

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))

    def __call__(self, embeddings: Tensor, valid: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, joined with those of all other processes when torch.distributed is initialised.

        Every process then gets the same value, that of the joined batch, and must call this as often as the
        others and with as many samples. The gradients are right after the averaging over processes that
        DistributedDataParallel does. Computed in float32 at least, also under autocast.

        Args:
            embeddings: [B, 6, D], three views and their three distractors in the same order, any length.
            valid: bool [B, 6]: the slot holds a picture.

        Returns:
            The weighted sum, a scalar with a gradient (0 when nothing is valid), and each loss without its
            weight, detached, by name.

        Raises:
            ValueError: a shape or type is wrong.
        """
        import torch

        from nearid_cli.training.losses import LOSSES, compare, gather

        _check(embeddings, valid)
        with torch.autocast(embeddings.device.type, enabled=False):
            if embeddings.dtype in (torch.float16, torch.bfloat16):
                embeddings = embeddings.float()
            compared = compare(*gather(embeddings, valid), anchors=self.anchors, masking=self.masking)
            losses = {term.name: LOSSES[term.name](compared, **term.parameters) for term in self.terms}
            total = torch.stack([term.weight * losses[term.name] for term in self.terms]).sum()
        return total, {name: loss.detach() for name, loss in losses.items()}


def parse_objective(spec: str, masking: str = "strict", anchors: str = "first") -> Objective:
    """Read `name[:weight][:key=value[,key=value]]`, joined with `+`.

    Args:
        spec: names and parameters are those of `PARAMETERS`; a weight that is not given is 1.
        masking: one of `MASKINGS`.
        anchors: one of `ANCHORS`.

    Raises:
        UsageError: something of it is wrong. The details name every problem, and the losses with their
            parameters.

    >>> objective = parse_objective("infonce_ext:1.0:temperature=0.1+circle:0.5")
    >>> str(objective)
    'infonce_ext:1.0:temperature=0.1,alpha=0.5+circle:0.5:m=0.25,gamma=64.0'
    >>> parse_objective("circel")
    Traceback (most recent call last):
    nearid_cli.errors.UsageError: cannot use the loss "circel"
      unknown loss "circel": did you mean circle?
      known: infonce_ext (temperature, alpha), circle (m, gamma), triplet (margin), siglip (temperature, bias), \
arcface (margin, scale, temperature, alpha)
    """
    problems: list[str] = []
    terms: list[Term] = []
    # A sign may also belong to a number (1e+1); a name never begins with a digit.
    for text in re.split(r"\+(?![\d.])", spec):
        term = _parse_term(text, problems)
        if term is None:
            continue
        if any(term.name == other.name for other in terms):
            problems.append(f"{term.name} is given twice; give it once, with the sum of the weights")
        terms.append(term)
    if problems:
        known = (f"{name} ({', '.join(parameters)})" for name, parameters in PARAMETERS.items())
        problems.append(f"known: {', '.join(known)}")
    for kind, value, values in (("loss masking", masking, MASKINGS), ("anchors", anchors, ANCHORS)):
        if value not in values:
            problems.append(unknown(kind, value, values))
    if problems:
        raise UsageError(f'cannot use the loss "{printable(spec)}"', problems)
    return Objective(tuple(terms), masking, anchors)


def _parse_term(text: str, problems: list[str]) -> Term | None:
    """One loss of the sum; what is wrong is added to `problems`. None when it is not a known loss."""
    name, *pieces = (piece.strip() for piece in text.split(":"))
    if not name:
        problems.append('expected a loss before and after every "+", found nothing')
        return None
    if name not in PARAMETERS:
        problems.append(unknown("loss", name, PARAMETERS))
        return None
    weight = _WEIGHT.default
    if pieces and "=" not in pieces[0]:
        weight = _number(f"the weight of {name}", pieces.pop(0), _WEIGHT, problems)
    values = {key: parameter.default for key, parameter in PARAMETERS[name].items()}
    given: set[str] = set()
    for key, value in _assignments(name, pieces, problems):
        if key not in values:
            problems.append(f'{name} has no parameter "{printable(key)}": {did_you_mean(key, values)}')
            continue
        if key in given:
            problems.append(f"{key} of {name} is given twice")
        given.add(key)
        values[key] = _number(f"{key} of {name}", value, PARAMETERS[name][key], problems)
    return Term(name, weight, values)


def _assignments(name: str, pieces: list[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for text in ",".join(pieces).split(",") if pieces else ():
        key, equals, value = text.partition("=")
        if equals:
            yield key.strip(), value.strip()
        else:
            problems.append(f'expected parameter=value after {name}, found "{printable(text.strip())}"')


def _number(what: str, text: str, parameter: Parameter, problems: list[str]) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if parameter.low <= number <= parameter.high:
        return number
    problems.append(
        f'{what} must be a number from {parameter.low:g} to {parameter.high:g}, found "{printable(text)}"'
    )
    return parameter.default


def _check(embeddings: Tensor, valid: Tensor) -> None:
    if embeddings.ndim != 3 or embeddings.shape[1] != 6 or not embeddings.is_floating_point():
        raise ValueError(
            "Expected argument `embeddings` to be a floating tensor [B, 6, D] "
            f"but got {embeddings.dtype} of shape {tuple(embeddings.shape)}"
        )
    if str(valid.dtype) != "torch.bool" or valid.shape != embeddings.shape[:2]:
        raise ValueError(
            f"Expected argument `valid` to be a bool tensor {list(embeddings.shape[:2])} "
            f"but got {valid.dtype} of shape {tuple(valid.shape)}"
        )
