"""The five losses, as functions of cosines and masks.

Notation: an anchor has cosines p with the other views of its own sample (its positives), o with the positives of
all other samples of the batch, and h with its own near-identity distractors. Everything has a leading [A, B]: A
views of each of B samples take their turn as the anchor. LSE is the log of the sum of exponentials; over nothing
it is minus infinity. docs/reference/losses.md tells every reduction and borderline case.

Facts about the published losses are from Gorluxor/NearID, training/losses.py, the code of arXiv 2604.01973.

With several processes the batches of all are joined, so that a loss can use every process's pictures as negatives.
Each process then computes the loss of the whole joined batch. That repeats the work on the cosines, which is
next to nothing beside the backbone, and in return the loss, its means over valid slots and its gradients are
those of one process with the joined batch, however unevenly the valid slots are spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor


def gather(embeddings: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of all processes, in the order of their ranks; the same tensors without torch.distributed.

    Every process must call it, with as many rows as the others. The gradient of `embeddings` is the sum of
    what the processes' losses give these rows. When all have the same loss L this is the number of processes
    times dL, of which the averaging of DistributedDataParallel makes dL.

    Args:
        embeddings: [B, ...], floating.
        valid: [B, ...], bool; has no gradient.

    Returns:
        Both with P * B rows, P the number of processes.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return embeddings, valid
    joined = cast(Tensor, _Gather.apply(embeddings))  # type: ignore[no-untyped-call]
    # Bytes, because not every backend sends booleans.
    return joined, _join(valid.to(torch.uint8)).bool()


def _join(rows: Tensor) -> Tensor:
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


class _Gather(torch.autograd.Function):
    """What torch.distributed.nn.functional.all_gather did; it is deprecated, and what replaces it is private."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        return _join(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # A copy: all_reduce writes into it, and a gradient may be shared with other nodes of the graph.
        (gradient,) = (each.contiguous().clone() for each in gradients)
        dist.all_reduce(gradient)
        start = dist.get_rank() * ctx.rows
        return gradient[start : start + ctx.rows]


# Views in the order (anchor, positive, positive).
_TURNS = {"first": [[0, 1, 2]], "all": [[0, 1, 2], [1, 0, 2], [2, 0, 1]]}
_EDGE = 1e-4  # arcface keeps cosines this far from -1 and 1, where the angle has no derivative


@dataclass(frozen=True)
class Slots:
    """Cosines of the anchors with n slots.

    Attributes:
        cosine: [A, B, n].
        valid: bool [A, B, n]: anchor and slot hold pictures, so the slot makes a term of the loss.
        counted: bool [A, B, n]: the slot competes in denominators. Equals `valid` with strict masking; with
            the reference's, padded slots are counted too.
    """

    cosine: Tensor
    valid: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Comparisons:
    """What the losses are made of.

    Attributes:
        anchors: bool [A, B], the anchors that hold a picture.
        positives: n = 2, the other views of the anchor's sample.
        others: n = 2B, the positives of all samples; those of the anchor's own are neither valid nor counted.
        distractors: n = 3, the distractors of the anchor's sample.
    """

    anchors: Tensor
    positives: Slots
    others: Slots
    distractors: Slots


