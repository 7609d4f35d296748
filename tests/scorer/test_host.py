"""A training does not feel a `Scorer`: everything that it has set or drawn is as it was."""

from __future__ import annotations

import logging
import os
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nearid_cli import Scorer
from nearid_cli.errors import UsageError
from tests.looping import Paths, tensor

OPTIONS: dict[str, Any] = {
    "use_cache": False,
    "configured": {"noisy": {"plugin": "tests.scorer.noisy:Noisy"}},
}


def settings() -> dict[str, Any]:
    """What belongs to the program around."""
    cudnn, mkldnn, cuda = torch.backends.cudnn, torch.backends.mkldnn, torch.backends.cuda
    return {
        "python": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        "torch": torch.get_rng_state().tolist(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "autocast": [
            (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")
        ],
        "autocast cache": torch.is_autocast_cache_enabled(),
        "cudnn": (cudnn.benchmark, cudnn.deterministic, cudnn.enabled, cudnn.conv.fp32_precision),
        "products": (mkldnn.matmul.fp32_precision, cuda.matmul.fp32_precision),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "logging": (logging.getLogger().level, list(logging.getLogger().handlers)),
        "folder": Path.cwd(),
    }


def everything(metrics: list[str], refs: Paths, gens: Paths) -> None:
    """All that a scorer does."""
    scorer = Scorer(metrics, refs, **OPTIONS)
    for subject, files in gens.items():
        scorer.update(torch.stack([tensor(one) for one in files]), subject, prompt="a prompt")
        with pytest.raises(UsageError):
            scorer.update(files, "nobody")
    scorer.compute()
    other = Scorer(metrics, refs, **OPTIONS)
    other.merge(scorer.state())
    other.compute()
    scorer.reset()


@pytest.mark.parametrize("around", ["nothing", "no_grad", "inference", "autocast", "device", "settings"])
def test_all_settings_are_as_they_were(refs: Paths, gens: Paths, checkpoint: Path, around: str) -> None:
    contexts = {
        "no_grad": torch.no_grad,
        "inference": torch.inference_mode,
        "device": lambda: torch.device("meta"),
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    }
    metrics = ["hog", f"nearid={checkpoint}", "noisy"]
    everything(metrics, refs, gens)  # what is imported first may say something
    expected = torch.get_default_dtype()
    cudnn, deterministic = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    try:
        if around == "settings":
            torch.set_default_dtype(torch.float64)
            torch.backends.cudnn.benchmark = True
            torch.use_deterministic_algorithms(True)
        with contexts.get(around, torch.enable_grad)():
            before = settings()
            everything(metrics, refs, gens)
            assert settings() == before
    finally:
        torch.set_default_dtype(expected)
        torch.backends.cudnn.benchmark = cudnn
        torch.use_deterministic_algorithms(deterministic)


def train(validate: Any) -> list[float]:
    """The losses of a tiny training with everything random in it that a program may draw."""
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1)
    )
    optimiser = torch.optim.AdamW(model.parameters())
    losses = []
    for step in range(6):
        batch = torch.randn(4, 8) + random.random() + np.random.rand()
        loss = model(batch).square().mean()
        validate(step, model)
        assert model.training
        loss.backward()  # validation comes between forward and backward
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def test_a_training_has_the_same_losses_with_and_without(refs: Paths, gens: Paths, checkpoint: Path) -> None:
    metrics = [f"nearid={checkpoint}", "noisy"]
    scorers: list[Scorer] = []

    def validate(step: int, model: torch.nn.Module) -> None:
        if not scorers:
            scorers.append(Scorer(metrics, refs, **OPTIONS))
        for subject, files in gens.items():
            made = (
                torch.stack([tensor(one) for one in files]) / 255 * model[0].weight.abs().clamp(max=1).mean()
            )
            scorers[0].update(made, subject)  # gradients follow it
        assert 0 < scorers[0].compute().aggregate["nearid"].score <= 1
        scorers[0].reset()

    def nothing(step: int, model: torch.nn.Module) -> None:
        pass

    without = train(nothing)
    assert len(set(without)) == len(without)
    assert train(validate) == without
