"""The aggregation networks: from what the diffusion model's decoder says at several depths to one vector a cell.

There are two alike, semantic and visual. Attributes are called as in the checkpoint, whose keys follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class _NormedConvolution(nn.Conv2d):
    """A convolution without bias and a group norm after it."""

    def __init__(self, channels: int, width: int, size: int, groups: int) -> None:
        super().__init__(channels, width, size, padding=size // 2, bias=False)
        self.norm = nn.GroupNorm(groups, width)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(super().forward(maps))
        return normed


class _Bottleneck(nn.Module):
    """A residual block: 1x1 to a quarter of the width, 3x3, 1x1 to the width."""

    def __init__(self, channels: int, width: int, groups: int) -> None:
        super().__init__()
        self.conv1 = _NormedConvolution(channels, width // 4, 1, groups)
        self.conv2 = _NormedConvolution(width // 4, width // 4, 3, groups)
        self.conv3 = _NormedConvolution(width // 4, width, 1, groups)
        self.shortcut = None if channels == width else _NormedConvolution(channels, width, 1, groups)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.conv1(maps))
        inner = functional.relu(self.conv2(inner))
        past = maps if self.shortcut is None else self.shortcut(maps)
        return functional.relu(self.conv3(inner) + past)


class AggregationNetworks(nn.Module):
    """Both of them.

    Args:
        channels: of each tap.
        blocks: bottleneck blocks a tap.
        width: of the vectors.
        groups: of the group norms.
    """

    def __init__(self, channels: Sequence[int], blocks: int, width: int, groups: int) -> None:
        super().__init__()

        def stages() -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(
                    *(_Bottleneck(width if place else one, width, groups) for place in range(blocks))
                )
                for one in channels
            )

        self.bottleneck_layers_semantic = stages()
        self.bottleneck_layers_visual = stages()
        self.mixing_weights_semantic = nn.Parameter(torch.empty(len(channels)))
        self.mixing_weights_visual = nn.Parameter(torch.empty(len(channels)))

    def forward(self, taps: Sequence[torch.Tensor]) -> torch.Tensor:
        """From a tap's maps [1, C_i, G, G] each to vectors of length 1, float32 [2, G * G, width]."""
        branches = (
            (self.bottleneck_layers_semantic, self.mixing_weights_semantic),
            (self.bottleneck_layers_visual, self.mixing_weights_visual),
        )
        return torch.stack([_aggregate(taps, stages, weights) for stages, weights in branches])


def _aggregate(taps: Sequence[torch.Tensor], stages: nn.ModuleList, weights: torch.Tensor) -> torch.Tensor:
    """Each cell's vector, [G * G, width]. The first tap has no weight: so the networks were trained."""
    shares = weights.softmax(0)
    maps = [stage(tap) for stage, tap in zip(stages, taps, strict=True)]
    total = maps[0] + sum(share * one for share, one in zip(shares[1:], maps[1:], strict=True))
    return functional.normalize(total[0].float().flatten(1).T, dim=1)