def compare(embeddings: Tensor, valid: Tensor, *, anchors: str, masking: str) -> Comparisons:
    """Cosines of every anchor with all that it is compared to.

    Args:
        embeddings: [B, 6, D], three views and their three distractors; scaled to length 1 here. With strict
            masking the content of invalid slots has no influence, not even when it is NaN.
        valid: bool [B, 6].
        anchors: `first`, slot 0 is the anchor; `all`, each view in turn, with the other two as positives.
        masking: `strict` or `reference`. The reference does not ask whether slot 0 holds a picture.
    """
    reference = masking == "reference"
    if not reference:
        embeddings = embeddings.masked_fill(~valid.unsqueeze(-1), 0.0)
    embeddings = F.normalize(embeddings, dim=-1, eps=1e-7)
    turns = torch.tensor(_TURNS[anchors], device=valid.device)
    views, views_valid = embeddings[:, turns].transpose(0, 1), valid[:, turns].transpose(0, 1)
    anchor, positives, distractors = views[:, :, 0], views[:, :, 1:], embeddings[:, 3:]
    anchor_valid, positives_valid = views_valid[:, :, 0], views_valid[:, :, 1:]
    if reference and anchors == "first":
        anchor_valid = torch.ones_like(anchor_valid)
    samples = torch.arange(len(valid), device=valid.device)
    other_sample = samples[:, None] != samples.repeat_interleave(2)

    def slots(cosine: Tensor, filled: Tensor, exists: Tensor) -> Slots:
        filled = (filled & exists & anchor_valid.unsqueeze(-1)).expand_as(cosine)
        return Slots(cosine, filled, exists.expand_as(cosine) if reference else filled)

    always = torch.ones((), dtype=torch.bool, device=valid.device)
    return Comparisons(
        anchors=anchor_valid,
        positives=slots(torch.einsum("abd,abpd->abp", anchor, positives), positives_valid, always),
        others=slots(
            anchor @ positives.flatten(1, 2).mT, positives_valid.flatten(1).unsqueeze(1), other_sample
        ),
        distractors=slots(torch.einsum("abd,bkd->abk", anchor, distractors), valid[:, 3:], always),
    )


def infonce_ext(compared: Comparisons, *, temperature: float, alpha: float) -> Tensor:
    """The NearID loss: own view > own distractor > other samples, in two tiers.

    With T the temperature and every cosine divided by it:

        tier 1 = mean over slots of the mean over valid p of  LSE(p, o, h) - p
        tier 2 = mean over valid h of  -log(e^h / (e^h + sum e^o))
        loss = tier 1 + alpha * tier 2

    LSE(p, o, h) runs over all own positives, not only the one in question. Source: arXiv 2604.01973, class
    ExtendedInfoNCELoss; with reference masking the value is the published one.
    """
    positives, others, distractors = (
        slots.cosine / temperature for slots in (compared.positives, compared.others, compared.distractors)
    )
    candidates = _logsumexp(
        torch.cat((positives, others, distractors), dim=-1),
        torch.cat(
            (compared.positives.counted, compared.others.counted, compared.distractors.counted), dim=-1
        ),
    )
    pool = _logsumexp(others, compared.others.counted)
    return _mean_by_slot(candidates - positives, compared.positives.valid) + alpha * _mean(
        -F.logsigmoid(distractors - pool), compared.distractors.valid
    )


def circle(compared: Comparisons, *, m: float, gamma: float) -> Tensor:
    """Circle loss (Sun et al., 2020, arXiv 2002.10857, equation 6).

    Mean over anchors of softplus(LSE(-gamma [1 + m - p]+ (p - 1 + m)) + LSE(gamma [n + m]+ (n - m))) with n
    among o and h. The weights in brackets have no gradient. An anchor without a positive or without a negative
    gives 0 and is counted. Source of the protocol: class BaselineCircleLoss.
    """
    positives = compared.positives.cosine
    negatives = torch.cat((compared.others.cosine, compared.distractors.cosine), dim=-1)
    # The published code counts padded views of other samples, but no padded distractors.
    counted = torch.cat((compared.others.counted, compared.distractors.valid), dim=-1)
    pull = -gamma * (1 + m - positives.detach()).clamp_min(0) * (positives - (1 - m))
    push = gamma * (negatives.detach() + m).clamp_min(0) * (negatives - m)
    sums = _logsumexp(pull, compared.positives.valid) + _logsumexp(push, counted)
    return _mean(F.softplus(sums), compared.anchors.unsqueeze(-1))


def triplet(compared: Comparisons, *, margin: float) -> Tensor:
    """Triplet loss on cosines with semi-hard negatives (Schroff et al., 2015, arXiv 1503.03832).

    Mean over valid p of [n - p + margin]+, where n among o and h is the largest in the open interval
    (p - margin, p), or else the largest of all. A positive without any negative is left out. Source of the
    protocol: class BaselineCosineTripletLoss.
    """
    positives = compared.positives.cosine.unsqueeze(-1)
    negatives = torch.cat((compared.others.cosine, compared.distractors.cosine), dim=-1).unsqueeze(-2)
    valid = torch.cat((compared.others.valid, compared.distractors.valid), dim=-1).unsqueeze(-2)
    semi_hard = valid & (negatives < positives) & (negatives > positives - margin)
    chosen = torch.where(semi_hard.any(dim=-1), _largest(negatives, semi_hard), _largest(negatives, valid))
    losses = F.relu(chosen - compared.positives.cosine + margin)
    return _mean(losses, compared.positives.valid & valid.any(dim=-1))


