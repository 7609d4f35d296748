"""Optimisers and their schedule: AdamW, or Muon on the matrices of the layers with AdamW on the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from nearid_cli.errors import UsageError


def make_optimiser(model: nn.Module, name: str, lr: float, weight_decay: float) -> Optimizer:
    """The optimiser of a model's trainable parameters.

    Weight decay is for matrices only: biases, norms and other vectors keep their scale. (The published training
    decays them all; at its 1e-4 the difference is far below rounding of the results.)

    Args:
        model: parameters that need no gradient are left out.
        name: `adamw`; or `muon` for Muon on the weights of linear and attention layers, and AdamW on the
            rest: embeddings, convolutions, probes, biases and norms. Muon's steps are scaled to the size of
            AdamW's (Liu et al., 2025, arXiv 2502.16982), so that one learning rate serves both.
        lr: learning rate.
        weight_decay: decoupled, as in AdamW.

    Raises:
        UsageError: Muon is not in this version of torch.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    hidden = {id(weight) for weight in _layer_matrices(model)} if name == "muon" else set()
    matrices = [parameter for parameter in trainable if id(parameter) in hidden]
    rest = [parameter for parameter in trainable if id(parameter) not in hidden]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = AdamW([group for group in groups if group["params"]], lr=lr) if rest else None
    if not matrices:
        assert adamw is not None
        return adamw
    if not hasattr(torch.optim, "Muon"):
        raise UsageError(f"--optimizer muon needs torch 2.9 or newer, found {torch.__version__}")
    muon = torch.optim.Muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    return JointOptimiser([muon, adamw]) if adamw is not None else muon


def schedule(kind: str, warmup_steps: int, total_steps: int) -> Callable[[int], float]:
    """The factor of the learning rate as a function of the step, which is all the state that it has.

    Rises linearly to 1 over the first `warmup_steps`, then stays (`constant`) or follows half a cosine down to 0
    after `total_steps` (`cosine`).

    >>> factor = schedule("cosine", 2, 6)
    >>> [round(factor(step), 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        if kind == "constant":
            return 1.0
        done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


class JointOptimiser(Optimizer):
    """Several optimisers of disjoint parameters as one, so that a step, a scaler and a schedule see one."""

    def __init__(self, parts: list[Optimizer]) -> None:
        self.parts = parts
        super().__init__([parameter for part in parts for parameter in _parameters(part)], {})
        # The very groups of the parts: whoever sets a learning rate here sets it there.
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of every part."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def _layer_matrices(model: nn.Module) -> Iterator[nn.Parameter]:
    """The trainable weights of linear and attention layers."""
    for module in model.modules():
        weights = [getattr(module, name, None) for name in ("weight", "in_proj_weight")]
        if isinstance(module, (nn.Linear, nn.MultiheadAttention)):
            yield from (w for w in weights if isinstance(w, nn.Parameter) and w.requires_grad)


def _parameters(optimiser: Optimizer) -> Iterator[nn.Parameter]:
    for group in optimiser.param_groups:
        yield from group["params"]