def siglip(compared: Comparisons, *, temperature: float, bias: float) -> Tensor:
    """Sigmoid loss (Zhai et al., 2023, arXiv 2303.15343).

    With every cosine c turned into the logit c / T + b:

        mean over valid (anchor, view) pairs of  softplus(-p) or softplus(o)
        + mean over valid h of  softplus(h)

    Source of the protocol: class BaselineSigLIPLoss.
    """
    positives, others, distractors = (
        slots.cosine / temperature + bias
        for slots in (compared.positives, compared.others, compared.distractors)
    )
    views = torch.cat((F.softplus(-positives), F.softplus(others)), dim=-1)
    views_valid = torch.cat((compared.positives.valid, compared.others.valid), dim=-1)
    return _mean(views, views_valid) + _mean(F.softplus(distractors), compared.distractors.valid)


def arcface(
    compared: Comparisons, *, margin: float, scale: float, temperature: float, alpha: float
) -> Tensor:
    """ArcFace's angular margin (Deng et al., 2019, arXiv 1801.07698) without classes, in two tiers.

    With t(p) = cos(arccos(p) + margin), cosines before and after kept 1e-4 away from -1 and 1:

        tier 1 = mean over valid p of  -log(e^(s t(p)) / (e^(s t(p)) + sum e^(s h))),  s = scale / temperature
        tier 2 = mean over distractor slots of the mean over valid h of
                 -log(e^(scale h) / (e^(scale h) + sum e^(scale o)))
        loss = tier 1 + alpha * tier 2

    A positive without a valid h gives 0 and is counted; an h without a valid o is left out. Source: class
    ExtendedAngularContrastiveLoss; with alpha = 0 it is BaselineAngularContrastiveLoss.
    """
    positives = compared.positives.cosine.clamp(-1 + _EDGE, 1 - _EDGE)
    sine = (1 - positives.square()).sqrt()
    moved = (positives * math.cos(margin) - sine * math.sin(margin)).clamp(-1 + _EDGE, 1 - _EDGE)
    sharpness = scale / temperature
    rivals = _logsumexp(sharpness * compared.distractors.cosine, compared.distractors.valid)
    tier_1 = _mean(-F.logsigmoid(sharpness * moved - rivals), compared.positives.valid)
    pool = _logsumexp(scale * compared.others.cosine, compared.others.valid)
    ranked = compared.distractors.valid & compared.others.valid.any(dim=-1, keepdim=True)
    return tier_1 + alpha * _mean_by_slot(-F.logsigmoid(scale * compared.distractors.cosine - pool), ranked)


LOSSES: dict[str, Callable[..., Tensor]] = {
    loss.__name__: loss for loss in (infonce_ext, circle, triplet, siglip, arcface)
}
"""The losses by name. Their parameters and defaults are in `objective.PARAMETERS`."""


def _logsumexp(values: Tensor, counted: Tensor) -> Tensor:
    """LSE [A, B, 1] over the counted values; over nothing the lowest finite number, whose gradient is no NaN."""
    return values.masked_fill(~counted, torch.finfo(values.dtype).min).logsumexp(dim=-1, keepdim=True)


def _largest(values: Tensor, valid: Tensor) -> Tensor:
    return values.masked_fill(~valid, torch.finfo(values.dtype).min).amax(dim=-1)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of the valid values; 0, with a gradient of zeros, when there is none."""
    return values.masked_fill(~valid, 0.0).sum() / valid.sum().clamp_min(1)


def _mean_by_slot(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over slots (and anchors' turns) of the mean over samples; slots that no sample has are left out."""
    counts = valid.sum(dim=1)
    means = values.masked_fill(~valid, 0.0).sum(dim=1) / counts.clamp_min(1)
    return means.sum() / (counts > 0).sum().clamp_min(1)
